"""Image files decoded to arrays, and media read back.

`DECODERS` is the table of formats, told by content: (does the head look like it, decode). Each
decoder returns a `Picture` or raises `DataError` with a sentence that names the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medcore.errors import DataError

HEAD_BYTES = 512
MOST_PIXELS = 100_000_000
RASTERS = {
    "PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": b"GIF8", "BMP": b"BM",
}  # fmt: skip
ENDINGS = (
    ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".dcm", ".dicom", ".nii",
    ".nii.gz", ".npy",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image.

    `pixels`: (height, width) or (height, width, 3), or (slices, height, width) where `volume`.
    uint8, uint16, int16 (Hounsfield units) or float32. `meta` is free of identities and ready for
    JSON (modality, spacing in mm, laterality, …).
    """

    pixels: np.ndarray
    meta: Mapping[str, Any] = field(default_factory=dict)
    volume: bool = False


def decode_image(path: Path, name: str = "") -> Picture:
    """Decode an image file; raises `DataError` that says which file and why.

    `name` is what the file is called in that sentence.
    """
    name = name or path.name
    if not path.stat().st_size:
        raise DataError(f"'{name}' is empty.")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for looks, decode in DECODERS:
        if looks(head, path.name.lower()):
            return decode(path, name)
    raise DataError(f"'{name}' is not an image that can be read (PNG, JPEG, GIF, BMP).")


def is_image(name: str) -> bool:
    """Tell whether a file is named like an image."""
    return name.lower().endswith(ENDINGS)


def _is_raster(head: bytes, _: str) -> bool:
    return any(head.startswith(mark) for mark in RASTERS.values())


def _decode_raster(path: Path, name: str) -> Picture:
    """Decode PNG, JPEG, GIF or BMP: turned upright, transparency on black, palettes resolved."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"'{name}' has {image.width:,} × {image.height:,} pixels, more than is read; "
                    "make it smaller."
                )
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise DataError(f"'{name}' is an animation of {frames} pictures, not an image.")
            image.load()
            return Picture(_plain_pixels(ImageOps.exif_transpose(image)))
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"'{name}' has more pixels than is read; make it smaller.") from None
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError) as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        reason = reason.replace(str(path), name)
        raise DataError(f"'{name}' cannot be decoded ({reason}).") from None


def _plain_pixels(image: Any) -> np.ndarray:
    if image.mode.startswith("I"):
        return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
    if image.mode == "F":
        return np.asarray(image, dtype=np.float32)
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("LA"))[..., 0] if image.mode == "LA" else _grey(image)
    if image.mode in ("P", "PA", "RGBA") or "transparency" in image.info:
        from PIL import Image

        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    pixels = np.asarray(image.convert("RGB"))
    grey = (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    return pixels[..., 0] if grey else pixels


def _grey(image: Any) -> np.ndarray:
    return np.asarray(image.convert("L"))


def _is_array(head: bytes, _: str) -> bool:
    return head.startswith(b"\x93NUMPY")


def _decode_array(path: Path, name: str) -> Picture:
    try:
        pixels = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise DataError(f"'{name}' cannot be read as an array of numbers.") from None
    colour = pixels.ndim == 3 and pixels.shape[2] in (3, 4)
    if pixels.dtype.kind not in "uif" or pixels.ndim not in (2, 3) or not pixels.size:
        raise DataError(f"'{name}' does not hold an image: (height, width) numbers are needed.")
    if pixels.dtype not in (np.uint8, np.uint16, np.int16):
        pixels = pixels.astype(np.float32)
    return Picture(pixels[..., :3] if colour else pixels, volume=pixels.ndim == 3 and not colour)


DECODERS: list[tuple[Callable[[bytes, str], bool], Callable[[Path, str], Picture]]] = [
    (_is_raster, _decode_raster),
    (_is_array, _decode_array),
]


def read_image(folder: Path, name: str) -> np.ndarray:
    """Return a kept image's pixels (see `MediaFolder.add`); raises `DataError` if damaged."""
    path = folder / name
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return _decode_raster(path, name).pixels
    except (OSError, ValueError, EOFError):
        raise DataError(f"The kept image '{name}' cannot be read; bring the data again.") from None


def image_shape(folder: Path, name: str) -> tuple[int, int, int, str]:
    """Return height, width, channels and the type of number of a kept image, from its header."""
    path = folder / name
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            colour = array.ndim == 3 and array.shape[2] == 3
            height, width = array.shape[:2] if array.ndim == 2 or colour else array.shape[1:]
            return height, width, 3 if colour else 1, "float32"
        from PIL import Image

        with Image.open(path) as image:
            channels = 3 if image.mode == "RGB" else 1
            return (
                image.height,
                image.width,
                channels,
                "uint16" if image.mode[0] == "I" else "uint8",
            )
    except (OSError, ValueError, EOFError):
        raise DataError(f"The kept image '{name}' cannot be read; bring the data again.") from None
