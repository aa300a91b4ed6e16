"""A whole column of notes held against its rows: where they cannot both be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medcore.lexicon import Lexicon
from medcore.notes.contradictions import Contradiction, find_contradictions, read_note
from medcore.notes.sections import DEFAULT_RULES

# Of longer notes the beginning is read: a whole record in one cell would hold up all others.
MOST_LETTERS = 50_000


@dataclass(frozen=True)
class RowFound:
    """What was found in the note of a row; `row_id` is the table's."""

    row_id: int
    contradictions: tuple[Contradiction, ...]


def scan_column(
    frame: pd.DataFrame,
    column: str,
    lexicon: Lexicon,
    *,
    without: Sequence[str] = (),
    units: Mapping[str, str | None] | None = None,
    rules: Mapping[str, tuple[str, ...]] = DEFAULT_RULES,
) -> Iterator[RowFound]:
    """Yield, for each row that has a note, what contradicts in it or in its row, in order.

    `without` are columns that are no part of the row, such as other notes.
    """
    left = [name for name in frame.columns if name != column and name not in without]
    for row_id, text in frame[column].dropna().astype(str).items():
        if not text.strip():
            continue
        values = frame.loc[row_id, left]
        row: dict[str, Any] = {str(k): v for k, v in values.items() if not pd.isna(v)}
        read = read_note(text[:MOST_LETTERS], lexicon, rules)
        found = find_contradictions(read, row, lexicon, units or {})
        yield RowFound(int(row_id), tuple(found))
