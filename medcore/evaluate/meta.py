"""One figure of several places: pooled, with how much the places differ (random effects)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate with its 95 % interval; `predict_*`: where a new place's figure may lie.

    `tau2`: variance between places; `i2`: share of the spread that is no chance (Higgins 2003).
    The prediction interval needs three places, else it is NaN.
    """

    value: float
    low: float
    high: float
    tau2: float
    i2: float
    predict_low: float
    predict_high: float
    places: int


def pool_places(estimates: Sequence[float], variances: Sequence[float]) -> Pooled:
    """Pool estimates of two or more places, given their variances, all on a scale near normal.

    Between-place variance by DerSimonian and Laird (1986); interval by Hartung and Knapp (2001),
    never narrower than without their factor (Röver, Knapp and Friede 2015); prediction interval
    by Higgins, Thompson and Spiegelhalter (2009).
    """
    from scipy.stats import t as student

    y, v = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    free = len(y) - 1
    fixed = 1 / v
    q = float((fixed * (y - (fixed @ y) / fixed.sum()) ** 2).sum())
    tau2 = max(0.0, float((q - free) / (fixed.sum() - (fixed**2).sum() / fixed.sum())))
    weight = 1 / (v + tau2)
    value = float(weight @ y / weight.sum())
    factor = max(1.0, float((weight * (y - value) ** 2).sum()) / free)
    variance = factor / float(weight.sum())
    reach = float(student.ppf(0.975, free)) * math.sqrt(variance)
    ahead = math.nan
    if free > 1:
        ahead = float(student.ppf(0.975, free - 1)) * math.sqrt(tau2 + variance)
    return Pooled(
        value,
        value - reach,
        value + reach,
        tau2,
        max(0.0, 1 - free / q) if q else 0.0,
        value - ahead,
        value + ahead,
        len(y),
    )
