"""The folds of a plan, one after the other: prepare the rows, then fit every model on them.

Multiple imputation makes several completed tables of a fold (draws), each with models of its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from medcore.config import RunConfig
from medcore.prepare import (
    Imputer,
    Preparation,
    Reins,
    fit_imputer,
    fit_preparation,
    imputer_meta,
    kept_rows,
    prepare_rows,
    read_imputer,
    tabular_columns,
)
from medcore.prepare.imputing import IMPUTERS
from medcore.recipes.looking import keep_autoencoder, unlabelled_blocks, unlabelled_rows
from medcore.recipes.plan import Fold, Plan, fit_cost
from medcore.recipes.units import FileCheckpoint, Unit, fit_unit
from medcore.records import Dataset, Epoch, Event, Parts, Prepared, Seen, Watch
from medcore.strategies import ENCODER_TITLES, is_network
from medcore.train.fit import fit_key
from medcore.train.pretraining import TrainedAutoencoder
from medcore.train.rows import check_outcome

TITLES = {
    "prevalence": "prevalence",
    "logistic": "logistic regression",
    "tfidf": "TF-IDF with logistic regression",
    "tfidf_characters": "TF-IDF of pieces of words",
    "random_forest": "random forest",
    "gradient_boosting": "gradient boosting",
    "mlp": "neural network",
    "tabm": "TabM",
    "cox": "Cox regression",
    "last_logistic": "logistic regression of the last values",
    "last_boosting": "gradient boosting of the last values",
    "deepsurv": "DeepSurv",
    "logistic_hazard": "logistic hazard",
    "deephit": "DeepHit",
    **ENCODER_TITLES,
}


def title_fit(name: str) -> str:
    """Return what a fit is called; those of one network from other random numbers are counted.

    >>> title_fit("mlp"), title_fit("resnet18 2")
    ('neural network', 'ResNet-18 (second fit)')
    """
    base, _, number = name.partition(" ")
    counted = {"2": " (second fit)", "3": " (third fit)"}
    return TITLES[base] + counted.get(number, "")


@dataclass(frozen=True, eq=False)
class FoldRows:
    """A fold prepared in one way: to learn from, to be judged on, to put risks right with.

    `looked` are autoencoders of its images by column, where there was pre-training.
    """

    preparation: Preparation
    learn: Prepared
    judge: Prepared
    calibration: Prepared | None
    looked: Mapping[str, TrainedAutoencoder] = field(default_factory=dict)


@dataclass
class Work:
    """What is done so far: `rows` of each fold by draw, `units` by (name, fold, draw)."""

    plan: Plan
    watch: Watch
    title: str
    dataset: Dataset
    parts: Parts
    config: RunConfig
    classes: Sequence[str]
    folder: Path | None
    resume_only: bool = False
    rows: list[tuple[FoldRows, ...]] = field(default_factory=list)
    units: dict[tuple[str, int, int], Unit] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    done: float = 0.0
    stopped: bool = False

    @property
    def draws(self) -> int:
        """How many completed tables each fold has."""
        missing = self.config.missing
        return missing.draws if missing.strategy == "multiple" else 1

    def tell(self, message: str, cost: float = 0.0, epoch: Epoch | None = None) -> None:
        """Emit an event; `cost` is how much of the running unit is done."""
        total = sum(fit_cost(name) for name in self.plan.names) * len(self.plan.folds) * self.draws
        share = min(1.0, (self.done + cost) / total)
        self.watch.emit(Event(time.time(), "train", message, share, epoch))

    def note(self, step: str, rows: np.ndarray | None, label: str = "") -> None:
        """Write down which rows a fitted step looked at; invented ones (-1) are nobody's."""
        fit = ": ".join(part for part in (self.title, label) if part)
        rows = np.unique(np.asarray([] if rows is None else rows, dtype=np.int64))
        self.seen.append(Seen(step, fit, rows[rows >= 0]))

    def fitted(self, name: str, fold: int) -> list[Unit] | None:
        """Return a model's fits on a fold, one a draw; None when one is absent."""
        found = [self.units.get((name, fold, draw)) for draw in range(self.draws)]
        return None if None in found else found


def fit_folds(work: Work) -> None:
    """Fit all that the plan names, until it is done or stopped."""
    for place, fold in enumerate(work.plan.folds):
        if work.stopped:
            return
        work.rows.append(prepare_fold(work, place, fold))
        work.stopped = work.stopped or work.watch.stopping()
        for draw, rows in enumerate(work.rows[-1]):
            for name in work.plan.names:
                work.stopped = work.stopped or work.watch.stopping()
                if not work.stopped:
                    _fit_name(work, place, draw, name, rows)


def learn_preparation(work: Work, row_ids: np.ndarray, label: str) -> Preparation:
    """Return the preparation learned from rows; what fills their gaps is kept in the folder."""
    dataset, config = work.dataset, work.config
    rows = kept_rows(dataset, row_ids, config)
    imputer = None
    training = dataset.frame.loc[rows]
    if config.missing.strategy in IMPUTERS and tabular_columns(dataset, training, config.missing):
        imputer = _keep_imputer(work, rows, label)
    if imputer is not None:
        work.note("imputation", imputer.learned_from, label)
    preparation = fit_preparation(dataset, rows, config, work.classes, imputer)
    work.note("scaling and encoding", preparation.learned_from, label)
    return preparation


def prepare_fold(work: Work, place: int, fold: Fold) -> tuple[FoldRows, ...]:
    """Return a fold's rows, once for each imputation; raises `FitError` when none can be used."""
    learned = learn_preparation(work, fold.learn, f"fold {place + 1}")
    calibration = work.parts.get("calibration")
    wanted = work.config.balance.strategy != "none" and calibration is not None
    found: list[FoldRows] = []
    for draw in range(work.draws):
        preparation = replace(learned, draw=draw) if work.draws > 1 else learned
        rows = kept_rows(work.dataset, fold.learn, work.config)
        learn = prepare_rows(preparation, work.dataset, rows)
        check_outcome(learn)
        judge = prepare_rows(preparation, work.dataset, fold.judge)
        apart = None
        if wanted and len(calibration):
            apart = prepare_rows(preparation, work.dataset, calibration)
        looked = found[0].looked if found else _pretrain(work, place, preparation, learn)
        found.append(FoldRows(preparation, learn, judge, apart, looked))
    return tuple(found)


def _pretrain(
    work: Work, place: int, preparation: Preparation, learn: Prepared
) -> dict[str, TrainedAutoencoder]:
    """Let autoencoders learn from a fold's images, those without an outcome included."""
    if not work.config.image.pretrain or work.resume_only:
        return {}
    others = unlabelled_rows(work.dataset, learn.row_id, work.config)
    looked = {}
    for column, block in learn.blocks.items():
        if block.kind != "image" or work.watch.stopping():
            continue
        label = f"autoencoder of {column}, fold {place + 1}"

        def emit(epoch: Epoch, column: str = column) -> None:
            said = f"Learning to look at '{column}': epoch {epoch.epoch} of {epoch.epochs}"
            work.tell(said, 0.0, epoch)

        looked[column] = keep_autoencoder(
            [block, *unlabelled_blocks(preparation, work.dataset, others, column)],
            work.config, label, work.folder, emit, work.watch.stopping,
        )  # fmt: skip
        work.note(f"pre-training on {column}", learn.row_id, f"fold {place + 1}")
    return looked


def _keep_imputer(work: Work, row_ids: np.ndarray, label: str) -> Imputer:
    """Fit an imputer on rows, or take it from the folder where it was kept."""
    missing, dataset = work.config.missing, work.dataset
    training = dataset.frame.loc[row_ids]
    columns = tabular_columns(dataset, training, missing)
    place = label.replace(" ", "-")
    kept = running = None
    key = ""
    if work.folder is not None:
        kept = FileCheckpoint(work.folder / f"imputer-{place}.safetensors")
        running = FileCheckpoint(work.folder / f"imputer-{place}.running")
        told = [missing.model_dump(), work.config.seed, [column.name for column in columns]]
        key = fit_key(*told, np.asarray(row_ids), dataset.sha256)
        found = kept.read()
        if found is not None and found[1].get("key") == key:
            # The key holds only for these very rows.
            kept_one = read_imputer(found[1]["imputer"], found[0])
            return replace(kept_one, learned_from=np.asarray(row_ids))
    work.tell(f"Learning what fills missing values ({label})")

    def emit(epoch: Epoch) -> None:
        work.tell(f"Learning what fills missing values ({label}): epoch {epoch.epoch} of at most "
                  f"{epoch.epochs}")  # fmt: skip

    imputer = fit_imputer(
        training, columns, missing, work.config.seed,
        device=work.config.train.device, reins=Reins(emit, work.watch.stopping, running),
    )  # fmt: skip
    if kept is not None and not work.watch.stopping():
        kept.write(dict(imputer.arrays), {"key": key, "imputer": imputer_meta(imputer)})
        running.clear()
    return imputer


def _fit_name(work: Work, place: int, draw: int, name: str, rows: FoldRows) -> None:
    label = work.plan.label(name, place)
    if work.draws > 1:
        label += f", imputation {draw + 1} of {work.draws}"
    title = f"{work.title}: {label}" if work.title else label
    said = label.replace(name, title_fit(name), 1)

    def emit(epoch: Epoch) -> None:
        cost = fit_cost(name) * epoch.epoch / epoch.epochs
        work.tell(f"{said}: epoch {epoch.epoch} of {epoch.epochs}", cost, epoch)

    work.tell(f"Fitting {said}")
    kept_only = work.resume_only and is_network(name)
    stopping = (lambda: True) if kept_only else work.watch.stopping
    number = place * work.draws + draw
    unit = fit_unit(
        name, number, title, rows.learn, rows.judge, work.config,
        folder=work.folder, emit=emit, stopping=stopping,
        starts={column: told.encoder_weights() for column, told in rows.looked.items()},
    )  # fmt: skip
    if unit is None:
        work.stopped = True
        return
    work.units[name, place, draw] = unit
    work.note(title_fit(name), unit.learned_from, f"fold {place + 1}")
    if is_network(name):
        stop = f"{title_fit(name)}: when to stop"
        work.note(stop, rows.judge.row_id, f"fold {place + 1}")
    work.done += fit_cost(name)
    work.tell(f"Fitted {said}")
