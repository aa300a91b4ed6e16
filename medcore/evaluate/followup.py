"""Time to event of a cohort: Kaplan–Meier, Aalen–Johansen, censoring, log-rank; all at once.

`duration` is how long each patient was followed, in one unit; `event` is 0 where follow-up ended
without an event (censored), else the cause's number from 1. At the same time events come before
censorings. `weights` is float64 (resamples, rows): how often each row was drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Z95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Followup:
    """A cohort in the order of time: `order` are the rows' places, `times` the different times.

    `place` (rows,) is each ordered row's position in `times`; `starts` the first row of each time.
    """

    order: np.ndarray
    duration: np.ndarray
    event: np.ndarray
    times: np.ndarray
    place: np.ndarray
    starts: np.ndarray

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Return values (…, rows) in the order of time."""
        return values[..., self.order]

    @cached_property
    def back(self) -> np.ndarray:
        """The place of each row in the order of time."""
        back = np.empty(len(self.order), dtype=np.int64)
        back[self.order] = np.arange(len(self.order))
        return back


def read_followup(duration: np.ndarray, event: np.ndarray) -> Followup:
    """Return a cohort in the order of time, events before censorings."""
    duration, event = np.asarray(duration, np.float64), np.asarray(event, np.int64)
    order = np.lexsort((event == 0, duration))
    times, starts, place = np.unique(duration[order], return_index=True, return_inverse=True)
    return Followup(order, duration[order], event[order], times, place, starts)


@dataclass(frozen=True, eq=False)
class Counts:
    """Patients per resample and time, (resamples, times): under observation, and with what fate."""

    at_risk: np.ndarray
    events: np.ndarray
    censored: np.ndarray


def count_patients(followup: Followup, drawn: np.ndarray) -> Counts:
    """Return the counts at each time; `drawn` are weights in the order of time."""
    everyone = np.add.reduceat(drawn, followup.starts, axis=1)
    happened = np.add.reduceat(drawn * (followup.event > 0), followup.starts, axis=1)
    total = everyone.sum(axis=1, keepdims=True)
    gone = np.cumsum(everyone, axis=1)
    return Counts(total - gone + everyone, happened, everyone - happened)


def _product(lost: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(at_risk > 0, lost / at_risk, 0.0)
    return np.cumprod(1 - share, axis=1)


def kaplan_meier(counts: Counts) -> np.ndarray:
    """Return the share still without any event just after each time (Kaplan and Meier 1958)."""
    return _product(counts.events, counts.at_risk)


def uncensored(counts: Counts) -> np.ndarray:
    """Return the share not yet censored just after each time: Kaplan–Meier turned round."""
    return _product(counts.censored, counts.at_risk - counts.events)


def before(values: np.ndarray, first: float = 1.0) -> np.ndarray:
    """Return the values just before each time, from those just after."""
    return np.concatenate([np.full((len(values), 1), first), values[:, :-1]], axis=1)


def incidence(followup: Followup, drawn: np.ndarray, counts: Counts, cause: int) -> np.ndarray:
    """Return the cumulative incidence of a cause just after each time (Aalen and Johansen 1978).

    With one cause it is one minus Kaplan–Meier.
    """
    happened = np.add.reduceat(drawn * (followup.event == cause), followup.starts, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        hazard = np.where(counts.at_risk > 0, happened / counts.at_risk, 0.0)
    return np.cumsum(before(kaplan_meier(counts)) * hazard, axis=1)


def read_at(followup: Followup, values: np.ndarray, moments: np.ndarray, first: float = 1.0):
    """Return step functions (resamples, times) read at any moments, (resamples, moments)."""
    place = np.searchsorted(followup.times, moments, side="right")
    return np.concatenate([np.full((len(values), 1), first), values], axis=1)[:, place]


def incidence_interval(
    followup: Followup, drawn: np.ndarray, counts: Counts, cause: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of the incidence just after each time: (low, high).

    On the log(−log) scale of the share without, from Greenwood's variance or its counterpart for
    several causes (Marubini and Valsecchi 1995).
    """
    risk = incidence(followup, drawn, counts, cause)
    happened = np.add.reduceat(drawn * (followup.event == cause), followup.starts, axis=1)
    variance, free = _variance(risk, happened, counts), 1 - risk
    inside = (free > 0) & (free < 1)
    low, high = risk.copy(), risk.copy()
    log = np.log(free[inside])
    reach = Z95 * np.sqrt(variance[inside]) / np.abs(free[inside] * log)
    with np.errstate(over="ignore"):
        low[inside] = 1 - free[inside] ** np.exp(-reach)
        high[inside] = 1 - free[inside] ** np.exp(reach)
    return low, high


def _variance(risk: np.ndarray, happened: np.ndarray, counts: Counts) -> np.ndarray:
    """Return the variance of a cumulative incidence at each time, by the delta method."""
    at_risk, every = counts.at_risk, counts.events
    free = before(kaplan_meier(counts))
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.where(at_risk > every, every / (at_risk * (at_risk - every)), 0.0)
        own = np.nan_to_num(free**2 * happened * (at_risk - happened) / at_risk**3)
        joint = np.nan_to_num(free * happened / at_risk**2)
    a, b, c = (np.cumsum(risk**power * spread, axis=1) for power in range(3))
    d, e = np.cumsum(joint, axis=1), np.cumsum(risk * joint, axis=1)
    found = risk**2 * a - 2 * risk * b + c + np.cumsum(own, axis=1) - 2 * (risk * d - e)
    return np.maximum(found, 0)


def incidence_curve(
    duration: np.ndarray, event: np.ndarray, cause: int = 1
) -> dict[str, list[float]]:
    """Return the cumulative incidence of a cause with 95 % intervals, JSON-ready lists by time.

    Keys: time, risk, low, high. With other causes about, their patients can no longer have the
    event (Aalen–Johansen); without, it is one minus Kaplan–Meier.

    >>> curve = incidence_curve(np.array([1.0, 2, 3, 4]), np.array([1, 0, 1, 1]))
    >>> curve["time"], [round(risk, 3) for risk in curve["risk"]]
    ([0.0, 1.0, 3.0, 4.0], [0.0, 0.25, 0.625, 1.0])
    """
    followup = read_followup(duration, event)
    drawn = np.ones((1, len(duration)))
    counts = count_patients(followup, drawn)
    risk = incidence(followup, drawn, counts, cause)
    bounds = incidence_interval(followup, drawn, counts, cause)
    kept = np.add.reduceat(followup.event == cause, followup.starts) > 0
    lists = [[0.0, *values[0][kept].tolist()] for values in (risk, *bounds)]
    return dict(zip(("risk", "low", "high"), lists, strict=True)) | {
        "time": [0.0, *followup.times[kept].tolist()]
    }


def risk_table(duration: np.ndarray, moments: np.ndarray) -> list[int]:
    """Return how many patients are still under observation at each moment."""
    ordered = np.sort(duration)
    return (len(ordered) - np.searchsorted(ordered, moments, side="left")).tolist()


def log_rank(
    duration: np.ndarray, event: np.ndarray, group: np.ndarray, cause: int = 1
) -> tuple[float, float]:
    """Return chi-square and p of the log-rank test between groups (Mantel 1966).

    Other causes count as censored: it compares the rates of the cause itself. NaN where fewer than
    two groups have patients under observation at an event.
    """
    followup = read_followup(duration, np.where(event == cause, 1, 0))
    names, codes = np.unique(group, return_inverse=True)
    drawn = np.stack([codes == code for code in range(len(names))]).astype(np.float64)
    counts = count_patients(followup, followup.rows(drawn))
    at_risk, events = counts.at_risk, counts.events
    everyone, happened = at_risk.sum(axis=0), events.sum(axis=0)
    share = at_risk / everyone
    apart = (events - share * happened).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ties = np.where(everyone > 1, (everyone - happened) / (everyone - 1), 0.0)
    scale = happened * ties
    covariance = np.diag(share @ scale) - (share * scale) @ share.T
    rank = np.linalg.matrix_rank(covariance, tol=1e-9)
    if rank < 1:
        return math.nan, math.nan
    chi = float(apart @ np.linalg.pinv(covariance, rcond=1e-9) @ apart)
    return chi, chi_square_tail(chi, rank)


def chi_square_tail(value: float, freedom: int) -> float:
    """Return the chance of a larger chi-square with so many degrees of freedom.

    >>> round(chi_square_tail(3.841458820694124, 1), 6), round(chi_square_tail(5.0, 4), 6)
    (0.05, 0.287297)
    """
    half = value / 2
    if freedom % 2:
        term, total = math.sqrt(half / math.pi) * 2 * math.exp(-half), math.erfc(math.sqrt(half))
        for step in range(1, freedom // 2 + 1):
            total += term
            term *= half / (step + 0.5)
        return total
    term, total = math.exp(-half), 0.0
    for step in range(freedom // 2):
        total += term
        term *= half / (step + 1)
    return total
