"""EfficientNet-B0 (Tan and Le 2019), its modules named as in the published weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from medcore.models.images.residual import large_stem

# Expansion, kernel, step, width and number of blocks of each stage.
STAGES = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)  # fmt: skip
STEM, LAST = 32, 1280


def _layer(
    inputs: int, outputs: int, size: int, step: int = 1, groups: int = 1, *, active: bool = True
) -> nn.Sequential:
    parts: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, step, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*parts, *([nn.SiLU(inplace=True)] if active else []))


class Excitation(nn.Module):
    """Weighs each channel by what all of the image holds (Hu et al. 2018)."""

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, narrow, 1)
        self.fc2 = nn.Conv2d(narrow, width, 1)

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, width, …)."""
        whole = functional.silu(self.fc1(values.mean(dim=(2, 3), keepdim=True)))
        return values * torch.sigmoid(self.fc2(whole))


class MobileBlock(nn.Module):
    """An inverted bottleneck; `step` 2 halves the sides."""

    def __init__(self, inputs: int, outputs: int, grow: int, size: int, step: int) -> None:
        super().__init__()
        wide = inputs * grow
        parts: list[nn.Module] = [_layer(inputs, wide, 1)] if grow > 1 else []
        parts += [
            _layer(wide, wide, size, step, groups=wide),
            Excitation(wide, max(1, inputs // 4)),
            _layer(wide, outputs, 1, active=False),
        ]
        self.block = nn.Sequential(*parts)
        self.around = step == 1 and inputs == outputs

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, outputs, …)."""
        made = self.block(values)
        return values + made if self.around else made


class EfficientNet(nn.Module):
    """EfficientNet-B0 without its last layer.

    It halves sides five times; those of up to 64 pixels four times, and up to 32 three times.

    Shape: (rows, channels, height, width) → (rows, 1280).
    """

    width = LAST

    def __init__(self, spec: dict) -> None:
        super().__init__()
        _, halves, pooled = large_stem(spec)
        parts: list[nn.Module] = [_layer(spec["shape"][0], STEM, 3, halves)]
        inputs = STEM
        for stage, (grow, size, step, width, count) in enumerate(STAGES):
            first = 1 if not pooled and stage == 1 else step
            blocks = []
            for place in range(count):
                blocks.append(MobileBlock(inputs, width, grow, size, 1 if place else first))
                inputs = width
            parts.append(nn.Sequential(*blocks))
        parts.append(_layer(inputs, LAST, 1))
        self.features = nn.Sequential(*parts)

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, 1280)."""
        return self.features(values).mean(dim=(2, 3))
