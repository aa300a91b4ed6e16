"""Two models judged on the same test patients: is the difference real?"""

from __future__ import annotations

import math

import numpy as np

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.evaluate.bootstrap import bootstrap_differences
from medcore.evaluate.effect import compare_effects
from medcore.evaluate.judge import judge_rows
from medcore.evaluate.judged import Judged
from medcore.evaluate.ranking import compare_areas
from medcore.evaluate.tasks import TASKS
from medcore.records import Metric, Predictions


def compare_predictions(
    first: Predictions, second: Predictions, configs: tuple[RunConfig, RunConfig]
) -> dict[str, Metric]:
    """Return first − second of every metric, with a 95 % interval, on the same test patients.

    Patients are drawn together for both models (paired bootstrap); AUROC by DeLong 1988 where each
    patient has one row. Raises `DataError` unless both were judged on the same rows and outcomes.
    """
    if first.task == "effect":
        _check_question(first, second)
        return compare_effects(first, second, configs[0])
    ours, theirs = _same_rows(first, second, configs)
    config = configs[0]
    rng = generator(config.seed, "compare")
    rules = TASKS[first.task]
    measures = (rules.pair(ours), rules.pair(theirs))
    resamples = rules.resamples(ours, config)
    found = bootstrap_differences(measures, ours.cluster, resamples, rng)
    return found | rules.exact_differences(ours, theirs)


def paired_p(
    first: Predictions, second: Predictions, configs: tuple[RunConfig, RunConfig]
) -> float | None:
    """Return the two-sided p of DeLong's (1988) paired test of two models' AUROCs.

    None where it has no answer: more than two classes, or patients with several rows. Raises
    `DataError` as `compare_predictions`.
    """
    if first.task == "effect":
        return None
    ours, theirs = _same_rows(first, second, configs)
    if first.task != "binary" or not ours.alone:
        return None
    p = compare_areas(ours.event.astype(np.float64), ours.risk, theirs.risk)[3]
    return p if math.isfinite(p) else None


def _same_rows(
    first: Predictions, second: Predictions, configs: tuple[RunConfig, RunConfig]
) -> tuple[Judged, Judged]:
    """Return the test rows of both models; raises `DataError` where they are not the same."""
    _check_question(first, second)
    ours, theirs = (
        judge_rows(predictions, "model", config)
        for predictions, config in zip((first, second), configs, strict=True)
    )
    patients = [rows.frame[["row_id", "outcome"]].reset_index(drop=True) for rows in (ours, theirs)]
    if not patients[0].equals(patients[1]):
        raise DataError(
            "These models were judged on different test patients, so a difference between them "
            "could be one between patients; train both with the same data, split and seed."
        )
    return ours, theirs


def _check_question(first: Predictions, second: Predictions) -> None:
    if _question(first) != _question(second):
        raise DataError("These models predict different outcomes, so they cannot be compared.")


def _question(predictions: Predictions) -> tuple:
    return predictions.task, predictions.classes, predictions.positive
