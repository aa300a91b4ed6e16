"""Volumes: each slice seen by a network of images and pooled, or all by a network in 3-D."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ATTENDED = 64


class SlicePool(nn.Module):
    """A network of images over the slices of a volume, joined to one vector a volume.

    `pooling`: "attention" weighs slices by what they hold (gated attention, Ilse et al. 2018), so
    that few slices can decide; "max" takes each number's largest, "mean" the average.

    Shape: (rows, slices, channels, height, width) → (rows, width).
    """

    def __init__(self, each: nn.Module, pooling: str) -> None:
        super().__init__()
        self.each = each
        self.width = each.width
        self.pooling = pooling
        if pooling == "attention":
            self.value = nn.Linear(self.width, ATTENDED)
            self.gate = nn.Linear(self.width, ATTENDED)
            self.weigh = nn.Linear(ATTENDED, 1)

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, width)."""
        vectors = self.each(values.flatten(0, 1)).unflatten(0, values.shape[:2])
        if self.pooling == "max":
            return vectors.amax(dim=1)
        if self.pooling == "mean":
            return vectors.mean(dim=1)
        return (self.slice_shares(vectors) * vectors).sum(dim=1)

    def slice_shares(self, vectors: Tensor) -> Tensor:
        """Return how much each slice counts, (rows, slices, 1), with sums of 1."""
        gated = torch.tanh(self.value(vectors)) * torch.sigmoid(self.gate(vectors))
        return self.weigh(gated).softmax(dim=1)


class SolidBlock(nn.Module):
    """Two 3 × 3 × 3 convolutions beside a shortcut; `step` 2 halves the sides."""

    def __init__(self, inputs: int, outputs: int, step: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(inputs, outputs, 3, step, 1, bias=False)
        self.first_norm = nn.BatchNorm3d(outputs)
        self.second = nn.Conv3d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm3d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module = nn.Identity()
        if step > 1 or inputs != outputs:
            narrow = nn.Conv3d(inputs, outputs, 1, step, bias=False)
            self.shortcut = nn.Sequential(narrow, nn.BatchNorm3d(outputs))

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, outputs, …)."""
        inner = self.relu(self.first_norm(self.first(values)))
        return self.relu(self.second_norm(self.second(inner)) + self.shortcut(values))


class ResNet3d(nn.Module):
    """A small residual network in three dimensions, 0.5 million parameters; for small volumes.

    An image counts as a volume of one slice.

    Shape: (rows, slices, channels, height, width) → (rows, 96).
    """

    width = 96

    def __init__(self, spec: dict) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(spec["shape"][-3], 24, 3, (1, 2, 2), 1, bias=False),
            nn.BatchNorm3d(24),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.Sequential(
            SolidBlock(24, 24, 1), SolidBlock(24, 48, 2), SolidBlock(48, 96, 2)
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, 96)."""
        volume = values.unsqueeze(1) if values.ndim == 4 else values
        return self.stages(self.stem(volume.transpose(1, 2))).mean(dim=(2, 3, 4))
