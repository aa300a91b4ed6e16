"""Predicted numbers, judged in the outcome's unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from medcore.config import RunConfig
from medcore.evaluate.bootstrap import Measure
from medcore.evaluate.curves import thin
from medcore.evaluate.judged import NORMAL, Judged, TaskRules, keep_named
from medcore.evaluate.uncertainty import judge_uncertainty


def regression_metrics(
    outcome: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return mae, rmse, r2, bias, loa_low and loa_high, each (resamples,).

    r2 is NaN where the outcome does not vary. bias: mean of predicted − outcome; loa: the limits
    of agreement, bias ± 1.96 standard deviations (Bland and Altman 1986), NaN for one row.
    `weights` is float64 (resamples, rows), `outcome` and `predicted` (rows,).

    >>> found = regression_metrics(np.array([1.0, 3]), np.array([2.0, 3]), np.ones((1, 2)))
    >>> [float(found[name][0]) for name in ("mae", "r2")]
    [0.5, 0.5]
    """
    error = predicted - outcome
    centred = outcome - outcome.mean()
    off = error - error.mean()
    columns = [np.abs(error), error**2, centred, centred**2, off, off**2, np.ones(len(error))]
    absolute, square, first, second, away, away2, total = (weights @ np.stack(columns, axis=1)).T
    spread = second - first**2 / total
    bias = error.mean() + away / total
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = np.where(spread > 1e-12 * second.clip(1e-300), 1 - square / spread, np.nan)
        variance = (away2 - away**2 / total) / np.where(total > 1, total - 1, np.nan)
    reach = NORMAL * np.sqrt(variance.clip(0))
    return {
        "mae": absolute / total,
        "rmse": np.sqrt(square / total),
        "r2": r2,
        "bias": bias,
        "loa_low": bias - reach,
        "loa_high": bias + reach,
    }


def _pair(rows: Judged) -> tuple[np.ndarray, np.ndarray]:
    return tuple(rows.frame[name].to_numpy(np.float64) for name in ("outcome", "predicted"))


def _measure(rows: Judged) -> Measure:
    outcome, predicted = _pair(rows)
    return lambda weights: regression_metrics(outcome, predicted, weights)


def _curves(name: str, rows: Judged, config: RunConfig) -> dict[str, Any]:  # noqa: ARG001
    outcome, predicted = _pair(rows)
    order = np.argsort(predicted, kind="stable")
    observed, said = thin(outcome[order], predicted[order])
    error = predicted - outcome
    counts, edges = np.histogram(error, bins=min(30, max(5, len(error) // 5)))
    return {
        "scatter": {"observed": observed, "predicted": said},
        "agreement": _agreement(outcome, predicted),
        "residuals": {"edges": edges.tolist(), "count": counts.tolist()},
    }


def _agreement(outcome: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Return mean of outcome and prediction against their difference, and the limits."""
    middle = (outcome + predicted) / 2
    order = np.argsort(middle, kind="stable")
    mean, difference = thin(middle[order], (predicted - outcome)[order])
    found = regression_metrics(outcome, predicted, np.ones((1, len(outcome))))
    limits = {name: float(found[name][0]) for name in ("bias", "loa_low", "loa_high")}
    return {"mean": mean, "difference": difference, **limits}


def _reason(name: str) -> str:
    if name.startswith("loa_"):
        return "one patient has no spread"
    return "the outcome does not vary"


RULES = TaskRules(
    columns=lambda _: ["predicted"],
    measure=_measure,
    compared=lambda rows: keep_named(_measure(rows), ("mae", "rmse", "r2")),
    curves=_curves,
    reason=_reason,
    subgroup=("mae", "rmse", "r2"),
    uncertainty=judge_uncertainty,
    site=("mae", "rmse"),
)
