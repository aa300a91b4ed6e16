"""Images decoded and resized once, in one memory-mapped file beside the data set.

The file's name is the hash of the images' names, which stand for their content, and of the shape:
whoever asks for the same again finds it, and training starts at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from medcore.data.media import read_image

VERSION = 1
THREADS, PIXELS_AT_ONCE = 4, 2**21
# Simple features: mean grey values of a coarse grid, and the distribution of all.
GRID = 16
SHARES = (1, 10, 25, 50, 75, 90, 99)
PLAIN_NAMES = (
    *(f"row {row + 1}, column {column + 1}" for row in range(GRID) for column in range(GRID)),
    *(f"{share} % of pixels are darker" for share in SHARES),
    "mean brightness",
    "contrast",
)


@dataclass(frozen=True)
class Shape:
    """What every image of a column is brought to; `depth` is the type of number kept.

    `window`: the part of Hounsfield units that is told apart, see `medcore.data.media.read_image`.
    `slices`: how many slices of a volume are kept, evenly spaced; 1 for images.
    """

    channels: int
    height: int
    width: int
    depth: str
    window: str = "auto"
    slices: int = 1

    @property
    def item(self) -> tuple[int, ...]:
        """The shape of one image's array; volumes have slices in front."""
        flat = (self.channels, self.height, self.width)
        return flat if self.slices == 1 else (self.slices, *flat)


@dataclass(frozen=True, eq=False)
class Pixels:
    """The images of a column: `values` (items, channels, height, width), memory-mapped; of
    volumes with their slices before the channels.

    `plain` (items, features) float32 are `PLAIN_NAMES`, `names` the items' files in order.
    """

    names: tuple[str, ...]
    values: np.ndarray
    plain: np.ndarray
    digest: str

    @staticmethod
    def empty(shape: Shape) -> Pixels:
        """Return no images of a shape."""
        values = np.zeros((0, *shape.item), dtype=shape.depth)
        return Pixels((), values, np.zeros((0, len(PLAIN_NAMES)), np.float32), "")

    def find(self, names: Sequence[str]) -> np.ndarray:
        """Return the positions of files."""
        place = {name: position for position, name in enumerate(self.names)}
        return np.array([place[name] for name in names], dtype=np.int64)


def load_pixels(media: Path, names: Sequence[str], shape: Shape) -> Pixels:
    """Return the images called `names` (sorted, each once), from the cache or decoded into it.

    Raises `DataError` when one cannot be read.
    """
    told = json.dumps([VERSION, asdict(shape), list(names)])
    digest = hashlib.sha256(told.encode()).hexdigest()[:32]
    folder = media.parent / "cache"
    kept, plain = folder / f"{digest}.npy", folder / f"{digest}.plain.npy"
    if not (kept.is_file() and plain.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        _fill(media, names, shape, kept, plain)
    values = np.load(kept, mmap_mode="r", allow_pickle=False)
    return Pixels(tuple(names), values, np.load(plain, allow_pickle=False), digest)


def _fill(media: Path, names: Sequence[str], shape: Shape, kept: Path, plain: Path) -> None:
    near, near_plain = (path.with_suffix(f".{os.getpid()}.tmp") for path in (kept, plain))
    size = (len(names), *shape.item)
    values = np.lib.format.open_memmap(near, mode="w+", dtype=shape.depth, shape=size)
    with near_plain.open("wb") as file:
        np.save(file, _decode_all(media, names, shape, values))
    values.flush()
    os.replace(near_plain, plain)
    os.replace(near, kept)


def _decode_all(media: Path, names: Sequence[str], shape: Shape, values: np.ndarray) -> np.ndarray:
    """Decode every image into `values`, and return their simple features."""
    plain = np.zeros((len(names), len(PLAIN_NAMES)), dtype=np.float32)

    def decode(place: int) -> None:
        values[place] = fit_pixels(read_image(media, names[place], shape.window), shape)

    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        step = max(1, PIXELS_AT_ONCE // (shape.height * shape.width))
        for start in range(0, len(names), step):
            some = slice(start, min(start + step, len(names)))
            for _ in pool.map(decode, range(some.start, some.stop)):
                pass
            # Of a volume, the features of its slices' mean.
            flat = values[some].mean(axis=1, dtype=np.float32) if shape.slices > 1 else values[some]
            plain[some] = plain_features(flat)
    return plain


def fit_pixels(pixels: np.ndarray, shape: Shape) -> np.ndarray:
    """Return an image brought to a shape: aspect ratio kept, borders filled with zeros.

    `pixels`: (height, width), (height, width, 3), or a volume (slices, height, width), of which
    the middle slice is taken, or as many as the shape asks for, evenly spaced.

    >>> fit_pixels(np.full((4, 8), 7, np.uint8), Shape(1, 8, 8, "uint8"))[0, :, 0].tolist()
    [0, 0, 7, 7, 7, 7, 0, 0]
    """
    volume = pixels.ndim == 3 and pixels.shape[2] != 3
    if shape.slices > 1:
        count = len(pixels) if volume else 1
        places = ((np.arange(shape.slices) + 0.5) * count / shape.slices).astype(int)
        one = replace(shape, slices=1)
        return np.stack([fit_pixels(pixels[at] if volume else pixels, one) for at in places])
    if volume:
        pixels = pixels[len(pixels) // 2]
    pixels = _recolour(pixels, shape.channels)
    pixels = _redepth(pixels, shape.depth)
    height, width = pixels.shape[:2]
    scale = min(shape.height / height, shape.width / width)
    inner = (max(1, round(height * scale)), max(1, round(width * scale)))
    if inner != (height, width):
        pixels = _resize(pixels, *inner)
    out = np.zeros((shape.channels, shape.height, shape.width), dtype=shape.depth)
    if shape.depth == "float32":
        out += pixels.min()
    top, left = (shape.height - inner[0]) // 2, (shape.width - inner[1]) // 2
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    out[:, top : top + inner[0], left : left + inner[1]] = planes
    return out


def _recolour(pixels: np.ndarray, channels: int) -> np.ndarray:
    if channels == 3 and pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    if channels == 1 and pixels.ndim == 3:
        # Luma of ITU-R BT.601, as Pillow's.
        grey = pixels[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        return grey if pixels.dtype.kind == "f" else np.round(grey).astype(pixels.dtype)
    return pixels


def _redepth(pixels: np.ndarray, depth: str) -> np.ndarray:
    """Return pixels in another type of number, black and white staying what they are."""
    if pixels.dtype == depth:
        return pixels
    if depth == "float32":
        whole = {"uint8": 255.0, "uint16": 65535.0}.get(str(pixels.dtype), 1.0)
        return pixels.astype(np.float32) / whole
    if depth == "uint16" and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * 257
    if depth == "uint8" and pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    low, high = float(pixels.min()), float(pixels.max())
    top = np.iinfo(depth).max
    return ((pixels - low) / max(high - low, 1e-6) * top).astype(depth)


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return pixels made smaller, each new one the weighted mean of those it covers."""
    from PIL import Image

    if pixels.dtype == np.uint8:
        image = Image.fromarray(pixels)
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    resized = [
        np.asarray(
            Image.fromarray(planes[..., plane].astype(np.float32)).resize(
                (width, height), Image.Resampling.BILINEAR
            )
        )
        for plane in range(planes.shape[2])
    ]
    out = np.stack(resized, axis=2)
    if pixels.dtype.kind in "ui":
        out = np.round(out).clip(0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
    return out[..., 0] if pixels.ndim == 2 else out


def plain_features(values: np.ndarray) -> np.ndarray:
    """Return the simple features of images (…, channels, height, width), see `PLAIN_NAMES`."""
    grey = values.mean(axis=-3, dtype=np.float32)
    rows, columns = (np.linspace(0, size, GRID + 1).astype(int) for size in grey.shape[-2:])
    # Sums over rectangles from one table of running sums.
    sums = np.zeros((*grey.shape[:-2], grey.shape[-2] + 1, grey.shape[-1] + 1))
    sums[..., 1:, 1:] = grey.cumsum(axis=-2).cumsum(axis=-1, dtype=np.float64)
    tops, bottoms = rows[:-1, None], np.maximum(rows[1:], rows[:-1] + 1)[:, None]
    lefts, rights = columns[:-1], np.maximum(columns[1:], columns[:-1] + 1)
    cells = sums[..., bottoms, rights] - sums[..., tops, rights]
    cells = cells - sums[..., bottoms, lefts] + sums[..., tops, lefts]
    cells = cells / ((bottoms - tops) * (rights - lefts))
    flat = grey.reshape(*grey.shape[:-2], -1)
    shares = np.moveaxis(np.percentile(flat, SHARES, axis=-1), 0, -1)
    rest = np.stack([flat.mean(axis=-1), flat.std(axis=-1)], axis=-1)
    cells = cells.reshape(*grey.shape[:-2], -1)
    return np.concatenate([cells, shares, rest], axis=-1).astype(np.float32)
