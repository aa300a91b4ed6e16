"""Several findings a patient: each judged as a question of its own, and all of them together.

`view_finding` is one finding's yes/no question, so that everything said of two classes holds of it.
The averages: macro counts each finding alike, micro each call; what is unknown counts nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data import read_labels
from medcore.evaluate.bootstrap import BLOCK_CELLS, Measure
from medcore.evaluate.curves import calibration_curve, precision_recall_curve, roc_curve
from medcore.evaluate.files import evaluation_json, read_evaluation
from medcore.evaluate.judged import Judged, TaskRules, keep_named
from medcore.evaluate.probability import SMALLEST
from medcore.evaluate.ranking import ranking_metrics
from medcore.evaluate.threshold import choose_threshold, need_of
from medcore.records import Evaluation, Metric, PartEvaluation, Predictions

COMPARED = ("auroc", "auprc", "brier", "log_loss")
# What each finding's own judgement adds to the run's figures, as recall_FINDING and alike.
BY_FINDING = (
    "recall", "specificity", "precision", "f1", "auroc", "auprc", "brier", "calibration_slope",
    "ece",
)  # fmt: skip
DRAWN = {
    "roc_by_class": roc_curve,
    "precision_recall_by_class": precision_recall_curve,
    "calibration_by_class": calibration_curve,
}
# Resamples × patients × findings: beyond, fewer resamples tell as much and take minutes less.
MOST_CELLS = 10_000_000
FEWEST_RESAMPLES = 100
FEWEST = 10


def view_finding(predictions: Predictions, finding: str) -> Predictions:
    """Return the yes/no question of one finding, on the rows where it is known."""
    place = predictions.classes.index(finding)
    has = read_labels(predictions.frame["outcome"], predictions.classes)[:, place]
    known = ~np.isnan(has)
    absent = f"no {finding}"
    others = [f"p_{name}" for name in predictions.classes if name != finding]
    frame = predictions.frame[known].drop(columns=others)
    frame["outcome"] = np.where(has[known] == 1, finding, absent)
    frame[f"p_{absent}"] = 1 - frame[f"p_{finding}"]
    return Predictions("binary", (absent, finding), finding, frame)


def read_findings(evaluation: Evaluation) -> dict[str, Evaluation]:
    """Return each finding's own judgement; those that no test patient is known of have none."""
    told = evaluation.curves.get("findings", {})
    return {name: read_evaluation(values) for name, values in told.items()}


def read_thresholds(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return where each finding's risk becomes an alarm, from the content of `evaluation.json`.

    A finding that could not be judged alarms from 0.5 on.
    """
    told = evaluation["curves"].get("findings", {})
    return {
        name: told[name]["parts"]["test"]["threshold"] if name in told else 0.5
        for name in evaluation["classes"]
    }


def add_findings(evaluation: Evaluation, findings: Mapping[str, Evaluation]) -> Evaluation:
    """Return the judgement of all with that of each finding: figures, curves and warnings."""

    def join(part: PartEvaluation, own: Mapping[str, PartEvaluation]) -> PartEvaluation:
        more: dict[str, Metric] = {}
        for name, judged in own.items():
            more |= {f"{m}_{name}": judged.metrics[m] for m in BY_FINDING if m in judged.metrics}
        return replace(part, metrics=dict(part.metrics) | more | dict(part.metrics))

    parts = {name: one.parts["test"] for name, one in findings.items()}
    baselines = {
        baseline: join(
            part,
            {
                n: one.baselines[baseline]
                for n, one in findings.items()
                if baseline in one.baselines
            },
        )
        for baseline, part in evaluation.baselines.items()
    }
    told = {name: evaluation_json(one) for name, one in findings.items()}
    return replace(
        evaluation,
        parts={"test": join(evaluation.parts["test"], parts)},
        baselines=baselines,
        curves={**evaluation.curves, "findings": told},
        warnings=(*evaluation.warnings, *_warn(evaluation.classes, parts)),
    )


def _warn(findings: tuple[str, ...], parts: Mapping[str, PartEvaluation]) -> list[str]:
    few = []
    for name in findings:
        judged = parts.get(name)
        fewer = 0 if judged is None else min(judged.events, judged.n - judged.events)
        if fewer < FEWEST:
            few.append(f"{name} ({fewer})")
    if not few:
        return []
    return [
        "Too few test patients with, or without, a finding to be sure of its figures: "
        f"{', '.join(few)}."
    ]


def bounded(config: RunConfig, rows: int, findings: int) -> RunConfig:
    """Return the settings with as many resamples as patients and findings allow."""
    resamples = config.evaluate.resamples
    most = max(FEWEST_RESAMPLES, MOST_CELLS // max(1, rows * findings))
    evaluate = config.evaluate.model_copy(update={"resamples": min(resamples, most)})
    return config.model_copy(update={"evaluate": evaluate})


def _resamples(rows: Judged, config: RunConfig) -> int:
    limits = bounded(config, len(rows.frame), len(rows.predictions.classes))
    return limits.evaluate.resamples


def _columns(predictions: Predictions) -> list[str]:
    return [f"p_{name}" for name in predictions.classes]


def _thresholds(frame: pd.DataFrame, predictions: Predictions, config: RunConfig) -> np.ndarray:
    has = read_labels(frame["outcome"], predictions.classes)
    risks = frame[_columns(predictions)].to_numpy(np.float64)
    found = []
    for values, risk in zip(has.T, risks.T, strict=True):
        known = ~np.isnan(values)
        found.append(choose_threshold(values[known] == 1, risk[known], *need_of(config.evaluate)))
    return np.array(found)


def _truth(rows: Judged) -> np.ndarray:
    return read_labels(rows.frame["outcome"], rows.predictions.classes)


def _alarms(rows: Judged) -> np.ndarray:
    limits = np.stack([rows.thresholds[fold] for fold in rows.frame["fold"]])
    return rows.probabilities >= limits


def _measure(rows: Judged) -> Measure:
    decided, compared = _decide(rows), _compared(rows, micro=True)
    return lambda weights: {**decided(weights), **compared(weights)}


def _paired(rows: Judged) -> Measure:
    decided, compared = _decide(rows), _compared(rows)
    return lambda weights: {**decided(weights), **compared(weights)}


def _decide(rows: Judged) -> Measure:
    """Return the measures of what is called, at each finding's own threshold."""
    truth, alarm = _truth(rows), _alarms(rows)
    known = ~np.isnan(truth)
    has = truth == 1
    wrong = known & (has != alarm)
    cells = np.concatenate(
        [has & alarm, known & ~has & alarm, has & ~alarm, known & ~has & ~alarm], axis=1
    ).astype(np.float64)
    by_row = np.column_stack([~wrong.any(axis=1), wrong.sum(axis=1), known.sum(axis=1)])
    by_row = by_row.astype(np.float64)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        tp, fp, fn, tn = np.split(weights @ cells, 4, axis=1)
        whole, missed, asked = (weights @ by_row).T
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                "recall": _mean(tp / (tp + fn)),
                "specificity": _mean(tn / (tn + fp)),
                # A finding that is never called has precision 0, one that nobody has counts not.
                "precision": _mean(np.where(tp + fn > 0, _zero(tp / (tp + fp)), np.nan)),
                "f1": _mean(np.where(tp + fn > 0, 2 * tp / (2 * tp + fp + fn), np.nan)),
                "f1_weighted": (_zero(2 * tp / (2 * tp + fp + fn)) * (tp + fn)).sum(1)
                / (tp + fn).sum(1),
            }
            tp, fp, fn = (part.sum(axis=1) for part in (tp, fp, fn))
            return found | {
                "f1_macro": found["f1"],
                "recall_micro": tp / (tp + fn),
                "precision_micro": tp / (tp + fp),
                "f1_micro": 2 * tp / (2 * tp + fp + fn),
                "subset_accuracy": whole / weights.sum(axis=1),
                "hamming_loss": missed / asked,
            }

    return measure


def _compared(rows: Judged, micro: bool = False) -> Measure:
    """Return the measures of the risks themselves; `micro` adds those over all calls together."""
    truth, risks = _truth(rows), rows.probabilities
    known = ~np.isnan(truth)
    has = np.where(known, truth, 0.0)
    safe = np.clip(risks, SMALLEST, 1 - SMALLEST)
    surprise = np.where(known, -np.where(has == 1, np.log(safe), np.log1p(-safe)), 0.0)
    square = np.where(known, (risks - has) ** 2, 0.0)
    at_row, at_label = np.nonzero(known)
    every = has[at_row, at_label], risks[at_row, at_label]

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        asked = weights @ known.astype(np.float64)
        ranked = [
            ranking_metrics(has[k, at], risks[k, at], weights[:, k])
            for at, k in enumerate(known.T)
            if k.any()
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                name: _mean(np.stack([one[name] for one in ranked], axis=1))
                for name in ("auroc", "auprc")
            }
            found["brier"] = _mean(weights @ square / asked)
            found["log_loss"] = _mean(weights @ surprise / asked)
        return found | (_pooled(*every, weights, at_row) if micro else {})

    return measure


def _pooled(
    has: np.ndarray, risk: np.ndarray, weights: np.ndarray, row: np.ndarray
) -> dict[str, np.ndarray]:
    """Return auroc_micro and auprc_micro over all calls, some resamples at a time."""
    size = max(1, BLOCK_CELLS // max(1, len(has)))
    parts = [
        ranking_metrics(has, risk, weights[start : start + size][:, row])
        for start in range(0, len(weights), size)
    ]
    return {
        f"{name}_micro": np.concatenate([part[name] for part in parts])
        for name in ("auroc", "auprc")
    }


def _zero(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=0.0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the findings that have a value, (resamples,)."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)


def _curves(name: str, rows: Judged, config: RunConfig) -> dict[str, Any]:  # noqa: ARG001
    truth, alarm, risks = _truth(rows), _alarms(rows), rows.probabilities
    found: dict[str, Any] = {"counts": {}}
    by_class: dict[str, dict[str, Any]] = {curve: {} for curve in DRAWN}
    for at, label in enumerate(rows.predictions.classes):
        known = ~np.isnan(truth[:, at])
        has, called = truth[known, at] == 1, alarm[known, at]
        counts = (len(has), int(has.sum()), int(called.sum()))
        found["counts"][label] = dict(zip(("known", "with", "called"), counts, strict=True))
        if name == "model" and has.any() and not has.all():
            for curve, draw in DRAWN.items():
                by_class[curve][label] = draw(has, risks[known, at])
    return found | (by_class if name == "model" else {})


def _reason(name: str) -> str:
    if name.startswith(("auroc", "auprc")):
        return "needs patients with and without a finding"
    if name.startswith("precision"):
        return "nothing is called for any patient"
    return "no patient of this part has a finding"


RULES = TaskRules(
    columns=_columns,
    measure=_measure,
    compared=lambda rows: keep_named(_compared(rows), COMPARED),
    paired=_paired,
    curves=_curves,
    threshold=_thresholds,
    reason=_reason,
    subgroup=("auroc", "recall", "precision", "f1"),
    site=("auroc",),
    resamples=_resamples,
)
