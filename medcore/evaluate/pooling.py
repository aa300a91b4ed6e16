"""Rubin's rules: one figure with one interval from several imputations of the same patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.evaluate.bootstrap import Measure, resample_measure
from medcore.records import Metric

DRAW = "imputation "
# The scale on which a figure's sampling distribution is nearest to normal (Marshall et al. 2009).
SCALES = {
    "auroc": "logit", "auprc": "logit", "recall": "logit", "specificity": "logit",
    "precision": "logit", "npv": "logit", "accuracy": "logit", "f1": "logit", "o_e": "log",
    "brier": "log", "mae": "log", "rmse": "log", "log_loss": "log",
}  # fmt: skip


@dataclass(frozen=True)
class Pooled:
    """Rubin's (1987) figures: estimate, total variance, degrees of freedom, and the fraction of
    missing information `fmi` (its definition with the correction for few imputations)."""

    value: float
    variance: float
    freedom: float
    fmi: float


def pool_rubin(estimates: Sequence[float], variances: Sequence[float]) -> Pooled:
    """Pool estimates of m imputations and their variances within.

    T = W + (1 + 1/m) B, with W the mean variance and B the variance of the estimates.

    >>> round(pool_rubin([1, 2, 3], [1, 1, 1]).variance, 6) == round(7 / 3, 6)
    True
    """
    m = len(estimates)
    value, within = float(np.mean(estimates)), float(np.mean(variances))
    between = float(np.var(estimates, ddof=1)) if m > 1 else 0.0
    extra = (1 + 1 / m) * between
    if extra == 0:
        return Pooled(value, within, math.inf, 0.0)
    if within == 0:
        return Pooled(value, extra, m - 1.0, 1.0)
    ratio = extra / within
    freedom = (m - 1) * (1 + 1 / ratio) ** 2
    return Pooled(value, within + extra, freedom, (ratio + 2 / (freedom + 3)) / (ratio + 1))


def draw_names(frame: pd.DataFrame) -> list[str]:
    """Return the names under which single imputations' predictions stand, in their order."""
    names = [name for name in frame["model"].unique() if str(name).startswith(DRAW)]
    return sorted(names, key=lambda name: int(name.removeprefix(DRAW)))


def pool_imputations(
    measures: Sequence[Measure], cluster: np.ndarray, config: RunConfig
) -> dict[str, Any]:
    """Return each figure pooled over the imputations, JSON-ready, with its `fmi`.

    `measures`: one for each imputation, of the same test rows, at the model's own thresholds.
    """
    estimates: dict[str, list[float]] = {}
    variances: dict[str, list[float]] = {}
    for measure in measures:
        whole = measure(np.ones((1, len(cluster))))
        rng = generator(config.seed, "imputations")
        drawn = resample_measure(measure, cluster, config.evaluate.resamples, rng)
        for figure in SCALES.keys() & whole.keys():
            spread = _scale(drawn[figure], SCALES[figure])
            spread = spread[np.isfinite(spread)]
            estimates.setdefault(figure, []).append(float(_scale(whole[figure], SCALES[figure])[0]))
            variances.setdefault(figure, []).append(
                float(np.var(spread, ddof=1)) if len(spread) > 1 else math.nan
            )
    patients = len(np.unique(cluster))
    found = {
        figure: _pool_figure(estimates[figure], variances[figure], scale, patients)
        for figure, scale in SCALES.items()
        if figure in estimates
    }
    return {"draws": len(measures), "metrics": found}


def _pool_figure(
    estimates: list[float], variances: list[float], scale: str, patients: int
) -> dict[str, Any]:
    from scipy.stats import t as student

    if not np.isfinite([*estimates, *variances]).all():
        reason = "undefined, or without spread, in one of the imputations"
        nothing = Metric(math.nan, math.nan, math.nan, patients, "none", reason)
        return {**asdict(nothing), "fmi": math.nan}
    pooled = pool_rubin(estimates, variances)
    reach = float(student.ppf(0.975, pooled.freedom)) * math.sqrt(pooled.variance)
    ends = (pooled.value, pooled.value - reach, pooled.value + reach)
    value, low, high = (_back(end, scale) for end in ends)
    return {**asdict(Metric(value, low, high, patients, "rubin")), "fmi": pooled.fmi}


def _scale(values: np.ndarray, scale: str) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "log":
            return np.log(values)
        return np.log(values) - np.log1p(-values)


def _back(value: float, scale: str) -> float:
    return math.exp(value) if scale == "log" else 1 / (1 + math.exp(-value))
