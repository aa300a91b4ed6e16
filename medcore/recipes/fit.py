"""Run a plan: every unit of every fold, then the model and its baselines made of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from medcore.config import RunConfig
from medcore.predict import FittedModel, Member, Reference, predict_rows
from medcore.prepare import Preparation, fit_preparation, prepare_rows
from medcore.recipes.plan import BASELINES, COST, NETWORKS, Fold, Plan, make_plan
from medcore.recipes.units import Unit, fit_unit
from medcore.recipes.weights import choose_weights
from medcore.records import Dataset, Epoch, Event, Parts, Prepared, Watch
from medcore.train.rows import check_outcome

TITLES = {
    "prevalence": "prevalence",
    "logistic": "logistic regression",
    "random_forest": "random forest",
    "gradient_boosting": "gradient boosting",
    "mlp": "neural network",
    "tabm": "TabM",
}


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model with what decides its threshold and calibration.

    `held_out` are predictions for development rows that their predictors were not fitted on, keyed
    "model" or by a baseline's name, in the order of `row_id`; `outcome` are class codes or values.
    `fold` is -1 where one validation part judged, else the number of the cross-fitted fold.
    """

    model: FittedModel
    baselines: Mapping[str, FittedModel]
    row_id: np.ndarray
    fold: np.ndarray
    outcome: np.ndarray
    held_out: Mapping[str, np.ndarray]
    stopped: bool = False


@dataclass
class Work:
    """What is done so far; `units` by (name, fold)."""

    plan: Plan
    watch: Watch
    title: str
    cohort: Preparation
    resume_only: bool = False
    preparations: list[Preparation] = field(default_factory=list)
    outcomes: list[np.ndarray] = field(default_factory=list)
    units: dict[tuple[str, int], Unit] = field(default_factory=dict)
    done: float = 0.0
    stopped: bool = False

    def tell(self, message: str, cost: float = 0.0, epoch: Epoch | None = None) -> None:
        """Emit an event; `cost` is how much of the running unit is done."""
        total = sum(COST[name] for name in self.plan.names) * len(self.plan.folds)
        share = min(1.0, (self.done + cost) / total)
        self.watch.emit(Event(time.time(), "train", message, share, epoch))


def fit_model(
    dataset: Dataset,
    parts: Parts,
    config: RunConfig,
    classes: Sequence[str],
    *,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
    folder: Path | None = None,
    name: str = "",
    baselines: Sequence[str] = BASELINES,
    resume_only: bool = False,
) -> Fitted | None:
    """Fit the configured model and the baselines on the training and validation rows of `parts`.

    Test rows are not looked at; calibration rows are predicted at the end, for intervals.
    `folder` keeps finished units and the running one's checkpoint, for a restart; `name` goes in
    front of the fits' names. When stopped, the best so far comes back with `stopped`, or None if
    nothing could predict yet. `resume_only` trains no network: it takes what `folder` has of them
    and fits only what stands beside. Raises `FitError`.
    """
    plan = make_plan(dataset, parts, config, classes, baselines)
    learned = np.unique(np.concatenate([fold.learn for fold in plan.folds]))
    cohort = fit_preparation(dataset, learned, config, classes)
    work = Work(plan, watch, name, cohort, resume_only)
    for place, fold in enumerate(plan.folds):
        if not work.stopped:
            _fit_fold(work, place, fold, dataset, config, classes, folder)
    work.stopped = work.stopped or resume_only
    fitted = _assemble(work, config, tuple(classes))
    return fitted and _with_reference(fitted, dataset, parts)


def _fit_fold(
    work: Work,
    place: int,
    fold: Fold,
    dataset: Dataset,
    config: RunConfig,
    classes: Sequence[str],
    folder: Path | None,
) -> None:
    preparation = fit_preparation(dataset, fold.learn, config, classes)
    work.preparations.append(preparation)
    learn = prepare_rows(preparation, dataset, fold.learn)
    check_outcome(learn)
    judge = prepare_rows(preparation, dataset, fold.judge)
    work.outcomes.append(judge.outcome)
    for name in work.plan.names:
        work.stopped = work.stopped or work.watch.stopping()
        if not work.stopped:
            _fit_name(work, place, name, learn, judge, config, folder)


def _fit_name(
    work: Work,
    place: int,
    name: str,
    learn: Prepared,
    judge: Prepared,
    config: RunConfig,
    folder: Path | None,
) -> None:
    label = work.plan.label(name, place)
    title = f"{work.title}: {label}" if work.title else label
    said = label.replace(name, TITLES[name], 1)

    def emit(epoch: Epoch) -> None:
        cost = COST[name] * epoch.epoch / epoch.epochs
        work.tell(f"{said}: epoch {epoch.epoch} of {epoch.epochs}", cost, epoch)

    work.tell(f"Fitting {said}")
    kept_only = work.resume_only and name in NETWORKS
    stopping = (lambda: True) if kept_only else work.watch.stopping
    unit = fit_unit(
        name, place, title, learn, judge, config, folder=folder, emit=emit, stopping=stopping
    )
    if unit is None:
        work.stopped = True
        return
    work.units[name, place] = unit
    work.done += COST[name]
    work.tell(f"Fitted {said}")


def _assemble(work: Work, config: RunConfig, classes: tuple[str, ...]) -> Fitted | None:
    """Join the units of the folds in which the whole model was fitted."""
    plan = work.plan
    members = plan.members
    folds = [
        place
        for place in range(len(work.preparations))
        if all((name, place) in work.units for name in members)
    ]
    if not folds:
        # Stopped within the first fold: what is there must do.
        folds, members = [0], tuple(name for name in members if (name, 0) in work.units)
    if not members:
        return None
    outcome = np.concatenate([work.outcomes[place] for place in folds])
    answers = {
        name: np.concatenate([work.units[name, place].judged for place in folds])
        for name in plan.names
        if all((name, place) in work.units for place in folds)
    }
    shares = choose_weights(np.stack([answers[name] for name in members]), outcome)
    weights = dict(zip(members, shares.tolist(), strict=True))
    held_out = {"model": sum(weights[name] * answers[name] for name in members)}
    notes = _notes(work, weights, folds, len(outcome))
    model = _join(work, config.model.name, classes, weights, folds, notes)
    baselines = {
        name: _join(work, name, classes, {name: 1.0}, folds, ())
        for name in answers
        if name in BASELINES and name != config.model.name
    }
    held = [plan.folds[place].judge for place in folds]
    return Fitted(
        model=model,
        baselines=baselines,
        row_id=np.concatenate(held),
        fold=np.repeat(folds if plan.cross else [-1], [len(rows) for rows in held]),
        outcome=outcome,
        held_out=held_out | {name: answers[name] for name in baselines},
        stopped=work.stopped,
    )


def _join(
    work: Work,
    name: str,
    classes: tuple[str, ...],
    weights: Mapping[str, float],
    folds: Sequence[int],
    notes: tuple[str, ...],
) -> FittedModel:
    """Return the mean over folds of the weighted members."""
    members = [
        Member(member, number, weight / len(folds), work.units[member, place].fitted)
        for number, place in enumerate(folds)
        for member, weight in weights.items()
    ]
    preparations = tuple(work.preparations[place] for place in folds)
    task = preparations[0].task
    return FittedModel(name, task, classes, work.cohort, preparations, tuple(members), None, notes)


def _notes(
    work: Work, weights: Mapping[str, float], folds: Sequence[int], rows: int
) -> tuple[str, ...]:
    notes = list(work.cohort.left_out)
    if len(weights) > 1:
        shares = ", ".join(f"{TITLES[name]} {share:.0%}" for name, share in weights.items())
        notes.append(f"Shares in the model, from predictions for {rows:,} held-out rows: {shares}.")
    if len(folds) > 1:
        notes.append(
            f"The model is the mean of {len(folds)} fits; each left out another part of the "
            "training and validation rows and was judged on it."
        )
    if work.stopped:
        notes.append("Training was stopped; the model is the best of what was fitted by then.")
    return tuple(notes)


def _with_reference(fitted: Fitted, dataset: Dataset, parts: Parts) -> Fitted:
    """Give the model the patients that its intervals rest on."""
    rows = parts.get("calibration")
    if rows is None or not len(rows):
        reference = Reference(fitted.outcome, fitted.held_out["model"])
    else:
        outcome = prepare_rows(fitted.model.preparations[0], dataset, rows).outcome
        reference = Reference(outcome, predict_rows(fitted.model, dataset, rows))
    return replace(fitted, model=replace(fitted.model, reference=reference))
