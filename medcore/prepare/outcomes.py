"""What became of rows: outcomes as each task takes them, and whose rows they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medcore.data import read_labels
from medcore.prepare.columns import read_numbers, read_words


def read_column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, empty where the table has none of that name."""
    if name in frame.columns:
        return frame[name]
    return pd.Series(np.nan, index=frame.index, dtype=object)


def read_outcome(preparation: Any, frame: pd.DataFrame) -> np.ndarray:
    """Return the outcome of rows as a `Preparation` says; see `Prepared.outcome`."""
    values = read_column(frame, preparation.outcome)
    if preparation.task == "regression":
        return read_numbers(values)
    if preparation.task == "multilabel":
        return read_labels(outcome_words(values), preparation.classes)
    if preparation.task == "effect":
        return np.column_stack([_outcome_values(preparation, values), _arms(preparation, frame)])
    if preparation.task == "survival":
        known = values.notna().to_numpy(bool)
        cause = pd.Index(preparation.classes, dtype=object).get_indexer(outcome_words(values)) + 1.0
        duration = read_numbers(read_column(frame, preparation.duration))
        return np.column_stack([duration, np.where(known, cause, np.nan)])
    return pd.Index(preparation.classes, dtype=object).get_indexer(outcome_words(values))


def _outcome_values(preparation: Any, values: pd.Series) -> np.ndarray:
    """Return an outcome as numbers: yes/no as 1 for the second of the classes, NaN unknown."""
    if not preparation.classes:
        return read_numbers(values)
    codes = pd.Index(preparation.classes, dtype=object).get_indexer(outcome_words(values))
    return np.where(codes < 0, np.nan, codes)


def _arms(preparation: Any, frame: pd.DataFrame) -> np.ndarray:
    words = outcome_words(read_column(frame, preparation.treatment))
    codes = pd.Index(preparation.arms, dtype=object).get_indexer(words)
    return np.where(codes < 0, np.nan, codes)


def outcome_words(values: pd.Series) -> np.ndarray:
    """Return an outcome column as class names (str, None where unknown); whole numbers as 0, 1, …

    >>> outcome_words(pd.Series([1.0, None, 0.0])).tolist()
    ['1', None, '0']
    """
    if pd.api.types.is_float_dtype(values):
        known = values.notna().to_numpy(bool)
        words = np.full(len(values), None, dtype=object)
        words[known] = [f"{value:g}" for value in values[known].tolist()]
        return words
    return read_words(values)


def read_groups(patient: str | None, frame: pd.DataFrame) -> np.ndarray:
    """Return a number per patient, int64 (rows,)."""
    if patient is None or patient not in frame.columns:
        return np.arange(len(frame), dtype=np.int64)
    codes, known = pd.factorize(frame[patient])
    # A row without a patient's name is a patient of its own.
    unknown = codes < 0
    codes[unknown] = len(known) + np.arange(unknown.sum())
    return codes.astype(np.int64)
