"""The figures of every combination, from predictions for patients each model was not fitted on.

Risks are put right, and thresholds chosen, for each fold from the other folds' predictions, which
come from models that had not seen those patients either. All combinations are measured on the same
resampled patients, so that their differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.data import infer_task, read_labels
from medcore.evaluate.bootstrap import Measure, interval_of, resample_measure
from medcore.evaluate.calibration import calibration_metrics
from medcore.evaluate.decision import net_benefit
from medcore.evaluate.judge import measure_all
from medcore.evaluate.judged import Judged
from medcore.evaluate.probability import score_metrics
from medcore.evaluate.tasks import TASKS
from medcore.laboratory.plan import Cell, Choice, base_cell, list_cells
from medcore.models.recalibration import apply_recalibration, fit_recalibration
from medcore.records import Dataset, Metric, Predictions

if TYPE_CHECKING:
    from medcore.laboratory.work import Answer
    from medcore.recipes.plan import Fold

FIGURES = {
    "binary": (
        "auroc", "auprc", "brier", "recall", "specificity", "precision", "f1", "net_benefit",
        "calibration_intercept", "calibration_slope", "accuracy",
    ),
    "multiclass": ("auroc", "auprc", "recall", "f1", "brier", "log_loss", "accuracy"),
    "multilabel": (
        "auroc", "auprc", "brier", "log_loss", "recall", "precision", "f1", "subset_accuracy",
        "hamming_loss",
    ),
    "regression": ("mae", "rmse", "r2"),
    "survival": ("c_index", "uno_c", "integrated_brier", "brier_scaled"),
}  # fmt: skip
BEFORE = ("brier", "calibration_intercept", "calibration_slope")


def judge_cells(
    dataset: Dataset,
    classes: tuple[str, ...],
    positive: str | None,
    folds: tuple[Fold, ...],
    config: RunConfig,
    choice: Choice,
    answers: Mapping[tuple[Cell, int], Answer],
    reasons: Mapping[Cell, str],
) -> dict[str, Any]:
    """Return task, events, majority and a list of cells: metrics, differences, reason, seconds."""
    task, held = infer_task(dataset, config), _held_rows(dataset, folds)
    asked = Predictions(task, classes, positive, held, dataset.horizons, dataset.times)
    rng_name = (config.seed, "laboratory")
    drawn: dict[Cell, dict[str, np.ndarray]] = {}
    found = []
    for cell in [base_cell(choice), *list_cells(choice)]:
        if cell in drawn or cell in reasons:
            continue
        told = [answers[cell, place] for place in range(len(folds))]
        rows = _judged(asked, told, config)
        measure = _measure(rows, FIGURES[task])
        value = {n: float(v[0]) for n, v in measure(np.ones((1, len(held)))).items()}
        resamples = TASKS[task].resamples(rows, config)
        drawn[cell] = resample_measure(measure, rows.cluster, resamples, generator(*rng_name))
        before = _before(held, told, positive, classes) if task == "binary" else None
        found.append((cell, value, told, before))
    base = base_cell(choice)
    start = next((value for cell, value, *_ in found if cell == base), None)
    cells = [
        {
            **_describe(cell, value, drawn, base, start, len(held)),
            "before": before,
            "seconds": sum(answer.seconds for answer in told),
        }
        for cell, value, told, before in found
    ]
    cells += [
        {"cell": list(cell), "reason": reasons[cell], "metrics": {}, "differences": {}}
        for cell in list_cells(choice)
        if cell in reasons
    ]
    result: dict[str, Any] = {"task": task, "positive": positive, "cells": cells}
    if task in ("binary", "multiclass"):
        counts = held["outcome"].value_counts(normalize=True)
        result["majority"] = float(counts.iloc[0])
        result["prevalence"] = None if positive is None else float(counts.get(positive, 0.0))
    return result


def _held_rows(dataset: Dataset, folds: tuple[Fold, ...]) -> pd.DataFrame:
    """Return row_id, fold, outcome, patient and duration of held-out rows, fold after fold."""
    rows = np.concatenate([fold.judge for fold in folds])
    frame = dataset.frame.loc[rows]
    patients = dataset.with_role("patient")
    patient = frame[patients[0].name].astype("string") if patients else None
    held = pd.DataFrame(
        {
            "row_id": rows,
            "fold": np.repeat(np.arange(len(folds)), [len(fold.judge) for fold in folds]),
            "outcome": frame[dataset.predicted_column().name].to_numpy(),
            "patient": None if patient is None else patient.to_numpy(object, na_value=None),
        }
    )
    durations = dataset.with_role("duration")
    return held.assign(duration=frame[durations[0].name].to_numpy()) if durations else held


def _judged(asked: Predictions, told: list[Answer], config: RunConfig) -> Judged:
    """Return the held-out rows with what was said of them, put right, and each fold's threshold."""
    said = np.concatenate([answer.said for answer in told])
    frame, thresholds, rules = asked.frame.copy(), {}, TASKS[asked.task]
    fold = frame["fold"].to_numpy()
    if asked.task == "regression":
        frame["predicted"] = said
    elif asked.task == "survival":
        risks = said[:, asked.classes.index(asked.positive)]
        frame = frame.assign(**{f"curve_{at}": risk for at, risk in enumerate(risks.T)})
    else:
        said = _put_right(said, _codes(asked), fold, told, config)
        frame = frame.assign(
            **{f"p_{name}": risk for name, risk in zip(asked.classes, said.T, strict=True)}
        )
    if rules.threshold is not None:
        for number in np.unique(fold):
            thresholds[number] = rules.threshold(frame[fold != number], asked, config)
    patient = frame["patient"].where(frame["patient"].notna(), frame["row_id"])
    return Judged(frame, replace(asked, frame=frame), thresholds, pd.factorize(patient)[0])


def _codes(asked: Predictions) -> np.ndarray:
    """Return the outcomes as a recalibration learns from them."""
    outcome = asked.frame["outcome"]
    if asked.task == "multilabel":
        return read_labels(outcome, asked.classes)
    return pd.Index(asked.classes).get_indexer(outcome)


def _put_right(
    said: np.ndarray,
    codes: np.ndarray,
    fold: np.ndarray,
    told: list[Answer],
    config: RunConfig,
) -> np.ndarray:
    """Recalibrate each fold from the others, where a strategy distorted the risks."""
    method = config.balance.recalibration
    if told[0].ratio is None or method == "none":
        return said
    ratio = np.mean([answer.ratio for answer in told], axis=0)
    mended = said.copy()
    for number in np.unique(fold):
        own = fold == number
        fitted = fit_recalibration(said[~own], codes[~own], method, ratio)
        mended[own] = apply_recalibration(fitted, said[own])
    return mended


def _measure(rows: Judged, names: tuple[str, ...]) -> Measure:
    timed = rows.predictions.task == "survival"
    # Figures by each horizon would multiply the work.
    everything = TASKS["survival"].compared(rows) if timed else measure_all(rows)
    if rows.predictions.task != "binary":

        def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
            found = everything(weights)
            return {name: found[name] for name in names}

        return measure
    event, risk = rows.event, rows.risk
    threshold = np.array([np.clip(event.mean(), 1e-6, 1 - 1e-6)])

    def measure_risks(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = dict(everything(weights))
        found["net_benefit"] = net_benefit(event, risk, threshold, weights)[:, 0]
        return {name: found[name] for name in names}

    return measure_risks


def _before(
    held: pd.DataFrame, told: list[Answer], positive: str | None, classes: tuple[str, ...]
) -> dict[str, float | None]:
    """Return what a strategy did to the risks before they were put right."""
    said = np.concatenate([answer.said for answer in told])[:, classes.index(positive)]
    event = held["outcome"].eq(positive).to_numpy(np.float64)
    ones = np.ones((1, len(said)))
    found = calibration_metrics(event, said, ones) | score_metrics(event, said, ones)
    values = {name: float(found[name][0]) for name in BEFORE} | {"mean_risk": float(said.mean())}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _describe(
    cell: Cell,
    value: Mapping[str, float],
    drawn: Mapping[Cell, Mapping[str, np.ndarray]],
    base: Cell,
    start: Mapping[str, float] | None,
    n: int,
) -> dict[str, Any]:
    metrics = {name: interval_of(value[name], drawn[cell][name], n) for name in value}
    differences = {}
    if cell != base and start is not None:
        differences = {
            name: interval_of(value[name] - start[name], drawn[cell][name] - drawn[base][name], n)
            for name in value
        }
    return {
        "cell": list(cell),
        "reason": None,
        "metrics": {name: plain_metric(metric) for name, metric in metrics.items()},
        "differences": {name: plain_metric(metric) for name, metric in differences.items()},
    }


def plain_metric(metric: Metric) -> dict[str, Any]:
    """Return a figure as plain values for JSON."""
    values = asdict(metric)
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in values.items()
    }
