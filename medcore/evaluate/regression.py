"""Measures of predicted numbers, in the outcome's unit; for many resamples at once."""

from __future__ import annotations

import numpy as np


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
