"""Decision curves: what acting on the predicted risks is worth at each threshold.

Net benefit counts in patients: those rightly treated, less those treated in vain weighed by the
odds of the threshold (Vickers and Elkin 2006).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medcore.evaluate.bootstrap import bootstrap_metrics

THRESHOLDS = np.linspace(0.01, 0.99, 99)
ODDS = THRESHOLDS / (1 - THRESHOLDS)


def net_benefit(
    event: np.ndarray, risk: np.ndarray, thresholds: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return TP/n − FP/n · t/(1 − t) at each threshold, (resamples, thresholds).

    `weights`: (resamples, rows), ones if absent; `thresholds` in rising order, each below 1.

    >>> net_benefit(np.array([1, 0, 0, 1]), np.array([0.9, 0.6, 0.2, 0.3]), np.array([0.5])).item()
    0.0
    """
    weights = np.ones((1, len(risk))) if weights is None else weights
    event = np.asarray(event, dtype=bool)
    place = np.searchsorted(thresholds, risk, side="right")
    right, wrong = (
        _alarms(side, place[side], weights, len(thresholds)) for side in (event, ~event)
    )
    odds = thresholds / (1 - thresholds)
    return (right - wrong * odds) / weights.sum(axis=1, keepdims=True)


def _alarms(
    side: np.ndarray, place: np.ndarray, weights: np.ndarray, thresholds: int
) -> np.ndarray:
    """Return the weight of a side's rows whose risk reaches each threshold."""
    reached = np.zeros((len(weights), thresholds + 1))
    own = weights[:, side]
    for bin_number in np.unique(place):
        reached[:, bin_number] = own[:, place == bin_number].sum(axis=1)
    return reached[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]


def treat_all(event: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the net benefit of treating everybody: prevalence − (1 − prevalence) · t/(1 − t)."""
    return _everybody(np.mean(event), thresholds)


def _everybody(share: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return share - (1 - share) * thresholds / (1 - thresholds)


def decision_curve(
    event: np.ndarray,
    risk: np.ndarray,
    cluster: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, list[float]]:
    """Return the curve with its 95 % bootstrap bands, JSON-ready; lists by threshold.

    `avoided`: how many of 100 patients are spared treatment compared with treating everybody,
    at the same number of patients rightly treated.
    """
    happened = np.asarray(event, dtype=np.float64)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        values = net_benefit(event, risk, THRESHOLDS, weights)
        share = (weights @ happened / weights.sum(axis=1))[:, None]
        spared = 100 * (values - _everybody(share, THRESHOLDS)) / ODDS
        return {f"benefit {place}": values[:, place] for place in range(len(THRESHOLDS))} | {
            f"avoided {place}": spared[:, place] for place in range(len(THRESHOLDS))
        }

    metrics = list(bootstrap_metrics(measure, cluster, resamples, rng).values())
    benefit, avoided = metrics[: len(THRESHOLDS)], metrics[len(THRESHOLDS) :]
    return {
        "threshold": THRESHOLDS.round(2).tolist(),
        "net_benefit": [m.value for m in benefit],
        "low": [m.low for m in benefit],
        "high": [m.high for m in benefit],
        "treat_all": treat_all(event, THRESHOLDS).tolist(),
        "avoided": [m.value for m in avoided],
        "avoided_low": [m.low for m in avoided],
        "avoided_high": [m.high for m in avoided],
    }


def plain_curve(event: np.ndarray, risk: np.ndarray) -> dict[str, Any]:
    """Return the curve of a baseline, without a band."""
    value = net_benefit(event, risk, THRESHOLDS)[0]
    return {"threshold": THRESHOLDS.round(2).tolist(), "net_benefit": value.tolist()}


def better_range(
    curve: Mapping[str, Any], low: float, high: float, *, sure: bool = False
) -> list[float]:
    """Return the thresholds between two at which the model is worth more than all and none.

    `sure`: only where the 95 % bands say so.

    >>> curve = {"threshold": [0.1, 0.2], "net_benefit": [0.1, 0.2], "avoided": [-1.0, 4.0]}
    >>> better_range(curve, 0.0, 1.0)
    [0.2]
    """
    sides = ("low", "avoided_low") if sure else ("net_benefit", "avoided")
    columns = (curve[name] for name in ("threshold", *sides))
    return [
        t for t, own, spared in zip(*columns, strict=True)
        if low - 1e-9 <= t <= high + 1e-9 and min(own, spared) > 0
    ]  # fmt: skip
