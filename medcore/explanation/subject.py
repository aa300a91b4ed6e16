"""Who and what an explanation is about: the model, its table, the patients it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.apply import Deployed, list_targets, open_run
from medcore.config import RunConfig, generator
from medcore.data import configure_dataset, read_labels
from medcore.errors import ConfigError, DataError
from medcore.explain import Truth
from medcore.explanation.plan import MOST_BACKGROUND, MOST_JUDGED, MOST_TARGETS
from medcore.prepare import prepare_rows
from medcore.records import Column, Dataset, Split
from medcore.split import read_split
from medcore.store.folder import DATASET, SPLIT, read_json

TASKS = ("binary", "multiclass", "multilabel", "regression", "survival")
PARTS = ("test", "calibration", "validation", "train")


@dataclass(frozen=True, eq=False)
class Subject:
    """A judged run with its table; `part` is where the `judged` rows come from.

    `judged` and `background` (of the training part) are row ids, a sample where there are many.
    """

    deployed: Deployed
    dataset: Dataset
    split: Split
    part: str
    judged: np.ndarray
    background: np.ndarray

    @property
    def config(self) -> RunConfig:
        """The run's settings."""
        return self.deployed.config

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that the model may look at."""
        return self.dataset.with_role("input")


def open_subject(folder: Path, dataset: Dataset) -> Subject:
    """Return a judged run with the table it was trained on, as that was read.

    Raises `StoreError` for a folder without a judged model, `DataError` for another table, and
    `ConfigError` for a task that cannot be explained.
    """
    deployed = open_run(folder)
    if deployed.model.task == "effect":
        raise ConfigError(
            "What sets patients with a large effect apart stands among the run's results (who "
            "benefits); the effect itself has no outcome that columns could be shuffled against."
        )
    if deployed.model.task not in TASKS:
        raise ConfigError(
            f"Models of the task '{deployed.model.task}' cannot be explained yet; those for "
            "classes, findings, numbers and time to event can."
        )
    if read_json(folder, DATASET)["sha256"] != dataset.sha256:
        raise DataError(
            f"'{dataset.name}' is not the table this model was trained on; give that one."
        )
    ready = configure_dataset(dataset, deployed.config)
    split = read_split(read_json(folder, SPLIT))
    part = next(part for part in PARTS if len(split.parts.get(part, ())))
    seed = deployed.config.seed
    judged = sample_rows(split.parts[part], MOST_JUDGED, generator(seed, "explain", "judged"))
    rng = generator(seed, "explain", "background")
    background = sample_rows(split.parts["train"], MOST_BACKGROUND, rng)
    return Subject(deployed, ready, split, part, judged, background)


def sample_rows(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most so many row ids, drawn without replacement, in their order."""
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def input_rows(dataset: Dataset, row_ids: np.ndarray) -> pd.DataFrame:
    """Return the input columns of some rows, in the order of `row_ids`, numbered from 0."""
    names = [column.name for column in dataset.with_role("input")]
    return dataset.frame.loc[row_ids, names].reset_index(drop=True)


def rank_targets(subject: Subject) -> list[tuple[str, int]]:
    """Return what the model tells, by name and place; classes and findings by frequency."""
    targets = list_targets(subject.deployed)
    model = subject.deployed.model
    if model.task not in ("multiclass", "multilabel"):
        return list(targets.items())
    outcome = subject.dataset.frame[model.cohort.outcome]
    if model.task == "multilabel":
        have = np.nansum(read_labels(outcome, model.classes), axis=0)
        names = [model.classes[place] for place in np.argsort(-have, kind="stable")]
    else:
        counts = outcome.value_counts()
        names = [str(name) for name in counts.index if str(name) in targets]
    return [(name, targets[name]) for name in names[:MOST_TARGETS]]


def list_truths(subject: Subject, row_ids: np.ndarray) -> list[Truth]:
    """Return what happened to some patients, for each target; unknown for time to event."""
    cohort, targets = subject.deployed.model.cohort, rank_targets(subject)
    if cohort.task == "survival":
        unknown = np.full(len(row_ids), np.nan)
        return [Truth(name, place, "none", unknown) for name, place in targets]
    outcome = prepare_rows(cohort, subject.dataset, row_ids).outcome
    if cohort.task == "regression":
        return [Truth(name, place, "number", outcome) for name, place in targets]
    if cohort.task == "multilabel":
        return [Truth(name, place, "event", outcome[:, place]) for name, place in targets]
    return [
        Truth(name, place, "event", (outcome == place).astype(np.float64))
        for name, place in targets
    ]


def list_patients(subject: Subject, row_ids: np.ndarray) -> np.ndarray:
    """Return a code for each row's patient; a row without one is a patient of its own."""
    return prepare_rows(subject.deployed.model.cohort, subject.dataset, row_ids).group
