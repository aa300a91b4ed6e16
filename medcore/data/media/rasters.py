"""PNG, JPEG, GIF and BMP decoded to arrays."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medcore.errors import DataError

MOST_PIXELS = 100_000_000
RASTERS = {
    "PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": b"GIF8", "BMP": b"BM",
}  # fmt: skip


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


def is_raster(head: bytes, _: str) -> bool:
    """Tell PNG, JPEG, GIF and BMP by their first bytes."""
    return any(head.startswith(mark) for mark in RASTERS.values())


def decode_raster(path: Path, name: str) -> Picture:
    """Decode PNG, JPEG, GIF or BMP: turned upright, transparency on black, palettes resolved."""
    from PIL import Image, ImageOps, UnidentifiedImageError

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
            return Picture(plain_pixels(ImageOps.exif_transpose(image)))
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"'{name}' begins like an image, but the rest is damaged.") from None
    except Image.DecompressionBombError as error:
        count = next((int(word) for word in str(error).replace("(", " ").split()
                      if word.isdigit()), 0)  # fmt: skip
        size = f"{count:,} pixels; " if count else "more pixels than is read; "
        raise DataError(
            f"'{name}' has {size}at most {MOST_PIXELS:,} are read. Make it smaller."
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError) as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        reason = reason.replace(str(path), name)
        raise DataError(f"'{name}' cannot be decoded ({reason}).") from None


def plain_pixels(image: Any) -> np.ndarray:
    """Return a Pillow image as uint8, uint16 or float32, grey (height, width) or colour."""
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
