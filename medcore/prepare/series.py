"""Courses of visits: channels and their usual values learned from training rows; their block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from medcore.config import ENCODER_NAMES, RunConfig
from medcore.data.course import Window, read_window
from medcore.errors import DataError
from medcore.prepare.signals import SignalFit, fit_signal, read_signal_fit, signal_block
from medcore.prepare.summary import summarise_windows, summary_names
from medcore.prepare.windows import Windows
from medcore.records import Block, Dataset

MOST_CATEGORIES = 20


@dataclass(frozen=True)
class Channel:
    """One thing measured at visits: a number, or whether a column holds a category.

    `low` and `high` are the smallest and the largest value of training patients.
    """

    column: str
    category: str | None
    mean: float
    spread: float
    low: float = 0.0
    high: float = 1.0

    @property
    def name(self) -> str:
        """What the channel is called."""
        return self.column if self.category is None else f"{self.column}={self.category}"


@dataclass(frozen=True)
class SeriesFit:
    """A column of courses.

    `steps` are the most visits that are looked at, `scale` the usual time between two, by which
    times are divided. `plain_mean` and `plain_spread` standardise the summary (see
    `medcore.prepare.summary`), whose mean stands in for what is not known.
    """

    name: str
    channels: tuple[Channel, ...]
    encoder: str
    steps: int
    scale: float
    plain_mean: tuple[float, ...]
    plain_spread: tuple[float, ...]
    kind: Literal["series"] = "series"


def fit_series(
    name: str, training: pd.Series, dataset: Dataset, config: RunConfig
) -> SeriesFit | SignalFit | str:
    """Learn a column of courses, or of waveforms, from training rows.

    A sentence where it has nothing to tell.
    """
    signals = not dataset.column(name).made_of
    encoder = choose_series_encoder(config, signals=signals)
    if signals:
        return fit_signal(name, encoder, training, dataset, config)
    if dataset.visits is None:
        raise DataError(f"The visits of '{name}' are not with the table; bring them together.")
    windows = _windows(training)
    if not windows:
        return f"Column '{name}' has no visit in any training row and is left out."
    seen = np.zeros(len(dataset.visits) + 1, dtype=np.int64)
    for window in windows:
        seen[window.start] += 1
        seen[window.stop] -= 1
    visits = dataset.visits[seen[:-1].cumsum() > 0]
    columns = next(c.made_of for c in dataset.columns if c.name == name)
    channels = tuple(found for column in columns for found in _channels(visits[column]))
    if not channels:
        return f"Nothing was ever measured at the visits of '{name}'; it is left out."
    longest = max(window.stop - window.start for window in windows)
    time = dataset.visits["time"].to_numpy(np.float64)
    gaps = np.concatenate([np.diff(time[w.start : w.stop]) for w in windows])
    scale = float(np.median(gaps)) if len(gaps) else 1.0
    fit = SeriesFit(
        name, channels, encoder, min(longest, config.series.steps), scale or 1.0, (), ()
    )
    plain = summarise_windows(_cut(fit, windows, dataset.visits))
    mean, spread = _measure(plain)
    return replace(fit, plain_mean=mean, plain_spread=spread)


def choose_series_encoder(config: RunConfig, *, signals: bool) -> str:
    """Return which network courses, or waveforms, get: the one that is set, or the usual one."""
    if config.model.name in ENCODER_NAMES["series"]:
        return config.model.name
    if config.series.encoder != "auto":
        return config.series.encoder
    return "tcn" if signals else "gru_d"


def series_block(fit: SeriesFit | SignalFit, frame: pd.DataFrame, dataset: Dataset) -> Block:
    """Return the courses of some rows; they are cut out of the visits when they are looked at."""
    if isinstance(fit, SignalFit):
        return signal_block(fit, frame, dataset)
    cells = frame[fit.name] if fit.name in frame.columns else pd.Series(pd.NA, index=frame.index)
    present = cells.notna().to_numpy(bool)
    if present.any() and dataset.visits is None:
        raise DataError(f"The visits of '{fit.name}' are not with the table.")
    place = np.full(len(cells), -1, dtype=np.int64)
    place[present] = np.arange(present.sum())
    windows = _cut(fit, _windows(cells), dataset.visits)
    names = summary_names(fit.name, [channel.name for channel in fit.channels])
    plain = np.zeros((len(cells), len(names) + 1), dtype=np.float32)
    found = summarise_windows(windows)
    standard = (found - np.array(fit.plain_mean)) / np.array(fit.plain_spread)
    plain[present, :-1] = np.where(np.isnan(standard), 0.0, standard)
    plain[:, -1] = ~present
    return Block(
        kind="series", names=(*names, f"{fit.name}: missing"),
        sources=(fit.name,) * (len(names) + 1), values=windows, present=present, place=place,
        plain=plain, traits={"encoder": fit.encoder},
        digest=_digest(windows),
    )  # fmt: skip


def read_series_fit(values: Mapping[str, Any]) -> SeriesFit | SignalFit:
    """Return the fit that was written as JSON."""
    if "waves" in values:
        return read_signal_fit(values)
    channels = tuple(Channel(**channel) for channel in values["channels"])
    plain = {key: tuple(values[key]) for key in ("plain_mean", "plain_spread")}
    return SeriesFit(**{**values, **plain, "channels": channels})


def _measure(plain: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and spread of each number over the rows where it is known."""
    known = ~np.isnan(plain)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, plain, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, plain - mean, 0.0) ** 2).sum(axis=0) / count)
    return tuple(mean.tolist()), tuple(np.where(spread > 1e-6, spread, 1.0).tolist())


def _windows(cells: pd.Series) -> list[Window]:
    return [read_window(word) for word in cells.dropna().astype(str)]


def _channels(values: pd.Series) -> Iterator[Channel]:
    """Yield the channels of a measured column: itself, or one a frequent category."""
    known = values.dropna()
    if not len(known):
        return
    if pd.api.types.is_numeric_dtype(values):
        numbers = known.to_numpy(np.float64)
        spread = float(numbers.std())
        ends = float(numbers.min()), float(numbers.max())
        yield Channel(str(values.name), None, float(numbers.mean()), spread or 1.0, *ends)
        return
    counts = known.astype("string").value_counts()
    words = sorted(counts.index, key=lambda word: (-counts[word], word))[:MOST_CATEGORIES]
    # Of two categories one tells all.
    for word in words[: 1 if len(words) == 2 else None]:
        share = float(counts[word] / len(known))
        spread = float(np.sqrt(share * (1 - share)))
        yield Channel(str(values.name), str(word), share, spread or 1.0)


def _cut(fit: SeriesFit, windows: list[Window], visits: pd.DataFrame | None) -> Windows:
    """Return the windows over the fit's channels; columns that are not there were not measured."""
    count = 0 if visits is None else len(visits)
    values = np.full((count, len(fit.channels)), np.nan, dtype=np.float32)
    time = np.zeros(0) if visits is None else visits["time"].to_numpy(np.float64)
    for place, channel in enumerate(fit.channels):
        if visits is None or channel.column not in visits.columns[1:]:
            continue
        raw = visits.iloc[:, 1 + list(visits.columns[1:]).index(channel.column)]
        values[:, place] = (_read_channel(raw, channel) - channel.mean) / channel.spread
    start, stop, index = (np.array(part) for part in zip(*windows, strict=True)) if windows else (
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    )  # fmt: skip
    return Windows(values, time, start, stop, index.astype(np.float64), fit.steps, fit.scale)


def _read_channel(raw: pd.Series, channel: Channel) -> np.ndarray:
    if channel.category is None:
        return pd.to_numeric(raw, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    words = raw.astype("string")
    is_it = words.eq(channel.category).astype("Float64")
    return is_it.to_numpy(np.float64, na_value=np.nan)


def _digest(windows: Windows) -> str:
    """Return a word that stands for all that the windows hold."""
    digest = hashlib.sha256(f"{windows.steps} {windows.scale!r}".encode())
    for part in (windows.values, windows.time, windows.start, windows.stop, windows.index):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:32]
