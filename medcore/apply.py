"""A run's folder applied to new patients: one by form, many by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data import (
    ColumnMatch,
    Wishes,
    configure_rows,
    open_dataset,
    read_cells,
    read_table_isolated,
)
from medcore.data.media import new_media_folder
from medcore.errors import DataError, StoreError
from medcore.evaluate.conformal import tell_findings, tell_plausible
from medcore.evaluate.multilabel import read_thresholds
from medcore.predict import FittedModel, Threshold, predict_dataset, predict_rows
from medcore.prepare import (
    completed_rows,
    imputed_cells,
    less_unusual,
    outside_training_range,
    prepare_rows,
    say_slices,
    unexpected_gaps,
)
from medcore.recipes import load_model
from medcore.recipes.embeddings import embed_column, looking_member
from medcore.records import Column, Dataset
from medcore.store.files import copy_folder, replacing
from medcore.store.folder import (
    EVALUATION,
    read_columns,
    read_config,
    read_json,
    read_needs,
    read_reading,
)
from medcore.written import add_predictions

# Kinds whose cells are files.
MEDIA_KINDS = ("image", "audio", "series")


@dataclass(frozen=True, eq=False)
class Deployed:
    """A run's model with what decides how new rows are read and when it alarms.

    `needs` says in words, by class or finding, what a threshold chosen after training is to meet;
    `reading` how images were read, see `Wishes.lasting`.
    """

    model: FittedModel
    columns: tuple[Column, ...]
    config: RunConfig
    positive: str | None
    threshold: Threshold
    needs: Mapping[str, str] = field(default_factory=dict)
    reading: tuple[str, ...] = ()

    def wishes(self, wishes: Wishes | None = None) -> Wishes:
        """Return wishes with those by which the images were read that the model learned from."""
        return replace(wishes or Wishes(), **dict.fromkeys(self.reading, True))


def open_run(folder: Path, *, trained: bool = False) -> Deployed:
    """Load a judged run; raises `StoreError` when the folder holds none.

    It alarms at the thresholds chosen on Results, if any; with `trained` at those of training.
    """
    if not (folder / EVALUATION).is_file():
        raise StoreError(
            f"'{folder}' holds no model that was judged; give the folder that 'run' printed."
        )
    evaluation = read_json(folder, EVALUATION)
    judged = evaluation["parts"].get("test")
    threshold = judged and judged["threshold"]
    if evaluation["task"] == "multilabel":
        threshold = read_thresholds(evaluation)
    chosen = {} if trained else read_needs(folder)
    if isinstance(threshold, Mapping):
        threshold |= {name: chosen[name]["threshold"] for name in threshold if name in chosen}
    elif evaluation["positive"] in chosen:
        threshold = chosen[evaluation["positive"]]["threshold"]
    return Deployed(
        load_model(folder),
        read_columns(folder),
        read_config(folder),
        evaluation["positive"],
        threshold,
        {name: need["words"] for name, need in chosen.items()},
        read_reading(folder),
    )


def predict_file(
    deployed: Deployed,
    source: str | Path,
    target: Path,
    completed: Path | None = None,
    wishes: Wishes | None = None,
) -> ColumnMatch:
    """Write the file's own rows and columns, and the predictions on their right, as CSV.

    `wishes`: how images are read, beside what training read them by. `completed` also gets the
    inputs as the model took them, with what was filled in named. Returns which columns were missing
    or extra, files that could not be read, and what the model never met in training. Raises
    `DataError` for a file without any of the model's columns, `StoreError` when a target cannot be
    written.
    """
    wishes = replace(deployed.wishes(wishes), listed=True)
    dataset = open_dataset(source, least_columns=1, wishes=wishes)
    ready, match = configure_rows(dataset, deployed.columns, deployed.config)
    predicted = predict_dataset(deployed.model, ready, coverage=deployed.config.evaluate.coverage)
    table = add_predictions(
        read_cells(source, dataset), predicted, deployed.positive, deployed.threshold
    )
    with replacing(target) as file:
        table.to_csv(file, index=False)
    cohort = deployed.model.cohort
    if completed is not None:
        with replacing(completed) as file:
            completed_rows(cohort, ready).to_csv(file, index=False)
    gaps = tuple(unexpected_gaps(cohort.rules, ready.frame))
    told = (*say_unread(dataset), *say_volumes(deployed, ready), *say_needs(deployed))
    return replace(match, sentences=(*match.sentences, *gaps, *told))


def say_unread(dataset: Dataset) -> list[str]:
    """Return what arrival says of files that could not be read, and have no row."""
    return [entry.reason for entry in dataset.ledger if entry.step.startswith("unreadable")]


def say_volumes(deployed: Deployed, ready: Dataset) -> list[str]:
    """Return a sentence for each column of images that are not as those of training were."""
    fits = [fit for fit in deployed.model.preparations[0].kinds if fit.kind == "image"]
    said = [say_slices(fit, ready, deployed.config.image.slices) for fit in fits]
    return [sentence for sentence in said if sentence]


def say_needs(deployed: Deployed) -> Iterator[str]:
    """Yield a sentence for each threshold that was chosen after training."""
    for name, words in deployed.needs.items():
        threshold = deployed.threshold
        limit = threshold[name] if isinstance(threshold, Mapping) else threshold
        yield f"“{name}” alarms from a risk of {limit:.3f}, as chosen on Results: {words}."


def read_patients(
    deployed: Deployed, rows: Sequence[Mapping[str, Any]], media: Path | None = None
) -> Dataset:
    """Return patients that were entered by hand, as the model's table had its rows.

    Values by column; None or absent means unknown. Repairs and kinds are those of the run. `media`
    is where pictures lie, if there are any.
    """
    inputs = [column.name for column in deployed.columns if column.role == "input"]
    frame = pd.DataFrame([{name: values.get(name) for name in inputs} for values in rows])
    for name in frame.columns:
        if frame[name].dtype == object:
            frame[name] = frame[name].astype("string")
    dataset = Dataset("patient", "form", "", frame, deployed.columns, media=media)
    return configure_rows(dataset, deployed.columns, deployed.config)[0]


def list_targets(deployed: Deployed) -> dict[str, int]:
    """Return what a model's answers are about, by name, and their place in a flattened answer.

    The positive class, or each class; the number; time to event: the risk by each horizon.
    """
    model, cohort = deployed.model, deployed.model.cohort
    if model.task == "survival":
        cause = model.classes.index(deployed.positive) if deployed.positive in model.classes else 0
        first = cause * len(cohort.times)
        return {h.label: first + cohort.times.index(h.time) for h in cohort.horizons}
    if model.task in ("regression", "effect"):
        return {cohort.outcome: 0}
    names = model.classes if deployed.positive is None else (deployed.positive,)
    return {name: model.classes.index(name) for name in names}


def answer_patients(deployed: Deployed, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the bare answers for patients that were entered by hand, JSON-ready and quickly.

    Keys: task, positive, threshold, and targets: for each of `list_targets` a value a patient.
    For intervals and warnings see `predict_patient`.
    """
    said = predict_rows(deployed.model, read_patients(deployed, rows)).reshape(len(rows), -1)
    return {
        "task": deployed.model.task,
        "positive": deployed.positive,
        "threshold": deployed.threshold,
        "targets": {name: said[:, at].tolist() for name, at in list_targets(deployed).items()},
    }


def describe_numbers(deployed: Deployed) -> dict[str, dict[str, Any]]:
    """Return, for each number the model looks at, the `low` and `high` that it learned from.

    `whole` tells that all values were whole numbers.
    """
    return {
        fit.name: {"low": fit.low, "high": fit.high, "whole": fit.whole}
        for fit in deployed.model.cohort.columns
        if fit.kind == "number"
    }


def predict_patient(deployed: Deployed, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the model says of one patient, JSON-ready; None or absent means unknown.

    The value of an image or audio column is the path of a file.
    Keys: task, classes, value, low, high (lists, or numbers for regression), positive, threshold,
    coverage (that of low–high for numbers), plausible (see `_plausible`), imputed (column, used,
    then), outside (column, value, low, high), unexpected (sentences on gaps that no training
    patient had, and on images of another kind), unusual (the share of training patients less
    unusual, or None where the model has no network that tells), unusual_images (the same of images,
    by column) and vectors (by column, what the network that leads makes of a picture). Time to
    event: value, low and high are risks by cause and by `times`, and horizons (label, time) are
    among the times.
    """
    values, media = _keep_media(deployed, values)
    return describe_patient(deployed, read_patients(deployed, [values], media))


def describe_patient(deployed: Deployed, ready: Dataset) -> dict[str, Any]:
    """Return what the model says of the only row of `ready`, as `predict_patient` does."""
    coverage = deployed.config.evaluate.coverage
    said = predict_dataset(deployed.model, ready, coverage=coverage)
    cohort = deployed.model.cohort
    then = {rule.column: rule.then for rule in cohort.rules}
    imputed = imputed_cells(cohort, ready)[["column", "used"]].to_dict("records")
    share = None if cohort.imputer is None else less_unusual(cohort.imputer, ready.frame)
    return {
        "task": deployed.model.task,
        "classes": list(deployed.model.classes),
        "value": _plain(said.value[0]),
        "low": _plain(said.low[0]),
        "high": _plain(said.high[0]),
        "positive": deployed.positive,
        "threshold": deployed.threshold,
        "needs": dict(deployed.needs),
        "coverage": coverage,
        "plausible": _plausible(deployed.model, said.plain),
        "times": list(said.times),
        "horizons": [asdict(horizon) for horizon in said.horizons],
        "imputed": [{**cell, "then": then.get(cell["column"], "")} for cell in imputed],
        "unexpected": [
            *unexpected_gaps(cohort.rules, ready.frame),
            *say_volumes(deployed, ready),
        ],
        "unusual": None if share is None else _plain(share)[0],
        "unusual_images": _unusual_images(deployed.model, ready),
        "vectors": _see_pictures(deployed, ready),
        "outside": outside_training_range(cohort, ready)[
            ["column", "value", "low", "high"]
        ].to_dict("records"),
    }


def _see_pictures(deployed: Deployed, patient: Dataset) -> dict[str, list[float]]:
    """Return what the network that leads makes of a patient's pictures, by column."""
    found = {}
    for column in patient.with_role("input"):
        if column.kind != "image" or patient.frame[column.name].isna().all():
            continue
        if (member := looking_member(deployed.model, column.name)) is not None:
            rows = patient.frame.index.to_numpy()
            seen = embed_column(deployed.model, member, patient, rows, column.name)
            found[column.name] = _plain(seen[0])
    return found


def _unusual_images(model: FittedModel, ready: Dataset) -> dict[str, float | None]:
    """Return the share of training images less unusual than the patient's, by column."""
    if not model.looked:
        return {}
    from medcore.train.pretraining import unusual_shares

    blocks = prepare_rows(model.preparations[0], ready).blocks
    return {
        column: _plain(unusual_shares(trained, blocks[column]))[0]
        for column, trained in model.looked.items()
    }


def _plausible(model: FittedModel, plain: np.ndarray) -> dict[str, Any] | None:
    """Return how plausible each class is for one patient; several findings: that of each.

    None for numbers and without patients to compare with.
    """
    reference = model.reference
    if not model.classes or model.task in ("survival", "effect"):
        return None
    if reference is None or not len(reference.outcome):
        return None
    known = (np.asarray(reference.outcome), reference.predicted, plain)
    if model.task == "multilabel":
        return tell_findings(model.classes, *known)
    return tell_plausible(*known)


def _keep_media(
    deployed: Deployed, values: Mapping[str, Any]
) -> tuple[dict[str, Any], Path | None]:
    """Decode a patient's images and recordings in a process of its own.

    Returns the names they are kept under, and the folder.
    """
    kept, media = dict(values), None
    for column in deployed.columns:
        path = values.get(column.name)
        if column.role != "input" or column.kind not in MEDIA_KINDS or not path:
            continue
        media = media or new_media_folder()
        read = read_table_isolated(
            Path(path), name=column.name, folder=media.parent, wishes=deployed.wishes()
        )
        if len(read.frame) > 1 or column.kind not in read.frame.columns:
            what = "series" if "series" in deployed.reading else "files"
            raise DataError(
                f"'{Path(path).name}' holds {len(read.frame):,} {what}, and one patient's "
                f"'{column.name}' is one: bring that alone, or all of them as many patients."
            )
        copy_folder(read.media, media)
        kept[column.name] = read.frame[column.kind].iloc[0]
    return kept, media


def _plain(values: np.ndarray) -> Any:
    return np.where(np.isfinite(values), values, None).tolist()
