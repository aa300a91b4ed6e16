"""The folds that an effect of treatment is cross-fitted over."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.records import Dataset, Split
from medcore.split import cross_fit_folds

TENTHS, MANY = 10, 20
# Two folds are left out at once, and somebody must be left to learn from.
FEWEST = 3


def effect_split(dataset: Dataset, config: RunConfig) -> Split:
    """Divide all patients into folds of like outcome and like shares of both arms.

    Raises `DataError` when patients are too few.
    """
    frame, count = dataset.frame, max(FEWEST, config.split.folds)
    row_id = frame.index.to_numpy(np.int64)
    patients = dataset.with_role("patient")
    group = frame[patients[0].name] if patients else pd.Series(row_id)
    if group.nunique(dropna=False) < count:
        raise DataError(
            f"{group.nunique(dropna=False)} patients are too few to divide into {count} groups; "
            "bring more patients."
        )
    rng = generator(config.seed, "effect folds")
    held = cross_fit_folds(_strata(dataset), group, count, rng)
    folds = []
    for places in held:
        inside = np.zeros(len(row_id), dtype=bool)
        inside[places] = True
        if not inside.any() or inside.all():
            raise DataError("The folds leave no patients to learn from, or none to judge.")
        folds.append({"train": np.sort(row_id[~inside]), "test": np.sort(row_id[inside])})
    notes = ()
    if config.split.kind != "holdout":
        notes = (
            "The effect of a treatment is cross-fitted over all patients, so that no division by "
            f"{config.split.kind} was made.",
        )
    names = tuple(str(place + 1) for place in range(count))
    return Split("crossfit", config.seed, {"train": np.sort(row_id)}, tuple(folds), names, notes)


def _strata(dataset: Dataset) -> list[str]:
    """Return each row's arm joined with its outcome, numbers by tenths."""
    outcome = dataset.frame[dataset.predicted_column().name]
    if pd.api.types.is_numeric_dtype(outcome) and outcome.nunique() > MANY:
        bands = min(TENTHS, max(1, len(outcome) // TENTHS))
        outcome = pd.qcut(outcome.rank(method="first"), bands).cat.codes
    arm = dataset.frame[dataset.with_role("treatment")[0].name]
    return [f"{a} / {y}" for a, y in zip(arm, outcome, strict=True)]
