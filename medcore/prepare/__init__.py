"""From columns to numbers: fitted on the training rows alone, applied alike to everyone else.

`preparation.py` holds the record and the way in and out, `columns.py` one fit per kind of column,
`scaling.py` the scales of numbers, `cells.py` what was filled in or lies outside the training.
`kinds.py` says how columns that are not tabular are prepared (images in `images.py`, `pixels.py`,
courses of visits in `series.py`, `windows.py`, `summary.py`).
`imputing.py` fills gaps from a row's other columns: by neighbours, chained regressions or trees
(`neighbours.py`, `chain.py`, `draws.py`, `thicket.py`) or a network, all in the one matrix of
`coding.py`; `leaving.py` drops rows or columns; `contract.py` says which inputs may be unknown in
new patients, and what then happens.
"""

from medcore.prepare.cells import completed_rows, imputed_cells, outside_training_range
from medcore.prepare.contract import InputRule, unexpected_gaps
from medcore.prepare.images import say_slices
from medcore.prepare.imputing import (
    Imputer,
    Reins,
    fit_imputer,
    imputer_meta,
    less_unusual,
    read_imputer,
)
from medcore.prepare.leaving import describe_left, kept_columns, kept_rows, tabular_columns
from medcore.prepare.preparation import (
    Preparation,
    fit_preparation,
    load_preparation,
    prepare_rows,
    save_preparation,
)
from medcore.prepare.summary import last_features

__all__ = [
    "Imputer",
    "InputRule",
    "Preparation",
    "Reins",
    "completed_rows",
    "describe_left",
    "fit_imputer",
    "fit_preparation",
    "imputed_cells",
    "imputer_meta",
    "kept_columns",
    "kept_rows",
    "last_features",
    "less_unusual",
    "load_preparation",
    "outside_training_range",
    "prepare_rows",
    "read_imputer",
    "save_preparation",
    "say_slices",
    "tabular_columns",
    "unexpected_gaps",
]
