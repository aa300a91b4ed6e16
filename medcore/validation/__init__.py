"""External validation: a frozen run, a new table with outcomes, and the whole judgement anew.

`units.py` suspects other units, `newcomers.py` makes the new table ready, `drift.py` compares the
patients, `compare.py` the figures, `updating.py` moves the risks to the new level, `work.py` does
it all and writes it down. Nothing but `work.py` loads a model.
"""

from medcore.validation.compare import difference_of_metrics
from medcore.validation.drift import NOTABLE, compare_cohorts
from medcore.validation.newcomers import Newcomers, read_newcomers
from medcore.validation.units import KEEP, Question, list_conversions, suspect_unit

__all__ = [
    "KEEP",
    "NOTABLE",
    "Newcomers",
    "Question",
    "compare_cohorts",
    "difference_of_metrics",
    "list_conversions",
    "read_newcomers",
    "suspect_unit",
]
