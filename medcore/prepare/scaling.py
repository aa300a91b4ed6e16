"""Scales of numbers: a piecewise-linear curve for each, so that one formula applies them all.

A curve is a pair of knots: values in the column's own unit, and what they become. Between knots it
is linear; beyond the first and last knot it is flat, so a mistyped 10,000 counts as the largest
value seen in training and cannot run away with a prediction.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal

import numpy as np

Scaling = Literal["standard", "robust", "quantile"]
Curve = tuple[tuple[float, ...], tuple[float, ...]]

MAX_KNOTS = 1000


def fit_curve(values: np.ndarray, scaling: Scaling) -> Curve:
    """Return the curve learned from observed values: float64 (n,), finite, two or more distinct.

    `standard` divides by the standard deviation, `robust` by the interquartile range / 1.349 (the
    whole range where that is 0), `quantile` gives normal scores of mid-ranks (van der Waerden 1952)
    so that ties share one score without noise, rescaled to mean 0 and variance 1.

    >>> fit_curve(np.array([0.0, 10.0]), "standard")
    ((0.0, 10.0), (-1.0, 1.0))
    """
    if scaling == "quantile":
        return _normal_scores(values)
    low, high = float(values.min()), float(values.max())
    if scaling == "standard":
        centre, width = float(values.mean()), float(values.std())
    else:
        first, centre, third = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
        # 1.349 is the interquartile range of a standard normal distribution.
        width = (third - first) / 1.349
    width = width or high - low
    return (low, high), ((low - centre) / width, (high - centre) / width)


def apply_curve(curve: Curve, values: np.ndarray) -> np.ndarray:
    """Return finite values on the fitted scale, float64, flat beyond the training range."""
    return np.interp(values, *curve)


def _normal_scores(values: np.ndarray) -> Curve:
    distinct, counts = np.unique(values, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(values)
    kept = distinct
    if len(distinct) > MAX_KNOTS:
        # Evenly spaced in rank, with both ends: the curve stays exact at every kept knot.
        ranks = np.linspace(middle[0], middle[-1], MAX_KNOTS)
        kept = distinct[np.unique(np.searchsorted(middle, ranks).clip(0, len(distinct) - 1))]
    level = middle[np.searchsorted(distinct, kept)]
    inverse = NormalDist().inv_cdf
    scores = np.array([inverse(share) for share in level.tolist()])
    every = np.interp(values, kept, scores)
    scores = (scores - every.mean()) / every.std()
    return tuple(kept.tolist()), tuple(scores.tolist())
