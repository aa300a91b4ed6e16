"""Images: their common size and range learned from training rows, and the block they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.config.modalities import Modality
from medcore.data.media import count_slices, image_shape
from medcore.data.modality import told_modality
from medcore.errors import DataError, FitError
from medcore.prepare.pixels import PLAIN_NAMES, Pixels, Shape, load_pixels
from medcore.records import Block, Dataset

# Pixels read at once while learning mean and spread.
AT_ONCE = 512


@dataclass(frozen=True)
class ImageFit:
    """An image column: the `shape` all images get, and what standardises them.

    `mean` and `spread` are per channel; `plain_mean` and `plain_spread` belong to the simple
    features (see `medcore.prepare.pixels`), whose mean stands in where there is no image.
    `modality`: how the training images were made, as far as they say.
    """

    name: str
    shape: Shape
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    plain_mean: tuple[float, ...]
    plain_spread: tuple[float, ...]
    modality: Modality = "other"
    kind: Literal["image"] = "image"


def fit_image(
    name: str, training: pd.Series, dataset: Dataset, config: RunConfig
) -> ImageFit | str:
    """Learn an image column from training rows; a sentence where it has nothing to tell."""
    names = sorted(training.dropna().astype(str).unique())
    if not names:
        return f"Column '{name}' has no image in any training row and is left out."
    if dataset.media is None:
        raise DataError(f"The images of '{name}' are not with the table; bring them together.")
    window = config.image.window
    sizes = [image_shape(dataset.media, file, window) for file in names]
    height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
    scale = min(1.0, config.image.size / max(height, width))
    colour = config.image.channels == "colour" or (
        config.image.channels == "auto" and any(size[2] == 3 for size in sizes)
    )
    depth = max((size[3] for size in sizes), key=("uint8", "uint16", "float32").index)
    sides = (max(1, round(side * scale)) for side in (height, width))
    slices = max(count_slices(dataset.media, file) for file in names)
    shape = Shape(3 if colour else 1, *sides, depth, window, min(slices, config.image.slices))
    pixels = load_pixels(dataset.media, _files(dataset, name), shape)
    places = pixels.find(names)
    # Each training row counts, so that an image that many rows share does too.
    counts = training.dropna().astype(str).value_counts().reindex(names).to_numpy(np.float64)
    mean, spread = _measure(pixels, places, counts)
    if not spread.any():
        raise FitError(f"Every training image of '{name}' is one flat grey; look at the files.")
    plain = pixels.plain[places].astype(np.float64)
    centre = np.average(plain, axis=0, weights=counts)
    width = np.sqrt(np.average((plain - centre) ** 2, axis=0, weights=counts))
    return ImageFit(
        name, shape, _floats(mean), _floats(np.where(spread > 0, spread, 1.0)),
        _floats(centre), _floats(np.where(width > 1e-6, width, 1.0)),
        told_modality(dataset, training.dropna().index),
    )  # fmt: skip


def image_block(fit: ImageFit, frame: pd.DataFrame, dataset: Dataset) -> Block:
    """Return the images of some rows, decoded and resized once and kept beside the data set."""
    cells = frame[fit.name] if fit.name in frame.columns else pd.Series(pd.NA, index=frame.index)
    words = cells.astype("string")
    present = words.notna().to_numpy(bool)
    place = np.full(len(words), -1, dtype=np.int64)
    pixels = Pixels.empty(fit.shape)
    if present.any():
        if dataset.media is None:
            raise DataError(f"The images of '{fit.name}' are not with the table.")
        pixels = load_pixels(dataset.media, _files(dataset, fit.name), fit.shape)
        place[present] = pixels.find(words[present].tolist())
    centre, width = (np.array(v, np.float32) for v in (fit.plain_mean, fit.plain_spread))
    plain = np.zeros((len(words), len(PLAIN_NAMES) + 1), dtype=np.float32)
    plain[present, :-1] = (pixels.plain[place[present]] - centre) / width
    plain[:, -1] = ~present
    names = (*(f"{fit.name}: {name}" for name in PLAIN_NAMES), f"{fit.name}: missing")
    per_channel = (np.array(v, np.float32)[:, None, None] for v in (fit.mean, fit.spread))
    mean, spread = per_channel
    return Block(
        kind="image", names=names, sources=(fit.name,) * len(names), values=pixels.values,
        present=present, place=place, scale=(mean, spread), plain=plain, digest=pixels.digest,
        traits={"modality": fit.modality},
    )  # fmt: skip


def say_slices(fit: ImageFit, dataset: Dataset, most: int) -> str | None:
    """Say where single images come to a model of volumes, or volumes to one of single images.

    `most`: the setting `image.slices` in training, with which 1 takes volumes for images.
    """
    cells = dataset.frame.get(fit.name)
    if cells is None or dataset.media is None or most == 1 or not cells.notna().any():
        return None
    names = cells.dropna().astype(str)
    flat = np.array([count_slices(dataset.media, name) == 1 for name in names])
    learned_flat = fit.shape.slices == 1
    odd = int((flat != learned_flat).sum())
    if not odd:
        return None
    count = f"{odd:,} of {len(flat):,} in '{fit.name}'"
    if learned_flat:
        return (
            f"The model learned from single images, and {count} are volumes: it looked at their "
            "middle slice alone, so do not trust its answer there."
        )
    return (
        f"The model learned from volumes, and {count} are single images: it took each for a whole "
        "volume, so do not trust its answer there. Bring all slices of a series together."
    )


def read_image_fit(values: Mapping[str, Any]) -> ImageFit:
    """Return the fit that was written as JSON."""
    tuples = {key: tuple(v) for key, v in values.items() if isinstance(v, list | tuple)}
    return ImageFit(**{**values, **tuples, "shape": Shape(**values["shape"])})


def _files(dataset: Dataset, name: str) -> list[str]:
    """Return all of a column's files, so that every part of the data set shares one cache."""
    return sorted(dataset.frame[name].dropna().astype(str).unique())


def _measure(
    pixels: Pixels, places: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and standard deviation of each channel over the named images."""
    total = square = np.zeros(pixels.values.shape[-3])
    for start in range(0, len(places), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        part = np.asarray(pixels.values[places[rows]], dtype=np.float64)
        # All but the image and the channel: of volumes the slices too.
        others = tuple(axis for axis in range(1, part.ndim) if axis != part.ndim - 3)
        total = total + counts[rows] @ part.mean(axis=others)
        square = square + counts[rows] @ (part**2).mean(axis=others)
    mean = total / counts.sum()
    return mean, np.sqrt(np.maximum(square / counts.sum() - mean**2, 0))


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
