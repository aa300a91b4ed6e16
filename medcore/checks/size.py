"""Whether there are enough patients, by Riley's criteria, before anything is known of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data import read_labels
from medcore.data.followup import CENSORED
from medcore.data.ledger import write_words
from medcore.evaluate.sample_size import (
    USUAL_SHARE,
    SampleSize,
    largest_explained,
    size_for_classes,
    size_for_number,
    size_for_survival,
)
from medcore.records import Column, Dataset

MOST_CATEGORIES = RunConfig().prepare.max_categories


@dataclass(frozen=True)
class Enough:
    """How many patients there are, how many are needed at least, and on what that rests."""

    patients: int
    needed: SampleSize
    parameters: int

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        verdict = "enough" if self.patients >= self.needed.patients else "fewer than that"
        return (
            f"A regression with these inputs ({self.parameters:,} parameters) needs at least "
            f"{self.needed.patients:,} patients by Riley's criteria, and there are "
            f"{self.patients:,}: {verdict}. Networks and forests usually need more."
        )


def count_parameters(columns: tuple[Column, ...]) -> int:
    """Return what a regression would learn of the inputs: 1 a number, categories − 1 a category.

    >>> count_parameters((Column("age", "number", "input"),
    ...                   Column("ward", "category", "input", categories=("a", "b", "c"))))
    3
    """
    return sum(
        min(max(1, len(column.categories) - 1), MOST_CATEGORIES)
        for column in columns
        if column.role == "input" and column.kind in ("number", "category", "date")
    )


def check_size(dataset: Dataset) -> Enough | None:
    """Compare the patients who have an outcome with those needed; None where that cannot be said.

    Nothing is known of a model yet, so that 15 % of what can be explained is assumed (Riley 2020).
    With several classes, the rarest against the rest decides; of several findings the rarest.
    """
    outcomes, parameters = dataset.with_role("outcome"), count_parameters(dataset.columns)
    if dataset.with_role("event") and dataset.with_role("duration") and parameters:
        return _size_of_followup(dataset, parameters)
    if len(outcomes) != 1 or not parameters:
        return None
    known = dataset.frame[dataset.frame[outcomes[0].name].notna()]
    words = known[outcomes[0].name]
    if words.nunique() < 2:
        return None
    patients = count_patients(dataset, known)
    if dataset.labels:
        shares = np.nanmean(read_labels(words, dataset.labels), axis=0)
        rarest = float(np.minimum(shares, 1 - shares).min())
        explained = USUAL_SHARE * largest_explained(rarest)
        return Enough(patients, size_for_classes(explained, parameters, rarest), parameters)
    if words.nunique() > 20 and outcomes[0].kind == "number":
        return Enough(patients, size_for_number(USUAL_SHARE, parameters), parameters)
    rarest = float(words.value_counts(normalize=True).iloc[-1])
    explained = USUAL_SHARE * largest_explained(rarest)
    return Enough(patients, size_for_classes(explained, parameters, rarest), parameters)


def _size_of_followup(dataset: Dataset, parameters: int) -> Enough | None:
    """Compare with what a time to event needs; risks are told at the last horizon.

    Before horizons are set, that is half-way through the follow-up.
    """
    event, duration = (dataset.with_role(role)[0].name for role in ("event", "duration"))
    frame = dataset.frame
    time = pd.to_numeric(frame[duration], errors="coerce")
    known = frame[(time > 0) & frame[event].notna()]
    if known.empty:
        return None
    words, time = write_words(known[event]), time[known.index].astype("float64")
    each = float((~words.str.strip().str.lower().isin(CENSORED)).mean())
    if not 0 < each < 1:
        return None
    horizon = dataset.horizons[-1].time if dataset.horizons else float(time.median())
    follow_up = float(time.mean())
    explained = USUAL_SHARE * (1 - math.exp(2 * (each * math.log(each) - each)))
    needed = size_for_survival(explained, parameters, each / follow_up, horizon, follow_up)
    return Enough(count_patients(dataset, known), needed, parameters)


def count_patients(dataset: Dataset, rows: pd.DataFrame) -> int:
    """Return how many patients rows are of; without a patient column, each row is one."""
    columns = dataset.with_role("patient")
    if not columns:
        return len(rows)
    patient = rows[columns[0].name]
    return int(patient.nunique() + patient.isna().sum())


def compare_size(
    columns: tuple[Column, ...], patients: int, explained: float, prevalence: float
) -> Enough | None:
    """Compare patients with those needed where a model's own R² of Cox and Snell is known."""
    parameters = count_parameters(columns)
    if not (parameters and math.isfinite(explained) and 0 < explained < largest_explained(0.5)):
        return None
    return Enough(patients, size_for_classes(explained, parameters, prevalence), parameters)
