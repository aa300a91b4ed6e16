"""What TARNet and DragonNet make small, and how their answers become effects.

`outcome` (rows, 2) is the outcome (0 or 1, or standardised) and the arm, 1 for the treated. Each
patient teaches the head of the own arm; arms weigh alike, whatever their sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medcore.records import Prepared

# How much the treatment's head and targeted regularisation weigh (Shi et al. 2019).
TREATMENT, TARGETED = 1.0, 1.0
# Chances of treatment are kept this far from 0 and 1 where they are divided by.
LEAST = 0.01


@dataclass(frozen=True, eq=False)
class Arms:
    """What a network for two arms learns: its name, whether the outcome is yes or no, and the
    share of the treated among the training rows."""

    name: str
    binary: bool
    share: float

    @property
    def outputs(self) -> int:
        """How many numbers the network answers for each patient."""
        return {"tarnet": 2, "dragonnet": 4}[self.name]

    def least_rows(self, rows: Any) -> int:  # noqa: ARG002
        """Return how many rows a step needs at least."""
        return 1

    def loss(self, output: Tensor, outcome: Tensor) -> Tensor:
        """Return the mean loss; `output` (rows, 1, outputs)."""
        output = output.float().squeeze(1)
        value, arm = outcome[:, 0], outcome[:, 1]
        own = torch.where(arm > 0, output[:, 1], output[:, 0])
        weight = torch.where(arm > 0, 0.5 / self.share, 0.5 / (1 - self.share))
        loss = (weight * self._distance(own, value)).mean()
        if self.name == "tarnet":
            return loss
        chance = output[:, 2].sigmoid().clamp(LEAST, 1 - LEAST)
        loss = loss + TREATMENT * functional.binary_cross_entropy_with_logits(output[:, 2], arm)
        moved = own + output[:, 3] * (arm / chance - (1 - arm) / (1 - chance))
        return loss + TARGETED * self._distance(moved, value).mean()

    def _distance(self, said: Tensor, value: Tensor) -> Tensor:
        if self.binary:
            return functional.binary_cross_entropy_with_logits(said, value, reduction="none")
        return (said - value) ** 2


def plan_arms(name: str, train: Prepared) -> Arms | None:
    """Return what the network `name` learns of rows of two arms; None for another task."""
    if train.task != "effect":
        return None
    return Arms(name, bool(train.classes), float(train.outcome[:, 1].mean()))


def read_effects(output: np.ndarray, binary: bool, spread: float) -> np.ndarray:
    """Return effects (rows, members) from float64 (rows, members, outputs)."""
    if binary:
        without, given = (1 / (1 + np.exp(-output[:, :, arm])) for arm in (0, 1))
        return given - without
    return (output[:, :, 1] - output[:, :, 0]) * spread
