"""The table of contents: one run, from a read table to its evaluation.

The browser's worker, the command line and the tests all go through `run`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.certificate import certificate_json, certify
from medcore.checks import check_dataset, findings_json
from medcore.cohort import describe_cohort, usual_groups
from medcore.config import RunConfig
from medcore.data import configure_dataset, dataset_json, outcome_classes
from medcore.errors import FitError
from medcore.evaluate import evaluate_predictions, evaluation_json, judge_groupings
from medcore.evaluate.pooling import DRAW
from medcore.predict import (
    COVERAGE,
    FittedModel,
    predict_dataset,
    predict_rows,
    split_draws,
    without_recalibration,
)
from medcore.recipes import Fitted, fit_model, save_model
from medcore.recipes.embeddings import keep_embeddings
from medcore.recipes.hazards import describe_hazards
from medcore.recipes.plan import BASELINES
from medcore.records import Dataset, Evaluation, Event, Parts, Predictions, Split, Watch
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
from medcore.train.device import name_device

FITTING = (0.02, 0.9)


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
    split = make_split(ready, config)
    write_config(folder, config)
    write_json(folder, DATASET, dataset_json(ready))
    write_json(folder, FINDINGS, findings_json(findings))
    write_json(folder, SPLIT, split_json(split))
    write_json(folder, COHORT, describe_cohort(ready, split))
    write_json(folder, ENVIRONMENT, describe_environment(name_device(config.train.device)))

    fits = list(_fit(config, ready, classes, split, watch, folder, judge_only))
    if judge_only and not fits and not watch.stopping():
        raise FitError(
            "Nothing was learned yet when this run was stopped, so there is nothing to judge; "
            "train it again."
        )
    if not fits or watch.stopping():
        _tell(watch, "stopped", "Stopped; the best so far is kept", FITTING[1])
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
    checks = certify(ready, split, told, predictions, findings)
    leaks = [check.sentence for check in checks if check.passed is False]
    warnings = (*evaluation.warnings, *leaks, *split.notes, *fits[-1][0].model.notes)
    warnings = dict.fromkeys((*warnings, *_severe(findings)))
    evaluation = replace(evaluation, warnings=tuple(warnings))
    write_json(folder, CERTIFICATE, certificate_json(checks))
    save_model(folder, fits[-1][0].model)
    keep_embeddings(folder, fits[-1][0].model, ready, split.parts["train"])
    write_predictions(folder, predictions)
    write_json(folder, EVALUATION, evaluation_json(evaluation))
    remove_folder(folder / CHECKPOINTS)
    _tell(watch, "finished", "Finished", 1.0)
    return evaluation


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


def predict_parts(
    fitted: Fitted,
    dataset: Dataset,
    parts: Parts,
    fold: int,
    positive: str | None = None,
    coverage: float = COVERAGE,
) -> pd.DataFrame | None:
    """Return the rows of `predictions.parquet` for one fit; None for a final model after folds."""
    if "test" not in parts:
        return None
    part_of = {int(row): part for part, rows in parts.items() for row in rows}
    held_fold = np.full(len(fitted.row_id), fold) if fold >= 0 else fitted.fold
    frames = []
    models = {"model": fitted.model}
    if "uncalibrated" in fitted.held_out:
        models["uncalibrated"] = without_recalibration(fitted.model)
    models |= {name: fitted.baselines[name] for name in BASELINES if name in fitted.baselines}
    for name, model in models.items():
        held = told_columns(model, positive, fitted.held_out[name])
        held |= {"row_id": fitted.row_id, "fold": held_fold, "model": name}
        frames.append(pd.DataFrame(held))
        later = [part for part in ("calibration", "test") if part in parts]
        rows = np.concatenate([parts[part] for part in later])
        said = predict_dataset(model, dataset, rows, coverage)
        new = told_columns(model, positive, said.value, said.low, said.high)
        frames.append(pd.DataFrame({**new, "row_id": rows, "fold": fold, "model": name}))
    for draw, model in split_draws(fitted.model).items():
        rows = parts["test"]
        new = told_columns(model, positive, predict_rows(model, dataset, rows))
        frames.append(
            pd.DataFrame({**new, "row_id": rows, "fold": fold, "model": f"{DRAW}{draw + 1}"})
        )
    frame = pd.concat(frames, ignore_index=True)
    frame["part"] = frame["row_id"].map(part_of)
    return describe_rows(frame, dataset)


def told_columns(
    model: FittedModel,
    positive: str | None,
    value: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> dict[str, object]:
    """Return predictions as the columns of `predictions.parquet`; time to event: risks, curves."""
    if model.task != "survival":
        return value_columns(model.classes, value, low, high)
    cohort, risk = model.cohort, value[:, model.classes.index(positive)]
    told = {f"risk_{h.label}": risk[:, cohort.times.index(h.time)] for h in cohort.horizons}
    return told | {f"curve_{place}": risk[:, place] for place in range(risk.shape[1])}


def value_columns(
    classes: tuple[str, ...],
    value: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> dict[str, object]:
    """Return predictions as the columns of `predictions.parquet`: p_CLASS, or predicted."""
    if classes:
        return {f"p_{name}": value[:, place] for place, name in enumerate(classes)}
    unknown = np.full(len(value), np.nan)
    return {
        "predicted": value,
        "low": unknown if low is None else low,
        "high": unknown if high is None else high,
    }


def describe_rows(frame: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Add who each row is and what happened to them, in the contract's order of columns."""
    source = dataset.frame.loc[frame["row_id"]]
    known: Mapping[str, pd.Series] = {
        role: source[columns[0].name] if (columns := dataset.with_role(role)) else None
        for role in ("patient", "site", "duration")
    }
    for role in ("patient", "site"):
        values = known[role]
        words = None if values is None else values.astype("string").to_numpy()
        frame[role] = pd.Series(words, index=frame.index, dtype="string")
    outcome = dataset.predicted_column()
    first = ["row_id", "patient", "site", "part", "fold", "model", "outcome"]
    if outcome.role == "event":
        frame["duration"] = known["duration"].to_numpy(np.float64)
        first.append("duration")
    frame["outcome"] = source[outcome.name].to_numpy()
    return frame[[*first, *(name for name in frame.columns if name not in first)]]


def _severe(findings: tuple) -> list[str]:
    return [f"{finding.title}." for finding in findings if finding.severity == "stop"]
