"""A frozen run judged on patients from elsewhere: what it said of them, and what became of them.

Nothing is learned here: the model, its preparation and its threshold are those of the run. The
updated model, which learns one number, is judged apart.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.apply import Deployed, open_run
from medcore.cohort import OTHERS, usual_groups
from medcore.config import RunConfig, change_config
from medcore.data import dataset_json
from medcore.data.labels import name_findings
from medcore.errors import ConfigError, DataError
from medcore.evaluate import evaluate_predictions, evaluation_json, judge_groupings, read_evaluation
from medcore.evaluate.judge import judge_rows
from medcore.predict import predict_dataset
from medcore.records import Dataset, Evaluation, Event, Metric, Predictions, Watch
from medcore.store.folder import (
    COHORT,
    DATASET,
    EVALUATION,
    VALIDATION,
    read_json,
    read_predictions,
    write_config,
    write_json,
    write_predictions,
)
from medcore.told import describe_rows, told_columns
from medcore.validation.compare import difference_of_metrics
from medcore.validation.drift import compare_cohorts
from medcore.validation.newcomers import Newcomers, read_newcomers
from medcore.validation.units import KEEP
from medcore.validation.updating import UPDATED, update_predictions


def validate_run(
    folder: Path,
    new: Dataset,
    answers: Mapping[str, str],
    target: Path,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
    told: Mapping[str, Any] | None = None,
) -> Evaluation | None:
    """Judge the run in `folder` on a new table; everything is written to `target`.

    `answers`: by column, the conversion agreed to, or "keep"; `told`: what else to write down.
    `target` is readable as a run's folder, but for the model. None when stopped. Raises
    `DataError` when the table cannot be used, or a unit looks different and was not answered.
    """

    def tell(message: str, fraction: float) -> None:
        watch.emit(Event(time.time(), "validate", message, fraction))

    tell("Opening the model", 0.05)
    deployed = open_run(folder, trained=True)
    if deployed.model.task == "effect":
        raise ConfigError(
            "An effect cannot be looked up in new patients, because nobody is seen both with and "
            "without treatment: train on the new table, with its own treatment, and compare the "
            "average effects."
        )
    newcomers = match_table(folder, deployed, new, answers)
    _check_answered(newcomers)
    tell("Predicting the new patients", 0.3)
    predictions = _predict(deployed, newcomers.dataset)
    frozen = freeze_threshold(deployed)
    whole, config = _beside_deciding(folder, predictions, deployed, frozen)
    if watch.stopping():
        return None
    tell("Judging the model", 0.5)
    evaluation = _judge(folder, whole, config, newcomers.dataset)
    if watch.stopping():
        return None
    tell("Bringing the risks to the level of the new patients", 0.8)
    found = dict(told or {}) | {
        "name": new.name, "source": new.source, "sha256": new.sha256, "created": time.time(),
        "rows": len(new.frame), "judged": len(newcomers.dataset.frame),
        "answers": dict(answers), "sentences": list(newcomers.sentences),
        "drift": _drift(folder, newcomers.dataset),
        "changes": _changes(folder, evaluation),
        "updated": _update(predictions, frozen),
    }  # fmt: skip
    write_config(target, _fit_columns(config, new))
    write_json(target, DATASET, dataset_json(newcomers.dataset))
    write_predictions(target, whole)
    write_json(target, EVALUATION, evaluation_json(evaluation))
    write_json(target, VALIDATION, found)
    tell("Finished", 1.0)
    return evaluation


def _check_answered(newcomers: Newcomers) -> None:
    if newcomers.questions:
        first = newcomers.questions[0]
        raise DataError(
            f"{first.sentence} Say which: --convert '{first.column}={first.conversion}', or "
            f"--convert '{first.column}={KEEP}'."
        )


def _judge(
    folder: Path, predictions: Predictions, config: RunConfig, newcomers: Dataset
) -> Evaluation:
    """Judge the predictions, by the usual groups of the new patients too."""
    evaluation = evaluate_predictions(predictions, config)
    groups = judge_groupings(predictions, config, usual_groups(newcomers))
    curves = {**evaluation.curves, "subgroups": groups}
    if "sites" in curves and _are_new(folder, newcomers):
        curves["sites"] = {**curves["sites"], "unseen": True}
    return replace(evaluation, curves=curves)


def match_table(
    folder: Path, deployed: Deployed, new: Dataset, answers: Mapping[str, str]
) -> Newcomers:
    """Return the new patients as the model's table had them, with what is to be asked."""
    cohort = read_json(folder, COHORT) if (folder / COHORT).is_file() else None
    classes, said = deployed.model.classes, ()
    if deployed.model.task == "multilabel":
        outcome = deployed.model.cohort.outcome
        new, said = name_findings(new, outcome, classes, deployed.config.outcome.separator)
    found = read_newcomers(new, deployed.columns, classes, deployed.config, cohort, answers)
    return replace(found, sentences=(*said, *found.sentences))


def freeze_threshold(deployed: Deployed) -> RunConfig:
    """Return the run's settings with its threshold as a fixed one."""
    if deployed.threshold is None or isinstance(deployed.threshold, Mapping):
        return deployed.config
    # A threshold that nobody or everybody reaches may lie a hair outside the settings' limits.
    frozen = min(max(deployed.threshold, 1e-12), 1 - 1e-12)
    changes = {"evaluate.threshold": "fixed", "evaluate.target": frozen}
    return change_config(deployed.config, changes)


def _fit_columns(config: RunConfig, new: Dataset) -> RunConfig:
    """Return the settings less what they say of columns that the new table lacks."""
    names = set(new.frame.columns)
    kept = {
        part: {name: value for name, value in getattr(config.data, part).items() if name in names}
        for part in ("roles", "kinds", "units")
    }
    repairs = tuple(r for r in config.data.repairs if not r.column or r.column in names)
    data = config.data.model_copy(update={**kept, "repairs": repairs})
    return config.model_copy(update={"data": data})


def _predict(deployed: Deployed, dataset: Dataset) -> Predictions:
    said = predict_dataset(deployed.model, dataset, coverage=deployed.config.evaluate.coverage)
    model, cohort = deployed.model, deployed.model.cohort
    values = told_columns(model, deployed.positive, said.value, said.low, said.high)
    told = {"row_id": said.row_id, "part": "test", "fold": -1, "model": "model"}
    frame = describe_rows(pd.DataFrame({**values, **told}), _with_words(dataset, model.classes))
    return Predictions(
        model.task, model.classes, deployed.positive, frame, cohort.horizons, cohort.times
    )


def _beside_deciding(
    folder: Path, predictions: Predictions, deployed: Deployed, frozen: RunConfig
) -> tuple[Predictions, RunConfig]:
    """Return the new patients beside the development patients who decided, and the run's settings.

    So another threshold can be looked for where the first one was, and sets of answers keep their
    promise or not. Where several folds decided, nobody stands for the frozen threshold: the new
    patients alone, and settings in which it is fixed.
    """
    kept = read_predictions(folder).frame
    mine = kept[kept["model"].eq("model") & kept["part"].ne("test")]
    whole = replace(predictions, frame=pd.concat([predictions.frame, mine], ignore_index=True))
    found = judge_rows(whole, "model", deployed.config).thresholds
    if deployed.threshold is None:
        return whole, deployed.config
    if isinstance(deployed.threshold, Mapping):
        frozen = np.array([deployed.threshold[name] for name in predictions.classes])
        if len(found) == 1 and np.allclose(next(iter(found.values())), frozen):
            return whole, deployed.config
        raise DataError(
            "Each fold of this model has thresholds of its own for its findings, so it cannot be "
            "judged elsewhere at the ones that were frozen: train it with a hold-out."
        )
    if len(found) == 1 and math.isclose(next(iter(found.values())), deployed.threshold):
        return whole, deployed.config
    return predictions, frozen


def _with_words(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """Return the data set with its classes as words, as the predictions hold them."""
    name = dataset.predicted_column().name
    frame = dataset.frame.copy(deep=False)
    frame[name] = frame[name].astype("string" if classes else "float64")
    return replace(dataset, frame=frame)


def _are_new(folder: Path, dataset: Dataset) -> bool:
    """Tell whether no site of the new table is one of development."""
    sites = dataset.with_role("site")
    if not sites or not (folder / COHORT).is_file():
        return False
    told = [c for c in read_json(folder, COHORT)["columns"] if c["name"] == sites[0].name]
    known = {name for column in told for name in column["parts"]["all"].get("counts", {})}
    here = set(dataset.frame[sites[0].name].dropna().astype("string"))
    return bool(known) and OTHERS not in known and not known & here


def _drift(folder: Path, dataset: Dataset) -> list[dict[str, Any]] | None:
    if not (folder / COHORT).is_file():
        return None
    return compare_cohorts(read_json(folder, COHORT), dataset)


def _changes(folder: Path, evaluation: Evaluation) -> dict[str, Any]:
    """Return here − development for each metric, the patients being others."""
    before = read_evaluation(read_json(folder, EVALUATION)).parts["test"].metrics
    return {
        name: {
            "development": asdict(before[name]),
            "here": asdict(metric),
            "difference": asdict(difference_of_metrics(metric, before[name])),
        }
        for name, metric in evaluation.parts["test"].metrics.items()
        if name in before
    }


def _update(predictions: Predictions, config: RunConfig) -> dict[str, Any] | None:
    found = update_predictions(predictions, config)
    if found is None:
        return None
    both, move = found
    evaluation = evaluate_predictions(both, config)
    differences: Mapping[str, Metric] = evaluation.curves["differences"][UPDATED]
    return {
        "move": move,
        "metrics": {
            name: asdict(metric) for name, metric in evaluation.baselines[UPDATED].metrics.items()
        },
        # Kept as updated − as it was.
        "differences": {
            name: asdict(replace(metric, value=-metric.value, low=-metric.high, high=-metric.low))
            for name, metric in differences.items()
        },
    }
