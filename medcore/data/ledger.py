"""Steps that change rows or columns, each with its entry in the ledger."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from medcore.data.kinds import list_categories
from medcore.records import Dataset, LedgerEntry


def note_step(
    after: Dataset, before: Dataset, step: str, reason: str, names: tuple[str, ...] = ()
) -> Dataset:
    """Return `after` with the entry that says what became of the rows and inputs of `before`."""
    entry = LedgerEntry(
        step,
        reason,
        len(before.frame),
        len(after.frame),
        len(before.with_role("input")),
        len(after.with_role("input")),
        names,
    )
    return replace(after, ledger=(*after.ledger, entry))


def set_words(dataset: Dataset, name: str, words: pd.Series) -> Dataset:
    """Return the data set with a column of words in place of what it held."""
    frame = dataset.frame.copy(deep=False)
    frame[name] = words
    columns = tuple(
        replace(c, kind="category", categories=list_categories(words)) if c.name == name else c
        for c in dataset.columns
    )
    return replace(dataset, frame=frame, columns=columns)


def write_words(values: pd.Series) -> pd.Series:
    """Return values as words; whole numbers without a point.

    >>> write_words(pd.Series([1.0, 0.0])).tolist()
    ['1', '0']
    """
    if pd.api.types.is_float_dtype(values):
        return values.map(lambda value: f"{value:g}").astype("string")
    return values.astype("string")
