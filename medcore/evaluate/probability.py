"""Measures of predicted risks: calibration and proper scores; for many resamples at once.

Shapes: `weights` float64 (resamples, rows), `event` 0/1 and `risk` (rows,); results (resamples,).
"""

from __future__ import annotations

import numpy as np

BINS = 10
# Where log loss would be endless; the least step of a number, as scikit-learn takes it.
SMALLEST = float(np.finfo(np.float64).eps)
MOST_FITTED_ROWS = 2_000


def score_metrics(
    event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return brier, brier_scaled (1 − Brier / that of the prevalence), log_loss, ece and o_e.

    ECE is over ten bins of equal size: the mean distance of predicted and observed risk.
    """
    safe = np.clip(risk, SMALLEST, 1 - SMALLEST)
    surprise = -np.where(event == 1, np.log(safe), np.log1p(-safe))
    columns = np.stack([(risk - event) ** 2, surprise, event, risk, np.ones(len(risk))], axis=1)
    square, loss, happened, expected, total = (weights @ columns).T
    share = happened / total
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "brier": square / total,
            "brier_scaled": 1 - square / total / (share * (1 - share)),
            "log_loss": loss / total,
            "ece": _ece(event, risk, weights) / total,
            "o_e": happened / expected,
        }


def bin_edges(risk: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the first position of each equal-size bin of sorted risks; ties stay together."""
    ordered = np.sort(risk)
    cuts = (np.arange(1, bins) * len(risk)) // bins
    starts = np.searchsorted(ordered, ordered[cuts], side="left") if len(risk) >= bins else cuts
    return np.unique(np.r_[0, starts])


def _ece(event: np.ndarray, risk: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order = np.argsort(risk, kind="stable")
    gaps = weights[:, order] * (risk - event)[order]
    return np.abs(np.add.reduceat(gaps, bin_edges(risk), axis=1)).sum(axis=1)


def calibration_metrics(
    event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return calibration_slope, calibration_intercept and ici.

    Slope: of a logistic regression on the logit of the risk (Cox 1958). Intercept: in the large,
    with the slope fixed at 1. ICI: mean distance between the risk and that regression's risk
    (Austin and Steyerberg 2019, with the logistic curve in place of loess). With many rows,
    neighbours in risk are joined to 2,000 groups first.
    """
    logit, weight, happened = _join(event, risk, weights)
    slope, start = _fit_slope(logit, weight, happened)
    intercept = _fit_intercept(logit, weight, happened)
    with np.errstate(over="ignore", invalid="ignore"):
        fitted = _sigmoid(start[:, None] + slope[:, None] * logit)
        distance = np.abs(fitted - _sigmoid(logit))
        ici = np.einsum("ij,ij->i", weight, distance) / weight.sum(axis=1)
    return {"calibration_slope": slope, "calibration_intercept": intercept, "ici": ici}


def _join(
    event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    logit = logit_of(risk)
    if len(risk) <= MOST_FITTED_ROWS:
        return logit, weights, weights * event
    order = np.argsort(logit, kind="stable")
    starts = np.linspace(0, len(risk), MOST_FITTED_ROWS, endpoint=False).astype(int)
    size = np.diff(np.r_[starts, len(risk)])
    drawn = weights[:, order]
    middle = np.add.reduceat(logit[order], starts) / size
    counts = np.add.reduceat(drawn, starts, axis=1)
    return middle, counts, np.add.reduceat(drawn * event[order], starts, axis=1)


def logit_of(risk: np.ndarray) -> np.ndarray:
    """Return log(p / (1 − p)), with p kept within 1e-6 of 0 and 1."""
    safe = np.clip(risk, 1e-6, 1 - 1e-6)
    return np.log(safe) - np.log1p(-safe)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))


def _fit_slope(
    logit: np.ndarray, weight: np.ndarray, happened: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's steps for slope and intercept of every resample; NaN where they do not settle."""
    # From a flat curve on standardised logits: from the risks themselves, overconfident ones
    # would send the first step too far ever to come back.
    middle, spread = logit.mean(), logit.std() or 1.0
    z = (logit - middle) / spread
    count = len(weight)
    a, b = np.zeros(count), np.zeros(count)
    for _ in range(30):
        p = _sigmoid(a[:, None] + b[:, None] * z)
        residual = happened - weight * p
        curve = weight * p * (1 - p)
        g0, g1 = residual.sum(axis=1), residual @ z
        h00, h01, h11 = curve.sum(axis=1), curve @ z, curve @ z**2
        below = h00 * h11 - h01**2
        # One risk for all leaves nothing below the line but rounding.
        below[below <= 1e-12 * h00 * h11] = np.nan
        da, db = (h11 * g0 - h01 * g1) / below, (h00 * g1 - h01 * g0) / below
        a, b = a + np.clip(da, -4, 4), b + np.clip(db, -4, 4)
        if np.nanmax(np.abs(np.r_[da, db]), initial=0) < 1e-9:
            break
    unsettled = ~(np.maximum(np.abs(da), np.abs(db)) < 1e-6)
    a[unsettled], b[unsettled] = np.nan, np.nan
    slope = b / spread
    return slope, a - slope * middle


def _fit_intercept(logit: np.ndarray, weight: np.ndarray, happened: np.ndarray) -> np.ndarray:
    a = np.zeros(len(weight))
    for _ in range(50):
        p = _sigmoid(a[:, None] + logit)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = (happened - weight * p).sum(axis=1) / (weight * p * (1 - p)).sum(axis=1)
        a = a + np.clip(step, -2, 2)
        if np.nanmax(np.abs(step), initial=0) < 1e-10:
            break
    a[~(np.abs(step) < 1e-6)] = np.nan
    return a


def venn_abers(
    happened: np.ndarray, reference_risk: np.ndarray, risk: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the Venn–Abers interval of each risk: (low, high), float64 (rows,).

    Isotonic regression of reference patients' outcomes on their risks, the new patient added once
    without and once with the event (Vovk and Petej 2014). More than 400 different reference risks
    are joined to 400 groups of neighbours.
    """
    scores, events, counts = _groups_of(np.asarray(happened, np.float64), reference_risk)
    below = np.searchsorted(scores, risk, side="left")
    upto = np.searchsorted(scores, risk, side="right")
    low, high = np.empty(len(risk)), np.empty(len(risk))
    s, n = np.r_[0.0, np.cumsum(events)], np.r_[0.0, np.cumsum(counts)]
    places, back = np.unique(np.stack([below, upto]), axis=1, return_inverse=True)
    bounds = np.empty((2, places.shape[1]))
    for number, (left, right) in enumerate(places.T):
        size = n[right:][:, None] - n[: left + 1] + 1
        sums = s[right:][:, None] - s[: left + 1]
        for label in (0, 1):
            bounds[label, number] = ((sums + label) / size).min(axis=0).max()
    low[:], high[:] = bounds[:, back.ravel()]
    return low, high


def _groups_of(
    happened: np.ndarray, risk: np.ndarray, most: int = 400
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, place = np.unique(risk, return_inverse=True)
    events, counts = np.bincount(place, happened), np.bincount(place).astype(np.float64)
    if len(scores) <= most:
        return scores, events, counts
    starts = np.searchsorted(np.cumsum(counts), np.arange(most) * counts.sum() / most)
    starts = np.unique(starts)
    mean = np.add.reduceat(scores * counts, starts) / np.add.reduceat(counts, starts)
    return mean, np.add.reduceat(events, starts), np.add.reduceat(counts, starts)
