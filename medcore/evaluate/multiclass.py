"""Several classes: the most likely one, and each against the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from medcore.config import RunConfig
from medcore.evaluate.bootstrap import Measure
from medcore.evaluate.classification import class_metrics
from medcore.evaluate.curves import (
    calibration_curve,
    count_confusion,
    precision_recall_curve,
    roc_curve,
)
from medcore.evaluate.judged import Judged, TaskRules, keep_named
from medcore.evaluate.probability import SMALLEST, score_metrics
from medcore.evaluate.ranking import ranking_metrics
from medcore.evaluate.uncertainty import judge_uncertainty
from medcore.records import PartEvaluation, Predictions

COMPARED = ("auroc", "auprc", "brier", "log_loss")


def _columns(predictions: Predictions) -> list[str]:
    return [f"p_{name}" for name in predictions.classes]


def _measure(rows: Judged) -> Measure:
    probabilities, truth = rows.probabilities, rows.truth
    classes, top = rows.predictions.classes, rows.probabilities.argmax(axis=1)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = class_metrics(truth, top, classes, weights, rows.ranks)
        found |= _rank(truth, probabilities, classes, weights)
        return found | _score(truth, probabilities, classes, weights)

    return measure


def _rank(
    truth: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return auroc and auprc of each class against the rest, and their means over classes.

    Plain means are macro; auroc_weighted counts each class by its patients.
    """
    found: dict[str, np.ndarray] = {}
    areas = []
    for place, name in enumerate(classes):
        event = (truth == place).astype(np.float64)
        ranked = ranking_metrics(event, probabilities[:, place], weights)
        found[f"auroc_{name}"], found[f"auprc_{name}"] = ranked["auroc"], ranked["auprc"]
        areas.append(ranked)
    for name in ("auroc", "auprc"):
        values = np.stack([area[name] for area in areas])
        known = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            found[name] = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    support = np.stack([weights @ (truth == place) for place in range(len(classes))])
    values = np.stack([area["auroc"] for area in areas])
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        weighted = (np.where(known, values, 0) * support).sum(axis=0) / (known * support).sum(
            axis=0
        )
    return found | {"auroc_weighted": weighted}


def _score(
    truth: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return proper scores, the top label's ECE, and each class's own."""
    onehot = np.eye(probabilities.shape[1])[truth]
    likely = np.clip(probabilities[np.arange(len(truth)), truth], SMALLEST, 1 - SMALLEST)
    hit = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    total = weights.sum(axis=1)
    by_class = {
        f"ece_{name}": score_metrics(onehot[:, place], probabilities[:, place], weights)["ece"]
        for place, name in enumerate(classes)
    }
    return by_class | {
        "brier": weights @ ((probabilities - onehot) ** 2).sum(axis=1) / total,
        "log_loss": weights @ -np.log(likely) / total,
        "ece": score_metrics(hit, probabilities.max(axis=1), weights)["ece"],
    }


def _compared(rows: Judged) -> Measure:
    return keep_named(_measure(rows), COMPARED)


def _paired(rows: Judged) -> Measure:
    truth, top, compared = rows.truth, rows.probabilities.argmax(axis=1), _compared(rows)
    classes, ranks = rows.predictions.classes, rows.ranks
    return lambda weights: {
        **class_metrics(truth, top, classes, weights, ranks),
        **compared(weights),
    }


def _reason(name: str) -> str:
    if name == "kappa_quadratic":
        return "outcome and model name one and the same class for every patient"
    if name.startswith("precision_"):
        return "the model names this class for no patient"
    if name in ("auroc", "auroc_weighted", "auprc"):
        return "needs patients of more than one class"
    if name.startswith("auroc_"):
        return "needs patients of this class and of others"
    return "no patient of this class in this part"


def _curves(name: str, rows: Judged, config: RunConfig) -> dict[str, Any]:  # noqa: ARG001
    probabilities, truth = rows.probabilities, rows.truth
    classes = list(rows.predictions.classes)
    roc, curve, calibration = {}, {}, {}
    for place, label in enumerate(classes):
        event = truth == place
        if event.any() and not event.all():
            roc[label] = roc_curve(event, probabilities[:, place])
            curve[label] = precision_recall_curve(event, probabilities[:, place])
            calibration[label] = calibration_curve(event, probabilities[:, place])
    top = probabilities.argmax(axis=1)
    return {
        "roc_by_class": roc,
        "precision_recall_by_class": curve,
        "calibration_by_class": calibration,
        "calibration": calibration_curve(top == truth, probabilities.max(axis=1)),
        "confusion": count_confusion(truth, top, classes),
    }


def _warn(part: PartEvaluation) -> list[str]:
    absent = [
        name.removeprefix("recall_")
        for name, metric in part.metrics.items()
        if name.startswith("recall_") and not np.isfinite(metric.value)
    ]
    if not absent:
        return []
    return [f"No test patient has: {', '.join(absent)}; these have no figures."]


RULES = TaskRules(
    columns=_columns,
    measure=_measure,
    compared=_compared,
    paired=_paired,
    curves=_curves,
    reason=_reason,
    warn=_warn,
    subgroup=("accuracy", "recall", "f1"),
    uncertainty=judge_uncertainty,
    site=("auroc", "accuracy"),
)
