"""The table of contents: one run, from a read table to its evaluation.

The browser's worker, the command line and the tests all go through `run`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.certificate import certificate_json, certify
from medcore.checks import check_dataset, findings_json
from medcore.cohort import describe_cohort, usual_groups
from medcore.config import RunConfig
from medcore.data import configure_dataset, dataset_json, infer_task, outcome_classes
from medcore.effect import judge_effects, list_rows
from medcore.errors import FitError
from medcore.evaluate import evaluate_predictions, evaluation_json, judge_groupings
from medcore.predict import (
    FittedModel,
)
from medcore.recipes import Fitted, fit_model, save_model
from medcore.recipes.crossing import effect_split
from medcore.recipes.effects import fit_effects
from medcore.recipes.embeddings import keep_embeddings
from medcore.recipes.hazards import describe_hazards
from medcore.records import (
    Dataset,
    Evaluation,
    Event,
    Parts,
    Predictions,
    Seen,
    Split,
    Watch,
)
from medcore.split import make_split, split_json
from medcore.store.environment import describe_environment
from medcore.store.files import remove_folder
from medcore.store.folder import (
    CERTIFICATE,
    CHECKPOINTS,
    COHORT,
    DATASET,
    ENVIRONMENT,
    EVALUATION,
    FINDINGS,
    SPLIT,
    append_event,
    write_config,
    write_json,
    write_predictions,
)
from medcore.told import describe_rows, predict_parts
from medcore.train.device import name_device

FITTING = (0.02, 0.9)
NOTHING_LEARNED = (
    "Nothing was learned yet when this run was stopped, so there is nothing to judge; train it "
    "again."
)


def run(
    config: RunConfig,
    dataset: Dataset,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
    *,
    folder: Path,
    judge_only: bool = False,
) -> Evaluation | None:
    """Train and judge; everything is kept in `folder`. None when stopped: nothing is judged then.

    `judge_only` takes a stopped run's best state so far from its checkpoints and judges that.
    Raises a `MedcoreError` whose sentence says what cannot be done.
    """
    watch = _recorded(watch, folder)
    _tell(watch, "check", "Checking the data", 0.0)
    ready = configure_dataset(dataset, config)
    classes, positive = outcome_classes(ready, config)
    findings = check_dataset(ready)
    effect = infer_task(ready, config) == "effect"
    split = effect_split(ready, config) if effect else make_split(ready, config)
    write_config(folder, config)
    write_json(folder, DATASET, dataset_json(ready))
    write_json(folder, FINDINGS, findings_json(findings))
    write_json(folder, SPLIT, split_json(split))
    write_json(folder, COHORT, describe_cohort(ready, split))
    write_json(folder, ENVIRONMENT, describe_environment(name_device(config.train.device)))

    judge = _judge_effect if effect else _judge_prediction
    done = judge(config, ready, classes, positive, split, watch, folder, judge_only)
    if done is None or watch.stopping():
        _tell(watch, "stopped", "Stopped; the best so far is kept", FITTING[1])
        return None
    model, predictions, evaluation = done.model, done.predictions, done.evaluation
    checks = certify(ready, split, done.told, predictions, findings)
    leaks = [check.sentence for check in checks if check.passed is False]
    warnings = (*evaluation.warnings, *leaks, *split.notes, *model.notes)
    warnings = dict.fromkeys((*warnings, *_severe(findings)))
    evaluation = replace(evaluation, warnings=tuple(warnings))
    write_json(folder, CERTIFICATE, certificate_json(checks))
    save_model(folder, model)
    keep_embeddings(folder, model, ready, split.parts["train"])
    write_predictions(folder, predictions)
    write_json(folder, EVALUATION, evaluation_json(evaluation))
    remove_folder(folder / CHECKPOINTS)
    _tell(watch, "finished", "Finished", 1.0)
    return evaluation


@dataclass(frozen=True, eq=False)
class Finished:
    """What a run comes to; `told` says which rows the steps of each fit looked at."""

    model: FittedModel
    predictions: Predictions
    evaluation: Evaluation
    told: Sequence[tuple[Parts, Sequence[Seen]]]


def _judge_prediction(
    config: RunConfig,
    ready: Dataset,
    classes: tuple[str, ...],
    positive: str | None,
    split: Split,
    watch: Watch,
    folder: Path,
    judge_only: bool,
) -> Finished | None:
    """Fit models of the outcome and judge them on the test patients."""
    fits = list(_fit(config, ready, classes, split, watch, folder, judge_only))
    if judge_only and not fits and not watch.stopping():
        raise FitError(NOTHING_LEARNED)
    if not fits or watch.stopping():
        return None
    _tell(watch, "judge", "Predicting the test patients", FITTING[1])
    coverage = config.evaluate.coverage
    frames = [
        predict_parts(fitted, ready, parts, fold, positive, coverage)
        for fitted, parts, fold in fits
    ]
    frame = pd.concat([f for f in frames if f is not None], ignore_index=True)
    task = fits[-1][0].model.task
    predictions = Predictions(task, tuple(classes), positive, frame, ready.horizons, ready.times)
    _tell(watch, "judge", "Judging the model", 0.94)
    evaluation = evaluate_predictions(predictions, config)
    groups = judge_groupings(predictions, config, usual_groups(ready))
    curves = {**evaluation.curves, "subgroups": groups}
    if task == "survival":
        learned = np.concatenate([ids for name, ids in split.parts.items() if name != "test"])
        curves["hazards"] = describe_hazards(ready, np.sort(learned), tuple(classes), positive)
    evaluation = replace(evaluation, curves=curves)
    told = [(parts, fitted.seen) for fitted, parts, _ in fits]
    return Finished(fits[-1][0].model, predictions, evaluation, told)


def _judge_effect(
    config: RunConfig,
    ready: Dataset,
    classes: tuple[str, ...],
    positive: str | None,
    split: Split,
    watch: Watch,
    folder: Path,
    judge_only: bool,
) -> Finished | None:
    """Fit and judge the effect of a treatment; a part of its folds tells nothing."""
    if judge_only:
        raise FitError(NOTHING_LEARNED)
    low, high = FITTING
    part_watch = _part_of(watch, low, high - low)
    fitted = fit_effects(ready, split, config, classes, part_watch, folder / CHECKPOINTS)
    if fitted is None:
        return None
    _tell(watch, "judge", "Judging the effect", FITTING[1])
    frame = describe_rows(list_rows(ready, fitted, config), ready)
    predictions = Predictions("effect", classes, positive, frame)
    evaluation = judge_effects(ready, fitted, predictions, config)
    told = list(zip(split.folds or (), fitted.seen, strict=True))
    return Finished(fitted.model, predictions, evaluation, told)


def _recorded(watch: Watch, folder: Path) -> Watch:
    """Return a watch that also writes every event into the run's folder; fractions never fall."""
    folder.mkdir(parents=True, exist_ok=True)
    highest = 0.0

    def emit(event: Event) -> None:
        nonlocal highest
        highest = max(highest, event.fraction)
        event = replace(event, fraction=highest)
        append_event(folder, event)
        watch.emit(event)

    return Watch(emit, watch.stopping)


def _tell(watch: Watch, stage: str, message: str, fraction: float) -> None:
    watch.emit(Event(time.time(), stage, message, fraction))


def _fit(
    config: RunConfig,
    dataset: Dataset,
    classes: tuple[str, ...],
    split: Split,
    watch: Watch,
    folder: Path,
    judge_only: bool,
) -> Iterator[tuple[Fitted, Parts, int]]:
    """Yield each fold's fit, then, last, that of the model which is kept."""
    folds = [(parts, f"fold {name}") for name, parts in _named_folds(split)]
    plan = [*folds, (split.parts, "final model" if folds else "")]
    low, high = FITTING
    for number, (parts, name) in enumerate(plan):
        start = low + (high - low) * number / len(plan)
        part_watch = _part_of(watch, start, (high - low) / len(plan))
        checkpoints = folder / CHECKPOINTS / (name.replace("/", "_").replace(" ", "-") or "fit")
        if judge_only and not checkpoints.is_dir():
            continue
        fitted = fit_model(
            dataset, parts, config, classes,
            watch=part_watch, folder=checkpoints, name=name, resume_only=judge_only,
        )  # fmt: skip
        if fitted is not None:
            yield fitted, parts, number if number < len(folds) else -1
        if watch.stopping():
            return


def _named_folds(split: Split) -> list[tuple[str, Parts]]:
    return list(zip(split.fold_names, split.folds or (), strict=True))


def _part_of(watch: Watch, start: float, share: float) -> Watch:
    def emit(event: Event) -> None:
        watch.emit(replace(event, fraction=start + share * event.fraction))

    return Watch(emit, watch.stopping)


def _severe(findings: tuple) -> list[str]:
    return [f"{finding.title}." for finding in findings if finding.severity == "stop"]
