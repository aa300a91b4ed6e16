"""From columns to numbers: fitted on the training rows alone, applied alike to everyone else.

`preparation.py` holds the record and the way in and out, `columns.py` one fit per kind of column,
`scaling.py` the scales of numbers, `cells.py` what was filled in or lies outside the training.
"""

from medcore.prepare.cells import imputed_cells, outside_training_range
from medcore.prepare.preparation import (
    Preparation,
    fit_preparation,
    load_preparation,
    prepare_rows,
    save_preparation,
)

__all__ = [
    "Preparation",
    "fit_preparation",
    "imputed_cells",
    "load_preparation",
    "outside_training_range",
    "prepare_rows",
    "save_preparation",
]
