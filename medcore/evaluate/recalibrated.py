"""The risks before and after they were put right, on the same test patients."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from medcore.config import RunConfig, generator
from medcore.evaluate.bootstrap import Measure, bootstrap_metrics
from medcore.evaluate.calibration import calibration_metrics
from medcore.evaluate.curves import calibration_curve
from medcore.evaluate.decision import net_benefit
from medcore.evaluate.probability import score_metrics

if TYPE_CHECKING:
    from medcore.evaluate.judged import Judged

UNCALIBRATED = "uncalibrated"


def recalibration_effect(before: Judged, after: Judged, config: RunConfig) -> dict[str, Any]:
    """Return figures of the same test patients before and after correction, JSON-ready.

    `curve`: the calibration before and after. Two classes: mean predicted risk beside the
    `prevalence`, calibration intercept and slope, Brier score, and the net benefit of acting from
    the prevalence on. More: Brier and log loss.
    """
    found: dict[str, Any] = {"curve": {"before": _curve(before), "after": _curve(after)}}
    if before.predictions.task == "binary":
        found["prevalence"] = float(before.event.mean())
    for name, rows in (("before", before), ("after", after)):
        rng = generator(config.seed, "recalibration")
        resamples = config.evaluate.resamples
        metrics = bootstrap_metrics(_measure(rows), rows.cluster, resamples, rng)
        found[name] = {figure: asdict(metric) for figure, metric in metrics.items()}
    return found


def _curve(rows: Judged) -> dict[str, list[float]]:
    """Return the calibration of the risk, or of the most likely class."""
    if rows.predictions.task == "binary":
        return calibration_curve(rows.event, rows.risk)
    top = rows.probabilities.argmax(axis=1)
    return calibration_curve(top == rows.truth, rows.probabilities.max(axis=1))


def _measure(rows: Judged) -> Measure:
    if rows.predictions.task != "binary":
        return _measure_classes(rows)
    event, risk = rows.event.astype(np.float64), rows.risk
    threshold = np.array([np.clip(event.mean(), 1e-6, 1 - 1e-6)])

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        calibration = calibration_metrics(event, risk, weights)
        return {
            "mean_risk": weights @ risk / weights.sum(axis=1),
            "calibration_intercept": calibration["calibration_intercept"],
            "calibration_slope": calibration["calibration_slope"],
            "brier": score_metrics(event, risk, weights)["brier"],
            "net_benefit": net_benefit(event, risk, threshold, weights)[:, 0],
        }

    return measure


def _measure_classes(rows: Judged) -> Measure:
    probabilities, truth = rows.probabilities, rows.truth
    likely = np.maximum(probabilities[np.arange(len(truth)), truth], np.finfo(float).eps)
    square = ((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2).sum(axis=1)
    return lambda weights: {
        "brier": weights @ square / weights.sum(axis=1),
        "log_loss": weights @ -np.log(likely) / weights.sum(axis=1),
    }
