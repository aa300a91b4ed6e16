"""One image looked at several times, each time moved a little; the answers are averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor
from torch.nn import functional

from medcore.models.fusion import Inputs, Piece

# How far a view is moved, as a share of the longer side; at least one pixel.
REACH = 0.03
MOVES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


def count_views(network: dict) -> int:
    """Return how often a network of this spec looks at a row."""
    views = [b["settings"]["views"] for b in network["blocks"].values() if b["kind"] == "image"]
    return max(views, default=1)


def move_images(inputs: Inputs, network: dict) -> Iterator[Inputs]:
    """Yield the inputs as they are, then with all images moved, the border being repeated."""
    yield inputs
    images = {key for key, block in network["blocks"].items() if block["kind"] == "image"}
    for down, right in MOVES[1 : count_views(network)]:
        assert isinstance(inputs, Mapping)
        yield {
            key: Piece(_move(piece.values, down, right), piece.present) if key in images else piece
            for key, piece in inputs.items()
        }


def _move(values: Tensor, down: int, right: int) -> Tensor:
    if values.ndim == 5:
        return _move(values.flatten(1, 2), down, right).view_as(values)
    height, width = values.shape[2:]
    step = max(1, round(REACH * max(height, width)))
    step = min(step, height - 1, width - 1)
    if step < 1:
        return values
    padded = functional.pad(values, (step, step, step, step), mode="replicate")
    top, left = step - down * step, step - right * step
    return padded[:, :, top : top + height, left : left + width]
