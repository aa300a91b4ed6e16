"""Times at which risks are told: the user's horizons, or the quartiles of the times of events."""

from __future__ import annotations

import re

import numpy as np

from medcore.errors import ConfigError
from medcore.records import Horizon

# Between and beyond the horizons, so that curves are smooth and scores can be averaged over time.
GRID = 32
DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0, "m": 365.25 / 12, "y": 365.25}
UNITS = {
    "h": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d", "w": "w", "week": "w",
    "weeks": "w", "m": "m", "mo": "m", "month": "m", "months": "m", "y": "y", "yr": "y", "a": "y",
    "year": "y", "years": "y",
}  # fmt: skip
NAMES = {"h": "hour", "d": "day", "w": "week", "m": "month", "y": "year"}
WRITTEN = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", re.I)


def read_horizons(
    wanted: tuple[str, ...], unit: str | None, duration: np.ndarray, cause: np.ndarray
) -> tuple[Horizon, ...]:
    """Return the horizons in rising order; `unit` is that of the durations, where known.

    Raises `ConfigError` for one that cannot be read or lies beyond the follow-up.

    >>> read_horizons(("1y", "30"), "days", np.array([20.0, 500.0]), np.array([1, 0]))
    (Horizon(label='30d', time=30.0), Horizon(label='1y', time=365.25))
    """
    letter = UNITS.get((unit or "").strip().lower(), "")
    if wanted:
        found = {_read_horizon(word, letter) for word in wanted}
        for horizon in found:
            _check_inside(horizon, duration, cause, letter)
        return tuple(sorted(found, key=lambda horizon: horizon.time))
    times = np.sort(duration[cause > 0])
    quartiles = np.quantile(times, [0.25, 0.5, 0.75], method="inverted_cdf")
    # Three digits are enough, and a horizon must have somebody who is followed for longer.
    neat = {float(f"{time:.3g}") for time in quartiles}
    kept = sorted(time for time in neat if times[0] <= time < duration.max())
    kept = kept or [float(np.nextafter(duration.max(), 0))]
    return tuple(Horizon(f"{time:g}{letter}", time) for time in kept)


def _read_horizon(word: str, letter: str) -> Horizon:
    match = WRITTEN.fullmatch(word)
    own = UNITS.get(match[2].lower()) if match and match[2] else letter
    if match is None or own is None or not float(match[1]) > 0:
        raise ConfigError(
            f"The horizon '{word}' cannot be read; write a time such as 365 or 5y "
            "(h, d, w, m, y for hours to years)."
        )
    number = float(match[1])
    if own and match[2] and not letter:
        raise ConfigError(
            f"The horizon '{word}' has a unit, but the durations have none; set the unit of the "
            "duration column, or leave the horizon's out."
        )
    time = number * DAYS[own] / DAYS[letter] if own else number
    return Horizon(f"{number:g}{own}", float(time))


def _check_inside(horizon: Horizon, duration: np.ndarray, cause: np.ndarray, letter: str) -> None:
    last, first = float(duration.max()), float(duration[cause > 0].min())
    if horizon.time >= last:
        raise ConfigError(
            f"The horizon {write_horizon(horizon.label)} is not before the end of the longest "
            f"follow-up ({write_horizon(f'{last:.4g}{letter}')}): nobody was followed for longer, "
            "so no risk can be told by then; choose an earlier one."
        )
    if horizon.time < first:
        raise ConfigError(
            f"The horizon {write_horizon(horizon.label)} is before the first event "
            f"({write_horizon(f'{first:.4g}{letter}')}); choose a later one."
        )


def time_grid(
    horizons: tuple[Horizon, ...], duration: np.ndarray, cause: np.ndarray
) -> tuple[float, ...]:
    """Return the times of risk curves, rising: the horizons and quantiles of times of events."""
    times = duration[cause > 0]
    shares = np.linspace(0, 1, GRID + 1)
    grid = np.quantile(times, shares, method="inverted_cdf")
    return tuple(np.unique([*grid, *(horizon.time for horizon in horizons)]).tolist())


def write_horizon(label: str) -> str:
    """Return a horizon as people say it.

    >>> write_horizon("5y"), write_horizon("1d"), write_horizon("30")
    ('5 years', '1 day', '30')
    """
    number, letter = (label[:-1], label[-1]) if label[-1] in NAMES else (label, "")
    if not letter:
        return number
    return f"{number} {NAMES[letter]}{'' if number == '1' else 's'}"
