"""Where in an image the places of a layer's map lie, and a map brought back to the image's size.

A layer that halves an image does not look at the middle of every two pixels: a padded convolution
with an odd kernel looks at the first. After four such layers a map that is merely stretched to the
image's size lies beside the truth by half a place, which a small lesion does not forgive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

# How far the value of a place reaches, in places: so far that the highest point may lie between
# two of them. Chosen on phantoms other than those that are reported.
REACH = 0.8


@dataclass
class Places:
    """A layer's output, and of each axis (height, width) where its first place lies and the step.

    Both in pixels of the image.
    """

    size: tuple[int, int] = (0, 0)
    first: list[float] = field(default_factory=lambda: [0.0, 0.0])
    step: list[float] = field(default_factory=lambda: [1.0, 1.0])
    output: Tensor | None = None

    def spread(self, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Return a map (places, places) in an image's size; each pixel the mean of near places.

        Weights fall with the distance as a normal density of `REACH` places.
        """
        for axis in (0, 1):
            places = self.first[axis] + self.step[axis] * np.arange(values.shape[axis])
            away = (np.arange(size[axis])[:, None] - places) / (REACH * self.step[axis])
            # Less the nearest place's, so that beyond the last place its value goes on.
            away = away**2 - (away**2).min(axis=1, keepdims=True)
            weights = np.exp(-away / 2)
            weights /= weights.sum(axis=1, keepdims=True)
            values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
        return values


@contextmanager
def watch_places(encoder: nn.Module, layer: nn.Module) -> Iterator[Places]:
    """Keep what `layer` answers while the encoder looks at images, and where its places lie.

    >>> import torch
    >>> body = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1), nn.MaxPool2d(2))
    >>> with watch_places(body, body) as seen:
    ...     _ = body(torch.zeros(1, 1, 8, 8))
    >>> seen.first, seen.step
    ([1.0, 1.0], [4.0, 4.0])
    """
    seen = Places()

    def shrink(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before, after = tuple(inputs[0].shape[2:]), tuple(output.shape[2:])
        seen.size = seen.size if any(seen.size) else before
        # A shortcut beside shrinks what was shrunk already.
        if seen.output is not None or before != seen.size or after == before:
            return
        for axis in (0, 1):
            kernel, step, pad = (_on_axis(getattr(module, name), axis) for name in SHAPE)
            seen.first[axis] += seen.step[axis] * ((kernel - 1) / 2 - pad)
            seen.step[axis] *= step
        seen.size = after

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.output = output if seen.output is None else seen.output

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    shrinking = [module for module in encoder.modules() if isinstance(module, kinds)]
    handles = [module.register_forward_hook(shrink) for module in shrinking]
    handles.append(layer.register_forward_hook(keep))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


SHAPE = ("kernel_size", "stride", "padding")


def _on_axis(value: int | tuple[int, ...], axis: int) -> int:
    return value[axis] if isinstance(value, tuple) else value
