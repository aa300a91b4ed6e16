"""Models of treatment and outcome that an effect is adjusted with, and how each is weighted.

A quantity (chance of treatment, outcome without it, outcome with it) is the weighted mean of
members fitted on the same rows; the weights come from rows the members were not fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medcore.config import RunConfig, generator
from medcore.models.effects import Part
from medcore.models.plain import PlainModel
from medcore.predict import answer_rows
from medcore.prepare.arms import outcome_rows, treatment_rows
from medcore.recipes.units import fit_unit
from medcore.recipes.weights import choose_weights
from medcore.records import Epoch, Prepared
from medcore.strategies import is_network

# What is joined for each quantity.
MEMBERS = ("logistic", "random_forest")
QUANTITIES = ("propensity", "untreated", "treated")
VALIDATION = 0.2


class Stopped(Exception):
    """Somebody asked for a stop between two fits."""


@dataclass(frozen=True)
class Reins:
    """How fits talk to whoever waits: `tell` what is done, `stopping` when asked."""

    stopping: Callable[[], bool] = lambda: False
    tell: Callable[[str, Epoch | None], None] = lambda *_: None
    folder: Path | None = None


def member_names(config: RunConfig) -> tuple[str, ...]:
    """Return the models that are joined for each quantity."""
    return (*MEMBERS, *(("tabm",) if config.effect.deep else ()))


def quantity_rows(quantity: str, prepared: Prepared) -> Prepared:
    """Return the rows that a quantity's models learn from, with what they learn."""
    if quantity == "propensity":
        return treatment_rows(prepared)
    return outcome_rows(prepared, QUANTITIES.index(quantity) - 1)


def fit_quantity(
    quantity: str, prepared: Prepared, config: RunConfig, label: str, reins: Reins
) -> dict[str, Any]:
    """Return the fitted members of a quantity by name; raises `Stopped`."""
    rows = quantity_rows(quantity, prepared)
    if quantity == "propensity" and config.effect.design == "randomised":
        return {
            "prevalence": _planned(fit_member("prevalence", rows, config, label, reins), config)
        }
    names = member_names(config)
    if len(np.unique(rows.outcome)) < 2:
        # One value is all that these rows teach.
        same = fit_member("prevalence", rows, config, label, reins)
        return dict.fromkeys(names, same)
    return {name: fit_member(name, rows, config, f"{label}: {quantity}", reins) for name in names}


def _planned(model: PlainModel, config: RunConfig) -> PlainModel:
    share = config.effect.share
    if not share:
        return model
    return replace(model, arrays={**model.arrays, "shares": np.array([1 - share, share])})


def fit_member(name: str, rows: Prepared, config: RunConfig, label: str, reins: Reins) -> Any:
    """Return one fitted model; networks stop early by a fifth of their rows' patients."""
    learn, judge = rows, rows.take(np.arange(min(1, len(rows.outcome))))
    folder = None
    if is_network(name):
        learn, judge = hold_out(rows, config, label)
        folder = reins.folder and reins.folder / label.replace(" ", "-").replace(":", "")
    title = f"{name}, {label}"
    unit = fit_unit(
        name, 0, title, learn, judge, config, folder=folder,
        emit=lambda epoch: reins.tell(title, epoch), stopping=reins.stopping,
    )  # fmt: skip
    if unit is None or reins.stopping():
        raise Stopped
    return unit.fitted


def hold_out(rows: Prepared, config: RunConfig, label: str) -> tuple[Prepared, Prepared]:
    """Return rows to learn from and a fifth to stop by, patients kept whole."""
    patients = np.unique(rows.group)
    rng = generator(config.seed, "effect validation", label)
    held = rng.permutation(patients)[: max(1, round(VALIDATION * len(patients)))]
    inside = np.isin(rows.group, held)
    return rows.take(np.flatnonzero(~inside)), rows.take(np.flatnonzero(inside))


def answer_members(members: Mapping[str, Any], prepared: Prepared) -> np.ndarray:
    """Return what each member says of rows, float64 (members, rows)."""
    return np.stack([answer_rows(fitted, prepared) for fitted in members.values()])


def weigh_members(said: np.ndarray, truth: np.ndarray, binary: bool) -> np.ndarray:
    """Return the members' weights from what they say of rows they were not fitted on.

    `said` (members, rows) are chances of 1 or values, `truth` (rows,).
    """
    if len(said) == 1 or not len(truth):
        return np.full(len(said), 1 / len(said))
    if binary:
        both = np.stack([1 - said, said], axis=2)
        return choose_weights(both, truth.astype(np.int64))
    return choose_weights(said, truth)


def join_members(members: Mapping[str, Any], weights: Sequence[float]) -> tuple[Part, ...]:
    """Return fitted members as the parts of a quantity."""
    pairs = zip(members.items(), weights, strict=True)
    return tuple(Part(name, float(weight), fitted) for (name, fitted), weight in pairs)
