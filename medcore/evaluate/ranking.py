"""Measures of ranking for many resamples at once.

`weights` is float64 (resamples, rows): how often each row was drawn; all ones give the value
itself. `event` is 1 where the outcome happened, `risk` the predicted risk, both (rows,).
"""

from __future__ import annotations

import math

import numpy as np

NORMAL = 1.959963984540054


def ranking_metrics(
    event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return auroc and auprc, each (resamples,); NaN where one class is absent.

    AUROC counts ties half (Hanley and McNeil 1982); AUPRC is average precision, without
    interpolation (Davis and Goadrich 2006).

    >>> event, risk = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> found = ranking_metrics(event, risk, np.ones((1, 4)))
    >>> float(found["auroc"][0]), round(float(found["auprc"][0]), 4)
    (0.75, 0.8333)
    """
    order = np.argsort(-risk, kind="stable")
    cases = np.flatnonzero(event[order] == 1)
    last, starts, ends = _tied_groups(risk[order], cases)
    drawn = weights[:, order]
    hits = np.cumsum(drawn[:, cases], axis=1)[:, last]
    hit = np.diff(hits, axis=1, prepend=0.0)
    seen = np.cumsum(drawn, axis=1)
    # Up to the end of each group of ties with a case in it, and before its start.
    upto = seen[:, ends]
    before = np.where(starts > 0, seen[:, starts - 1], 0.0)
    positives = hits[:, -1] if len(cases) else np.zeros(len(weights))
    total = seen[:, -1]
    negatives = total - positives
    misses = (upto - hits + before - (hits - hit)) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = np.einsum("ij,ij->i", hit, negatives[:, None] - misses) / (positives * negatives)
        precision = np.where(upto > 0, hits / upto, 0)
        auprc = np.einsum("ij,ij->i", hit, precision) / positives
    auroc[(positives == 0) | (negatives == 0)] = np.nan
    auprc[positives == 0] = np.nan
    return {"auroc": auroc, "auprc": auprc}


def _tied_groups(
    ordered: np.ndarray, cases: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each group of tied risks with a case: its last case, its first and last row.

    `ordered` are the risks in order, `cases` the places of the cases among them.
    """
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    group = np.searchsorted(first, cases, side="right") - 1
    last = np.flatnonzero(np.r_[group[1:] != group[:-1], True][: len(group)])
    starts = first[group[last]]
    ends = np.r_[first[1:], len(ordered)][group[last]] - 1
    return last, starts, ends


def delong(event: np.ndarray, *risks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUROCs of one or more models on the same rows, and their covariance matrix.

    DeLong, DeLong and Clarke-Pearson 1988, by mid-ranks (Sun and Xu 2014): n log n. Needs a
    row of either outcome, and two for a covariance, else they are NaN.
    """
    case, control = event == 1, event == 0
    m, n = int(case.sum()), int(control.sum())
    if not m or not n:
        return np.full(len(risks), np.nan), np.full((len(risks), len(risks)), np.nan)
    by_case, by_control = [], []
    for risk in risks:
        every = _midranks(risk)
        by_case.append((every[case] - _midranks(risk[case])) / n)
        by_control.append(1 - (every[control] - _midranks(risk[control])) / m)
    areas = np.array([values.mean() for values in by_case])
    if m < 2 or n < 2:
        return areas, np.full((len(risks), len(risks)), np.nan)
    covariance = np.cov(by_case).reshape(len(risks), -1) / m
    return areas, covariance + np.cov(by_control).reshape(len(risks), -1) / n


def compare_areas(
    event: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[float, float, float, float]:
    """Return first AUROC − second on the same patients: difference, 95 % bounds, two-sided p.

    The paired test of DeLong et al. 1988; NaN with fewer than two patients of either outcome, p is
    1 for models that rank alike.
    """
    areas, covariance = delong(event, first, second)
    difference = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if not math.isfinite(variance):
        return difference, math.nan, math.nan, math.nan
    spread = math.sqrt(max(variance, 0.0))
    p = math.erfc(abs(difference) / spread / math.sqrt(2)) if spread > 1e-12 else 1.0
    return difference, difference - NORMAL * spread, difference + NORMAL * spread, p


def _midranks(values: np.ndarray) -> np.ndarray:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    ends = np.r_[starts[1:], len(values)]
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return ranks
