"""A small transformer over courses, whose places are continuous times."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medcore.models.series.moments import count_channels, split_moments, take_last

HEADS, DEPTH, WAVES = 4, 2, 16
DROPOUT = 0.1


class TimeEncoding(nn.Module):
    """Times as a straight line and waves of learned lengths (Time2Vec; Kazemi et al. 2019).

    Shape: (rows, steps) → (rows, steps, width).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lengths = nn.Parameter(torch.logspace(-2, 0.5, WAVES))
        self.phases = nn.Parameter(torch.zeros(WAVES))
        self.project = nn.Linear(2 * WAVES + 1, width)

    def forward(self, time: Tensor) -> Tensor:
        angles = time[..., None] * self.lengths + self.phases
        line = torch.log1p((-time).clamp(min=0))[..., None]
        return self.project(torch.cat([line, torch.sin(angles), torch.cos(angles)], dim=2))


class TimeTransformer(nn.Module):
    """Visits that attend to one another, each with its time; the last one's view and the mean.

    Shape: (rows, steps, 2 + 2 × channels) → (rows, 2 × inner width).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        inner = HEADS * max(1, round(spec["settings"]["width"] / HEADS))
        self.width = 2 * inner
        self.entrance = nn.Linear(2 * count_channels(spec), inner)
        self.times = TimeEncoding(inner)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                inner, HEADS, 2 * inner, dropout=DROPOUT, activation="gelu", batch_first=True,
                norm_first=True,
            )
            for _ in range(DEPTH)
        )  # fmt: skip
        self.norm = nn.LayerNorm(inner)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (rows, width)."""
        moments = split_moments(inputs)
        there = moments.there.clone()
        # A row without any moment attends to an empty one; attention to nothing has no value.
        there[:, 0] = True
        states = self.entrance(torch.cat([moments.values, moments.known], dim=2))
        states = states + self.times(moments.time)
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=~there)
        states = self.norm(states) * there[..., None]
        mean = states.sum(dim=1) / there.sum(dim=1, keepdim=True)
        return torch.cat([take_last(states, there), mean], dim=1)
