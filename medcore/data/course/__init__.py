"""Tables with one row a visit: each patient's course as one cell of a column of series."""

from medcore.data.course.fold import (
    fold_again,
    fold_rows,
    fold_visits,
    has_visits,
    input_kinds_of,
    is_course,
    outcome_sources,
    series_column,
)
from medcore.data.course.window import Window, read_window, write_window

__all__ = [
    "Window",
    "fold_again",
    "fold_rows",
    "fold_visits",
    "has_visits",
    "input_kinds_of",
    "is_course",
    "outcome_sources",
    "read_window",
    "series_column",
    "write_window",
]
