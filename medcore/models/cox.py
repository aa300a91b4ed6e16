"""Cox's proportional hazards model with Efron's ties: fit, baseline hazard, Schoenfeld's test.

Arrays only. `values` float64 (rows, features), `duration` (rows,), `event` True where the cause of
interest happened; other causes count as censored (cause-specific hazards).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MOST_STEPS = 60
SETTLED = 1e-9


@dataclass(frozen=True, eq=False)
class CoxFit:
    """Coefficients (features,) with their covariance, and the log partial likelihood.

    `settled` is False where Newton's steps did not come to rest: some feature tells those with the
    event apart without exception, and its coefficient would grow for ever.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    settled: bool


@dataclass(frozen=True, eq=False)
class _Cohort:
    """Rows from the longest to the shortest followed; one term per event, Efron's share with it.

    `last` (terms,) is the last row of those still at risk; `first` (terms,) and `deaths` (terms,)
    delimit the events of the same time, which lead their time's rows; `share` is l/d, and `own`
    (terms,) the row that the term belongs to.
    """

    values: np.ndarray
    rows: np.ndarray
    last: np.ndarray
    first: np.ndarray
    deaths: np.ndarray
    share: np.ndarray
    own: np.ndarray
    time: np.ndarray


def _read(
    values: np.ndarray, duration: np.ndarray, event: np.ndarray, efron: bool = True
) -> _Cohort:
    rows = np.lexsort((~event, -duration))
    time, happened = duration[rows], event[rows]
    ends = np.flatnonzero(np.r_[np.diff(time) != 0, True])
    place = np.searchsorted(ends, np.flatnonzero(happened))
    starts = np.r_[0, ends[:-1] + 1]
    deaths = np.add.reduceat(happened.astype(np.int64), starts)
    first = starts[place]
    order = np.flatnonzero(happened) - first
    share = order / deaths[place] * efron
    return _Cohort(
        values[rows], rows, ends[place], first, deaths[place], share, first + order, time[happened]
    )


def fit_cox(
    values: np.ndarray,
    duration: np.ndarray,
    event: np.ndarray,
    ridge: float = 0.0,
    *,
    efron: bool = True,
) -> CoxFit:
    """Maximise the partial likelihood less ridge / 2 · |coefficients|², by Newton's steps.

    Events of the same time are treated as Efron does, else as Breslow does.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 1))
    >>> time = rng.exponential(np.exp(-x[:, 0]))
    >>> bool(abs(fit_cox(x, time, np.ones(2000, bool)).coefficients[0] - 1) < 0.1)
    True
    """
    middle = values.mean(axis=0)
    cohort = _read(
        np.asarray(values, np.float64) - middle, duration, np.asarray(event, bool), efron
    )
    beta = np.zeros(values.shape[1])
    likelihood, gradient, information = _derive(cohort, beta, ridge)
    settled = not len(beta)
    for _ in range(MOST_STEPS):
        step = _solve(information, gradient)
        # Half steps until it rises: far from the top Newton may jump past it.
        for halved in range(30):
            tried = beta + step / 2**halved
            found = _derive(cohort, tried, ridge)
            if np.isfinite(found[0]) and found[0] >= likelihood - 1e-12 * abs(likelihood):
                break
        gained = found[0] - likelihood
        beta, (likelihood, gradient, information) = tried, found
        if abs(gained) < SETTLED * (1 + abs(likelihood)) and np.abs(step).max(initial=0) < 1e-6:
            settled = True
            break
    penalty = ridge / 2 * float(beta @ beta)
    return CoxFit(beta, _invert(information), likelihood + penalty, settled)


def _solve(information: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(information, gradient, rcond=1e-10)[0]


def _invert(information: np.ndarray) -> np.ndarray:
    return np.linalg.pinv(information, rcond=1e-10, hermitian=True)


def _derive(
    cohort: _Cohort, beta: np.ndarray, ridge: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the penalised log partial likelihood, its gradient, and minus its curvature.

    Efron 1977: with d events at once, the l-th is compared with everyone at risk less l/d of the
    d. Sums over those at risk are running sums from the longest followed on.
    """
    x = cohort.values
    linear = x @ beta
    top = linear.max(initial=0)
    risk = np.exp(linear - top)
    below, mean, term_of = _terms(cohort, risk)
    likelihood = float(linear[cohort.own].sum() - (np.log(below) + top).sum())
    gradient = x[cohort.own].sum(axis=0) - mean.sum(axis=0)
    # Every row's share in the sum of second moments: it is in all terms until its own time, less
    # l/d of those at it.
    weight = risk * term_of
    information = (x * weight[:, None]).T @ x - mean.T @ mean
    size = len(beta)
    return (
        likelihood - ridge / 2 * float(beta @ beta),
        gradient - ridge * beta,
        information + ridge * np.eye(size),
    )


def _terms(cohort: _Cohort, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each term's sum of risks and mean of values, and each row's 1 / sums it is part of."""
    weighed = risk[:, None] * cohort.values
    stop = cohort.first + cohort.deaths
    all_risk, all_values = np.cumsum(risk), np.cumsum(weighed, axis=0)
    tied = _between(all_risk, cohort.first, stop)
    below = all_risk[cohort.last] - cohort.share * tied
    tied_values = _between(all_values, cohort.first, stop)
    mean = (all_values[cohort.last] - cohort.share[:, None] * tied_values) / below[:, None]
    # A row at place p is at risk in every term whose last row is at or after p.
    rows = len(risk)
    inside = np.bincount(cohort.last, 1 / below, minlength=rows)
    part_of = np.cumsum(inside[::-1])[::-1]
    less = np.bincount(cohort.first, cohort.share / below, minlength=rows + 1)
    less -= np.bincount(stop, cohort.share / below, minlength=rows + 1)
    return below, mean, part_of - np.cumsum(less)[:rows]


def _between(running: np.ndarray, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the sums of rows first … stop − 1 from running sums."""
    before = np.where(first > 0, first - 1, 0)
    head = running[before] * (first > 0).reshape(-1, *[1] * (running.ndim - 1))
    return running[stop - 1] - head


def baseline_hazard(
    linear: np.ndarray, duration: np.ndarray, event: np.ndarray, moments: np.ndarray
) -> np.ndarray:
    """Return the cumulative hazard at `moments` of a patient whose linear predictor is 0.

    Breslow's estimator (1972) with Efron's ties, float64 (moments,).
    """
    cohort = _read(np.zeros((len(linear), 0)), duration, np.asarray(event, bool))
    top = float(linear.max(initial=0))
    below, _, _ = _terms(cohort, np.exp(linear[cohort.rows] - top))
    order = np.argsort(cohort.time, kind="stable")
    total = np.r_[0.0, np.cumsum((np.exp(-top) / below)[order])]
    return total[np.searchsorted(cohort.time[order], moments, side="right")]


def schoenfeld_test(
    fit: CoxFit, values: np.ndarray, duration: np.ndarray, event: np.ndarray
) -> np.ndarray:
    """Return the p-value of each feature for hazards that do not stay proportional, (features,).

    Grambsch and Therneau 1994: do the scaled Schoenfeld residuals drift with the rank of time?
    Small values speak against a constant hazard ratio.
    """
    centred = np.asarray(values, np.float64) - values.mean(axis=0)
    cohort = _read(centred, duration, np.asarray(event, bool))
    linear = cohort.values @ fit.coefficients
    _, mean, _ = _terms(cohort, np.exp(linear - linear.max(initial=0)))
    residuals = cohort.values[cohort.own] - mean
    count = len(residuals)
    rank = np.argsort(np.argsort(cohort.time, kind="stable"), kind="stable")
    _, group = np.unique(cohort.time, return_inverse=True)
    rank = (np.bincount(group, rank) / np.bincount(group))[group]
    drift = rank - rank.mean()
    scaled = count * residuals @ fit.covariance
    with np.errstate(invalid="ignore", divide="ignore"):
        chi = (drift @ scaled) ** 2 / (count * np.diag(fit.covariance) * (drift @ drift))
    return np.array(
        [math.erfc(math.sqrt(max(c, 0) / 2)) if np.isfinite(c) else np.nan for c in chi]
    )
