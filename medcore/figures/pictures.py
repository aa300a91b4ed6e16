"""Images as people look at them, in a size and a form that pages and reports can hold."""

from __future__ import annotations

import base64
import io

import numpy as np

PERCENTILES = (0.5, 99.5)


def show_grey(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as uint8: of volumes the middle slice, other depths stretched."""
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        pixels = pixels[len(pixels) // 2]
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.percentile(pixels, PERCENTILES)
    return ((pixels - low) / max(high - low, 1e-6) * 255).clip(0, 255).astype(np.uint8)


def encode_picture(pixels: np.ndarray, side: int) -> str:
    """Return uint8 pixels as a PNG in a data address, `side` pixels long; enlarged crisply."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(enlarge(pixels, side)).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def enlarge(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return uint8 pixels with the longer side `side` pixels long."""
    from PIL import Image

    image = Image.fromarray(pixels)
    scale = side / max(image.size)
    size = tuple(max(1, round(length * scale)) for length in image.size)
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    return np.asarray(image.resize(size, way))
