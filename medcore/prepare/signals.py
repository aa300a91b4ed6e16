"""Waveforms: their common length and range learned from training rows, and their block.

All are read once into one memory-mapped file beside the data set, as images are (`pixels.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data.media import read_signal
from medcore.errors import DataError
from medcore.prepare.windows import FAR, LEAD
from medcore.records import Block, Dataset

VERSION = 1
# Time goes from −10 to 0 over the longest waveform.
SPAN = 10.0
BANDS = 8
PLAIN = ("mean", "spread", "lowest", "highest", "step", "crossings",
         *(f"power in band {band + 1}" for band in range(BANDS)))  # fmt: skip
AT_ONCE = 256


@dataclass(frozen=True)
class SignalFit:
    """A column of waveforms.

    Each `pooled` samples are averaged into one of at most `steps`. `mean` and `spread` are those of
    each channel, `plain_mean` and `plain_spread` those of the simple features.
    """

    name: str
    encoder: str
    waves: int
    pooled: int
    steps: int
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    plain_mean: tuple[float, ...]
    plain_spread: tuple[float, ...]
    kind: Literal["series"] = "series"


@dataclass(frozen=True, eq=False)
class Signals:
    """Waveforms, taken out by position as an array's items are; `raw` (items, steps, channels)."""

    raw: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Items, moments, and what is told of each, as of courses of visits."""
        return len(self.raw), self.raw.shape[1], LEAD + 2 * self.raw.shape[2]

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, items: np.ndarray) -> np.ndarray:
        """Return float32 (len(items), steps, 2 + 2 × channels)."""
        found = np.asarray(self.raw[np.asarray(items)], dtype=np.float32)
        steps, channels = found.shape[1:]
        known = ~np.isnan(found)
        last = steps - np.argmax(known.any(axis=2)[:, ::-1], axis=1)
        there = (np.arange(steps) < last[:, None]) & known.any(axis=(1, 2))[:, None]
        out = np.zeros((len(found), *self.shape[1:]), dtype=np.float32)
        out[..., 0] = there
        out[..., 1] = np.where(there, (np.arange(steps) + 1 - last[:, None]) * (SPAN / steps), 0)
        standard = np.where(known, (found - self.mean) / self.spread, 0).clip(-FAR, FAR)
        out[..., LEAD : LEAD + channels] = standard
        out[..., LEAD + channels :] = known
        return out


def fit_signal(
    name: str, encoder: str, training: pd.Series, dataset: Dataset, config: RunConfig
) -> SignalFit | str:
    """Learn a column of waveforms from training rows; a sentence where it tells nothing."""
    names = sorted(training.dropna().astype(str).unique())
    if not names:
        return f"Column '{name}' has no waveform in any training row and is left out."
    if dataset.media is None:
        raise DataError(f"The waveforms of '{name}' are not with the table; bring them together.")
    sizes = [read_signal(dataset.media, file).shape for file in names]
    longest, waves = max(size[0] for size in sizes), max(size[1] for size in sizes)
    pooled = -(-longest // config.series.samples)
    steps = -(-longest // pooled)
    raw = load_signals(dataset.media, _files(dataset, name), waves, pooled, steps)
    own = np.searchsorted(_files(dataset, name), names)
    total, square, count = (np.zeros(waves) for _ in range(3))
    plain = []
    for start in range(0, len(own), AT_ONCE):
        part = np.asarray(raw[own[start : start + AT_ONCE]], dtype=np.float64)
        plain.append(plain_features(part))
        known = ~np.isnan(part)
        total += np.where(known, part, 0).sum(axis=(0, 1))
        square += np.where(known, part**2, 0).sum(axis=(0, 1))
        count += known.sum(axis=(0, 1))
    mean = total / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(square / np.maximum(count, 1) - mean**2, 0))
    features = np.concatenate(plain)
    width = features.std(axis=0)
    spread, width = np.where(spread > 0, spread, 1), np.where(width > 1e-6, width, 1)
    usual = (_floats(part) for part in (mean, spread, features.mean(axis=0), width))
    return SignalFit(name, encoder, waves, pooled, steps, *usual)


def signal_block(fit: SignalFit, frame: pd.DataFrame, dataset: Dataset) -> Block:
    """Return the waveforms of some rows, read once and kept beside the data set."""
    cells = frame[fit.name] if fit.name in frame.columns else pd.Series(pd.NA, index=frame.index)
    words = cells.astype("string")
    present = words.notna().to_numpy(bool)
    place = np.full(len(words), -1, dtype=np.int64)
    raw: np.ndarray = np.zeros((0, fit.steps, fit.waves), np.float32)
    digest = ""
    if present.any():
        if dataset.media is None:
            raise DataError(f"The waveforms of '{fit.name}' are not with the table.")
        files = _files(dataset, fit.name)
        raw = load_signals(dataset.media, files, fit.waves, fit.pooled, fit.steps)
        place[present] = np.searchsorted(files, words[present].tolist())
        digest = _digest(files, fit.waves, fit.pooled, fit.steps)
    names = [f"{fit.name}: channel {wave + 1}, {word}" for wave in range(fit.waves)
             for word in PLAIN]  # fmt: skip
    plain = np.zeros((len(words), len(names) + 1), dtype=np.float32)
    for start in range(0, int(present.sum()), AT_ONCE):
        rows = np.flatnonzero(present)[start : start + AT_ONCE]
        found = plain_features(np.asarray(raw[place[rows]], dtype=np.float64))
        plain[rows, :-1] = (found - np.array(fit.plain_mean)) / np.array(fit.plain_spread)
    plain[:, -1] = ~present
    names.append(f"{fit.name}: missing")
    values = Signals(raw, np.array(fit.mean, np.float32), np.array(fit.spread, np.float32))
    return Block(
        kind="series", names=tuple(names), sources=(fit.name,) * len(names), values=values,
        present=present, place=place, plain=plain, traits={"encoder": fit.encoder}, digest=digest,
    )  # fmt: skip


def plain_features(raw: np.ndarray) -> np.ndarray:
    """Return the simple features of waveforms, float64 (items, channels × features), see `PLAIN`.

    `raw` (items, steps, channels), NaN where there is no sample; powers are logarithms.
    """
    known = ~np.isnan(raw)
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, raw, 0).sum(axis=1) / count
    away = np.where(known, raw - mean[:, None], 0)
    spread = np.sqrt((away**2).sum(axis=1) / count)
    low = np.where(known, raw, np.inf).min(axis=1)
    high = np.where(known, raw, -np.inf).max(axis=1)
    step = np.abs(np.diff(away, axis=1)).mean(axis=1)
    crossings = (np.diff(np.sign(away), axis=1) != 0).mean(axis=1)
    power = np.abs(np.fft.rfft(away, axis=1))[:, 1:] ** 2
    edges = np.unique(np.geomspace(1, power.shape[1] + 1, BANDS + 1).astype(int))
    edges = np.r_[edges, np.full(BANDS + 1 - len(edges), edges[-1])] - 1
    bands = [
        np.log1p(power[:, edges[band] : max(edges[band + 1], edges[band] + 1)].sum(axis=1))
        for band in range(BANDS)
    ]
    every = np.stack([mean, spread, low, high, step, crossings, *bands], axis=2)
    return np.where(np.isfinite(every), every, 0).reshape(len(raw), -1)


def load_signals(
    media: Path, names: Sequence[str], waves: int, pooled: int, steps: int
) -> np.ndarray:
    """Return the waveforms called `names`, float32 (items, steps, channels), from the cache."""
    folder = media.parent / "cache"
    kept = folder / f"{_digest(names, waves, pooled, steps)}.npy"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        near = kept.with_suffix(f".{os.getpid()}.tmp")
        shape = (len(names), steps, waves)
        values = np.lib.format.open_memmap(near, mode="w+", dtype=np.float32, shape=shape)
        for place, name in enumerate(names):
            values[place] = pool_signal(read_signal(media, name), waves, pooled, steps)
        values.flush()
        os.replace(near, kept)
    return np.load(kept, mmap_mode="r", allow_pickle=False)


def pool_signal(signal: np.ndarray, waves: int, pooled: int, steps: int) -> np.ndarray:
    """Return a waveform averaged down, float32 (steps, channels), NaN where it has none.

    >>> pool_signal(np.array([[1.0], [3.0], [5.0]], np.float32), 1, 2, 3)[:, 0].tolist()
    [2.0, 5.0, nan]
    """
    signal = signal[: pooled * steps, :waves]
    blocks = np.full((pooled * steps, waves), np.nan, np.float32)
    blocks[: len(signal), : signal.shape[1]] = signal
    blocks = blocks.reshape(steps, pooled, waves)
    known = ~np.isnan(blocks)
    count = known.sum(axis=1)
    total = np.where(known, blocks, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def read_signal_fit(values: Mapping[str, Any]) -> SignalFit:
    """Return the fit that was written as JSON."""
    return SignalFit(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _files(dataset: Dataset, name: str) -> list[str]:
    return sorted(dataset.frame[name].dropna().astype(str).unique())


def _digest(names: Sequence[str], waves: int, pooled: int, steps: int) -> str:
    told = json.dumps([VERSION, "signals", waves, pooled, steps, list(names)])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
