"""How well gaps are filled: known cells are hidden, and each strategy's answer held to the truth.

Two thirds of the patients teach, the others are filled as new patients would be; cells are hidden
in both. A column's error is given as a multiple of what its mean (of a category: its most frequent
word) makes of the same cells: 1 is no better. All strategies are asked about the same cells.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, change_config, generator
from medcore.data import configure_dataset, outcome_classes
from medcore.errors import DataError, MedcoreError
from medcore.evaluate.bootstrap import Measure, interval_of, resample_measure
from medcore.laboratory.judge import plain_metric
from medcore.laboratory.masks import PLAIN, SHARES, MaskChoice
from medcore.laboratory.work import development_rows
from medcore.prepare import Reins, fit_imputer
from medcore.prepare.imputing import complete_frame
from medcore.recipes.plan import draw_folds
from medcore.recipes.units import FileCheckpoint
from medcore.records import Column, Dataset, Event, Watch
from medcore.strategies import MISSING_TITLES

FEWEST_CELLS = 10


@dataclass(frozen=True, eq=False)
class Hidden:
    """One table with a share of its known cells hidden: True in `cells` (rows, columns)."""

    share: float
    cells: np.ndarray
    frame: pd.DataFrame


def run_masking(
    dataset: Dataset, config: RunConfig, choice: MaskChoice, watch: Watch, folder: Path
) -> dict[str, Any] | None:
    """Hide, fill and compare; JSON-ready figures, or None when stopped.

    A strategy that cannot fill has a `reason`. Raises `DataError` when there is nothing to hide.
    """
    plain = change_config(config, {"balance.strategy": "none", "missing.strategy": "median"})
    ready = configure_dataset(dataset, plain)
    columns = [c for c in ready.with_role("input") if c.kind in ("number", "category")]
    if not columns:
        raise DataError("No input is a number or a category, so there are no cells to hide.")
    rows = development_rows(ready, plain)
    named = bool(outcome_classes(ready, plain)[0])
    fold = draw_folds(ready, rows, 3, config.seed, named=named)[0]
    learn, judge = fold.learn, fold.judge
    frame = ready.frame.loc[np.concatenate([learn, judge])]
    found = []
    for number, share in enumerate(SHARES):
        hidden = hide_cells(frame, columns, share, choice.mechanism, config.seed)
        told = _Told(watch, number / len(SHARES), 1 / len(SHARES), len(choice.strategies))
        answers = _fill_all(hidden, columns, len(learn), config, choice, told, folder)
        if watch.stopping():
            return None
        patients = _patients(ready, judge)
        found.append(_judge(hidden, frame, columns, len(learn), answers, patients, config))
    if not any(part["strategies"] for part in found):
        raise DataError(f"There is too little to compare: {found[0]['reason']}; bring more rows.")
    return {
        "shares": found, "mechanism": choice.mechanism, "rows": len(learn), "new": len(judge),
        "set_aside": len(ready.frame) - len(rows),
    }  # fmt: skip


def hide_cells(
    frame: pd.DataFrame, columns: list[Column], share: float, mechanism: str, seed: int
) -> Hidden:
    """Return the table with `share` of its known cells hidden.

    `related` (missing at random in Rubin's sense): a row's chance rises with the rank of the column
    that has the fewest gaps, from 0 to twice the share; that column itself stays whole.
    """
    names = [column.name for column in columns]
    known = frame[names].notna().to_numpy()
    chance = np.full(known.shape, share)
    if mechanism == "related":
        driver = int(known.sum(axis=0).argmax())
        values = frame[names[driver]]
        codes = values if columns[driver].kind == "number" else values.astype("category").cat.codes
        chance *= 2 * codes.rank(pct=True).fillna(0.5).to_numpy()[:, None]
        chance[:, driver] = 0
    cells = known & (generator(seed, "hide", str(share)).random(known.shape) < chance)
    shown = frame.copy()
    for place, name in enumerate(names):
        shown[name] = shown[name].mask(pd.Series(cells[:, place], index=frame.index))
    return Hidden(share, cells, shown)


class _Told:
    """How far the work on one share is."""

    def __init__(self, watch: Watch, start: float, width: float, steps: int) -> None:
        self.watch, self.start, self.width, self.steps = watch, start, width, steps

    def tell(self, step: int, message: str) -> None:
        done = self.start + self.width * step / self.steps
        self.watch.emit(Event(time.time(), "masking", message, done))


def _fill_all(
    hidden: Hidden,
    columns: list[Column],
    count: int,
    config: RunConfig,
    choice: MaskChoice,
    told: _Told,
    folder: Path,
) -> dict[str, pd.DataFrame | str]:
    """Return the new patients' table as each strategy fills it, or why it cannot."""
    learn, new = hidden.frame.iloc[:count], hidden.frame.iloc[count:]
    answers: dict[str, pd.DataFrame | str] = {}
    for step, strategy in enumerate(choice.strategies):
        if told.watch.stopping():
            return answers
        title = MISSING_TITLES[strategy]
        told.tell(step, f"{title}, {hidden.share:.0%} hidden")
        running = FileCheckpoint(folder / f"{strategy}-{hidden.share:g}.running")
        reins = Reins(lambda _: None, told.watch.stopping, running)
        missing = config.missing.model_copy(update={"strategy": strategy})
        try:
            if strategy in PLAIN:
                answers[strategy] = fill_plainly(learn, new, columns, strategy)
            else:
                imputer = fit_imputer(
                    learn, columns, missing, config.seed, device=config.train.device, reins=reins
                )
                answers[strategy] = complete_frame(imputer, new)
        except MedcoreError as error:
            answers[strategy] = str(error)
    return answers


def fill_plainly(
    learn: pd.DataFrame, new: pd.DataFrame, columns: list[Column], strategy: str
) -> pd.DataFrame:
    """Return the new rows with each gap holding one value of its column in the learned rows."""
    done = new.copy()
    for column in columns:
        values = learn[column.name].dropna()
        if values.empty:
            continue
        if column.kind == "category" or strategy == "most_frequent":
            fill = values.value_counts().index[0]
        else:
            fill = values.mean() if strategy == "mean" else values.median()
        own = done[column.name]
        done[column.name] = (own.astype("float64") if column.kind == "number" else own).fillna(fill)
    return done


def _patients(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    patients = dataset.with_role("patient")
    names = dataset.frame.loc[rows, patients[0].name] if patients else pd.Series(rows)
    codes, _ = pd.factorize(names.reset_index(drop=True))
    return np.where(codes < 0, codes.max() + 1 + np.arange(len(codes)), codes)


def _judge(
    hidden: Hidden,
    truth: pd.DataFrame,
    columns: list[Column],
    count: int,
    answers: Mapping[str, pd.DataFrame | str],
    patients: np.ndarray,
    config: RunConfig,
) -> dict[str, Any]:
    cells, true = hidden.cells[count:], truth.iloc[count:]
    kept = [place for place in range(len(columns)) if cells[:, place].sum() >= FEWEST_CELLS]
    if not kept:
        few = f"no column has {FEWEST_CELLS} hidden cells among the new patients"
        return {"share": hidden.share, "cells": int(cells.sum()), "strategies": [], "reason": few}
    tables = {name: table for name, table in answers.items() if not isinstance(table, str)}
    wrong = {
        name: np.column_stack([_wrong(columns[p], true, table, cells[:, p]) for p in kept])
        for name, table in tables.items()
    }
    numeric = np.array([columns[place].kind == "number" for place in kept])
    measure = _relative_errors(wrong, numeric)
    rng = generator(config.seed, "masking", str(hidden.share))
    drawn = resample_measure(measure, patients, config.evaluate.resamples, rng)
    value = {name: float(v[0]) for name, v in measure(np.ones((1, len(true)))).items()}
    n = int(cells[:, kept].sum())
    by_column = _by_column(wrong, numeric)
    rows = []
    for name in answers:
        if name not in tables:
            rows.append({"strategy": name, "reason": answers[name]})
            continue
        differences = {
            other: plain_metric(
                interval_of(value[name] - value[other], drawn[name] - drawn[other], n)
            )
            for other in ("mean", "iterative")
            if other in value and other != name
        }
        rows.append({
            "strategy": name, "reason": None,
            "error": plain_metric(interval_of(value[name], drawn[name], n)),
            "differences": differences,
            "columns": dict(zip([columns[p].name for p in kept], by_column[name], strict=True)),
        })  # fmt: skip
    return {"share": hidden.share, "cells": n, "strategies": rows, "reason": None}


def _wrong(column: Column, true: pd.DataFrame, told: pd.DataFrame, cells: np.ndarray) -> np.ndarray:
    """Return each row's squared error, or 1 for a wrong word; 0 where nothing was hidden."""
    wrong = np.zeros(len(true))
    ours, theirs = true[column.name][cells], told[column.name][cells]
    if column.kind == "number":
        away = ours.to_numpy(np.float64) - theirs.to_numpy(np.float64)
        wrong[cells] = away**2
    else:
        wrong[cells] = ours.astype(str).to_numpy() != theirs.astype(str).to_numpy()
    return wrong


def _relative_errors(wrong: Mapping[str, np.ndarray], numeric: np.ndarray) -> Measure:
    """Return the function from weights to each strategy's mean relative error over columns."""

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        base = weights @ wrong["mean"]
        found = {}
        for name, errors in wrong.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(base > 0, weights @ errors / base, np.nan)
            ratio = np.where(numeric, np.sqrt(ratio), ratio)
            known = np.isfinite(ratio)
            with np.errstate(invalid="ignore"):
                found[name] = np.where(known, ratio, 0).sum(axis=1) / known.sum(axis=1)
        return found

    return measure


def _by_column(
    wrong: Mapping[str, np.ndarray], numeric: np.ndarray
) -> dict[str, list[float | None]]:
    base = wrong["mean"].sum(axis=0)
    found = {}
    for name, errors in wrong.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(base > 0, errors.sum(axis=0) / base, np.nan)
        ratio = np.where(numeric, np.sqrt(ratio), ratio)
        found[name] = [float(r) if np.isfinite(r) else None for r in ratio]
    return found
