"""One fit of the run's recipe on some patients, and what it says of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medcore.config import RunConfig, Task, change_config
from medcore.data import infer_task
from medcore.predict import predict_rows
from medcore.recipes import Fitted, fit_model
from medcore.records import Column, Dataset, Parts, Watch
from medcore.split import make_split
from medcore.told import describe_rows, told_columns

DRAWN = "patient of the draw"


@dataclass(frozen=True, eq=False)
class Recipe:
    """What is fitted again and again: a run's settings on its development patients."""

    dataset: Dataset
    config: RunConfig
    classes: tuple[str, ...]
    positive: str | None
    stopping: Watch

    def take(self, rows: np.ndarray) -> Dataset:
        """Return the data set with some rows only."""
        return replace(self.dataset, frame=self.dataset.frame.loc[rows])

    def parts(self, dataset: Dataset) -> Parts:
        """Divide patients for a fit that needs no test patients, as the run did."""
        return make_split(dataset, divided(self.config, 2, 1)).parts

    @property
    def task(self) -> Task:
        """What is predicted."""
        return infer_task(self.dataset, self.config)

    def fit(self, dataset: Dataset, parts: Parts, name: str) -> Fitted | None:
        """Fit the model alone; None when stopped."""
        fitted = fit_model(
            dataset, parts, self.config, self.classes,
            watch=Watch(stopping=self.stopping.stopping), name=name, baselines=(),
        )  # fmt: skip
        return None if fitted is None or fitted.stopped else fitted


def divided(config: RunConfig, folds: int, repeats: int) -> RunConfig:
    """Return the settings with patients divided into folds, whatever the run's own division."""
    changes = {"split.kind": "kfold", "split.folds": folds, "split.repeats": repeats}
    return change_config(config, changes)


def answer(
    recipe: Recipe,
    fitted: Fitted,
    fitted_on: Dataset,
    judged_on: Mapping[str, tuple[Dataset, np.ndarray]],
) -> pd.DataFrame:
    """Return what a fit says: held-out rows for its threshold, and `judged_on` as test rows.

    `judged_on`: by a name, which stands in the column `model`, a data set and its row ids.
    """
    model = fitted.model
    held = told_columns(model, recipe.positive, fitted.held_out["model"])
    held = pd.DataFrame({**held, "row_id": fitted.row_id, "fold": -1})
    held = describe_rows(held.assign(part="validation", model=""), fitted_on)
    frames = []
    for name, (dataset, rows) in judged_on.items():
        said = told_columns(model, recipe.positive, predict_rows(model, dataset, rows))
        told = pd.DataFrame({**said, "row_id": rows, "fold": -1, "part": "test", "model": name})
        frames += [held.assign(model=name), describe_rows(told, dataset)]
    return pd.concat(frames, ignore_index=True)


def draw_patients(dataset: Dataset, rng: np.random.Generator) -> Dataset:
    """Return as many patients drawn with replacement; a patient drawn twice stays one patient.

    So a draw's own inner divisions never have the same patient on both sides.
    """
    columns = dataset.with_role("patient")
    frame = dataset.frame
    named = frame[columns[0].name] if columns else pd.Series(frame.index, index=frame.index)
    codes = pd.factorize(named.where(named.notna(), "row " + frame.index.astype(str)))[0]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 2))
    picks = rng.integers(codes.max() + 1, size=codes.max() + 1)
    places = np.concatenate([order[starts[pick] : starts[pick + 1]] for pick in picks])
    drawn = frame.iloc[places].reset_index(drop=True)
    drawn[DRAWN] = pd.Series(codes[places].astype(str), dtype="string")
    kept = tuple(
        replace(column, role="ignored") if column.role == "patient" else column
        for column in dataset.columns
    )
    return replace(dataset, frame=drawn, columns=(*kept, Column(DRAWN, "category", "patient")))
