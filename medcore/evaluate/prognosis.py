"""Measures of predicted risks over time, for many resamples at once.

Patients whose fate at a time is unknown, because follow-up ended before, are stood for by others:
each known one counts 1 / (chance of being still under observation) (IPCW; Graf et al. 1999). That
chance always comes from the judged patients themselves and is estimated anew in every resample.
As usual in software for these measures, it is read just after an event's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medcore.evaluate.concordance import Pairs, count_pairs, plan_never, plan_pairs
from medcore.evaluate.decision import THRESHOLDS
from medcore.evaluate.followup import (
    Counts,
    Followup,
    before,
    count_patients,
    incidence,
    read_at,
    read_followup,
    uncensored,
)

Measured = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Resamples of a cohort: weights in the order of time, counts, chance of no censoring."""

    followup: Followup
    weights: np.ndarray
    counts: Counts
    free: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Patients of each resample, (resamples, 1)."""
        return self.weights.sum(axis=1, keepdims=True)

    def by_event(self, inside: np.ndarray, *, just_before: bool = False) -> np.ndarray:
        """Return the weights of the events `inside` (rows,), 0 elsewhere, (resamples, rows)."""
        free = before(self.free) if just_before else self.free
        happened = inside & (self.followup.event > 0)
        return _divide(self.weights * happened, free[:, self.followup.place])

    def free_at(self, moments: np.ndarray) -> np.ndarray:
        """Return the chance of no censoring at moments, (resamples, moments)."""
        return read_at(self.followup, self.free, moments)


def draw(followup: Followup, weights: np.ndarray) -> Drawn:
    """Return resamples of a cohort; `weights` (resamples, rows) are in the order of the rows."""
    drawn = followup.rows(weights)
    counts = count_patients(followup, drawn)
    return Drawn(followup, drawn, counts, uncensored(counts))


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return above / below; 0 where there is nothing above, NaN where nobody stands for it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = above / below
    found[above == 0] = 0.0
    found[~np.isfinite(found)] = np.nan
    return found


@dataclass(frozen=True, eq=False)
class Ranking:
    """The comparisons that concordance counts; prepared once for all resamples."""

    pairs: Pairs
    never: Pairs | None


def known_weights(duration: np.ndarray, cause: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return how much each patient counts at moments, (rows, moments): 0 where its fate is unknown.

    Where nobody stands for the unknown any more, everyone counts 0.
    """
    followup = read_followup(duration, cause)
    drawn = draw(followup, np.ones((1, len(duration))))
    gone = followup.duration[:, None] <= moments
    free = drawn.free[0, followup.place][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(gone, (followup.event > 0)[:, None] / free, 1 / drawn.free_at(moments))
    return np.nan_to_num(share, posinf=0.0)[followup.back]


def plan_ranking(followup: Followup, score: np.ndarray, cause: int = 1) -> Ranking:
    """Return all comparisons of a cohort's scores, (rows,), larger for more at risk."""
    return Ranking(plan_pairs(followup, score, cause), plan_never(followup, score, cause))


def concordance(ranking: Ranking, drawn: Drawn, cause: int, limit: float) -> Measured:
    """Return c_index (Harrell et al. 1982) and uno_c (Uno et al. 2011), up to time `limit`.

    Both count pairs of which the first had the event; Uno's weighs them so that it does not
    depend on when patients were censored, and takes only events before `limit`.
    """
    weights, event = drawn.weights, drawn.followup.event
    case = weights * (event == cause)
    early = drawn.followup.duration < limit
    share = drawn.by_event(early & (event == cause))
    with np.errstate(invalid="ignore", divide="ignore"):
        twice = np.where(share > 0, share**2 / case, share)
    rival = (event > 0) & (event != cause)
    other = weights * rival
    found = {}
    for name, earlier, never, later in (
        ("c_index", case, case, other),
        ("uno_c", twice, share, drawn.by_event(early & rival)),
    ):
        right, every = count_pairs(ranking.pairs, earlier, weights)
        if ranking.never is not None:
            more = count_pairs(ranking.never, never, later)
            right, every = right + more[0], every + more[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            found[name] = right / every
    return found


def auroc_at(drawn: Drawn, risk: np.ndarray, cause: int, moment: float) -> np.ndarray:
    """Return how often, of one with and one without the event by `moment`, the former ranks higher.

    Cumulative cases, dynamic controls (Uno et al. 2007; with other causes Blanche et al. 2013).
    `risk`: (rows,) by then.
    """
    followup = drawn.followup
    gone = followup.duration <= moment
    share = drawn.by_event(gone)
    case = share * (followup.event == cause)
    control = share * (followup.event != cause)
    control += _divide(drawn.weights * ~gone, drawn.free_at(np.array([moment])))
    ordered = followup.rows(risk)
    order = np.argsort(-ordered, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(ordered[order]) != 0])
    hit = np.add.reduceat(case[:, order], starts, axis=1)
    miss = np.add.reduceat(control[:, order], starts, axis=1)
    above = np.cumsum(hit, axis=1) - hit / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.einsum("ij,ij->i", above, miss) / (hit.sum(axis=1) * miss.sum(axis=1))


def brier_at(drawn: Drawn, risks: np.ndarray, cause: int, moments: np.ndarray) -> np.ndarray:
    """Return the mean squared distance of risk and fate at moments, (resamples, moments).

    `risks`: (rows, moments), the risk of the cause by each moment.
    """
    followup = drawn.followup
    risks = risks[followup.order]
    gone = followup.duration[:, None] <= moments
    case = gone & (followup.event == cause)[:, None]
    settled = np.where(gone & (followup.event > 0)[:, None], (case - risks) ** 2, 0.0)
    still = np.where(gone, 0.0, risks**2)
    known = drawn.by_event(gone.any(axis=1)) @ settled
    return (known + _divide(drawn.weights @ still, drawn.free_at(moments))) / drawn.total


def integrated_brier(scores: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return Brier scores (resamples, moments) averaged over time by the trapezoid rule."""
    if len(moments) < 2:
        return scores[:, 0]
    return np.trapezoid(scores, moments, axis=1) / (moments[-1] - moments[0])


def observed_risk(drawn: Drawn, cause: int, moments: np.ndarray) -> np.ndarray:
    """Return the share that had the event by moments, (resamples, moments), by Aalen–Johansen."""
    curve = incidence(drawn.followup, drawn.weights, drawn.counts, cause)
    return read_at(drawn.followup, curve, moments, first=0.0)


def observed_expected(
    drawn: Drawn, risks: np.ndarray, cause: int, moments: np.ndarray
) -> np.ndarray:
    """Return observed over mean predicted risk by moments, (resamples, moments)."""
    expected = drawn.weights @ risks[drawn.followup.order] / drawn.total
    with np.errstate(invalid="ignore", divide="ignore"):
        return observed_risk(drawn, cause, moments) / expected


def net_benefit_at(drawn: Drawn, risk: np.ndarray, cause: int, moment: float) -> np.ndarray:
    """Return the net benefit by `moment` of treating above each of `THRESHOLDS`.

    (resamples, thresholds + 1); the last place is treating everybody's share with the event, so
    that treating all has the benefit share − (1 − share) · t / (1 − t). Patients censored before
    are stood for by others (Vickers et al. 2008, with weights in place of Kaplan–Meier by group).
    """
    followup = drawn.followup
    gone = followup.duration <= moment
    share = drawn.by_event(gone, just_before=True)
    case = share * (followup.event == cause)
    control = share * (followup.event != cause)
    control += _divide(drawn.weights * ~gone, drawn.free_at(np.array([moment])))
    reached = (followup.rows(risk)[:, None] >= THRESHOLDS).astype(np.float64)
    odds = THRESHOLDS / (1 - THRESHOLDS)
    benefit = (case @ reached - control @ reached * odds) / drawn.total
    return np.concatenate([benefit, case.sum(axis=1, keepdims=True) / drawn.total], axis=1)


def usable_moments(followup: Followup, moments: np.ndarray) -> np.ndarray:
    """Return a mask of the moments at which somebody is still under observation afterwards."""
    return (moments < followup.times[-1]) & (moments >= followup.times[0])


def name_all(stem: str, labels: list[str], values: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return measures (resamples, moments) by name, "brier_5y" and alike."""
    return {f"{stem}_{label}": values[:, place] for place, label in enumerate(labels)}
