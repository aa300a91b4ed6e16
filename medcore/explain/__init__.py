"""What drives a model: pure functions of what it says of made-up patients; only NumPy and pandas.

`mixing.py` is the one question they all ask, `importance.py` and `effects.py` tell of the model,
`shapley.py` of one patient, `association.py` and `similarity.py` what goes together.
"""

from medcore.explain.association import associate_columns, group_columns
from medcore.explain.effects import Effect, accumulate_effects, make_grid
from medcore.explain.importance import Truth, permutation_importance
from medcore.explain.mixing import Mixture, mix_frames
from medcore.explain.shapley import Shares, shapley_values
from medcore.explain.similarity import (
    nearest_rows,
    nearest_vectors,
    order_categories,
    shared_neighbours,
    unit_vectors,
)

__all__ = [
    "Effect",
    "Mixture",
    "Shares",
    "Truth",
    "accumulate_effects",
    "associate_columns",
    "group_columns",
    "make_grid",
    "mix_frames",
    "nearest_rows",
    "nearest_vectors",
    "order_categories",
    "permutation_importance",
    "shapley_values",
    "shared_neighbours",
    "unit_vectors",
]
