"""Parameters in one piece, the optimiser over them, the learning-rate schedule, and clipping.

All parameters of a group are views into one flat tensor, and so are their gradients: a step, a
clipping and a reset then cost one call each instead of one per layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from medcore.config import TrainConfig

ALIGNMENT = 16
WARM_UP = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4


def build_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return AdamW, or SGD with momentum, over the network's flattened parameters.

    Weight decay pulls on the weight matrices only: biases, norms, number embeddings and TabM's
    per-member scalings would be pulled away from doing their work (Gorishniy et al. 2025). A
    parameter's `rate`, where it has one, is the share of the learning rate that it learns with.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {(True, 1.0): [], (False, 1.0): []}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        kind = decays(name, parameter), getattr(parameter, "rate", 1.0)
        groups.setdefault(kind, []).append(parameter)
    flat = [
        {
            "params": [_flatten(parameters)],
            "weight_decay": config.weight_decay if decay else 0.0,
            "rate": rate,
        }
        for (decay, rate), parameters in groups.items()
        if parameters
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(flat, lr=config.learning_rate, momentum=config.momentum, fused=True)
    return torch.optim.AdamW(flat, lr=config.learning_rate, fused=True)


def decays(name: str, parameter: Tensor) -> bool:
    """Tell whether weight decay is meant for a parameter.

    >>> decays("trunk.0.weight", torch.zeros(3, 2)), decays("trunk.0.bias", torch.zeros(3))
    (True, False)
    """
    return name.endswith("weight") and parameter.ndim > 1 and ".embedding." not in name


def _flatten(parameters: list[nn.Parameter]) -> nn.Parameter:
    """Move parameters into one flat parameter and make them, and their gradients, views of it."""
    sizes = [-(-parameter.numel() // ALIGNMENT) * ALIGNMENT for parameter in parameters]
    flat = nn.Parameter(parameters[0].new_zeros(sum(sizes)))
    flat.grad = torch.zeros_like(flat)
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    for start, parameter in zip(starts, parameters, strict=True):
        piece = slice(start, start + parameter.numel())
        flat.data[piece] = parameter.data.flatten()
        parameter.data = flat.data[piece].view_as(parameter)
        parameter.grad = flat.grad[piece].view_as(parameter)
    return flat


def flat_parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Return the flat parameters that `build_optimizer` made."""
    return [group["params"][0] for group in optimizer.param_groups]


def clip_gradients(gradients: list[Tensor], limit: float) -> None:
    """Scale gradients in place so that their joint Euclidean norm is at most `limit`.

    >>> gradient = torch.tensor([3.0, 4.0])
    >>> clip_gradients([gradient], 1.0)
    >>> round(float(gradient.norm()), 4)
    1.0
    """
    norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
    norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
    factor = (limit / (norm + 1e-6)).clamp_(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0, of `steps` in the whole fit.

    One cycle rises from 1/25 of the peak over the first 30 % of steps and falls to 1/10,000 of
    the start, both along a cosine (Smith and Topin 2018), as in PyTorch's `OneCycleLR`. A fit of
    a single step takes the peak.

    >>> learning_rate(TrainConfig(learning_rate=0.1, schedule="constant"), 5, 10)
    0.1
    """
    peak = config.learning_rate
    if config.schedule == "constant" or steps == 1:
        return peak
    start = peak / START_DIVISOR
    top = WARM_UP * steps - 1
    if step <= top:
        return _cosine(start, peak, step / top)
    rest = (steps - 1) - top
    return _cosine(peak, start / END_DIVISOR, (step - top) / rest)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
