"""Average effects of a treatment from cross-fitted predictions, with intervals by patient.

`Compared` holds each row's outcome and arm and what models that did not learn from it said: its
chance of treatment, and its expected outcome under either arm. Notation in formulas: y outcome,
t arm, e chance of treatment, m0 and m1 expected outcomes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from medcore.evaluate.judged import NORMAL
from medcore.records import Metric

NO_INTERVAL = (
    "Outcome models that learn freely leave the g-formula without a valid interval; the doubly "
    "robust effect has one."
)


@dataclass(frozen=True, eq=False)
class Compared:
    """Rows of two arms; float64 (rows,) each, `treated` 0 or 1, `cluster` an int per patient."""

    outcome: np.ndarray
    treated: np.ndarray
    propensity: np.ndarray
    untreated_mean: np.ndarray
    treated_mean: np.ndarray
    cluster: np.ndarray

    def take(self, mask: np.ndarray) -> Compared:
        """Return the rows where `mask` is true."""
        return Compared(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    @property
    def arm_scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Each row's doubly robust score without and with treatment, (rows,) each.

        m0 + (1 − t)(y − m0)/(1 − e) and m1 + t(y − m1)/e (Robins, Rotnitzky and Zhao 1994).
        """
        t, e = self.treated, self.propensity
        without = self.untreated_mean + (1 - t) * (self.outcome - self.untreated_mean) / (1 - e)
        given = self.treated_mean + t * (self.outcome - self.treated_mean) / e
        return without, given

    @property
    def scores(self) -> np.ndarray:
        """Each row's doubly robust score of the effect, (rows,); their mean is the effect."""
        without, given = self.arm_scores
        return given - without

    def with_effect(self, effect: np.ndarray) -> Compared:
        """Return the rows with expected outcomes that differ by `effect` (rows,) between the arms.

        The outcome expected of either arm together stays, so that the mean score is the doubly
        robust average effect of whatever told `effect` (Athey, Tibshirani and Wager 2019).
        """
        e = self.propensity
        mean = (1 - e) * self.untreated_mean + e * self.treated_mean
        without, given = mean - e * effect, mean + (1 - e) * effect
        return replace(self, untreated_mean=without, treated_mean=given)

    @property
    def weights(self) -> np.ndarray:
        """Inverse chances of the own arm, (rows,)."""
        return self.treated / self.propensity + (1 - self.treated) / (1 - self.propensity)


def influence_metric(
    value: float, influence: np.ndarray, cluster: np.ndarray, ratio: bool = False
) -> Metric:
    """Return a figure with its 95 % interval from each row's influence, patients kept whole.

    `influence` (rows,) has mean zero; `ratio`: the value is a logarithm, and is told as a ratio.

    >>> m = influence_metric(1.0, np.array([1.0, -1.0] * 50), np.arange(100))
    >>> round(m.low, 2), round(m.high, 2)
    (0.8, 1.2)
    """
    error = standard_error(influence, cluster)
    ends = value, value - NORMAL * error, value + NORMAL * error
    value, low, high = (math.exp(end) if ratio else float(end) for end in ends)
    return Metric(value, low, high, len(influence), "crossfit")


def standard_error(influence: np.ndarray, cluster: np.ndarray) -> float:
    """Return the standard error of a mean of influences whose rows are clustered by patient."""
    _, codes = np.unique(cluster, return_inverse=True)
    sums = np.bincount(codes, influence)
    count = len(sums)
    spread = float(sums @ sums) * count / max(1, count - 1)
    return math.sqrt(spread) / len(influence)


def estimate_effects(rows: Compared, binary: bool) -> dict[str, Metric]:
    """Return the average effects, crude and adjusted, by name.

    ate (doubly robust, AIPW), ate_crude, ate_ipw (weights of the own arm, normalised),
    ate_g_formula (mean difference of the expected outcomes), att (in the treated), mean_treated
    and mean_control (had everybody been in that arm); with a yes/no outcome also risk_ratio and
    risk_ratio_crude.
    """
    without, given = rows.arm_scores
    found = {
        "ate": _mean(given - without, rows.cluster),
        "ate_crude": _crude(rows),
        "ate_ipw": _weighted(rows),
        "ate_g_formula": Metric(
            float(np.mean(rows.treated_mean - rows.untreated_mean)),
            math.nan, math.nan, len(without), "none", NO_INTERVAL,
        ),
        "att": _in_treated(rows),
        "mean_treated": _mean(given, rows.cluster),
        "mean_control": _mean(without, rows.cluster),
    }  # fmt: skip
    if binary:
        found["risk_ratio"] = ratio_of(without, given, rows.cluster)
        found["risk_ratio_crude"] = _crude_ratio(rows)
    return found


def _mean(scores: np.ndarray, cluster: np.ndarray) -> Metric:
    value = float(scores.mean())
    return influence_metric(value, scores - value, cluster)


def _arm_influence(rows: Compared) -> tuple[tuple[float, np.ndarray], tuple[float, np.ndarray]]:
    """Return each arm's plain mean with each row's influence on it, without and with treatment."""
    found = []
    for inside in (1 - rows.treated, rows.treated):
        mean = float(inside @ rows.outcome / inside.sum())
        found.append((mean, inside * (rows.outcome - mean) / inside.mean()))
    return found[0], found[1]


def _crude(rows: Compared) -> Metric:
    (without, one), (given, other) = _arm_influence(rows)
    return influence_metric(given - without, other - one, rows.cluster)


def _crude_ratio(rows: Compared) -> Metric:
    (without, one), (given, other) = _arm_influence(rows)
    if without <= 0 or given <= 0:
        return _no_ratio(len(rows.outcome))
    return influence_metric(
        math.log(given / without), other / given - one / without, rows.cluster, ratio=True
    )


def ratio_of(without: np.ndarray, given: np.ndarray, cluster: np.ndarray) -> Metric:
    """Return the ratio of two mean scores, with an interval by the delta method on its log."""
    low, high = float(without.mean()), float(given.mean())
    if low <= 0 or high <= 0:
        return _no_ratio(len(without))
    influence = (given - high) / high - (without - low) / low
    return influence_metric(math.log(high / low), influence, cluster, ratio=True)


def _no_ratio(rows: int) -> Metric:
    reason = "an arm has no event, so that there is no ratio"
    return Metric(math.nan, math.nan, math.nan, rows, "none", reason)


def _weighted(rows: Compared) -> Metric:
    """Return the effect by normalised weights (Hájek), chances taken as known."""
    total, value = 0.0, 0.0
    influence = np.zeros(len(rows.outcome))
    for sign, inside in ((-1, 1 - rows.treated), (1, rows.treated)):
        weight = inside * rows.weights
        total = float(weight.mean())
        mean = float(weight @ rows.outcome / weight.sum())
        value += sign * mean
        influence += sign * weight * (rows.outcome - mean) / total
    return influence_metric(value, influence, rows.cluster)


def _in_treated(rows: Compared) -> Metric:
    """Return the doubly robust effect in those who were treated."""
    t, e = rows.treated, rows.propensity
    share = float(t.mean())
    rest = rows.outcome - rows.untreated_mean
    scores = (t - (1 - t) * e / (1 - e)) * rest / share
    value = float(scores.mean())
    return influence_metric(value, scores - t * value / share, rows.cluster)


def e_value(effect: Metric, binary: bool, spread: float) -> dict[str, float]:
    """Return the E-value of an effect and of the end of its interval nearest to none.

    How strongly, as a risk ratio, an unmeasured confounder would have to go with both treatment and
    outcome, beyond what was measured, to explain the effect away (VanderWeele and Ding 2017).
    `effect` is a risk ratio, or a mean difference, taken as exp(0.91 × standardised difference)
    with the outcome's `spread` (Chinn 2000).

    >>> round(e_value(Metric(3.9, 1.8, 8.7, 100, "none"), True, 1.0)["value"], 2)
    7.26
    """
    ends = (effect.value, effect.low, effect.high)
    if not binary:
        if not spread > 0:
            return {"value": math.nan, "limit": math.nan}
        ends = tuple(math.exp(0.91 * end / spread) for end in ends)
    value, low, high = ends
    near = 1.0 if low <= 1 <= high else min((low, high), key=lambda end: abs(math.log(end)))
    return {"value": _e_value(value), "limit": _e_value(near)}


def _e_value(ratio: float) -> float:
    if not math.isfinite(ratio) or ratio <= 0:
        return math.nan
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))
