"""From predictions to an `Evaluation`: every model judged on the same test patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.evaluate.bootstrap import Measure, bootstrap_differences, bootstrap_metrics
from medcore.evaluate.effect import judge_effect
from medcore.evaluate.judged import Judged, rank_classes
from medcore.evaluate.multilabel import add_findings, bounded, view_finding
from medcore.evaluate.pooling import draw_names, pool_imputations
from medcore.evaluate.recalibrated import UNCALIBRATED, recalibration_effect
from medcore.evaluate.sites import judge_sites
from medcore.evaluate.tasks import TASKS
from medcore.evaluate.threshold import deciding_rows
from medcore.records import Evaluation, Metric, PartEvaluation, Predictions


def evaluate_predictions(predictions: Predictions, config: RunConfig) -> Evaluation:
    """Judge the model and each baseline on the test rows, at thresholds from validation rows.

    With folds, the out-of-fold test predictions are pooled, each at its own fold's threshold, and
    patients are drawn whole. Raises `DataError` for predictions that are not numbers and where
    there is no test row.
    """
    if predictions.task == "effect":
        return judge_effect(predictions, config)
    _check(predictions)
    others = predictions.frame["model"].unique()
    draws = draw_names(predictions.frame)
    apart = ("model", UNCALIBRATED, *draws)
    names = ["model", *(name for name in others if name not in apart)]
    judged = {name: judge_rows(predictions, name, config) for name in names}
    judged = {name: rows for name, rows in judged.items() if len(rows.frame)}
    if "model" not in judged:
        raise DataError("No test patient was predicted, so the model cannot be judged.")
    rules = TASKS[predictions.task]
    parts = {name: _measure_part(rows, config) for name, rows in judged.items()}
    curves = {name: rules.curves(name, rows, config) for name, rows in judged.items()}
    curves["differences"] = _differences(judged, config)
    if rules.uncertainty is not None:
        curves["uncertainty"] = rules.uncertainty(judged["model"], config)
    sites = judge_sites(judged["model"], rules, config)
    if sites is not None:
        curves["sites"] = sites
    if UNCALIBRATED in others and predictions.task != "multilabel":
        before = judge_rows(predictions, UNCALIBRATED, config)
        curves["recalibration"] = recalibration_effect(before, judged["model"], config)
    if draws:
        measures = [measure_all(_test_rows(predictions, name, judged["model"])) for name in draws]
        curves["imputations"] = pool_imputations(measures, judged["model"].cluster, config)
    evaluation = Evaluation(
        task=predictions.task,
        positive=predictions.positive,
        classes=predictions.classes,
        parts={"test": parts["model"]},
        baselines={name: part for name, part in parts.items() if name != "model"},
        curves=curves,
        folds=_folds(judged["model"]),
        warnings=tuple(rules.warn(parts["model"])),
    )
    if predictions.task != "multilabel":
        return evaluation
    return add_findings(evaluation, _judge_findings(predictions, config))


def _judge_findings(predictions: Predictions, config: RunConfig) -> dict[str, Evaluation]:
    """Judge each finding as a question of its own, where a test patient is known of it."""
    tested = predictions.frame["part"].eq("test") & predictions.frame["model"].eq("model")
    config = bounded(config, int(tested.sum()), len(predictions.classes))
    views = {name: view_finding(predictions, name) for name in predictions.classes}
    return {
        name: evaluate_predictions(view, config)
        for name, view in views.items()
        if (view.frame["part"].eq("test") & view.frame["model"].eq("model")).any()
    }


def _check(predictions: Predictions) -> None:
    columns = TASKS[predictions.task].columns(predictions)
    bad = ~np.isfinite(predictions.frame[columns].to_numpy(np.float64)).all(axis=1)
    if bad.any():
        row = predictions.frame["row_id"].to_numpy()[bad][0]
        raise DataError(
            f"{int(bad.sum()):,} predictions are not numbers (first: row {row}); train again with "
            "a lower learning rate."
        )


def judge_rows(predictions: Predictions, name: str, config: RunConfig) -> Judged:
    """Return a model's test rows with the thresholds that its validation rows decide."""
    frame = predictions.frame[predictions.frame["model"] == name]
    # In one order, so that the resamples do not depend on that of the rows.
    test = frame[frame["part"] == "test"].sort_values(["row_id", "fold"], kind="stable")
    choose, thresholds = TASKS[predictions.task].threshold, {}
    if choose is not None:
        deciding = deciding_rows(frame)
        for fold in test["fold"].unique():
            rows = deciding[deciding["fold"] == fold] if fold >= 0 else deciding
            thresholds[fold] = choose(rows, predictions, config)
    # As in a split, a row without a patient stands alone.
    patient = test["patient"].astype(object).where(test["patient"].notna(), test["row_id"])
    ranks = rank_classes(predictions, config)
    return Judged(test, predictions, thresholds, pd.factorize(patient)[0], ranks)


def _test_rows(predictions: Predictions, name: str, like: Judged) -> Judged:
    """Return the test rows of another prediction, judged at the thresholds of `like`."""
    frame = predictions.frame[predictions.frame["model"] == name]
    test = frame[frame["part"] == "test"].sort_values(["row_id", "fold"], kind="stable")
    return replace(like, frame=test)


def measure_all(rows: Judged) -> Measure:
    """Return the function from weights to all metrics of these rows."""
    return TASKS[rows.predictions.task].measure(rows)


def _measure_part(rows: Judged, config: RunConfig) -> PartEvaluation:
    rules = TASKS[rows.predictions.task]
    rng = generator(config.seed, "bootstrap")
    resamples = rules.resamples(rows, config)
    drawn = bootstrap_metrics(measure_all(rows), rows.cluster, resamples, rng)
    metrics = {
        name: metric if np.isfinite(metric.value) else replace(metric, reason=rules.reason(name))
        for name, metric in drawn.items()
    }
    thresholds = list(rows.thresholds.values())
    several = rows.predictions.task == "multilabel"
    return PartEvaluation(
        n=len(np.unique(rows.frame["row_id"])),
        events=rules.events(rows),
        threshold=float(np.median(thresholds)) if thresholds and not several else None,
        metrics=metrics | rules.exact(rows, metrics),
    )


def _differences(
    judged: Mapping[str, Judged], config: RunConfig
) -> dict[str, Mapping[str, Metric]]:
    """Return model − baseline for each baseline, on the same resampled test patients."""
    ours = judged["model"]
    rules = TASKS[ours.predictions.task]
    resamples = rules.resamples(ours, config)
    found = {}
    for name, rows in judged.items():
        if name == "model" or not np.array_equal(rows.frame["row_id"], ours.frame["row_id"]):
            continue
        measures = (rules.compared(ours), rules.compared(rows))
        rng = generator(config.seed, "differences")
        found[name] = bootstrap_differences(measures, ours.cluster, resamples, rng)
    return found


def _folds(rows: Judged) -> tuple[Mapping[str, Any], ...]:
    """Return each fold's own values; one fold is too small for intervals worth showing."""
    numbers = [fold for fold in rows.frame["fold"].unique() if fold >= 0]
    found = []
    for fold in numbers:
        mask = rows.frame["fold"].eq(fold).to_numpy(bool)
        values = measure_all(rows.take(mask))(np.ones((1, int(mask.sum()))))
        metrics = {name: float(v[0]) if np.isfinite(v[0]) else None for name, v in values.items()}
        found.append(
            {
                "fold": int(fold),
                "n": int(mask.sum()),
                "threshold": np.asarray(rows.thresholds.get(fold)).tolist(),
                "metrics": metrics,
            }
        )
    return tuple(found)
