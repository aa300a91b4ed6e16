"""From rows with files to a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from medcore.data.kinds import list_categories
from medcore.records import Column, Dataset, LedgerEntry


def media_dataset(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    name: str,
    source: str,
    sha256: str,
    media: Path,
    entries: Sequence[LedgerEntry] = (),
) -> Dataset:
    """Return a data set whose files lie in `media`; `entries` say what was set aside on the way."""
    told = tuple(
        replace(column, categories=list_categories(frame[column.name]))
        if column.kind == "category"
        else column
        for column in columns
    )
    count, rows = len(told), len(frame)
    before = entries[0].rows_in if entries else rows
    first = LedgerEntry("read", f"Read from {source}.", before, before, count, count)
    frame = frame[[column.name for column in told]].reset_index(drop=True)
    return Dataset(name, source, sha256, frame, told, (first, *entries), media)
