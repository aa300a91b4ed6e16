"""Leaving rows or columns out of learning because too much of them is missing.

Rows are left out of learning alone: everybody is still predicted and judged, with training values
in the gaps, because in a clinic nobody can be left out for a test that was not done.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medcore.config import ENCODER_NAMES, MissingConfig, RunConfig
from medcore.data import read_labels
from medcore.errors import FitError
from medcore.records import Column, Dataset


def kept_columns(
    dataset: Dataset, training: pd.DataFrame, missing: MissingConfig
) -> tuple[list[Column], list[str]]:
    """Return the input columns to use, and a sentence for each that misses too much.

    Raises `FitError` when none is left.
    """
    inputs = list(dataset.with_role("input"))
    if missing.strategy != "drop_columns":
        return inputs, []
    share = {column.name: float(training[column.name].isna().mean()) for column in inputs}
    kept = [column for column in inputs if share[column.name] <= missing.limit]
    if not kept:
        raise FitError(
            f"Every input misses more than {missing.limit:.0%} of the training rows, so dropping "
            "columns leaves nothing: raise 'missing.limit' or fill the gaps."
        )
    return kept, [
        f"Column '{name}' misses {gaps:.0%} of the training rows and is left out."
        for name, gaps in share.items()
        if gaps > missing.limit
    ]


def tabular_columns(
    dataset: Dataset, training: pd.DataFrame, missing: MissingConfig
) -> list[Column]:
    """Return those of the input columns to use that make up the table."""
    kept, _ = kept_columns(dataset, training, missing)
    return [column for column in kept if column.kind not in ENCODER_NAMES]


def kept_rows(dataset: Dataset, row_ids: np.ndarray, config: RunConfig) -> np.ndarray:
    """Return the row ids to learn from.

    Raises `FitError` when dropping rows leaves none.
    """
    if config.missing.strategy != "drop_rows":
        return row_ids
    names = [column.name for column in dataset.with_role("input")]
    share = dataset.frame.loc[row_ids, names].isna().mean(axis=1).to_numpy()
    kept = row_ids[share <= config.missing.limit]
    if not len(kept):
        raise FitError(
            f"Each of the {len(row_ids):,} training rows misses more than "
            f"{config.missing.limit:.0%} of its inputs, so dropping rows leaves none: raise "
            "'missing.limit', leave out the emptiest columns, or fill the gaps."
        )
    return kept


def describe_left(dataset: Dataset, row_ids: np.ndarray, config: RunConfig) -> tuple[str, ...]:
    """Return a sentence on the rows that were not learned from and how the outcome shifted."""
    kept = kept_rows(dataset, row_ids, config)
    if len(kept) == len(row_ids):
        return ()
    outcome = dataset.frame[dataset.predicted_column().name]
    before, after = outcome.loc[row_ids], outcome.loc[kept]
    if dataset.labels:
        was, now = (read_labels(part, dataset.labels) for part in (before, after))
        shift = (
            f"a patient had {np.nanmean(was) * len(dataset.labels):.2f} findings before and "
            f"{np.nanmean(now) * len(dataset.labels):.2f} after, on average"
        )
    elif pd.api.types.is_float_dtype(outcome):
        shift = f"the mean outcome went from {before.mean():.4g} to {after.mean():.4g}"
    else:
        name = before.value_counts().index[-1]
        was, now = float((before == name).mean()), float((after == name).mean())
        shift = f"the share of '{name}' went from {was:.1%} to {now:.1%}"
    lost = len(row_ids) - len(kept)
    return (
        f"{lost:,} of {len(row_ids):,} training rows miss too much and were not learned from; "
        f"{shift}. Everybody is predicted and judged.",
    )
