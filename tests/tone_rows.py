"""Data sets of short sounds with a known signal: a tone that rises or falls, by speakers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from medcore.data.media import MediaFolder
from medcore.records import Column, Dataset, LedgerEntry
from medcore.sound import RATE, write_flac


def sing(rng: np.random.Generator, rising: bool, seconds: float = 0.4) -> np.ndarray:
    """Return a noisy tone that rises or falls from a random pitch, float32 at 16 kHz."""
    time = np.arange(round(seconds * RATE)) / RATE
    low, span = rng.uniform(300, 600), rng.uniform(300, 500)
    pitch = low + span * (time if rising else seconds - time) / seconds
    tone = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)
    return (tone + rng.normal(0, 0.01, len(time))).astype(np.float32)


def tone_dataset(folder: Path, rows: int = 120, seed: int = 0, *, table: bool = False) -> Dataset:
    """Return sounds and whether they rise; with `table` a number tells half of it too."""
    rng, media = np.random.default_rng(seed), MediaFolder(folder / "media")
    rising = rng.random(rows) < 0.5
    kept = [media.add_bytes(write_flac(sing(rng, bool(up))), "flac") for up in rising]
    frame = pd.DataFrame({"scan": pd.Series(kept, dtype="string")})
    columns = [Column("scan", "audio", "input")]
    if table:
        frame["marker"] = rising + rng.normal(0, 0.7, rows)
        columns.append(Column("marker", "number", "input"))
    frame["place"] = pd.Series(np.where(rising, "upper", "lower"), dtype="string")
    columns.append(Column("place", "category", "outcome", None, ("upper", "lower")))
    ledger = (LedgerEntry("read", "Sung.", rows, rows, len(columns), len(columns)),)
    return Dataset("Tones", "tones", f"{seed}" * 64, frame, tuple(columns), ledger, media.folder)
