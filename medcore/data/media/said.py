"""What was said in recordings: a text of the same name beside each, the folder its speaker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from medcore.records import Column

SAID, SPEAKER = "said", "speaker"
MOST_TEXT = 100_000


def find_texts(root: Path, files: Iterable[str]) -> dict[str, str]:
    """Return what was said in each recording that has one (`anna/1.wav`, `anna/1.txt`)."""
    told = {}
    for file in files:
        path = (root / file).with_suffix(".txt")
        if path.is_file():
            with path.open(encoding="utf-8-sig", errors="replace") as text:
                told[file] = text.read(MOST_TEXT).strip()
    return told


def add_texts(
    frame: pd.DataFrame, columns: list[Column], texts: Mapping[str, str]
) -> tuple[pd.DataFrame, list[Column]]:
    """Add what was said; the folders are then no classes but speakers, whom a split keeps whole."""
    note = "What was said: the text beside each recording."
    columns = [*columns, Column(SAID, "text", "ignored", note=note)]
    frame = frame.assign(**{SAID: frame["file"].map(texts).astype("string")})
    if "label" not in frame:
        return frame, columns
    note = "The names of the folders: who spoke."
    columns = [
        replace(column, name=SPEAKER, role="patient", note=note) if column.name == "label"
        else column
        for column in columns
        if column.name != "patient"
    ]  # fmt: skip
    return frame.rename(columns={"label": SPEAKER}), columns
