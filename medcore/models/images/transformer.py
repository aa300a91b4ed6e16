"""A small vision transformer (Dosovitskiy et al. 2021): patches that attend to one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH, DEPTH, HEADS = 192, 6, 3
# A patch is about this share of the longer side.
PATCHES = 14


class SmallTransformer(nn.Module):
    """Patches as tokens with learned places, six layers, their mean.

    Shape: (rows, channels, height, width) → (rows, 192).
    """

    width = WIDTH

    def __init__(self, spec: dict) -> None:
        super().__init__()
        channels, height, width = spec["shape"]
        size = max(2, round(max(height, width) / PATCHES))
        self.patches = nn.Conv2d(channels, WIDTH, size, size)
        self.pad = (0, -width % size, 0, -height % size)
        count = -(-height // size) * -(-width // size)
        self.places = nn.Parameter(torch.randn(1, count, WIDTH) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, HEADS, 4 * WIDTH, dropout=0.1, activation="gelu", batch_first=True,
                norm_first=True,
            )
            for _ in range(DEPTH)
        )  # fmt: skip
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, 192)."""
        padded = nn.functional.pad(values, self.pad)
        tokens = self.patches(padded).flatten(2).transpose(1, 2) + self.places
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens).mean(dim=1)
