"""A temporal convolution over courses and signals (Bai, Kolter and Koltun 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from medcore.models.series.moments import count_channels, split_moments, take_last, time_since_visit

KERNEL, MOST_LEVELS = 3, 7


class TemporalConvolution(nn.Module):
    """Causal convolutions, each seeing twice as far back, and the mean and last of what they say.

    Shape: (rows, steps, 2 + 2 × channels) → (rows, 2 × width).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        steps, width = spec["shape"][0], spec["settings"]["width"]
        self.width = 2 * width
        self.entrance = nn.Linear(2 * count_channels(spec) + 2, width)
        levels = 1
        while levels < MOST_LEVELS and KERNEL * 2**levels < steps:
            levels += 1
        self.levels = nn.ModuleList(_Level(width, 2**level) for level in range(levels))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (rows, 2 × width)."""
        moments = split_moments(inputs)
        gap = torch.log1p(time_since_visit(moments).clamp(min=0))
        ago = torch.log1p((-moments.time).clamp(min=0))
        told = [moments.values, moments.known, gap[..., None], ago[..., None]]
        there = moments.there[..., None]
        states = self.entrance(torch.cat(told, dim=2)) * there
        for level in self.levels:
            states = level(states) * there
        mean = states.sum(dim=1) / there.sum(dim=1).clamp(min=1)
        return torch.cat([take_last(states, moments.there), mean], dim=1)


class _Level(nn.Module):
    """Normalise, convolve causally, add to what was there. Shape: (rows, steps, width) → same."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.reach = (KERNEL - 1) * dilation
        self.convolution = nn.Conv1d(width, width, KERNEL, dilation=dilation)
        self.mix = nn.Linear(width, width)

    def forward(self, states: Tensor) -> Tensor:
        found = functional.pad(self.norm(states).transpose(1, 2), (self.reach, 0))
        found = functional.gelu(self.convolution(found)).transpose(1, 2)
        return states + self.mix(found)
