"""Measures of predicted risks: proper scores, ECE, Venn–Abers; for many resamples at once.

Shapes: `weights` float64 (resamples, rows), `event` 0/1 and `risk` (rows,); results (resamples,).
"""

from __future__ import annotations

import numpy as np

BINS = 10
# Where log loss would be endless; the least step of a number, as scikit-learn takes it.
SMALLEST = float(np.finfo(np.float64).eps)


def score_metrics(
    event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return brier, brier_scaled (1 − Brier / that of the prevalence), log_loss, ece and o_e.

    ECE is over ten bins of equal size, ties together: mean distance of predicted and observed.
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
    starts = bin_edges(risk)
    place = np.empty(len(risk), dtype=np.int64)
    place[np.argsort(risk, kind="stable")] = (
        np.searchsorted(starts, np.arange(len(risk)), side="right") - 1
    )
    gaps = np.zeros((len(risk), len(starts)))
    gaps[np.arange(len(risk)), place] = risk - event
    return np.abs(weights @ gaps).sum(axis=1)


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
