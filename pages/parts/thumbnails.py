"""Pictures in tables and beside figures: small, cached for the session alone."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from medcore.data.media import read_image
from medcore.errors import MedcoreError
from medcore.records import Dataset

SIDE = 96
PERCENTILES = (0.5, 99.5)


@st.cache_data(scope="session", max_entries=2000, show_spinner=False)
def draw_thumbnail(media: Path, name: str, side: int = SIDE) -> str:
    """Return a kept image as a small PNG in a data address; empty where it cannot be read."""
    try:
        pixels = read_image(media, name)
    except MedcoreError:
        return ""
    return encode_picture(show_grey(pixels), side)


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


def show_rows(dataset: Dataset, rows: int = 50, height: int = 280) -> None:
    """Show the first rows of a data set, with pictures where it has them."""
    shown = dataset.frame.head(rows).copy()
    # The names under which recordings are kept tell nobody anything; they are played instead.
    shown = shown.drop(columns=[c.name for c in dataset.columns if c.kind == "audio"])
    pictures = [column.name for column in dataset.columns if column.kind == "image"]
    if not pictures or dataset.media is None:
        st.dataframe(shown, height=height)
        return
    for name in pictures:
        shown[name] = [
            None if pd.isna(cell) else draw_thumbnail(dataset.media, str(cell))
            for cell in shown[name]
        ]
    st.dataframe(
        shown, height=2 * height, row_height=SIDE // 2 + 8,
        column_config={name: st.column_config.ImageColumn(width="small") for name in pictures},
    )  # fmt: skip
