"""Random changes of a batch of training images: turned, moved, zoomed, brighter, noisy, erased."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from medcore.config import ImageChanges

# The sides of an erased rectangle, as shares of the image's.
ERASED = (0.1, 0.3)
# Patches along an image's longer side.
PATCHES = 8


def change_images(values: Tensor, changes: ImageChanges) -> Tensor:
    """Return standardised images (rows, channels, height, width) changed as the settings say.

    Each image is changed in its own way, all slices of a volume (rows, slices, channels, …) alike.
    Drawn from torch's generator.
    """
    if values.ndim == 5:
        return change_images(values.flatten(1, 2), changes).view_as(values)
    values = _flip(values, changes)
    if changes.rotate or changes.shift or changes.zoom:
        values = _move(values, changes)
    if changes.intensity:
        gain = 1 + _either_way(values, changes.intensity)
        values = values * gain + _either_way(values, changes.intensity)
    if changes.noise:
        values = values + torch.randn_like(values) * changes.noise
    return _erase(values, changes.erase) if changes.erase else values


def hide_patches(values: Tensor, share: float) -> Tensor:
    """Return standardised images with a share of their patches blanked to the training mean.

    Patches are an eighth of the longer side; of a volume the same in all slices. Drawn from
    torch's generator.
    """
    height, width = values.shape[-2:]
    side = max(1, -(-max(height, width) // PATCHES))
    cells = -(-height // side), -(-width // side)
    hidden = torch.rand(len(values), *cells, device=values.device) < share
    hidden = hidden.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, :height, :width]
    return values.masked_fill(hidden.view(-1, *[1] * (values.ndim - 3), height, width), 0.0)


def _either_way(values: Tensor, reach: float) -> Tensor:
    drawn = torch.rand(len(values), 1, 1, 1, device=values.device)
    return (drawn * 2 - 1) * reach


def _flip(values: Tensor, changes: ImageChanges) -> Tensor:
    dims = {"none": (), "horizontal": (3,), "both": (3, 2)}[changes.flips]
    for dim in dims:
        chosen = torch.rand(len(values), 1, 1, 1, device=values.device) < 0.5
        values = torch.where(chosen, values.flip(dim), values)
    return values


def _move(values: Tensor, changes: ImageChanges) -> Tensor:
    """Turn, zoom and shift in one interpolation; what comes into view repeats the border."""
    rows, (height, width) = len(values), values.shape[2:]
    drawn = torch.rand(4, rows, device=values.device) * 2 - 1
    angle = drawn[0] * math.radians(changes.rotate)
    size = 1 + drawn[1] * changes.zoom
    cosine, sine = torch.cos(angle) / size, torch.sin(angle) / size
    # Coordinates run from -1 to 1 along both sides, whatever their length.
    top = torch.stack([cosine, -sine * height / width, drawn[2] * 2 * changes.shift], dim=1)
    bottom = torch.stack([sine * width / height, cosine, drawn[3] * 2 * changes.shift], dim=1)
    grid = functional.affine_grid(
        torch.stack([top, bottom], dim=1), list(values.shape), align_corners=False
    )
    return functional.grid_sample(
        values, grid.to(values.dtype), padding_mode="border", align_corners=False
    )


def _erase(values: Tensor, chance: float) -> Tensor:
    """Blank a rectangle to the training images' mean (Zhong et al. 2020)."""
    rows, (height, width) = len(values), values.shape[2:]
    low, high = ERASED
    drawn = torch.rand(5, rows, 1, device=values.device)
    tall, wide = low + drawn[0] * (high - low), low + drawn[1] * (high - low)
    top, left = drawn[2] * (1 - tall), drawn[3] * (1 - wide)
    y = torch.linspace(0, 1, height, device=values.device)
    x = torch.linspace(0, 1, width, device=values.device)
    inside_y, inside_x = (y >= top) & (y <= top + tall), (x >= left) & (x <= left + wide)
    hidden = inside_y[:, :, None] & inside_x[:, None, :] & (drawn[4] < chance)[:, :, None]
    return values.masked_fill(hidden[:, None], 0.0)
