"""A course in a few numbers: what simple models see of it, and what deep ones must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medcore.prepare.windows import LEAD, Windows
from medcore.records import Prepared

# Of each channel; `slope` is by least squares, in the unit of time by which windows are scaled.
SUMMARY = ("last", "mean", "lowest", "highest", "slope", "times measured", "time since measured")
# Of the whole course.
WHOLE = ("visits", "time since first visit", "time since last visit")
AT_ONCE = 1024


def summary_names(column: str, channels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the summary's numbers.

    >>> summary_names("visits", ["egfr"])[0]
    'visits: egfr, last'
    """
    each = (f"{column}: {channel}, {name}" for channel in channels for name in SUMMARY)
    return (*each, *(f"{column}: {name}" for name in WHOLE))


def is_last(name: str) -> bool:
    """Tell whether a number of the summary is a channel's last value.

    >>> is_last("visits: egfr, last"), is_last("visits: egfr, mean")
    (True, False)
    """
    return name.endswith(", last")


def last_features(prepared: Prepared) -> list[int]:
    """Return the places of what is known at the index visit alone among the plain features.

    The table's features and, of courses, the last values.
    """
    places, start = [], 0
    for block in prepared.blocks.values():
        for place, name in enumerate(block.names, start):
            if block.kind != "series" or is_last(name):
                places.append(place)
        start += len(block.names)
    return places


def summarise_windows(windows: Windows) -> np.ndarray:
    """Return float64 (items, numbers) in the order of `summary_names`; NaN where nothing is known.

    Values are standardised, times divided by the windows' scale.
    """
    channels = windows.values.shape[1]
    out = np.full((len(windows), channels * len(SUMMARY) + len(WHOLE)), np.nan)
    for begin in range(0, len(windows), AT_ONCE):
        items = np.arange(begin, min(begin + AT_ONCE, len(windows)))
        out[items] = _summarise(windows[items], channels)
    return out


def _summarise(cut: np.ndarray, channels: int) -> np.ndarray:
    there, time = cut[..., 0] > 0, cut[..., 1].astype(np.float64)
    values = cut[..., LEAD : LEAD + channels].astype(np.float64)
    known = cut[..., LEAD + channels :] > 0
    count = known.sum(axis=1)
    asked = np.where(count > 0, count, np.nan)
    moment = np.where(known, time[..., None], 0.0)
    mean, middle = values.sum(axis=1) / asked, moment.sum(axis=1) / asked
    away = np.where(known, time[..., None] - np.nan_to_num(middle)[:, None], 0.0)
    apart = (away**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(apart > 1e-9, (away * values).sum(axis=1) / apart, np.nan)
    steps = cut.shape[1]
    latest = np.where(known, np.arange(steps)[None, :, None], -1).max(axis=1)
    at = np.maximum(latest, 0)[:, None]
    last = np.where(count > 0, np.take_along_axis(values, at, axis=1)[:, 0], np.nan)
    since = np.where(count > 0, -np.take_along_axis(moment, at, axis=1)[:, 0], np.nan)
    low = np.where(count > 0, np.where(known, values, np.inf).min(axis=1), np.nan)
    high = np.where(count > 0, np.where(known, values, -np.inf).max(axis=1), np.nan)
    each = np.stack([last, mean, low, high, slope, count, since], axis=2)
    visits = there.sum(axis=1)
    first = np.where(visits > 0, -time[:, 0], np.nan)
    final = np.take_along_axis(time, np.maximum(visits - 1, 0)[:, None], axis=1)[:, 0]
    end = np.where(visits > 0, -final, np.nan)
    whole = np.stack([visits, first, end], axis=1)
    return np.concatenate([each.reshape(len(cut), -1), whole], axis=1)
