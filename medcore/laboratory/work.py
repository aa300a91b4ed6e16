"""Every combination fitted on the same folds; what combinations share is done once.

Folds are drawn from the rows that are not test rows, patients kept whole. A fold's imputer and
prepared rows serve all strategies for rare classes. Finished fits are kept as files, so that a
restart repeats none of them.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, infer_task, outcome_classes
from medcore.errors import ConfigError, MedcoreError
from medcore.laboratory.judge import judge_cells
from medcore.laboratory.plan import (
    LABORATORY_MODELS,
    Cell,
    Choice,
    base_cell,
    cell_config,
    count_fits,
    list_cells,
)
from medcore.laboratory.words import cell_title
from medcore.recipes.folds import Work, prepare_fold
from medcore.recipes.plan import Fold, Plan, draw_folds
from medcore.recipes.units import fit_unit, unit_ratio
from medcore.records import Dataset, Event, Watch
from medcore.split import make_split
from medcore.strategies import MISSING_TITLES, check_strategies, is_network, suits

MOST_THREADS = 4


@dataclass(frozen=True, eq=False)
class Answer:
    """What one combination said of one fold's held-out rows, and the classes' ratio in its fit."""

    said: np.ndarray
    ratio: np.ndarray | None
    seconds: float


@dataclass
class Bench:
    """What all combinations share, and what is done so far."""

    dataset: Dataset
    config: RunConfig
    choice: Choice
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    watch: Watch
    folder: Path
    answers: dict[tuple[Cell, int], Answer] = field(default_factory=dict)
    reasons: dict[Cell, str] = field(default_factory=dict)
    done: int = 0
    lock: Lock = field(default_factory=Lock)

    def tell(self, message: str, fits: int = 0) -> None:
        """Emit how far the laboratory is."""
        with self.lock:
            self.done += fits
            share = self.done / count_fits(self.choice, self.config)
        self.watch.emit(Event(time.time(), "laboratory", message, 0.02 + 0.9 * min(1.0, share)))


def run_laboratory(
    dataset: Dataset, config: RunConfig, choice: Choice, watch: Watch, folder: Path
) -> dict[str, Any] | None:
    """Compare all combinations and return the figures, JSON-ready; None when stopped.

    A combination that cannot be fitted has a `reason` in words; the others go on. Raises a
    `MedcoreError` when the data allow none.
    """
    plain = change_config(config, {"balance.strategy": "none", "missing.strategy": "median"})
    ready = configure_dataset(dataset, plain)
    task = infer_task(ready, plain)
    if task == "effect":
        raise ConfigError(
            "The laboratory compares predictions of an outcome, not effects of a treatment; train "
            "runs that differ in one setting, and compare these."
        )
    if not suits(choice.model, task):
        fitting = ", ".join(name for name in LABORATORY_MODELS if suits(name, task))
        raise ConfigError(
            f"The laboratory cannot answer this question with '{choice.model}': choose one of "
            f"{fitting or 'no model, as it compares none for it'}."
        )
    classes, positive = outcome_classes(ready, config)
    rows = development_rows(ready, plain)
    folds = draw_folds(ready, rows, choice.folds, config.seed, named=bool(classes))
    bench = Bench(ready, config, choice, classes, folds, watch, folder)
    _fit_groups(bench)
    if watch.stopping():
        return None
    bench.tell("Judging all combinations")
    found = judge_cells(
        ready, classes, positive, folds, config, choice, bench.answers, bench.reasons
    )
    held = len(rows)
    return {
        "model": choice.model,
        "folds": len(folds),
        "rows": held,
        "set_aside": len(ready.frame) - held,
        "base": list(base_cell(choice)),
        **found,
    }


def development_rows(dataset: Dataset, config: RunConfig) -> np.ndarray:
    """Return the ids of all rows but the test rows of a hold-out.

    With k-fold or sites as the run's own split, a random hold-out with the same shares stands in:
    the combination that is chosen must meet patients that the choice has not seen.
    """
    if config.split.kind in ("kfold", "site"):
        config = change_config(config, {"split.kind": "holdout"})
    parts = make_split(dataset, config).parts
    return np.sort(np.concatenate([rows for part, rows in parts.items() if part != "test"]))


def _fit_groups(bench: Bench) -> None:
    """Fit all combinations of a missing strategy and a fold together, some groups at a time."""
    groups = [
        (missing, place) for missing in bench.choice.missing for place in range(len(bench.folds))
    ]
    deep = {"denoising_autoencoder", "miwae"} & set(bench.choice.missing)
    # Networks draw from one generator of the process, so they are trained one after the other.
    alone = is_network(bench.choice.model) or deep
    threads = 1 if alone else min(MOST_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda group: _fit_group(bench, *group), groups):
            pass


def _fit_group(bench: Bench, missing: str, place: int) -> None:
    cells = [cell for cell in list_cells(bench.choice) if cell[0] == missing]
    open_still = [cell for cell in cells if cell not in bench.reasons]
    if bench.watch.stopping() or not open_still:
        return
    model, fold = bench.choice.model, bench.folds[place]
    config = cell_config(bench.config, bench.choice, (missing, "none"))
    plan = Plan((model,), (model,), (fold,))
    folder = bench.folder / f"{missing}-{place}"
    quiet = Watch(stopping=bench.watch.stopping)
    work = Work(plan, quiet, "", bench.dataset, {}, config, bench.classes, folder)
    bench.tell(f"{MISSING_TITLES[missing]}: fold {place + 1} of {len(bench.folds)}")
    try:
        rows = prepare_fold(work, 0, fold)
    except MedcoreError as error:
        bench.reasons |= dict.fromkeys(open_still, str(error))
        bench.tell("", len(cells))
        return
    for cell in open_still:
        if bench.watch.stopping():
            return
        try:
            _fit_cell(bench, cell, place, rows, folder)
        except MedcoreError as error:
            bench.reasons[cell] = str(error)
        bench.tell(f"{cell_title(*cell)}: fold {place + 1} of {len(bench.folds)}", len(rows))


def _fit_cell(bench: Bench, cell: Cell, place: int, rows: Any, folder: Path) -> None:
    config, model = cell_config(bench.config, bench.choice, cell), bench.choice.model
    check_strategies(config, rows[0].learn.task)
    start, said = time.perf_counter(), []
    for draw, prepared in enumerate(rows):
        unit = fit_unit(
            model, draw, f"{model}, fold {place + 1}, imputation {draw + 1}",
            prepared.learn, prepared.judge, config,
            folder=folder / cell[1], emit=lambda _: None, stopping=bench.watch.stopping,
        )  # fmt: skip
        if unit is None:
            return
        said.append(unit.judged)
    ratio = unit_ratio(model, rows[0].learn, config)
    seconds = time.perf_counter() - start
    bench.answers[cell, place] = Answer(np.mean(said, axis=0), ratio, seconds)
