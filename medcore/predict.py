"""Apply a fitted model to patients: risks or values, their intervals, and files of new patients.

A `FittedModel` is a weighted mean of members, each fitted on rows prepared in its own way; one
patient's answer is the same to the last bit alone or in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from medcore.config import Task
from medcore.evaluate import venn_abers
from medcore.evaluate.conformal import conformal_reach
from medcore.evaluate.similar import similar_effect
from medcore.prepare import Preparation, prepare_rows
from medcore.prepare.arms import ARM, with_feature
from medcore.prepare.terms import term_values
from medcore.records import Block, Dataset, Horizon, Prepared

COVERAGE = 0.9
# Where a risk becomes an alarm: one for the positive class, or one for each of several findings.
Threshold = float | Mapping[str, float] | None


@dataclass(frozen=True, eq=False)
class Member:
    """One fitted part of a model.

    `fitted` is a `TrainedNetwork` or a `PlainModel`; `preparation` is the place of the one it was
    fitted with; the `weight`s of a model's members sum to 1. `recalibration` puts its risks right
    (see `medcore.models.recalibration`); None where they are taken as they are.
    """

    name: str
    preparation: int
    weight: float
    fitted: Any
    recalibration: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Reference:
    """Patients the model was not fitted on, for intervals: their outcome and what was predicted.

    `outcome`: (rows,) class codes or values; `predicted`: (rows, classes) or (rows,), as the model
    said before its risks were put right: the same patients cannot teach and vouch. Effect of
    treatment: the doubly robust scores, and the effects. `reach` (rows, 2): how far the
    quantiles of a number lay below and above it, where networks learned them.
    """

    outcome: np.ndarray
    predicted: np.ndarray
    reach: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model ready for new patients.

    `cohort` is a preparation fitted on all rows the members learned from: it tells what is usual
    there, for `imputed_cells` and `outside_training_range`. `preparations` are the members' own.
    `notes` are sentences on how the model came to be. `recalibration` puts the members' joint
    risks right; None where they are taken as they are. `looked` are autoencoders by column of
    images: they tell how unusual one is.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    cohort: Preparation
    preparations: tuple[Preparation, ...]
    members: tuple[Member, ...]
    reference: Reference | None = None
    notes: tuple[str, ...] = ()
    recalibration: Mapping[str, Any] | None = None
    looked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> Mapping[str, float]:
        """The joint weight of the members of each name."""
        total: dict[str, float] = {}
        for member in self.members:
            total[member.name] = total.get(member.name, 0.0) + member.weight
        return total


def split_draws(model: FittedModel) -> dict[int, FittedModel]:
    """Return the model of each imputation by its number; empty unless there are several."""
    draws = sorted({p.draw for p in model.preparations if p.draw is not None})
    if len(draws) < 2:
        return {}
    return {
        draw: replace(
            model,
            members=tuple(
                replace(member, weight=member.weight * len(draws))
                for member in model.members
                if model.preparations[member.preparation].draw == draw
            ),
        )
        for draw in draws
    }


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a model says of rows, in their order.

    `value`, `low` and `high`: float64 (rows, classes) probabilities, (rows,) values, or for time to
    event (rows, causes, times) risks, `classes` being the causes; `plain`: the value before risks
    were put right.
    """

    row_id: np.ndarray
    classes: tuple[str, ...]
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    plain: np.ndarray | None = None
    horizons: tuple[Horizon, ...] = ()
    times: tuple[float, ...] = ()
    task: Task | None = None


def predict_rows(
    model: FittedModel, dataset: Dataset, row_ids: np.ndarray | None = None
) -> np.ndarray:
    """Return float64 probabilities (rows, classes), or values (rows,), of all or the named rows."""
    return predict_both(model, dataset, row_ids)[0]


def predict_both(
    model: FittedModel, dataset: Dataset, row_ids: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the model says, and what it said before its risks were put right."""

    def prepare(place: int) -> Prepared:
        return prepare_rows(model.preparations[place], dataset, row_ids)

    return predict_prepared(model, prepare)


def predict_prepared(
    model: FittedModel, prepare: Callable[[int], Prepared]
) -> tuple[np.ndarray, np.ndarray]:
    """Return as `predict_both` for rows that `prepare` gives for each preparation's place."""
    total: Any = 0.0
    plain: Any = 0.0
    for place in sorted({member.preparation for member in model.members}):
        prepared = prepare(place)
        for member in model.members:
            if member.preparation == place:
                said = predict_member(member.fitted, prepared)
                plain = plain + member.weight * said
                total = total + member.weight * recalibrate(said, member.recalibration)
    return recalibrate(total, model.recalibration), plain


def predict_reach(
    model: FittedModel, dataset: Dataset, row_ids: np.ndarray | None = None
) -> np.ndarray | None:
    """Return how far a number's quantiles lie below and above it, (rows, 2).

    The weighted mean over the networks that learned them; None where none did.
    """
    return join_reach(
        (member.weight, member.fitted, lambda at=member.preparation: prepare_rows(
            model.preparations[at], dataset, row_ids))
        for member in model.members
    )  # fmt: skip


def join_reach(
    parts: Iterable[tuple[float, Any, Callable[[], Prepared]]],
) -> np.ndarray | None:
    """Return the weighted mean of the reaches of fitted members that have any, (rows, 2)."""
    from medcore.train import TrainedNetwork
    from medcore.train.quantiles import predict_reach

    total, weights = 0.0, 0.0
    for weight, fitted, prepare in parts:
        if isinstance(fitted, TrainedNetwork) and weight:
            reach = predict_reach(fitted, prepare())
            if reach is not None:
                total, weights = total + weight * reach, weights + weight
    return total / weights if weights else None


def recalibrate(said: np.ndarray, recalibration: Mapping[str, Any] | None) -> np.ndarray:
    """Return an answer put right, or as it is."""
    if recalibration is None:
        return said
    from medcore.models.recalibration import apply_recalibration

    return apply_recalibration(recalibration, said)


def without_recalibration(model: FittedModel) -> FittedModel:
    """Return the model as it was before its risks were put right."""
    members = tuple(replace(member, recalibration=None) for member in model.members)
    return replace(model, members=members, recalibration=None)


def predict_dataset(
    model: FittedModel,
    dataset: Dataset,
    row_ids: np.ndarray | None = None,
    coverage: float = COVERAGE,
) -> Predicted:
    """Return what the model says of every row, or the rows in `row_ids`, with intervals.

    Classes: the Venn–Abers interval of each class against the rest, or of each finding (Vovk and
    Petej 2014), widened to hold the estimate. Numbers: the split conformal interval that holds a
    share `coverage` of new patients' values (Lei et al. 2018), around the quantiles where networks
    learned them (Romano et al. 2019). Time to event: the 95 % interval of
    what became of reference patients with a similar risk, widened to hold the estimate. Effect of
    treatment: that of the average effect in reference patients with a similar one. Without
    reference patients low and high are NaN.
    """
    value, plain = predict_both(model, dataset, row_ids)
    index = dataset.frame.index if row_ids is None else row_ids
    reach = predict_reach(model, dataset, row_ids) if model.task == "regression" else None
    low, high = predict_interval(model, value, plain, coverage, reach)
    rows, cohort = np.asarray(index, dtype=np.int64), model.cohort
    told = (cohort.horizons, cohort.times, model.task)
    return Predicted(rows, model.classes, value, low, high, plain, *told)


def predict_member(fitted: Any, prepared: Prepared) -> np.ndarray:
    """Return one member's probabilities (rows, classes), or values or effects (rows,), float64."""
    from medcore.models.effects import EffectModel, predict_effect
    from medcore.models.plain import PlainModel, predict_plain
    from medcore.train import predict_network

    if isinstance(fitted, EffectModel):
        return predict_effect(fitted, lambda part, arm: answer_rows(part, prepared, arm))
    if isinstance(fitted, PlainModel):
        if fitted.spec["formula"] == "sparse":
            characters = fitted.spec.get("characters", False)
            return predict_plain(fitted, term_values(prepared, characters=characters))
        return predict_plain(fitted, plain_values(prepared, native=fitted.spec.get("native")))
    return predict_network(fitted, prepared)


def answer_rows(fitted: Any, prepared: Prepared, arm: int | None = None) -> np.ndarray:
    """Return values, or chances of the second class, float64 (rows,); as in `arm` where given."""
    if arm is not None:
        prepared = with_feature(prepared, ARM, np.full(len(prepared.row_id), arm))
    said = predict_member(fitted, prepared)
    return said[:, 1] if said.ndim == 2 else said


def plain_values(prepared: Prepared, *, native: bool | None = False) -> np.ndarray:
    """Return what models of plain numbers see, float32 (rows, features).

    The table's features and the simple ones of every other block, side by side; `native` leaves
    gaps as NaN.
    """
    parts = []
    for block in prepared.blocks.values():
        if block.kind == "table":
            parts.append(with_gaps(block) if native else block.values)
        elif block.plain is not None:
            parts.append(block.plain)
    if not parts:
        return np.zeros((len(prepared.row_id), 0), dtype=np.float32)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def with_gaps(block: Block) -> np.ndarray:
    """Return a table's values with NaN where a value was missing."""
    return block.values if block.gaps is None else np.where(block.gaps, np.nan, block.values)


def predict_interval(
    model: FittedModel,
    value: np.ndarray,
    plain: np.ndarray,
    coverage: float = COVERAGE,
    reach: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper bounds that belong to predictions, shaped as they are.

    `plain`: the predictions as they were before risks were put right; `reach`: as `predict_reach`.
    """
    reference = model.reference
    if reference is None or not len(reference.outcome):
        return np.full_like(value, np.nan), np.full_like(value, np.nan)
    if model.task == "effect":
        low, high = similar_effect(reference.predicted, reference.outcome, value)
        return np.minimum(low, value), np.maximum(high, value)
    if model.task == "regression":
        return _number_interval(reference, value, coverage, reach)
    if model.task == "survival":
        return _risk_intervals(reference, value, np.asarray(model.cohort.times))
    low, high = _class_intervals(reference, plain)
    return np.minimum(low, value), np.maximum(high, value)


def _number_interval(
    reference: Reference, value: np.ndarray, coverage: float, reach: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the estimate less and plus what it reaches, and as much more as the promise needs."""
    error = reference.outcome - reference.predicted
    if reach is None or reference.reach is None:
        further = conformal_reach(np.abs(error), coverage)
        return value - further, value + further
    short = np.maximum(-error - reference.reach[:, 0], error - reference.reach[:, 1])
    further = conformal_reach(short, coverage)
    low, high = value - reach[:, 0] - further, value + reach[:, 1] + further
    return np.minimum(low, value), np.maximum(high, value)


def _class_intervals(reference: Reference, plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.empty_like(plain), np.empty_like(plain)
    for place in range(plain.shape[1]):
        known = np.ones(len(reference.outcome), dtype=bool)
        happened = reference.outcome == place
        if reference.outcome.ndim == 2:
            known = np.isfinite(reference.outcome[:, place])
            happened = reference.outcome[:, place] == 1
        told = happened[known].astype(np.int64), reference.predicted[known, place]
        low[:, place], high[:, place] = venn_abers(*told, plain[:, place])
    return low, high


def _risk_intervals(
    reference: Reference, value: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from medcore.evaluate.similar import similar_incidence

    duration, cause = reference.outcome[:, 0], reference.outcome[:, 1].astype(np.int64)
    low, high = np.empty_like(value), np.empty_like(value)
    for place in range(value.shape[1]):
        known, asked = (said[:, place].mean(axis=1) for said in (reference.predicted, value))
        bounds = similar_incidence(duration, cause, known, asked, place + 1, times)
        low[:, place], high[:, place] = bounds
    return np.minimum(low, value), np.maximum(high, value)
