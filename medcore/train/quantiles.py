"""Numbers with quantiles beside them: what a network learns, and how far its interval reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.config import RunConfig
from medcore.records import Prepared
from medcore.train.trained import TrainedNetwork, network_output

# A network answers the number itself and, beside it, the lower and the upper quantile.
OUTPUTS = 3


@dataclass(frozen=True, eq=False)
class Quantiles:
    """The number by squared error, and the quantiles at `cuts` by the pinball loss."""

    cuts: tuple[float, float]
    name = "quantiles"
    outputs = OUTPUTS

    def least_rows(self, rows: Any) -> int:  # noqa: ARG002
        """Return how many rows a step needs at least."""
        return 1

    def loss(self, output: Tensor, outcome: Tensor) -> Tensor:
        """Return the mean loss of `output` (rows, members, 3) for standardised values (rows,)."""
        output, outcome = output.float(), outcome[:, None]
        loss = ((output[..., 0] - outcome) ** 2).mean()
        for place, level in enumerate(self.cuts, 1):
            loss = loss + pinball_loss(output[..., place], outcome, level)
        return loss


def pinball_loss(said: Tensor, outcome: Tensor, level: float) -> Tensor:
    """Return the mean pinball loss (Koenker and Bassett 1978), least at the quantile `level`.

    >>> float(pinball_loss(torch.tensor([0.0]), torch.tensor([2.0]), 0.75))
    1.5
    """
    over = outcome - said
    return torch.maximum(level * over, (level - 1) * over).mean()


def plan_quantiles(train: Prepared, config: RunConfig) -> Quantiles | None:
    """Return what networks for a number learn beside it; None where none is asked for."""
    if train.task != "regression" or not config.model.quantiles:
        return None
    outside = (1 - config.evaluate.coverage) / 2
    return Quantiles((outside, 1 - outside))


def predict_reach(trained: TrainedNetwork, prepared: Prepared) -> np.ndarray | None:
    """Return how far the quantiles lie below and above the number, float64 (rows, 2), from 0.

    In the outcome's unit; None for a network without quantiles.
    """
    if trained.spec["task"] != "regression" or trained.spec["network"]["outputs"] != OUTPUTS:
        return None
    number, low, high = np.moveaxis(network_output(trained, prepared).mean(axis=1), 1, 0)
    reach = np.stack([number - low, high - number], axis=1)
    return reach.clip(0) * trained.spec["outcome_spread"]
