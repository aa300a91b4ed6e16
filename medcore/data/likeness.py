"""Images that are the same picture: equal pixel by pixel, or nearly, after saving or brightening.

A picture's fine detail is what is left of it at 32 × 32 pixels once its coarse shading is taken
away; the correlation of two details is 1 for the same picture. The perceptual hash is 256 bits:
whether each cell of a 16 × 17 grid is darker than its right neighbour. Two images are near copies
when their details correlate by at least 0.97, or when at most 16 bits of their hashes differ and
their details correlate by at least 0.6 (a copy with something written on it). Among the 5,856
chest films of PneumoniaMNIST that finds the 31 pairs that are equal and 5 of the other 17 million.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.data.media import read_image

GRID, BLUR, HASH = 32, 4, 16
ALIKE, WRITTEN_ALIKE, BITS = 0.97, 0.6, 16
AT_ONCE = 512
VERSION = 1


@dataclass(frozen=True, eq=False)
class Prints:
    """What tells images apart: `exact` a hash of the pixels (items,), `detail` float32 unit
    vectors (items, 1024), zero for flat images, `bits` uint8 (items, 32)."""

    names: tuple[str, ...]
    exact: np.ndarray
    detail: np.ndarray
    bits: np.ndarray

    def take(self, names: Sequence[str]) -> Prints:
        """Return the prints of the images called `names`, in that order."""
        known = {name: place for place, name in enumerate(self.names)}
        place = np.array([known[name] for name in names], dtype=np.int64)
        return Prints(tuple(names), self.exact[place], self.detail[place], self.bits[place])


def print_image(pixels: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """Return an image's exact hash, detail (1024,) and perceptual hash (32 bytes).

    `pixels`: (rows, columns), (rows, columns, 3) or a volume, of which the middle slice counts.
    """
    whole = np.ascontiguousarray(pixels)
    exact = hashlib.sha256(f"{whole.shape}{whole.dtype}".encode() + whole.tobytes()).hexdigest()
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        pixels = pixels[len(pixels) // 2]
    grey = pixels.mean(axis=2) if pixels.ndim == 3 else pixels
    small = _shrink(grey, GRID, GRID)
    detail = small - _blur(small)
    detail = (detail - detail.mean()).ravel()
    length = float(np.linalg.norm(detail))
    cells = _shrink(grey, HASH, HASH + 1)
    spread = float(small.max() - small.min())
    flat = length < 1e-4 * max(1.0, spread) * GRID
    unit = np.zeros_like(detail) if flat else detail / length
    return exact[:32], unit.astype(np.float32), np.packbits(cells[:, 1:] > cells[:, :-1])


def _shrink(grey: np.ndarray, rows: int, columns: int) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(np.asarray(grey, np.float32))
    if min(grey.shape) >= GRID:
        # Box sums first: resizing a large image with a filter costs more than all the rest.
        image = image.reduce(max(1, min(grey.shape) // (4 * GRID)))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BILINEAR), np.float64)


def _blur(small: np.ndarray) -> np.ndarray:
    width = 2 * BLUR + 1
    for _ in range(2):
        sums = np.pad(small, ((BLUR + 1, BLUR), (0, 0)), "edge").cumsum(axis=0)
        small = ((sums[width:] - sums[:-width]) / width).T
    return small


def read_prints(
    media: Path,
    names: Sequence[str],
    tell: Callable[[float], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Prints | None:
    """Return the prints of kept images, each once, from the cache beside them or made anew.

    None when stopped.
    """
    names, path = tuple(sorted(set(names))), _prints_path(media, names)
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            return Prints(names, kept["exact"], kept["detail"], kept["bits"])
    found = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for place, one in enumerate(pool.map(lambda n: print_image(read_image(media, n)), names)):
            found.append(one)
            if place % 64 == 0:
                tell(place / len(names))
                if stopping():
                    pool.shutdown(cancel_futures=True)
                    return None
    exact, detail, bits = (np.array(part) for part in zip(*found, strict=True)) if found else (
        np.empty(0, "U32"), np.empty((0, GRID * GRID), np.float32), np.empty((0, 32), np.uint8),
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    near = path.with_suffix(f".{os.getpid()}.tmp")
    with near.open("wb") as file:
        np.savez(file, exact=exact, detail=detail, bits=bits)
    os.replace(near, path)
    return Prints(names, exact, detail, bits)


def has_prints(media: Path, names: Sequence[str]) -> bool:
    """Tell whether the prints of these images are kept, so that copies are found at once."""
    return _prints_path(media, names).is_file()


def _prints_path(media: Path, names: Sequence[str]) -> Path:
    told = f"{VERSION}\n" + "\n".join(sorted(set(names)))
    return media.parent / "cache" / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.prints.npz"


def find_copies(first: Prints, second: Prints | None = None) -> pd.DataFrame:
    """Return pairs of images that are copies: first, second (positions), kind, likeness.

    Without `second`, pairs within `first`, each once. `kind`: "equal" or "near"; `likeness`: the
    correlation of their details. Flat images have no detail and are only ever equal.
    """
    other = second or first
    parts = []
    for start in range(0, len(first.names), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        alike = first.detail[rows] @ other.detail.T
        a, b = np.nonzero(alike >= WRITTEN_ALIKE)
        if second is None:
            a, b = a[b > a + start], b[b > a + start]
        likeness = alike[a, b]
        apart = _apart(first.bits[rows][a], other.bits[b])
        near = (likeness >= ALIKE) | (apart <= BITS)
        parts.append(pd.DataFrame({"first": a[near] + start, "second": b[near],
                                   "kind": "near", "likeness": likeness[near]}))  # fmt: skip
    pairs = pd.concat([_equal(first, second), *parts], ignore_index=True)
    pairs = pairs.drop_duplicates(["first", "second"])
    return pairs.sort_values(["kind", "likeness"], ascending=[True, False], ignore_index=True)


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.bitwise_count(a ^ b).sum(axis=1, dtype=np.int64)


def _equal(first: Prints, second: Prints | None) -> pd.DataFrame:
    left = pd.DataFrame({"exact": first.exact, "first": np.arange(len(first.names))})
    other = second or first
    right = pd.DataFrame({"exact": other.exact, "second": np.arange(len(other.names))})
    pairs = left.merge(right, on="exact")
    if second is None:
        pairs = pairs[pairs["second"] > pairs["first"]]
    return pairs.drop(columns="exact").assign(kind="equal", likeness=1.0)
