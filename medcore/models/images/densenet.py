"""DenseNet-121 (Huang et al. 2017), its modules named as in the published weights."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from medcore.models.images.residual import convolution, large_stem

GROWTH, STEM, BLOCKS, NARROW = 32, 64, (6, 12, 24, 16), 4


class DenseLayer(nn.Module):
    """One layer: what it makes is laid beside all that came before."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, NARROW * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(NARROW * GROWTH)
        self.conv2 = nn.Conv2d(NARROW * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, inputs + 32, …)."""
        inner = self.conv1(functional.relu(self.norm1(values)))
        made = self.conv2(functional.relu(self.norm2(inner)))
        return torch.cat([values, made], dim=1)


def _transition(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(inputs),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(inputs, inputs // 2, 1, bias=False),
            pool=nn.AvgPool2d(2, ceil_mode=True),
        )
    )


class DenseNet(nn.Module):
    """DenseNet-121 without its last layer.

    Small images get a stem that keeps their size.

    Shape: (rows, channels, height, width) → (rows, 1024).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        size, step, pooled = large_stem(spec)
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=convolution(spec["shape"][0], STEM, size, step),
            norm0=nn.BatchNorm2d(STEM),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, 2, 1) if pooled else nn.Identity(),
        )
        width = STEM
        for place, count in enumerate(BLOCKS, start=1):
            layers = OrderedDict(
                (f"denselayer{layer + 1}", DenseLayer(width + layer * GROWTH))
                for layer in range(count)
            )
            parts[f"denseblock{place}"] = nn.Sequential(layers)
            width += count * GROWTH
            if place < len(BLOCKS):
                parts[f"transition{place}"] = _transition(width)
                width //= 2
        parts["norm5"] = nn.BatchNorm2d(width)
        self.features = nn.Sequential(parts)
        self.width = width

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, 1024)."""
        return functional.relu(self.features(values)).mean(dim=(2, 3))
