"""Predicted numbers, judged in the outcome's unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from medcore.config import RunConfig
from medcore.evaluate.bootstrap import Measure
from medcore.evaluate.curves import thin
from medcore.evaluate.judged import Judged, TaskRules


def regression_metrics(
    outcome: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return mae, rmse and r2, each (resamples,); r2 is NaN where the outcome does not vary.

    `weights` is float64 (resamples, rows), `outcome` and `predicted` (rows,).

    >>> found = regression_metrics(np.array([1.0, 3]), np.array([2.0, 3]), np.ones((1, 2)))
    >>> [float(found[name][0]) for name in ("mae", "r2")]
    [0.5, 0.5]
    """
    error = predicted - outcome
    centred = outcome - outcome.mean()
    columns = np.stack([np.abs(error), error**2, centred, centred**2, np.ones(len(error))], axis=1)
    absolute, square, first, second, total = (weights @ columns).T
    spread = second - first**2 / total
    with np.errstate(invalid="ignore", divide="ignore"):
        r2 = np.where(spread > 1e-12 * second.clip(1e-300), 1 - square / spread, np.nan)
    return {"mae": absolute / total, "rmse": np.sqrt(square / total), "r2": r2}


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
        "residuals": {"edges": edges.tolist(), "count": counts.tolist()},
    }


RULES = TaskRules(
    columns=lambda _: ["predicted"],
    measure=_measure,
    compared=_measure,
    curves=_curves,
    reason=lambda _: "the outcome does not vary",
    subgroup=("mae", "rmse", "r2"),
)
