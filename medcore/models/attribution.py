"""What of a course counted: integrated gradients over visits and values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from medcore.models.fusion import Piece
from medcore.models.network import Network
from medcore.models.series.moments import LEAD

PATH_STEPS = 64


def attribute_moments(
    network: Network, inputs: Mapping[str, Piece], key: str, place: int, *, classes: bool
) -> tuple[np.ndarray, float, float]:
    """Return what each value of one row's course adds to the answer, and both ends of the path.

    Integrated gradients (Sundararajan, Taly and Yan 2017) from the same visits and tests with each
    result at the training patients' mean, by the midpoint rule: (steps, channels). The ends are the
    answer there and the network's own; the shares add up to their difference, but for the steps.
    `place` is that of a class's probability, or of the output.
    """
    piece = inputs[key]
    values = piece.values.detach()
    channels = (values.shape[2] - LEAD) // 2
    measured = torch.zeros_like(values)
    measured[..., LEAD : LEAD + channels] = values[..., LEAD : LEAD + channels]

    def answer(course: Tensor) -> Tensor:
        output = network({**inputs, key: Piece(course, piece.present)}).double()
        output = output.softmax(dim=2) if classes else output
        return output.mean(dim=1)[:, place].sum()

    total = torch.zeros_like(values)
    for step in range(PATH_STEPS):
        share = (step + 0.5) / PATH_STEPS
        point = (values - measured * (1 - share)).requires_grad_(True)
        (gradient,) = torch.autograd.grad(answer(point), point)
        total += gradient
    found = (measured * total / PATH_STEPS)[0, :, LEAD : LEAD + channels]
    with torch.no_grad():
        ends = float(answer(values - measured)), float(answer(values))
    return found.double().cpu().numpy(), *ends
