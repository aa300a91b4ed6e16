"""Data sets of short made-up notes with a known signal: what was found decides the outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medcore.records import Column, Dataset, LedgerEntry

FILLERS = (
    "patient seen on the ward", "denies chest pain", "no known allergies", "lungs are clear",
    "history of knee surgery", "takes aspirin daily", "father had diabetes", "slept well",
    "walks with a stick", "blood pressure stable",
)  # fmt: skip
UPPER = ("consolidation in the right lung", "infiltrate on the film", "productive cough with fever")
LOWER = ("film without findings", "no cough or fever today", "lungs unremarkable on the film")


def write_note(rng: np.random.Generator, upper: bool) -> str:
    """Return a note of some sentences, one of which tells the outcome."""
    said = list(rng.choice(FILLERS, rng.integers(2, 6), replace=False))
    said.insert(int(rng.integers(len(said) + 1)), str(rng.choice(UPPER if upper else LOWER)))
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in said) + "."


def note_dataset(rows: int = 120, seed: int = 0, *, table: bool = False) -> Dataset:
    """Return notes in the column `scan` and the place they tell; some rows have none.

    With `table` a number tells half of it too.
    """
    rng = np.random.default_rng(seed)
    upper = rng.random(rows) < 0.5
    notes = pd.Series([write_note(rng, bool(up)) for up in upper], dtype="string")
    notes[[5, 77 % rows]] = pd.NA
    frame = pd.DataFrame({"scan": notes})
    columns = [Column("scan", "text", "input")]
    if table:
        frame["marker"] = upper + rng.normal(0, 0.7, rows)
        columns.append(Column("marker", "number", "input"))
    frame["place"] = pd.Series(np.where(upper, "upper", "lower"), dtype="string")
    columns.append(Column("place", "category", "outcome", None, ("upper", "lower")))
    ledger = (LedgerEntry("read", "Written.", rows, rows, len(columns), len(columns)),)
    return Dataset("Notes", "notes", f"{seed}" * 64, frame, tuple(columns), ledger)
