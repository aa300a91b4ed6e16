"""Residual networks (He et al. 2016): a small one that learns on a processor, and ResNet-18/50.

ResNet's modules are named as in the published weights, so that a safetensors file of those fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

# Sides up to here are halved once at the start, larger ones twice, or three times beyond twice it.
HALVED_ONCE = 64
# Large networks keep the size of images up to here at the start.
KEPT = 32


def large_stem(spec: Mapping[str, Any]) -> tuple[int, int, bool]:
    """Return how a large network starts: its first kernel's size and step, and whether it pools.

    What was published for 224 pixels halves sides twice; small images would have no places left.
    Networks of the first design kept sides up to 64 pixels, four times the memory and time.

    >>> large_stem({"shape": (1, 28, 28), "design": 2}), large_stem({"shape": (1, 64, 64)})
    ((3, 1, False), (3, 1, False))
    >>> large_stem({"shape": (1, 64, 64), "design": 2}), large_stem({"shape": (1, 128, 128)})
    ((7, 2, False), (7, 2, True))
    """
    side = max(spec["shape"][1:])
    if side <= (HALVED_ONCE if spec.get("design", 1) == 1 else KEPT):
        return 3, 1, False
    return 7, 2, side > HALVED_ONCE


def convolution(inputs: int, outputs: int, size: int, step: int = 1) -> nn.Conv2d:
    """Return a convolution without bias whose padding keeps the size at step 1."""
    return nn.Conv2d(inputs, outputs, size, step, size // 2, bias=False)


class SmallBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut; `step` 2 halves the sides."""

    def __init__(self, inputs: int, outputs: int, step: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, 3, step)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = convolution(outputs, outputs, 3)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        plain = step == 1 and inputs == outputs
        self.shortcut: nn.Module = (
            nn.Identity()
            if plain
            else nn.Sequential(convolution(inputs, outputs, 1, step), nn.BatchNorm2d(outputs))
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, outputs, …)."""
        inner = self.relu(self.first_norm(self.first(values)))
        return self.relu(self.second_norm(self.second(inner)) + self.shortcut(values))


class ResNetSmall(nn.Module):
    """The default: 0.3 million parameters.

    Shape: (rows, channels, height, width) → (rows, 128).
    """

    width = 128

    def __init__(self, spec: dict) -> None:
        super().__init__()
        channels, side = spec["shape"][0], max(spec["shape"][1:])
        step = 1 if side <= HALVED_ONCE else 2
        stem: list[nn.Module] = [
            convolution(channels, 32, 3 if step == 1 else 5, step),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]
        if side > 2 * HALVED_ONCE:
            stem.append(nn.MaxPool2d(2))
        self.stem = nn.Sequential(*stem)
        self.stages = nn.Sequential(
            SmallBlock(32, 32, 1), SmallBlock(32, 64, 1), SmallBlock(64, 128, 2)
        )

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, 128)."""
        # Convolutions on a processor are a third faster with the channels of a pixel side by side.
        first = self.stem[0](values).contiguous(memory_format=torch.channels_last)
        return self.stages(self.stem[1:](first)).mean(dim=(2, 3))


class BasicBlock(nn.Module):
    """ResNet-18's block, named as in the published weights."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, step: int) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, planes, 3, step)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = convolution(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = _downsample(inputs, planes, step)

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, planes, …)."""
        inner = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(values)))))
        return self.relu(inner + self.downsample(values))


class Bottleneck(nn.Module):
    """ResNet-50's block, named as in the published weights."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, step: int) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = convolution(planes, planes, 3, step)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = convolution(planes, planes * 4, 1)
        self.bn3 = nn.BatchNorm2d(planes * 4)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(inputs, planes * 4, step)

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, 4 × planes, …)."""
        inner = self.relu(self.bn1(self.conv1(values)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        return self.relu(self.bn3(self.conv3(inner)) + self.downsample(values))


def _downsample(inputs: int, outputs: int, step: int) -> nn.Module:
    if step == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(convolution(inputs, outputs, 1, step), nn.BatchNorm2d(outputs))


class ResNet(nn.Module):
    """ResNet-18 or ResNet-50 without its last layer.

    Small images get a stem that keeps their size, as is usual for them.

    Shape: (rows, channels, height, width) → (rows, 512 or 2048).
    """

    def __init__(self, spec: dict, blocks: tuple[int, ...], bottleneck: bool) -> None:
        super().__init__()
        kind = Bottleneck if bottleneck else BasicBlock
        size, step, pooled = large_stem(spec)
        self.conv1 = convolution(spec["shape"][0], 64, size, step)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool: nn.Module = nn.MaxPool2d(3, 2, 1) if pooled else nn.Identity()
        inputs = 64
        for stage, count in enumerate(blocks):
            planes, layers = 64 * 2**stage, []
            for place in range(count):
                layers.append(kind(inputs, planes, 2 if stage and not place else 1))
                inputs = planes * kind.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.width = inputs

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, width)."""
        values = self.conv1(values).contiguous(memory_format=torch.channels_last)
        values = self.maxpool(self.relu(self.bn1(values)))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            values = stage(values)
        return values.mean(dim=(2, 3))
