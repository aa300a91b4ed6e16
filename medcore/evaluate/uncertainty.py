"""What a model knows of its uncertainty: sets and intervals with a promise, and abstention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.evaluate.bootstrap import bootstrap_metrics
from medcore.evaluate.calibration import logit_of
from medcore.evaluate.classification import wilson
from medcore.evaluate.conformal import check_coverage, class_p_values
from medcore.evaluate.judged import Judged
from medcore.evaluate.recalibrated import UNCALIBRATED
from medcore.evaluate.threshold import deciding_rows
from medcore.records import Metric, Predictions

SHARES = np.linspace(0.05, 1, 20)


def judge_uncertainty(rows: Judged, config: RunConfig) -> dict[str, Any]:
    """Return, JSON-ready, what came of the promised coverage, and of abstaining.

    `sets` and `sets_by_class`: coverage, coverage by class and mean size with intervals, and how
    many answers patients get; or `refused`, why nothing can be promised. `abstention`: the error
    among the surest patients, by their share. Numbers: the coverage and width of the intervals.
    """
    promised = config.evaluate.coverage
    if rows.predictions.task == "regression":
        return {"coverage": promised} | _judge_intervals(rows, config)
    found: dict[str, Any] = {"coverage": promised, "abstention": _abstain(rows)}
    try:
        plain, references = [], 0
        by_class = []
        for test, outcome, predicted in _references(rows):
            check_coverage(promised, len(outcome))
            plain.append(class_p_values(outcome, predicted, test))
            by_class.append(class_p_values(outcome, predicted, test, by_class=True))
            references += len(outcome)
    except DataError as error:
        return found | {"refused": str(error)}
    order = np.argsort(np.concatenate(list(_places(rows))))
    for name, values in (("sets", plain), ("sets_by_class", by_class)):
        inside = np.concatenate(values)[order] > 1 - promised
        found[name] = _judge_sets(rows, inside, config)
    return found | {"references": references}


def _raw(predictions: Predictions) -> pd.DataFrame:
    """Return the model's rows as they were before recalibration: nobody vouches for himself."""
    model = predictions.frame["model"]
    return predictions.frame[model.eq(UNCALIBRATED if model.eq(UNCALIBRATED).any() else "model")]


def _places(rows: Judged) -> Iterator[np.ndarray]:
    for fold in rows.frame["fold"].unique():
        yield np.flatnonzero(rows.frame["fold"].eq(fold))


def _references(rows: Judged) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, fold by fold, the test rows' probabilities, and outcome and probabilities of others.

    The others are the calibration part, else the rows that decide thresholds.
    """
    predictions = rows.predictions
    columns = [f"p_{name}" for name in predictions.classes]
    frame = _raw(predictions)
    test = frame[frame["part"] == "test"].sort_values(["row_id", "fold"], kind="stable")
    held = frame[frame["part"] == "calibration"]
    held = held if len(held) else deciding_rows(frame)
    for place in _places(rows):
        fold = int(rows.frame["fold"].iloc[place[0]])
        own = held[held["fold"] == fold] if fold >= 0 else held
        codes = pd.Index(predictions.classes).get_indexer(own["outcome"])
        asked = test[columns].to_numpy(np.float64)[place]
        yield asked, codes, own[columns].to_numpy(np.float64)


def _judge_sets(rows: Judged, inside: np.ndarray, config: RunConfig) -> dict[str, Any]:
    """Return how often sets (rows, classes) hold the outcome, and how large they are."""
    truth, classes = rows.truth, rows.predictions.classes
    held = inside[np.arange(len(truth)), truth].astype(np.float64)
    size = inside.sum(axis=1)
    alone = size == 1
    right = alone & (held == 1)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                "coverage": weights @ held / total,
                "size": weights @ size / total,
                "single": weights @ alone / total,
                "single_right": weights @ right / (weights @ alone),
            }
            for place, name in enumerate(classes):
                own = (truth == place).astype(np.float64)
                found[f"coverage_{name}"] = weights @ (held * own) / (weights @ own)
        return found

    rng = generator(config.seed, "sets")
    metrics = bootstrap_metrics(measure, rows.cluster, config.evaluate.resamples, rng)
    if rows.alone:
        bounds = wilson(held.sum(), len(held))
        value = metrics["coverage"].value
        metrics["coverage"] = Metric(value, *bounds, len(held), "wilson")
    counts = np.bincount(size, minlength=len(classes) + 1)
    return {"answers": counts.tolist()} | {name: asdict(m) for name, m in metrics.items()}


def _judge_intervals(rows: Judged, config: RunConfig) -> dict[str, Any]:
    columns = rows.frame.reindex(columns=["outcome", "low", "high"])
    outcome, low, high = columns.to_numpy(np.float64).T
    if not np.isfinite([low, high]).all():
        promised = f"{config.evaluate.coverage:.0%}"
        return {
            "refused": f"Too few patients outside the fit to promise a coverage of {promised}; "
            "promise less, or set more patients aside (split.calibration)."
        }
    held, width = ((low <= outcome) & (outcome <= high)).astype(np.float64), high - low
    rng = generator(config.seed, "sets")
    metrics = bootstrap_metrics(
        lambda weights: {
            "coverage": weights @ held / weights.sum(axis=1),
            "width": weights @ width / weights.sum(axis=1),
        },
        rows.cluster, config.evaluate.resamples, rng,
    )  # fmt: skip
    return {"intervals": {name: asdict(metric) for name, metric in metrics.items()}}


def _abstain(rows: Judged) -> dict[str, list[float]]:
    """Return the share of wrong calls among the surest patients (El-Yaniv and Wiener 2010).

    Sure means far from the threshold on the scale of log odds, or a likely top class.
    """
    if rows.predictions.task == "binary":
        wrong = rows.alarm != rows.event
        threshold = rows.frame["fold"].map(rows.thresholds).to_numpy(np.float64)
        sure = np.abs(logit_of(rows.risk) - logit_of(threshold))
    else:
        wrong = rows.probabilities.argmax(axis=1) != rows.truth
        sure = rows.probabilities.max(axis=1)
    reached = np.cumsum(wrong[np.argsort(-sure, kind="stable")])
    counts = np.maximum(1, np.round(SHARES * len(wrong)).astype(int))
    errors = reached[counts - 1]
    bounds = [wilson(error, count) for error, count in zip(errors, counts, strict=True)]
    return {
        "share": (counts / len(wrong)).tolist(),
        "error": (errors / counts).tolist(),
        "low": [low for low, _ in bounds],
        "high": [high for _, high in bounds],
    }
