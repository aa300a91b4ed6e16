"""Two models judged on the same test patients: is the difference real?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.evaluate.bootstrap import Measure, bootstrap_differences
from medcore.evaluate.classification import class_metrics, decision_metrics
from medcore.evaluate.judge import Judged, compared_measure, judge_rows
from medcore.evaluate.ranking import delong
from medcore.records import Metric, Predictions

KEYS = ["row_id", "fold"]
NORMAL = 1.959963984540054


def compare_predictions(
    first: Predictions, second: Predictions, configs: tuple[RunConfig, RunConfig]
) -> dict[str, Metric]:
    """Return first − second of every metric, with a 95 % interval, on the same test patients.

    Patients are drawn together for both models (paired bootstrap); AUROC by DeLong 1988 where each
    patient has one row. Raises `DataError` unless both were judged on the same rows and outcomes.
    """
    if _question(first) != _question(second):
        raise DataError("These models predict different outcomes, so they cannot be compared.")
    ours, theirs = (
        _ordered(judge_rows(predictions, "model", config))
        for predictions, config in zip((first, second), configs, strict=True)
    )
    patients = [rows.frame[["row_id", "outcome"]].reset_index(drop=True) for rows in (ours, theirs)]
    if not patients[0].equals(patients[1]):
        raise DataError(
            "These models were judged on different test patients, so a difference between them "
            "could be one between patients; train both with the same data, split and seed."
        )
    config = configs[0]
    rng = generator(config.seed, "compare")
    measures = (measure_rows(ours), measure_rows(theirs))
    found = bootstrap_differences(measures, ours.cluster, config.evaluate.resamples, rng)
    return found | _exact_area(ours, theirs)


def _question(predictions: Predictions) -> tuple:
    return predictions.task, predictions.classes, predictions.positive


def _ordered(rows: Judged) -> Judged:
    """Return the rows sorted by patient, so that both models' stand side by side."""
    order = np.lexsort([rows.frame[key] for key in reversed(KEYS)])
    frame = rows.frame.iloc[order]
    patient = frame["patient"] if frame["patient"].notna().all() else frame["row_id"]
    return replace(rows, frame=frame, cluster=pd.factorize(patient)[0])


def measure_rows(rows: Judged) -> Measure:
    """Return the function from weights to what is compared: decisions, ranking and scores."""
    compared = compared_measure(rows)
    if rows.predictions.task == "regression":
        return compared
    if rows.predictions.task == "binary":
        event, alarm = rows.event, rows.alarm
        return lambda weights: {**decision_metrics(event, alarm, weights), **compared(weights)}
    truth, chosen = rows.truth, rows.probabilities.argmax(axis=1)
    classes = rows.predictions.classes
    return lambda weights: {**class_metrics(truth, chosen, classes, weights), **compared(weights)}


def _exact_area(ours: Judged, theirs: Judged) -> dict[str, Metric]:
    alone = len(np.unique(ours.cluster)) == len(ours.cluster)
    if ours.predictions.task != "binary" or not alone:
        return {}
    areas, covariance = delong(ours.event.astype(np.float64), ours.risk, theirs.risk)
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if not np.isfinite(spread):
        return {}
    value, reach = float(areas[0] - areas[1]), NORMAL * float(np.sqrt(max(spread, 0.0)))
    return {"auroc": Metric(value, value - reach, value + reach, len(ours.cluster), "delong")}
