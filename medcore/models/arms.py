"""Heads of networks that answer for either arm of a treatment from one shared representation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ArmHeads(nn.Module):
    """What is expected without treatment and with it: TARNet's heads (Shalit et al. 2017).

    Shape: (rows, width) → (rows, 1, 2), logits or standardised values. `layers` are a head's own
    hidden layers.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.arms = nn.ModuleList(_head(width, layers) for _ in range(2))

    def forward(self, shared: Tensor) -> Tensor:
        """Return (rows, 1, 2): without, with."""
        return torch.cat([arm(shared) for arm in self.arms], dim=1).unsqueeze(1)


class DragonHeads(nn.Module):
    """As `ArmHeads`, and the chance of treatment and a fluctuation: DragonNet (Shi et al. 2019).

    The representation must tell who is treated, so that it keeps what confounds. Shape:
    (rows, width) → (rows, 1, 4): without, with, logit of treatment, and the fluctuation of
    targeted regularisation, which is the same for all rows.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.arms = ArmHeads(width, layers)
        self.treatment = nn.Linear(width, 1)
        self.fluctuation = nn.Parameter(torch.zeros(1))

    def forward(self, shared: Tensor) -> Tensor:
        """Return (rows, 1, 4)."""
        rows = len(shared)
        more = [self.treatment(shared), self.fluctuation.expand(rows, 1)]
        return torch.cat([self.arms(shared), torch.cat(more, dim=1).unsqueeze(1)], dim=2)


def _head(width: int, layers: int) -> nn.Sequential:
    steps: list[nn.Module] = []
    for _ in range(layers):
        steps += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*steps, nn.Linear(width, 1))
