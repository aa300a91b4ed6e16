"""Two classes: a risk, a threshold, and what both are worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.evaluate.bootstrap import Measure
from medcore.evaluate.calibration import calibration_metrics, calibration_slope, smooth_calibration
from medcore.evaluate.classification import decision_metrics, wilson
from medcore.evaluate.curves import (
    calibration_curve,
    count_confusion,
    histogram,
    precision_recall_curve,
    roc_curve,
    threshold_table,
)
from medcore.evaluate.decision import decision_curve, plain_curve
from medcore.evaluate.judged import NORMAL, Judged, TaskRules, keep_named
from medcore.evaluate.probability import score_metrics
from medcore.evaluate.ranking import compare_areas, delong, ranking_metrics
from medcore.evaluate.threshold import choose_threshold, need_of
from medcore.evaluate.uncertainty import judge_uncertainty
from medcore.records import Metric, PartEvaluation, Predictions
from medcore.strategies import is_distorted

COMPARED = ("auroc", "auprc", "brier", "log_loss")
FEWEST = 10
PROPORTIONS = {
    "accuracy": lambda event, alarm: (event == alarm, np.ones(len(event), bool)),
    "recall": lambda event, alarm: (event & alarm, event),
    "specificity": lambda event, alarm: (~event & ~alarm, ~event),
    "precision": lambda event, alarm: (event & alarm, alarm),
    "npv": lambda event, alarm: (~event & ~alarm, ~alarm),
}
UNSETTLED = (
    "the logistic fit does not settle: too few patients, one risk for all, or perfect separation"
)
DISTORTED = (
    "Re-weighting or re-sampling made these risks too high, and they were not put right, so a "
    "decision curve would mislead; choose a recalibration and train again."
)
BOTH = "needs patients with and without the outcome"
REASONS = {
    "recall": "no patient with the outcome in this part",
    "specificity": "no patient without the outcome in this part",
    "precision": "no patient reaches the threshold",
    "npv": "every patient reaches the threshold",
    "f1": "no patient has the outcome and none reaches the threshold",
    "auroc": BOTH,
    "auprc": "no patient with the outcome in this part",
    "calibration_slope": UNSETTLED,
    "calibration_intercept": BOTH,
    "ici": UNSETTLED,
    "e50": UNSETTLED,
    "e90": UNSETTLED,
    "brier_scaled": BOTH,
    "o_e": "every predicted risk is 0",
    "balanced_accuracy": BOTH,
}


def _columns(predictions: Predictions) -> list[str]:
    return [f"p_{name}" for name in predictions.classes]


def _other(predictions: Predictions) -> str:
    return next(name for name in predictions.classes if name != predictions.positive)


def _threshold(frame: pd.DataFrame, predictions: Predictions, config: RunConfig) -> float:
    event = frame["outcome"].eq(predictions.positive).to_numpy(bool)
    risk = frame[f"p_{predictions.positive}"].to_numpy(np.float64)
    return choose_threshold(event, risk, *need_of(config.evaluate))


def _measure(rows: Judged) -> Measure:
    event, risk, alarm = rows.event.astype(np.float64), rows.risk, rows.alarm
    positive, other = rows.predictions.positive, _other(rows.predictions)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        decided = decision_metrics(event == 1, alarm, weights)
        named = {
            f"recall_{positive}": decided["recall"],
            f"recall_{other}": decided["specificity"],
        }
        return {
            **decided,
            **named,
            **ranking_metrics(event, risk, weights),
            **score_metrics(event, risk, weights),
            **calibration_metrics(event, risk, weights),
        }

    return measure


def _compared(rows: Judged) -> Measure:
    event, risk = rows.event.astype(np.float64), rows.risk

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {**ranking_metrics(event, risk, weights), **score_metrics(event, risk, weights)}

    return keep_named(measure, COMPARED)


def _paired(rows: Judged) -> Measure:
    event, alarm, compared = rows.event, rows.alarm, _compared(rows)
    return lambda weights: {**decision_metrics(event, alarm, weights), **compared(weights)}


def _grouped(rows: Judged) -> Measure:
    event, risk, paired = rows.event.astype(np.float64), rows.risk, _paired(rows)
    return lambda weights: {
        **paired(weights),
        "o_e": score_metrics(event, risk, weights)["o_e"],
        "calibration_slope": calibration_slope(event, risk, weights),
    }


def _exact(rows: Judged, metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Return Wilson's and DeLong's intervals, where every patient has one row."""
    if not rows.alone:
        return {}
    event, alarm = rows.event, rows.alarm
    better = {}
    for name, share in PROPORTIONS.items():
        hits, of = share(event, alarm)
        if of.any():
            low, high = wilson(int(hits.sum()), int(of.sum()))
            better[name] = Metric(metrics[name].value, low, high, int(of.sum()), "wilson")
    named = {"recall": rows.predictions.positive, "specificity": _other(rows.predictions)}
    better |= {f"recall_{name}": better[same] for same, name in named.items() if same in better}
    areas, covariance = delong(event.astype(np.float64), rows.risk)
    if np.isfinite(covariance[0, 0]):
        reach = NORMAL * float(np.sqrt(covariance[0, 0]))
        area = float(areas[0])
        low, high = max(0.0, area - reach), min(1.0, area + reach)
        better["auroc"] = Metric(area, low, high, len(event), "delong")
    return better


def _exact_differences(ours: Judged, theirs: Judged) -> dict[str, Metric]:
    """Return DeLong's difference of two AUROCs on the same patients (DeLong et al. 1988)."""
    if not ours.alone:
        return {}
    event = ours.event.astype(np.float64)
    value, low, high, _ = compare_areas(event, ours.risk, theirs.risk)
    if not np.isfinite(low):
        return {}
    return {"auroc": Metric(value, low, high, len(event), "delong")}


def _curves(name: str, rows: Judged, config: RunConfig) -> dict[str, Any]:
    event, risk = rows.event, rows.risk
    labels = [_other(rows.predictions), rows.predictions.positive]
    found = {
        "roc": roc_curve(event, risk),
        "precision_recall": precision_recall_curve(event, risk),
        "calibration": calibration_curve(event, risk),
        "histogram": histogram(event, risk),
        "thresholds": threshold_table(event, risk),
        "confusion": count_confusion(event.astype(int), rows.alarm.astype(int), labels),
        "threshold": float(np.median(list(rows.thresholds.values()))),
    }
    refused = is_distorted(name, config)
    if refused:
        found["refused"] = {"decision": DISTORTED}
    if name != "model":
        return found if refused else found | {"decision": plain_curve(event, risk)}
    resamples = config.evaluate.resamples
    if not refused:
        rng = generator(config.seed, "decision")
        found["decision"] = decision_curve(event, risk, rows.cluster, resamples, rng)
    rng = generator(config.seed, "calibration")
    smooth = smooth_calibration(event, risk, rows.cluster, resamples, rng)
    return found | {"calibration_smooth": smooth}


def _warn(part: PartEvaluation) -> list[str]:
    fewer = min(part.events, part.n - part.events)
    if fewer >= FEWEST:
        return []
    return [f"The test part has only {fewer} patients of one outcome; every figure is uncertain."]


RULES = TaskRules(
    columns=_columns,
    measure=_measure,
    compared=_compared,
    paired=_paired,
    grouped=_grouped,
    curves=_curves,
    threshold=_threshold,
    exact=_exact,
    exact_differences=_exact_differences,
    reason=lambda name: REASONS.get(name, "no patient of this class in this part"),
    events=lambda rows: rows.frame.loc[rows.event, "row_id"].nunique(),
    warn=_warn,
    subgroup=("auroc", "recall", "specificity", "o_e", "calibration_slope"),
    uncertainty=judge_uncertainty,
    site=("auroc", "calibration_slope", "o_e"),
)
