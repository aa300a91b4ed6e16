"""What treatment does to one patient, learned in one of several ways.

All of a learner's rows lie outside the fold that it is judged on, and so does everything it is
given: the expected outcomes and chances of treatment come from models that also left out each
row's own fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medcore.config import RunConfig, generator
from medcore.evaluate.causal import Compared
from medcore.models.baselines import fit_baseline
from medcore.models.effects import EffectModel, Part
from medcore.models.plain import freeze_baseline
from medcore.predict import answer_rows, plain_values
from medcore.prepare.arms import ARM, outcome_rows, read_arms, value_rows, with_feature
from medcore.recipes.nuisance import (
    Reins,
    Stopped,
    fit_member,
    hold_out,
    join_members,
    member_names,
    weigh_members,
)
from medcore.records import Prepared
from medcore.train import train_network

# Scores of effects are mostly noise: a forest must average many of them, and one effect for all
# is always among what may be joined.
LEAF, LEAF_SHARE = 10, 40
EFFECT_MEMBERS = ("prevalence", "logistic", "random_forest")


@dataclass(frozen=True, eq=False)
class Stage:
    """What a learner is given: prepared rows, what is known of each, and each row's fold.

    `parts` are the models of the quantities fitted on all of these rows.
    """

    prepared: Prepared
    compared: Compared
    fold: np.ndarray
    parts: Mapping[str, tuple[Part, ...]]
    config: RunConfig
    label: str
    reins: Reins

    @property
    def binary(self) -> bool:
        """Whether the outcome is yes or no."""
        return bool(self.prepared.classes)


def fit_learner(name: str, stage: Stage) -> EffectModel:
    """Return a fitted learner; raises `Stopped`."""
    return EffectModel(name, LEARNERS[name](stage))


def _fit_dr(stage: Stage) -> dict[str, tuple[Part, ...]]:
    """Regress the doubly robust scores on the inputs (Kennedy 2023)."""
    return {"effect": _stack_effects(stage, stage.compared.scores, None)}


def _fit_x(stage: Stage) -> dict[str, tuple[Part, ...]]:
    """Regress in each arm what the other arm's model does not expect (Künzel et al. 2019)."""
    known = stage.compared
    given = known.outcome - known.untreated_mean
    without = known.treated_mean - known.outcome
    return {
        "propensity": stage.parts["propensity"],
        "effect_treated": _stack_effects(stage, given, 1),
        "effect_untreated": _stack_effects(stage, without, 0),
    }


def _fit_t(stage: Stage) -> dict[str, tuple[Part, ...]]:
    """One outcome model an arm: those that the average effect is adjusted with."""
    return {name: stage.parts[name] for name in ("untreated", "treated")}


def _fit_s(stage: Stage) -> dict[str, tuple[Part, ...]]:
    """One outcome model with the arm among its inputs."""
    grown = with_feature(stage.prepared, ARM, read_arms(stage.prepared))
    rows = outcome_rows(grown)
    names = member_names(stage.config)

    def fit(name: str, part: Prepared) -> Any:
        return fit_member(name, part, stage.config, f"{stage.label}: outcome", stage.reins)

    return {"single": _stack(names, rows, fit, stage.binary, stage.fold)}


def _fit_network(name: str) -> Callable[[Stage], dict[str, tuple[Part, ...]]]:
    def fit(stage: Stage) -> dict[str, tuple[Part, ...]]:
        learn, judge = hold_out(stage.prepared, stage.config, stage.label)
        seed, reins = stage.config.seed, stage.reins
        checkpoint = None
        if reins.folder is not None:
            from medcore.recipes.units import FileCheckpoint

            place = stage.label.replace(" ", "-")
            checkpoint = FileCheckpoint(reins.folder / f"{name}-{place}.running")
        epochs = train_network(
            name, learn, judge, stage.config, fit=f"{name}, {stage.label}", seed=seed,
            checkpoint=checkpoint, stopping=reins.stopping,
        )  # fmt: skip
        while True:
            try:
                reins.tell(f"{name}, {stage.label}", next(epochs))
            except StopIteration as end:
                if end.value.spec["stopped"]:
                    raise Stopped from None
                return {"network": (Part(name, 1.0, end.value),)}

    return fit


def _stack_effects(stage: Stage, target: np.ndarray, arm: int | None) -> tuple[Part, ...]:
    """Join one effect for all, a ridge regression and a forest of large leaves."""
    inside = np.ones(len(target), dtype=bool)
    if arm is not None:
        inside = read_arms(stage.prepared) == arm
    places = np.flatnonzero(inside)
    rows = value_rows(stage.prepared.take(places), target[places])

    def fit(name: str, part: Prepared) -> Any:
        if stage.reins.stopping():
            raise Stopped
        seed = int(generator(stage.config.seed, "effect", stage.label).integers(2**31 - 1))
        leaf = max(LEAF, len(part.outcome) // LEAF_SHARE)
        made = fit_baseline(name, "regression", plain_values(part), part.outcome, seed, leaf=leaf)
        return freeze_baseline(made, "regression", 0)

    return _stack(EFFECT_MEMBERS, rows, fit, False, stage.fold[places])


def _stack(
    names: tuple[str, ...],
    rows: Prepared,
    fit: Callable[[str, Prepared], Any],
    binary: bool,
    fold: np.ndarray,
) -> tuple[Part, ...]:
    """Fit members on all rows; weigh them by what they say of folds they were not fitted on."""
    said = np.empty((len(names), len(fold)))
    for number in np.unique(fold):
        apart = fold == number
        learn, judge = rows.take(np.flatnonzero(~apart)), rows.take(np.flatnonzero(apart))
        for place, name in enumerate(names):
            said[place, apart] = answer_rows(fit(name, learn), judge)
    weights = weigh_members(said, rows.outcome, binary)
    return join_members({name: fit(name, rows) for name in names}, weights)


LEARNERS: dict[str, Callable[[Stage], dict[str, tuple[Part, ...]]]] = {
    "dr_learner": _fit_dr,
    "s_learner": _fit_s,
    "t_learner": _fit_t,
    "x_learner": _fit_x,
    "tarnet": _fit_network("tarnet"),
    "dragonnet": _fit_network("dragonnet"),
}
