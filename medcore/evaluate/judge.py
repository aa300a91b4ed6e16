"""From predictions to an `Evaluation`: every model judged on the same test patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.evaluate.bootstrap import Measure, bootstrap_differences, bootstrap_metrics
from medcore.evaluate.classification import class_metrics, decision_metrics, wilson
from medcore.evaluate.curves import model_curves
from medcore.evaluate.decision import decision_curve, plain_curve
from medcore.evaluate.pooling import draw_names, pool_imputations
from medcore.evaluate.probability import SMALLEST, calibration_metrics, score_metrics
from medcore.evaluate.ranking import delong, ranking_metrics
from medcore.evaluate.recalibrated import UNCALIBRATED, recalibration_effect
from medcore.evaluate.regression import regression_metrics
from medcore.evaluate.threshold import choose_threshold, deciding_rows
from medcore.records import Evaluation, Metric, PartEvaluation, Predictions

COMPARED = ("auroc", "auprc", "brier", "log_loss", "mae", "rmse", "r2")
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
REASONS = {
    "recall": "no patient with the outcome in this part",
    "specificity": "no patient without the outcome in this part",
    "precision": "no patient reaches the threshold",
    "npv": "every patient reaches the threshold",
    "f1": "no patient has the outcome and none reaches the threshold",
    "auroc": "needs patients with and without the outcome",
    "auprc": "no patient with the outcome in this part",
    "calibration_slope": UNSETTLED,
    "calibration_intercept": "needs patients with and without the outcome",
    "ici": UNSETTLED,
    "brier_scaled": "needs patients with and without the outcome",
    "o_e": "every predicted risk is 0",
    "balanced_accuracy": "needs patients with and without the outcome",
    "r2": "the outcome does not vary",
}


@dataclass(frozen=True, eq=False)
class Judged:
    """One model's rows of one part, ready to be measured."""

    frame: pd.DataFrame
    predictions: Predictions
    thresholds: Mapping[int, float]
    cluster: np.ndarray

    @property
    def event(self) -> np.ndarray:
        return self.frame["outcome"].eq(self.predictions.positive).to_numpy(bool)

    @property
    def risk(self) -> np.ndarray:
        return self.frame[f"p_{self.predictions.positive}"].to_numpy(np.float64)

    @property
    def alarm(self) -> np.ndarray:
        return self.risk >= self.frame["fold"].map(self.thresholds).to_numpy(np.float64)

    @property
    def probabilities(self) -> np.ndarray:
        columns = [f"p_{name}" for name in self.predictions.classes]
        return self.frame[columns].to_numpy(np.float64)

    @property
    def truth(self) -> np.ndarray:
        return pd.Index(self.predictions.classes).get_indexer(self.frame["outcome"])


def evaluate_predictions(predictions: Predictions, config: RunConfig) -> Evaluation:
    """Judge the model and each baseline on the test rows, at thresholds from validation rows.

    With folds, the out-of-fold test predictions are pooled, each at its own fold's threshold, and
    patients are drawn whole. Raises `DataError` for predictions that are not numbers and where
    there is no test row.
    """
    _check(predictions)
    others = predictions.frame["model"].unique()
    draws = draw_names(predictions.frame)
    apart = ("model", UNCALIBRATED, *draws)
    names = ["model", *(name for name in others if name not in apart)]
    judged = {name: judge_rows(predictions, name, config) for name in names}
    judged = {name: rows for name, rows in judged.items() if len(rows.frame)}
    if "model" not in judged:
        raise DataError("No test patient was predicted, so the model cannot be judged.")
    parts = {
        name: _measure_part(rows, config.evaluate.resamples, generator(config.seed, "bootstrap"))
        for name, rows in judged.items()
    }
    curves = {name: model_curves(rows, parts[name].threshold) for name, rows in judged.items()}
    if predictions.task == "binary":
        for name, rows in judged.items():
            curves[name]["decision"] = _decide(name, rows, config)
    curves["differences"] = _differences(judged, config)
    if UNCALIBRATED in others:
        before = judge_rows(predictions, UNCALIBRATED, config)
        curves["recalibration"] = recalibration_effect(before, judged["model"], config)
    if draws:
        measures = [measure_all(_test_rows(predictions, name, judged["model"])) for name in draws]
        curves["imputations"] = pool_imputations(measures, judged["model"].cluster, config)
    return Evaluation(
        task=predictions.task,
        positive=predictions.positive,
        classes=predictions.classes,
        parts={"test": parts["model"]},
        baselines={name: part for name, part in parts.items() if name != "model"},
        curves=curves,
        folds=_folds(judged["model"]),
        warnings=_warnings(parts["model"], predictions),
    )


def _check(predictions: Predictions) -> None:
    columns = [f"p_{name}" for name in predictions.classes] or ["predicted"]
    test = predictions.frame[predictions.frame["part"] == "test"]
    bad = ~np.isfinite(test[columns].to_numpy(np.float64)).all(axis=1)
    if bad.any():
        row = test["row_id"].to_numpy()[bad][0]
        raise DataError(
            f"{int(bad.sum()):,} predictions are not numbers (first: row {row}); train again with "
            "a lower learning rate."
        )


def judge_rows(predictions: Predictions, name: str, config: RunConfig) -> Judged:
    """Return a model's test rows with the thresholds that its validation rows decide."""
    frame = predictions.frame[predictions.frame["model"] == name]
    # In one order, so that the resamples do not depend on that of the rows.
    test = frame[frame["part"] == "test"].sort_values(["row_id", "fold"], kind="stable")
    thresholds = {}
    if predictions.task == "binary":
        deciding = deciding_rows(frame)
        for fold in test["fold"].unique():
            rows = deciding[deciding["fold"] == fold] if fold >= 0 else deciding
            event = rows["outcome"].eq(predictions.positive).to_numpy(bool)
            risk = rows[f"p_{predictions.positive}"].to_numpy(np.float64)
            rule, target = config.evaluate.threshold, config.evaluate.target
            thresholds[fold] = choose_threshold(event, risk, rule, target)
    # As in a split, a row without a patient stands alone.
    patient = test["patient"].astype(object).where(test["patient"].notna(), test["row_id"])
    return Judged(test, predictions, thresholds, pd.factorize(patient)[0])


def _test_rows(predictions: Predictions, name: str, like: Judged) -> Judged:
    """Return the test rows of another prediction, judged at the thresholds of `like`."""
    frame = predictions.frame[predictions.frame["model"] == name]
    test = frame[frame["part"] == "test"].sort_values(["row_id", "fold"], kind="stable")
    return replace(like, frame=test)


def measure_all(rows: Judged) -> Measure:
    """Return the function from weights to all metrics of these rows."""
    if rows.predictions.task == "regression":
        outcome = rows.frame["outcome"].to_numpy(np.float64)
        predicted = rows.frame["predicted"].to_numpy(np.float64)
        return lambda weights: regression_metrics(outcome, predicted, weights)
    if rows.predictions.task == "binary":
        event, risk, alarm = rows.event, rows.risk, rows.alarm
        return lambda weights: {
            **decision_metrics(event, alarm, weights),
            **_named_recall(rows.predictions, event, alarm, weights),
            **ranking_metrics(event.astype(np.float64), risk, weights),
            **score_metrics(event.astype(np.float64), risk, weights),
            **calibration_metrics(event.astype(np.float64), risk, weights),
        }
    return lambda weights: _multiclass(rows, weights)


def _named_recall(
    predictions: Predictions, event: np.ndarray, alarm: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    decided = decision_metrics(event, alarm, weights)
    other = next(name for name in predictions.classes if name != predictions.positive)
    return {
        f"recall_{predictions.positive}": decided["recall"],
        f"recall_{other}": decided["specificity"],
    }


def _multiclass(rows: Judged, weights: np.ndarray) -> dict[str, np.ndarray]:
    probabilities, truth = rows.probabilities, rows.truth
    classes = rows.predictions.classes
    found = class_metrics(truth, probabilities.argmax(axis=1), classes, weights)
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
    onehot = np.eye(len(classes))[truth]
    likely = np.clip(probabilities[np.arange(len(truth)), truth], SMALLEST, 1 - SMALLEST)
    total = weights.sum(axis=1)
    found["brier"] = weights @ ((probabilities - onehot) ** 2).sum(axis=1) / total
    found["log_loss"] = weights @ -np.log(likely) / total
    top = probabilities.argmax(axis=1)
    hit = (top == truth).astype(np.float64)
    found["ece"] = score_metrics(hit, probabilities.max(axis=1), weights)["ece"]
    return found


def _measure_part(rows: Judged, resamples: int, rng: np.random.Generator) -> PartEvaluation:
    measure = measure_all(rows)
    metrics = bootstrap_metrics(measure, rows.cluster, resamples, rng)
    metrics = {name: _with_reason(name, metric) for name, metric in metrics.items()}
    task = rows.predictions.task
    alone = len(np.unique(rows.cluster)) == len(rows.cluster)
    if task == "binary" and alone:
        metrics |= _exact_intervals(rows, metrics)
    thresholds = list(rows.thresholds.values())
    return PartEvaluation(
        n=len(np.unique(rows.frame["row_id"])),
        events=rows.frame.loc[rows.event, "row_id"].nunique() if task == "binary" else None,
        threshold=float(np.median(thresholds)) if thresholds else None,
        metrics=metrics,
    )


def _with_reason(name: str, metric: Metric) -> Metric:
    if np.isfinite(metric.value):
        return metric
    absent = "no patient of this class in this part"
    if name.startswith("precision_"):
        absent = "the model names this class for no patient"
    elif name.startswith("auroc_"):
        absent = "needs patients of this class and of others"
    return replace(metric, reason=REASONS.get(name, absent))


def _exact_intervals(rows: Judged, metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Replace bootstrap by Wilson and DeLong, where every patient has one row."""
    event, alarm = rows.event, rows.alarm
    better = {}
    for name, share in PROPORTIONS.items():
        hits, of = share(event, alarm)
        if of.any():
            low, high = wilson(int(hits.sum()), int(of.sum()))
            better[name] = Metric(metrics[name].value, low, high, int(of.sum()), "wilson")
    for name, same in (("recall", "recall"), ("specificity", "specificity")):
        label = rows.predictions.positive if name == "recall" else _other(rows.predictions)
        if same in better:
            better[f"recall_{label}"] = better[same]
    areas, covariance = delong(event.astype(np.float64), rows.risk)
    if np.isfinite(covariance[0, 0]):
        reach = 1.959963984540054 * float(np.sqrt(covariance[0, 0]))
        area = float(areas[0])
        low, high = max(0.0, area - reach), min(1.0, area + reach)
        better["auroc"] = Metric(area, low, high, len(event), "delong")
    return better


def _other(predictions: Predictions) -> str:
    return next(name for name in predictions.classes if name != predictions.positive)


def _differences(judged: Mapping[str, Judged], config: RunConfig) -> dict[str, Any]:
    """Return model − baseline for each baseline, on the same resampled test patients."""
    ours = judged["model"]
    found = {}
    for name, rows in judged.items():
        if name == "model" or not np.array_equal(rows.frame["row_id"], ours.frame["row_id"]):
            continue
        measures = (compared_measure(ours), compared_measure(rows))
        rng = generator(config.seed, "differences")
        found[name] = bootstrap_differences(measures, ours.cluster, config.evaluate.resamples, rng)
    return found


def _decide(name: str, rows: Judged, config: RunConfig) -> dict[str, Any]:
    if name != "model":
        return plain_curve(rows.event, rows.risk)
    rng = generator(config.seed, "decision")
    return decision_curve(rows.event, rows.risk, rows.cluster, config.evaluate.resamples, rng)


def compared_measure(rows: Judged) -> Measure:
    """Return the function from weights to the metrics in which models are compared."""
    measure = _light_measures(rows)
    return lambda weights: {n: v for n, v in measure(weights).items() if n in COMPARED}


def _light_measures(rows: Judged) -> Measure:
    """Return only what is compared; the rest would double the work."""
    if rows.predictions.task != "binary":
        return measure_all(rows)
    event, risk = rows.event.astype(np.float64), rows.risk
    return lambda weights: {
        **ranking_metrics(event, risk, weights),
        **score_metrics(event, risk, weights),
    }


def _folds(rows: Judged) -> tuple[Mapping[str, Any], ...]:
    """Return each fold's own values; one fold is too small for intervals worth showing."""
    numbers = [fold for fold in rows.frame["fold"].unique() if fold >= 0]
    found = []
    for fold in numbers:
        mask = rows.frame["fold"].eq(fold).to_numpy(bool)
        part = replace(rows, frame=rows.frame[mask], cluster=rows.cluster[mask])
        values = measure_all(part)(np.ones((1, int(mask.sum()))))
        metrics = {name: float(v[0]) if np.isfinite(v[0]) else None for name, v in values.items()}
        found.append(
            {
                "fold": int(fold),
                "n": int(mask.sum()),
                "threshold": rows.thresholds.get(fold),
                "metrics": metrics,
            }
        )
    return tuple(found)


def _warnings(part: PartEvaluation, predictions: Predictions) -> tuple[str, ...]:
    found = []
    if part.events is not None and min(part.events, part.n - part.events) < 10:
        found.append(
            f"The test part has only {min(part.events, part.n - part.events)} patients of one "
            "outcome; every figure is uncertain."
        )
    absent = [
        name.removeprefix("recall_")
        for name, metric in part.metrics.items()
        if name.startswith("recall_") and not np.isfinite(metric.value)
    ]
    if absent and predictions.task == "multiclass":
        found.append(f"No test patient has: {', '.join(absent)}; these have no figures.")
    return tuple(found)
