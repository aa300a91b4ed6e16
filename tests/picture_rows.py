"""Data sets of small pictures with a known signal: a bright disc in the upper or lower half."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medcore.data.media import MediaFolder
from medcore.records import Column, Dataset, LedgerEntry


def draw_picture(rng: np.random.Generator, upper: bool, side: int = 16) -> np.ndarray:
    """Return a noisy uint8 picture with a disc in its upper or lower half."""
    y, x = np.mgrid[:side, :side]
    centre = side * (rng.uniform(0.2, 0.4) if upper else rng.uniform(0.6, 0.8))
    disc = (y - centre) ** 2 + (x - side * rng.uniform(0.3, 0.7)) ** 2 < (side / 6) ** 2
    return (rng.normal(70, 20, (side, side)) + 90 * disc).clip(0, 255).astype(np.uint8)


def picture_dataset(
    folder: Path, rows: int = 120, seed: int = 0, *, table: bool = False
) -> Dataset:
    """Return pictures and what they show; with `table` a number tells half of it too."""
    rng, media = np.random.default_rng(seed), MediaFolder(folder / "media")
    upper = rng.random(rows) < 0.5
    frame = pd.DataFrame({"scan": [media.add(draw_picture(rng, bool(up))) for up in upper]})
    frame["scan"] = frame["scan"].astype("string")
    columns = [Column("scan", "image", "input")]
    if table:
        frame["marker"] = upper + rng.normal(0, 0.7, rows)
        columns.append(Column("marker", "number", "input"))
    frame["place"] = pd.Series(np.where(upper, "upper", "lower"), dtype="string")
    columns.append(Column("place", "category", "outcome", None, ("upper", "lower")))
    ledger = (LedgerEntry("read", "Drawn.", rows, rows, len(columns), len(columns)),)
    return Dataset("Discs", "discs", f"{seed}" * 64, frame, tuple(columns), ledger, media.folder)
