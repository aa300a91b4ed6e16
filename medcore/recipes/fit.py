"""Run a plan: every unit of every fold, then the model and its baselines made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medcore.config import RunConfig
from medcore.errors import FitError
from medcore.models.recalibration import (
    ISOTONIC_ROWS,
    fit_recalibration,
    too_few_for_isotonic,
)
from medcore.predict import (
    FittedModel,
    Member,
    Reference,
    join_reach,
    predict_both,
    predict_member,
    predict_reach,
    recalibrate,
)
from medcore.prepare import Preparation, describe_left, prepare_rows
from medcore.recipes.folds import Work, fit_folds, learn_preparation, title_fit
from medcore.recipes.plan import BASELINES, Plan, make_plan
from medcore.recipes.units import unit_ratio
from medcore.recipes.weights import choose_weights
from medcore.records import Dataset, Parts, Seen, Watch
from medcore.strategies import BALANCE_TITLES, RECALIBRATION_TITLES, treats
from medcore.train import TrainedNetwork
from medcore.train.balance import balance_notes


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model with what decides its threshold and calibration.

    `held_out` are predictions for development rows that their predictors were not fitted on, keyed
    "model" or by a baseline's name, in the order of `row_id`, and "uncalibrated", the model before
    its risks were put right, if they were; `outcome` are class codes or values.
    `fold` is -1 where one validation part judged, else the number of the cross-fitted fold.
    `seen` are the rows that each fitted step looked at.
    """

    model: FittedModel
    baselines: Mapping[str, FittedModel]
    row_id: np.ndarray
    fold: np.ndarray
    outcome: np.ndarray
    held_out: Mapping[str, np.ndarray]
    stopped: bool = False
    seen: tuple[Seen, ...] = ()


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

    Test rows are not looked at; calibration rows are predicted at the end, for intervals, and put
    risks right that a strategy for rare classes distorted. `folder` keeps finished units and the
    running one's checkpoint, for a restart; `name` goes in front of the fits' names. When stopped,
    the best so far comes back with `stopped`, or None if nothing could predict yet. `resume_only`
    trains no network: it takes what `folder` has of them and fits only what stands beside. Raises
    `FitError`.
    """
    plan = make_plan(dataset, parts, config, classes, baselines)
    _check_isotonic(plan, parts, config)
    work = Work(plan, watch, name, dataset, parts, config, classes, folder, resume_only)
    fit_folds(work)
    work.stopped = work.stopped or resume_only
    fitted = _assemble(work)
    return fitted and _with_reference(work, fitted)


def _assemble(work: Work) -> Fitted | None:
    """Join the units of the folds in which the whole model was fitted."""
    plan, config = work.plan, work.config
    members = plan.members
    folds = [
        place
        for place in range(len(work.rows))
        if all(work.fitted(name, place) for name in members)
    ]
    if not folds and work.rows:
        # Stopped within the first fold: what is there must do.
        folds, members = [0], tuple(name for name in members if work.fitted(name, 0))
    if not folds or not members:
        return None
    outcome = np.concatenate([work.rows[place][0].judge.outcome for place in folds])
    plain = {
        name: np.concatenate([_answer(work, name, place) for place in folds])
        for name in plan.names
        if all(work.fitted(name, place) for place in folds)
    }
    mended = {
        name: _mend(work, name, folds, plain[name], outcome)
        for name in plain
        if treats(name, config.balance) and config.balance.recalibration != "none"
    }
    answers = {name: recalibrate(said, mended.get(name)) for name, said in plain.items()}
    held = np.concatenate([work.rows[place][0].judge.row_id for place in folds])
    if len(members) > 1:
        work.note("weights of the members", held)
    times = work.rows[folds[0]][0].judge.times
    shares = choose_weights(np.stack([answers[name] for name in members]), outcome, times)
    weights = dict(zip(members, shares.tolist(), strict=True))
    cohort = _learn_cohort(work)
    model = _join(work, cohort, config.model.name, weights, folds, mended)
    model = replace(model, notes=_notes(work, model, weights, folds, len(outcome)))
    baselines = {
        name: _join(work, cohort, name, {name: 1.0}, folds, mended)
        for name in answers
        if name in BASELINES and name != config.model.name
    }
    held_out = {"model": sum(weights[name] * answers[name] for name in members)}
    if any(name in mended for name in members):
        held_out["uncalibrated"] = sum(weights[name] * plain[name] for name in members)
    sizes = [len(work.rows[place][0].judge.row_id) for place in folds]
    return Fitted(
        model=model,
        baselines=baselines,
        row_id=held,
        fold=np.repeat(folds if plan.cross else [-1], sizes),
        outcome=outcome,
        held_out=held_out | {name: answers[name] for name in baselines},
        stopped=work.stopped,
    )


def _learn_cohort(work: Work) -> Preparation:
    """Return the preparation learned from all rows that the members learned from."""
    if len(work.plan.folds) == 1:
        return replace(work.rows[0][0].preparation, draw=None)
    rows = np.unique(np.concatenate([fold.learn for fold in work.plan.folds]))
    return learn_preparation(work, rows, "all folds")


def _answer(work: Work, name: str, place: int) -> np.ndarray:
    """Return what a model says of a fold's held-out rows: the mean over imputations."""
    return np.mean([unit.judged for unit in work.fitted(name, place)], axis=0)


def _mend(
    work: Work, name: str, folds: Sequence[int], answers: np.ndarray, outcome: np.ndarray
) -> dict[str, Any]:
    """Learn how to put right the risks of a model that re-weighting or re-sampling distorted.

    From the calibration part where there is one, else from the held-out rows.
    """
    ratios = [unit_ratio(name, work.rows[place][0].learn, work.config) for place in folds]
    learned_from = np.concatenate([work.rows[place][0].judge.row_id for place in folds])
    if work.rows[folds[0]][0].calibration is not None:
        learned_from = work.rows[folds[0]][0].calibration.row_id
        said = [
            predict_member(unit.fitted, rows.calibration)
            for place in folds
            for unit, rows in zip(work.fitted(name, place), work.rows[place], strict=True)
        ]
        answers, outcome = np.mean(said, axis=0), work.rows[folds[0]][0].calibration.outcome
    work.note(f"recalibration of {title_fit(name)}", learned_from)
    method = work.config.balance.recalibration
    return fit_recalibration(answers, outcome, method, np.mean(ratios, axis=0))


def _join(
    work: Work,
    cohort: Preparation,
    name: str,
    weights: Mapping[str, float],
    folds: Sequence[int],
    mended: Mapping[str, Any],
) -> FittedModel:
    """Return the mean over folds and imputations of the weighted members."""
    preparations, members = [], []
    share = 1 / (len(folds) * work.draws)
    for place in folds:
        for draw, rows in enumerate(work.rows[place]):
            for member, weight in weights.items():
                fitted = work.units[member, place, draw].fitted
                told = mended.get(member)
                members.append(Member(member, len(preparations), weight * share, fitted, told))
            preparations.append(rows.preparation)
    classes = tuple(work.classes)
    looked = work.rows[folds[0]][0].looked
    seen = {column: looked[column] for column in looked if _looks(members, column)}
    return FittedModel(
        name, cohort.task, classes, cohort, tuple(preparations), tuple(members), looked=seen
    )


def _looks(members: Sequence[Member], column: str) -> bool:
    """Tell whether a network among the members looks at a column of images."""
    specs = (m.fitted.spec for m in members if isinstance(m.fitted, TrainedNetwork))
    return any(column in spec["network"]["blocks"] for spec in specs)


def _notes(
    work: Work,
    model: FittedModel,
    weights: Mapping[str, float],
    folds: Sequence[int],
    rows: int,
) -> tuple[str, ...]:
    config, first = work.config, work.plan.folds[folds[0]]
    notes = [*model.cohort.left_out, *describe_left(work.dataset, first.learn, config)]
    if config.balance.strategy != "none":
        learned = work.rows[folds[0]][0].learn
        notes += balance_notes(learned.outcome, learned.classes, config.balance)
        notes += _untreated(work)
    if config.missing.strategy == "knn":
        notes.append(
            "Nearest neighbours keeps the training patients' values inside the model: whoever has "
            "the model has them."
        )
    if len(weights) > 1:
        shares = ", ".join(f"{title_fit(name)} {share:.0%}" for name, share in weights.items())
        notes.append(f"Shares in the model, from predictions for {rows:,} held-out rows: {shares}.")
    if len(folds) > 1:
        notes.append(
            f"The model is the mean of {len(folds)} fits; each left out another part of the "
            "training and validation rows and was judged on it."
        )
    if work.stopped:
        notes.append("Training was stopped; the model is the best of what was fitted by then.")
    return tuple(notes)


def _untreated(work: Work) -> list[str]:
    plain = [
        title_fit(name)
        for name in work.plan.names
        if name != "prevalence" and not treats(name, work.config.balance)
    ]
    title = BALANCE_TITLES[work.config.balance.strategy]
    return [f"{title} works in networks only; fitted without: {', '.join(plain)}."] if plain else []


def _with_reference(work: Work, fitted: Fitted) -> Fitted:
    """Give the model the patients that its intervals rest on, and let them put its risks right.

    Says who was looked at.
    """
    rows, method = work.parts.get("calibration"), work.config.model.recalibration
    if rows is None or not len(rows):
        rows, outcome, said = fitted.row_id, fitted.outcome, fitted.held_out["model"]
        plain = fitted.held_out.get("uncalibrated", said)
    else:
        outcome = prepare_rows(fitted.model.preparations[0], work.dataset, rows).outcome
        said, plain = predict_both(fitted.model, work.dataset, rows)
    work.note("intervals of a patient's prediction", rows)
    reach = None if work.classes else _held_reach(work, fitted)
    model = replace(fitted.model, reference=Reference(outcome, plain, reach))
    fitted = replace(fitted, model=model, seen=tuple(work.seen))
    if method == "none":
        return fitted
    work.note("recalibration of the model", rows)
    same = np.ones(2 if model.task == "multilabel" else len(model.classes))
    told = fit_recalibration(said, outcome, method, same)
    note = (
        f"The model's risks were put right ({RECALIBRATION_TITLES[method]}) on {len(outcome):,} "
        "patients outside the fit."
    )
    model = replace(model, recalibration=told, notes=(*model.notes, note))
    held = {"uncalibrated": fitted.held_out["model"]} | fitted.held_out
    held["model"] = recalibrate(held["model"], told)
    return replace(fitted, model=model, held_out=held, seen=tuple(work.seen))


def _held_reach(work: Work, fitted: Fitted) -> np.ndarray | None:
    """Return how far a number's quantiles lie beside it for the patients that intervals rest on."""
    rows, model = work.parts.get("calibration"), fitted.model
    if rows is not None and len(rows):
        return predict_reach(model, work.dataset, rows)
    found = [
        join_reach(
            (model.weights.get(name, 0.0), unit.fitted, lambda judge=rows.judge: judge)
            for name in work.plan.members
            for unit, rows in zip(work.fitted(name, place), work.rows[place], strict=True)
        )
        for place in dict.fromkeys(np.maximum(fitted.fold, 0).tolist())
    ]
    return None if any(reach is None for reach in found) else np.concatenate(found)


def _check_isotonic(plan: Plan, parts: Parts, config: RunConfig) -> None:
    """Raise `FitError` before anything is fitted where isotonic would have too few patients."""
    methods = [config.model.recalibration]
    if config.balance.strategy != "none":
        methods.append(config.balance.recalibration)
    held = len(parts.get("calibration", ())) or sum(len(fold.judge) for fold in plan.folds)
    if "isotonic" in methods and held < ISOTONIC_ROWS:
        raise FitError(too_few_for_isotonic(held))
