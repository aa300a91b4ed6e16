"""One patient explained: from the average prediction to theirs, and whom they are most like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from medcore.apply import read_patients
from medcore.config import generator
from medcore.explain import nearest_rows, shapley_values
from medcore.explanation.answers import mix_model
from medcore.explanation.plan import MOST_WALKED
from medcore.explanation.subject import Subject, input_rows, rank_targets, sample_rows
from medcore.prepare import prepare_rows
from medcore.records import Block, Dataset, Prepared
from medcore.store.files import plain

MOST_NEAREST, MOST_COMPARED = 10, 50_000


@dataclass(frozen=True, eq=False)
class Cohort:
    """A subject with what every patient is compared with, prepared once."""

    subject: Subject

    @cached_property
    def walked(self) -> np.ndarray:
        """The row ids of the training patients that stand for the average."""
        rng = generator(self.subject.config.seed, "explain", "walked")
        return sample_rows(self.subject.background, MOST_WALKED, rng)

    @cached_property
    def learned(self) -> Prepared:
        """The training patients' prepared rows, each row once."""
        rng = generator(self.subject.config.seed, "explain", "compared")
        rows = sample_rows(self.subject.split.parts["train"], MOST_COMPARED, rng)
        return prepare_rows(self.subject.deployed.model.cohort, self.subject.dataset, rows)


def explain_patient(cohort: Cohort, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return why the model says what it says of one patient, JSON-ready.

    `values` by column, None or absent where unknown. Keys: `columns` and `shown` (their values,
    None unknown); `targets`: for each its `base`, `said`, `value`, `low`, `high` by column and the
    `gap` the shares leave; `patients`: how many stand for the average; `positive`: the class, or
    event, of a risk; `nearest`: see there.
    """
    subject = cohort.subject
    patient = read_patients(subject.deployed, [values])
    names = [column.name for column in subject.inputs]
    own = patient.frame[names]
    behind = input_rows(subject.dataset, cohort.walked)
    frame = pd.concat([behind, _like(own, behind)], ignore_index=True)
    mixture = mix_model(subject.deployed.model, subject.dataset, frame)
    rng = generator(subject.config.seed, "explain", "walks")
    shares = shapley_values(mixture, len(behind), np.arange(len(behind)), rng)
    told = {
        "columns": names,
        "shown": _plain_row(own.iloc[0]),
        "patients": len(behind),
        "positive": subject.deployed.positive,
        "targets": {
            name: {
                "base": shares.base[place],
                "said": shares.said[place],
                "gap": shares.gap[place],
                "value": shares.value[:, place],
                "low": shares.low[:, place],
                "high": shares.high[:, place],
            }
            for name, place in rank_targets(subject)
        },
        "nearest": find_nearest(cohort, replace(subject.dataset, frame=own)),
    }
    return plain(told)


def find_nearest(cohort: Cohort, patient: Dataset) -> list[dict[str, Any]]:
    """Return the training patients most like this one: `distance`, `values`, `outcome`.

    Compared are the columns that are known of the patient, as the model takes them; a differing
    category counts as one standard deviation of a number does. No identifier is among the values.
    """
    subject = cohort.subject
    known = {name for name in patient.frame.columns if patient.frame[name].notna().any()}
    mine = prepare_rows(subject.deployed.model.cohort, patient).blocks.get("table")
    if mine is None or not (weights := _weights(mine, known)).any():
        return []
    block = cohort.learned.blocks["table"]
    order, distance = nearest_rows(block.values, weights, mine.values[0], MOST_NEAREST)
    row_ids = cohort.learned.row_id[order]
    shown = input_rows(subject.dataset, row_ids)
    outcome = subject.dataset.frame.loc[row_ids, subject.deployed.model.cohort.outcome]
    return [
        {
            "distance": float(far / np.sqrt(len(known))),
            "values": _plain_row(shown.iloc[place]),
            "outcome": happened.item() if hasattr(happened, "item") else happened,
        }
        for place, (far, happened) in enumerate(zip(distance, outcome, strict=True))
    ]


def _weights(block: Block, known: set[str]) -> np.ndarray:
    """Return how much each feature counts: 1 for a number, ½ for each place of a category."""
    numeric = np.isin(np.arange(len(block.names)), block.numeric)
    return np.where(np.isin(block.sources, list(known)), np.where(numeric, 1.0, 0.5), 0.0)


def _like(frame: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the types of another, so that the two can stand below one another."""
    whole = {name: "float64" for name in other if other[name].dtype.kind in "iu"}
    return frame.astype({**other.dtypes.to_dict(), **whole})


def _plain_row(row: pd.Series) -> dict[str, Any]:
    found = {}
    for name, value in row.items():
        if pd.isna(value):
            found[str(name)] = None
        elif isinstance(value, pd.Timestamp):
            found[str(name)] = str(value.date())
        else:
            found[str(name)] = value.item() if hasattr(value, "item") else value
    return found
