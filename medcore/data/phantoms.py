"""Synthetic chest images with a lesion of known place, size and contrast: no patient is in them.

They are a sample that ships without a file, and the truth against which explanations are scored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.config import generator
from medcore.data.media import MediaFolder, new_media_folder
from medcore.records import Column, Dataset, LedgerEntry

NAME, COUNT, SIZE = "Synthetic chests, 600 images", 600, 96
TRUTH = "The truth about the synthetic lesion; ignored as an input."


@dataclass(frozen=True, eq=False)
class Phantom:
    """One image: `pixels` uint8 (size, size); the lesion's centre, radius (pixels) and contrast.

    `contrast` is how much brighter the lesion's middle is, as a share of white; 0 without lesion,
    with NaN for its place.
    """

    pixels: np.ndarray
    row: float = float("nan")
    column: float = float("nan")
    radius: float = float("nan")
    contrast: float = 0.0

    @property
    def mask(self) -> np.ndarray:
        """Return where the lesion is, bool (size, size)."""
        return lesion_mask(self.pixels.shape, self.row, self.column, self.radius)


def lesion_mask(shape: tuple[int, int], row: float, column: float, radius: float) -> np.ndarray:
    """Return where a lesion lies in an image of a shape; nowhere for NaN.

    >>> int(lesion_mask((9, 9), 4, 4, 1).sum())
    5
    """
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def draw_phantom(
    rng: np.random.Generator,
    *,
    lesion: bool,
    size: int = SIZE,
    radius: tuple[float, float] = (0.04, 0.08),
    contrast: tuple[float, float] = (0.16, 0.32),
) -> Phantom:
    """Draw a chest: body, two lungs, heart, ribs, spine and noise, each a little different.

    `radius` (share of the size) and `contrast` (share of white) are ranges of the lesion, which
    lies inside a lung.
    """
    grid = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = grid[:, None], grid[None, :]
    x, y = _posture(rng, x, y)
    image = 0.55 * _soft(1 - (x / 0.95) ** 2 - np.square(y / 1.15) ** 2, 0.05)
    lungs = np.zeros((size, size), np.float32)
    for side in (-1, 1):
        lungs = np.maximum(lungs, _lung(rng, x * side, y))
    image -= rng.uniform(0.28, 0.36) * lungs
    width, height = rng.uniform(0.22, 0.34), rng.uniform(0.3, 0.4)
    heart = _soft(1 - ((x - 0.12) / width) ** 2 - ((y - 0.35) / height) ** 2, 0.3)
    image += 0.22 * heart * lungs
    image += 0.14 * np.exp(-((x / 0.07) ** 2)) * _soft(1.2 - np.abs(y), 0.2)
    image += _ribs(rng, x, y)
    cloud = _smooth(rng.standard_normal((size, size), np.float32), size // 12)
    image += 0.05 * cloud / max(cloud.std(), 1e-9)
    found: tuple[float, ...] = ()
    if lesion:
        found = _place(rng, lungs * (heart < 0.2), size, radius, contrast)
        row, column, spread, bright = found
        rows, columns = np.ogrid[:size, :size]
        distance = np.hypot(rows - row, columns - column) / spread
        image += bright * np.clip(1 - distance**2 / 2, 0, 1)
    image += 0.02 * rng.standard_normal(image.shape, np.float32)
    image = image * rng.uniform(0.9, 1.1) + rng.uniform(0.0, 0.08)
    return Phantom((255 * np.clip(image, 0, 1)).astype(np.uint8), *found)


def _posture(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> tuple:
    turn, zoom = float(rng.normal(scale=0.04)), rng.uniform(0.94, 1.08)
    right, down = rng.normal(scale=0.03, size=2).tolist()
    return (
        zoom * (x * math.cos(turn) - y * math.sin(turn)) + right,
        zoom * (x * math.sin(turn) + y * math.cos(turn)) + down,
    )


def _lung(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    middle, width, height = rng.uniform(0.42, 0.46), rng.uniform(0.3, 0.35), rng.uniform(0.68, 0.8)
    narrowing = 1 - 0.35 * np.clip(-y, 0, 1)
    sideways = np.square((x - middle) / (width * narrowing))
    shape = 1 - sideways * np.sqrt(np.sqrt(sideways)) - np.square(y / height) * np.abs(y / height)
    return _soft(shape, 0.12)


def _ribs(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    gap, phase, bow = rng.uniform(0.2, 0.25), rng.uniform(0, 1), rng.uniform(0.25, 0.45)
    waves = (y + bow * (np.abs(x) - 0.4) ** 2 - 0.1 * np.abs(x)) / gap + phase
    return 0.07 * np.clip(np.cos(2 * np.pi * waves) - 0.5, 0, 1) * _soft(0.9 - np.abs(x), 0.1)


def _place(
    rng: np.random.Generator, inside: np.ndarray, size: int, radius: tuple, contrast: tuple
) -> tuple[float, float, float, float]:
    spread = rng.uniform(*radius) * size
    deep = _smooth((inside > 0.8).astype(float), max(1, round(spread))) > 0.97
    if not deep.any():
        deep = inside >= inside.max()
    spots = np.argwhere(deep)
    row, column = spots[rng.integers(len(spots))]
    return float(row), float(column), float(spread), float(rng.uniform(*contrast))


def _soft(values: np.ndarray, edge: float) -> np.ndarray:
    return np.clip(values / edge, 0, 1)


def _smooth(values: np.ndarray, half: int) -> np.ndarray:
    """Return running means over squares of 2 × half + 1 pixels, edges repeated."""
    width = 2 * half + 1
    for _ in range(2):
        sums = np.pad(values, ((half + 1, half), (0, 0)), "edge").cumsum(axis=0)
        values = ((sums[width:] - sums[:-width]) / width).T
    return values


def make_phantoms(
    count: int = COUNT, size: int = SIZE, seed: int = 0, share: float = 0.4
) -> list[Phantom]:
    """Return so many phantoms, `share` of them with a lesion, the same for the same seed."""
    order = generator(seed, "phantoms", "order").permutation(count) < round(share * count)
    return [
        draw_phantom(generator(seed, "phantoms", place), lesion=bool(lesion), size=size)
        for place, lesion in enumerate(order)
    ]


def phantom_dataset(
    count: int = COUNT, size: int = SIZE, seed: int = 0, media: Path | None = None
) -> Dataset:
    """Return phantoms as a data set: image, patient, lesion (the outcome), and the truth."""
    phantoms = make_phantoms(count, size, seed)
    folder = MediaFolder(media or new_media_folder())
    frame = pd.DataFrame(
        {
            "image": pd.Series([folder.add(p.pixels) for p in phantoms], dtype="string"),
            "patient": pd.Series([f"synthetic {n + 1:04d}" for n in range(count)], dtype="string"),
            "lesion": pd.Series(["yes" if p.contrast else "no" for p in phantoms], dtype="string"),
            "lesion_row": [p.row for p in phantoms],
            "lesion_column": [p.column for p in phantoms],
            "lesion_radius": [p.radius for p in phantoms],
            "lesion_contrast": [p.contrast for p in phantoms],
        }
    )
    columns = (
        Column("image", "image", "input", note="Drawn by a program; no patient is in it."),
        Column("patient", "category", "patient", note="One synthetic patient an image."),
        Column("lesion", "category", "outcome", categories=("no", "yes")),
        Column("lesion_row", "number", "ignored", "pixels", note=TRUTH),
        Column("lesion_column", "number", "ignored", "pixels", note=TRUTH),
        Column("lesion_radius", "number", "ignored", "pixels", note=TRUTH),
        Column("lesion_contrast", "number", "ignored", note=TRUTH),
    )
    drawn = f"{count:,} synthetic images drawn with seed {seed}."
    entry = LedgerEntry("draw", drawn, count, count, len(columns), len(columns))
    digest = f"phantoms-{count}-{size}-{seed}"
    return Dataset(NAME, "sample:phantoms", digest, frame, columns, (entry,), folder.folder)
