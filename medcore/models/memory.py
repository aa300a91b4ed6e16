"""How much memory an encoder of images takes for a row: a blank one is looked at to see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

# What an encoder may hold while it looks: a layer's input, its output and what lies between.
LOOK_BYTES, HELD = 128 * 2**20, 4


def kept_bytes(encoder: nn.Module, shape: Sequence[int]) -> int:
    """Return what an encoder keeps of an item of a shape until its gradients are known."""
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    learned = any(parameter.requires_grad for parameter in encoder.parameters())
    with (
        _asked(encoder, shape) as (each, blank, slices),
        saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.set_grad_enabled(learned),
    ):
        each(blank)
    return slices * sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def looked_at_once(encoder: nn.Module, shape: Sequence[int], most: int) -> int:
    """Return how many items of a shape an encoder looks at together, `most` at most.

    The layer that makes most of them decides.
    """
    sizes = [0]

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        sizes.append(output.numel() * output.element_size())

    with _asked(encoder, shape) as (each, blank, slices), torch.inference_mode():
        hooks = [m.register_forward_hook(note) for m in each.modules() if not list(m.children())]
        each(blank)
        for hook in hooks:
            hook.remove()
    return max(1, min(most, LOOK_BYTES // max(HELD * slices * max(sizes), 1)))


@contextmanager
def _asked(encoder: nn.Module, shape: Sequence[int]) -> Iterator[tuple[nn.Module, Tensor, int]]:
    """Yield what looks at a blank item, as in use, and at how many alike: slices of a volume."""
    each = getattr(encoder, "each", encoder)
    slices, seen = (shape[0], shape[1:]) if each is not encoder else (1, shape)
    device, learning = next(encoder.parameters()).device, encoder.training
    encoder.eval()
    yield each, torch.zeros(1, *seen, device=device), slices
    encoder.train(learning)
