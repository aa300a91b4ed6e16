"""Who the patients of a run are, part by part: what a paper calls Table 1.

Written down while the data is at hand, so that a report needs nothing but the run's folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.checks.size import check_size, count_patients
from medcore.data import read_labels
from medcore.evaluate import band_numbers
from medcore.records import Column, Dataset, Split

MOST_VALUES, MOST_GROUPINGS = 12, 4
ASKED = ("sex", "gender", "age", "ethnicity", "race")
OTHERS = "all others"
TOLD = ("outcome", "event", "duration", "input", "site", "date", "treatment")


def describe_cohort(dataset: Dataset, split: Split) -> dict[str, Any]:
    """Return rows, patients, complete cases and every column by part, ready for JSON.

    Parts: `all`; and, with a hold-out, `development` (train, validation, calibration) and `test`,
    with the standardised difference between the two. With folds everyone is both.
    """
    frame = dataset.frame
    frames = {"all": frame}
    if "test" in split.parts and len(split.parts["test"]):
        apart = [rows for part, rows in split.parts.items() if part != "test"]
        frames["development"] = frame.loc[np.concatenate(apart)]
        frames["test"] = frame.loc[split.parts["test"]]
    enough = check_size(dataset)
    return {
        "parts": {name: _describe_rows(dataset, rows) for name, rows in frames.items()},
        "columns": [
            described
            for column in dataset.with_role(*TOLD)
            if column.kind in ("number", "category", "date")
            for described in _describe_each(dataset, column, frames)
        ],
        "sample_size": enough
        and {**asdict(enough.needed), "patients_here": enough.patients, "sentence": enough.sentence,
             "parameters": enough.parameters},
    }  # fmt: skip


def usual_groups(dataset: Dataset) -> dict[str, pd.Series]:
    """Return the groupings a clinic asks about first: sex, age, origin, and site, where known.

    Each is a name by row id; numbers are banded.
    """
    chosen = [
        column
        for column in dataset.columns
        if column.kind in ("number", "category")
        and (column.role == "site" or (column.role == "input" and column.name.lower() in ASKED))
    ]
    found = {}
    for column in chosen[:MOST_GROUPINGS]:
        values = dataset.frame[column.name]
        if values.nunique() > 1:
            is_number = pd.api.types.is_numeric_dtype(values)
            found[column.name] = (
                band_numbers(values.astype("float64"), column.name) if is_number else values
            )
    return found


def _describe_rows(dataset: Dataset, frame: pd.DataFrame) -> dict[str, int]:
    inputs = [column.name for column in dataset.with_role("input")]
    complete = int(frame[inputs].notna().all(axis=1).sum())
    patients = count_patients(dataset, frame)
    return {"rows": len(frame), "patients": patients, "complete": complete}


def _describe_each(
    dataset: Dataset, column: Column, frames: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, Any]]:
    """Yield a column's description; of several findings that of each."""
    if column.role != "outcome" or not dataset.labels:
        yield _describe_column(column, frames)
        return
    found = {
        part: read_labels(frame[column.name], dataset.labels) for part, frame in frames.items()
    }
    for place, name in enumerate(dataset.labels):
        words = {
            part: pd.DataFrame({name: pd.Series(has[:, place]).map({1.0: "yes", 0.0: "no"})})
            for part, has in found.items()
        }
        yield _describe_column(replace(column, name=name), words)


def _describe_column(column: Column, frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": column.name,
        "kind": column.kind,
        "role": column.role,
        "unit": column.unit,
    }
    values = {name: frame[column.name] for name, frame in frames.items()}
    describe = DESCRIBE[column.kind]
    told["parts"] = {
        name: {"missing": int(part.isna().sum()), **describe(part.dropna(), values["all"])}
        for name, part in values.items()
    }
    if "test" in values and column.kind != "date":
        measure = difference_of_numbers if column.kind == "number" else difference_of_categories
        told["difference"] = measure(values["development"].dropna(), values["test"].dropna())
    return told


def _describe_numbers(known: pd.Series, _: pd.Series) -> dict[str, Any]:
    if known.empty:
        return {}
    numbers = known.to_numpy(np.float64)
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75]).tolist()
    spread = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    return {
        "mean": float(numbers.mean()), "sd": spread, "median": middle, "q1": low, "q3": high,
    }  # fmt: skip


def _describe_categories(known: pd.Series, everybody: pd.Series) -> dict[str, Any]:
    """Count the column's twelve most frequent values; the parts list the same ones."""
    listed = everybody.value_counts().index[:MOST_VALUES]
    counts = known.value_counts()
    told = {str(name): int(counts.get(name, 0)) for name in listed}
    rest = len(known) - sum(told.values())
    return {"counts": told | ({OTHERS: rest} if rest else {})}


def _describe_dates(known: pd.Series, _: pd.Series) -> dict[str, Any]:
    if known.empty:
        return {}
    return {"first": str(known.min())[:10], "last": str(known.max())[:10]}


def difference_of_numbers(one: pd.Series, other: pd.Series) -> float:
    """Return the standardised mean difference: that of the means in pooled standard deviations.

    >>> round(difference_of_numbers(pd.Series([1.0, 2, 3]), pd.Series([2.0, 3, 4])), 3)
    -1.0
    """
    if min(len(one), len(other)) < 2:
        return math.nan
    spread = math.sqrt((float(one.var()) + float(other.var())) / 2)
    away = float(one.mean() - other.mean())
    if spread == 0:
        return 0.0 if away == 0 else math.nan
    return away / spread


def difference_of_categories(one: pd.Series, other: pd.Series) -> float:
    """Return the standardised difference of shares (Yang and Dalton 2012), never negative.

    The Mahalanobis distance of the two vectors of shares, one category left out.

    >>> half, fifth = pd.Series(["a", "b"] * 50), pd.Series((["a"] + ["b"] * 4) * 20)
    >>> round(difference_of_categories(half, fifth), 4)
    0.6626
    """
    if one.empty or other.empty:
        return math.nan
    shares = [values.value_counts(normalize=True) for values in (one, other)]
    names = shares[0].index.union(shares[1].index)[1:]
    if not len(names):
        return 0.0
    p, q = (share.reindex(names).fillna(0).to_numpy(np.float64) for share in shares)
    spread = sum(np.diag(v) - np.outer(v, v) for v in (p, q)) / 2
    return float(math.sqrt(max(0.0, (p - q) @ np.linalg.pinv(spread) @ (p - q))))


DESCRIBE = {
    "number": _describe_numbers,
    "category": _describe_categories,
    "date": _describe_dates,
}
