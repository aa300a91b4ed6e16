"""How many patients a prediction model needs at least: Riley's criteria, and what they assume.

Riley et al. 2019 (Stat Med 38:1262 and 38:1276) and 2020 (BMJ 368:m441). They are made for
regressions; networks and forests usually need more (van der Ploeg et al. 2014), so that this is
where to begin, not where to end. `parameters` are what a regression would have to learn: one for a
number, one less than its categories for a category.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

SHRINKAGE, OPTIMISM, MARGIN = 0.9, 0.05, 0.05
Z = NormalDist().inv_cdf(0.975)
# What is assumed to be explained, of all that can be, where nothing is known (Riley 2020).
USUAL_SHARE = 0.15


@dataclass(frozen=True)
class SampleSize:
    """The least number of patients, and that of each criterion.

    `shrinkage`: predictions need be drawn to the mean by at most a tenth; `optimism`: at most 0.05
    of the share explained is learned by heart; `precision`: the overall risk is known within
    0.05, or the residual spread within a tenth.
    """

    patients: int
    criteria: Mapping[str, int]


def size_for_classes(explained: float, parameters: int, prevalence: float) -> SampleSize:
    """Return the size for a yes/no outcome; `explained` is the R² of Cox and Snell expected.

    >>> size_for_classes(0.288, 24, 0.174).criteria
    {'shrinkage': 623, 'optimism': 662, 'precision': 221}
    """
    most = largest_explained(prevalence)
    precision = (Z / MARGIN) ** 2 * prevalence * (1 - prevalence)
    return _join(explained, parameters, most, precision)


def size_for_survival(
    explained: float, parameters: int, rate: float, horizon: float, follow_up: float
) -> SampleSize:
    """Return the size for a time to event.

    `rate`: events per person and unit of time; `horizon`: when the risk is told; `follow_up`: mean
    follow-up; all in one unit of time.

    >>> size_for_survival(0.051, 30, 0.065, 2, 2.07).patients
    5143
    """
    events = rate * follow_up
    if not 0 < events < 1:
        raise ValueError("Rate times follow-up must give more than 0 and less than 1 event each.")
    most = 1 - math.exp(2 * (events * math.log(events) - events))
    # The rate must be known so well that the risk at the horizon is known within the margin.
    survival = math.exp(-rate * horizon)
    reach = math.log1p(MARGIN / survival) / horizon
    precision = rate * (Z / reach) ** 2 / follow_up
    return _join(explained, parameters, most, precision)


def size_for_number(explained: float, parameters: int) -> SampleSize:
    """Return the size for a number; `explained` is the adjusted R² expected.

    >>> size_for_number(0.2, 25).patients
    918
    """
    shrinkage = parameters + 2
    while _shrinkage_of_number(explained, parameters, shrinkage) < SHRINKAGE:
        shrinkage += 1
    criteria = {
        "shrinkage": shrinkage,
        "optimism": math.ceil(1 + parameters * (1 - explained) / OPTIMISM),
        "precision": 234 + parameters,
    }
    return SampleSize(max(criteria.values()), criteria)


def largest_explained(prevalence: float) -> float:
    """Return the R² of Cox and Snell that perfect predictions of a yes/no outcome would reach.

    >>> round(largest_explained(0.174), 3)
    0.603
    """
    return 1 - math.exp(-2 * _entropy(prevalence))


def explained_by_loss(log_loss: float, prevalence: float) -> float:
    """Return the R² of Cox and Snell of predictions with this log loss on patients like these."""
    return 1 - math.exp(-2 * (_entropy(prevalence) - log_loss))


def explained_by_auroc(auroc: float, prevalence: float) -> float:
    """Return the R² of Cox and Snell that goes with an AUROC, from 0.5 up.

    The linear predictor is taken as normal with one spread in both groups (Riley, Van Calster and
    Collins 2021); instead of being simulated, the gain in likelihood is integrated.

    >>> round(explained_by_auroc(0.78, 0.2), 2)
    0.16
    """
    apart = math.sqrt(2) * NormalDist().inv_cdf(auroc)
    x = np.linspace(-10, 10 + apart, 20_001)
    without = (1 - prevalence) * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    with_it = prevalence * np.exp(-((x - apart) ** 2) / 2) / math.sqrt(2 * math.pi)
    risk = with_it / (with_it + without)
    gain = with_it * np.log(risk / prevalence)
    gain += without * np.log((1 - risk) / (1 - prevalence))
    return 1 - math.exp(-2 * float(np.trapezoid(gain, x)))


def _entropy(prevalence: float) -> float:
    return -prevalence * math.log(prevalence) - (1 - prevalence) * math.log1p(-prevalence)


def _size_for_shrinkage(explained: float, parameters: int, shrinkage: float) -> int:
    if not 0 < explained < shrinkage:
        raise ValueError(f"The share explained must be above 0 and below {shrinkage}.")
    return math.ceil(parameters / ((shrinkage - 1) * math.log(1 - explained / shrinkage)))


def _join(explained: float, parameters: int, most: float, precision: float) -> SampleSize:
    steady = explained / (explained + OPTIMISM * most)
    criteria = {
        "shrinkage": _size_for_shrinkage(explained, parameters, SHRINKAGE),
        "optimism": _size_for_shrinkage(explained, parameters, steady),
        "precision": math.ceil(precision),
    }
    return SampleSize(max(criteria.values()), criteria)


def _shrinkage_of_number(explained: float, parameters: int, patients: int) -> float:
    if patients <= parameters + 1:
        return 0.0
    apparent = (explained * (patients - parameters - 1) + parameters) / (patients - 1)
    return 1 + (parameters - 2) / (patients * math.log(1 - apparent))
