"""Models of what treatment does to one patient, put together from models of outcome or effect.

A learner names the rule by which its parts make an effect: `t_learner` one outcome model an arm,
`s_learner` one with treatment among its inputs, `x_learner` and `dr_learner` models of effects
themselves (Künzel et al. 2019; Kennedy 2023), `tarnet` and `dragonnet` a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medcore.models.plain import PlainModel


@dataclass(frozen=True, eq=False)
class Part:
    """A fitted model of one quantity with its share in the weighted mean of those alike."""

    name: str
    weight: float
    fitted: Any


# What answers for a fitted model: values or the chance of "yes", (rows,); for the single model of
# the s_learner the arm is given.
Answer = Callable[[Any, int | None], np.ndarray]


@dataclass(frozen=True, eq=False)
class EffectModel:
    """Parts by the quantity they stand for, and the rule that joins them.

    Quantities: untreated and treated (outcomes), single (outcome, arm among its inputs),
    propensity, effect, effect_untreated and effect_treated (learned in one arm), network.
    """

    learner: str
    parts: Mapping[str, Sequence[Part]]

    @property
    def spec(self) -> dict[str, Any]:
        """All but the arrays, ready for JSON."""
        return {
            "learner": self.learner,
            "parts": {
                quantity: [
                    {
                        "name": part.name,
                        "weight": part.weight,
                        "plain": isinstance(part.fitted, PlainModel),
                        "spec": part.fitted.spec,
                    }
                    for part in parts
                ]
                for quantity, parts in self.parts.items()
            },
        }

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The parts' arrays, named by quantity and place."""
        return {
            f"{quantity}.{place}.{name}": array
            for quantity, parts in self.parts.items()
            for place, part in enumerate(parts)
            for name, array in part.fitted.arrays.items()
        }


def read_effect_model(
    spec: Mapping[str, Any], arrays: Mapping[str, np.ndarray], network: Callable[..., Any]
) -> EffectModel:
    """Return the model that `spec` and `arrays` came from; `network` makes a trained network."""
    parts = {}
    for quantity, listed in spec["parts"].items():
        found = []
        for place, part in enumerate(listed):
            start = f"{quantity}.{place}."
            own = {name.removeprefix(start): a for name, a in arrays.items()
                   if name.startswith(start)}  # fmt: skip
            make = PlainModel if part["plain"] else network
            found.append(Part(part["name"], part["weight"], make(part["spec"], own)))
        parts[quantity] = tuple(found)
    return EffectModel(spec["learner"], parts)


def predict_effect(model: EffectModel, answer: Answer) -> np.ndarray:
    """Return each row's effect, float64 (rows,), by the learner's rule."""

    def mean(quantity: str, arm: int | None = None) -> np.ndarray:
        return sum(part.weight * answer(part.fitted, arm) for part in model.parts[quantity])

    if model.learner == "t_learner":
        return mean("treated") - mean("untreated")
    if model.learner == "s_learner":
        return mean("single", 1) - mean("single", 0)
    if model.learner == "x_learner":
        chance = mean("propensity")
        return chance * mean("effect_untreated") + (1 - chance) * mean("effect_treated")
    return mean("effect" if model.learner == "dr_learner" else "network")
