"""Looking at images: a grid of small ones, and one with its window, slices and histogram."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from medcore.data.dicom import CT_WINDOWS, Window, apply_window
from medcore.data.dicom.elements import list_elements
from medcore.data.media import read_image
from medcore.errors import MedcoreError
from medcore.figures.pictures import show_grey
from medcore.records import Column, Dataset
from pages.parts.charts import BLUE, make_figure, show_chart
from pages.parts.frame import count

SIDE, A_PAGE, A_CLASS, BINS, LARGEST = 144, 24, 8, 80, 640
# Values that reach further than this are told apart well enough by whole numbers.
FINE = 20
WHOLE, OWN = "whole", "own"
UNITS = {"int16": "Hounsfield units", "float32": "value"}


@st.cache_data(scope="session", max_entries=1500, show_spinner=False)
def shrink(media: Path, name: str, side: int = SIDE) -> np.ndarray | None:
    """Return a kept image as a small square on black; None where it cannot be read."""
    from PIL import Image

    try:
        picture = Image.fromarray(show_grey(read_image(media, name)))
    except MedcoreError:
        return None
    scale = side / max(picture.size)
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    small = np.asarray(picture.resize(size, way))
    return lay_on_square(small, side)


def lay_on_square(picture: np.ndarray, side: int) -> np.ndarray:
    """Return a picture in the middle of a black square, so that a tall one leaves its row in line.

    >>> lay_on_square(np.ones((3, 1)), 3).tolist()
    [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
    """
    gaps = [side - length for length in picture.shape[:2]]
    around = [(gap // 2, gap - gap // 2) for gap in gaps]
    return np.pad(picture, around + [(0, 0)] * (picture.ndim - 2))


@st.cache_data(scope="session", max_entries=4, show_spinner="Opening the image …")
def open_image(media: Path, name: str) -> np.ndarray:
    """Return a kept image as it is stored, see `medcore.data.media.read_image`."""
    return read_image(media, name)


def show_thumbnails(dataset: Dataset, column: str, rows: list[int], labels: pd.Series) -> None:
    """Show the images of some rows side by side, each with its row and class."""
    assert dataset.media is not None
    with st.container(horizontal=True, gap="small"):
        for row in rows:
            name = dataset.frame[column].get(row)
            small = None if pd.isna(name) else shrink(dataset.media, str(name))
            if small is not None:
                label = labels.get(row)
                told = f"{row + 1:,}" if pd.isna(label) else f"{row + 1:,}: {label}"
                st.image(small, caption=told, width=SIDE)


def show_grid(dataset: Dataset, column: str, labels: pd.Series) -> None:
    """Show all images a page at a time, or examples of each class."""
    present = dataset.frame.index[dataset.frame[column].notna()]
    classes = [str(label) for label in labels.dropna().unique()][:20]
    ways = ["In order", *(["By class"] if len(classes) > 1 else [])]
    way = st.segmented_control("Show", ways, default=ways[0], key="grid_way") or ways[0]
    if way == "By class":
        for label in sorted(classes):
            rows = present[labels.loc[present].astype("string") == label]
            st.markdown(f"**{label}**, {count(len(rows), 'image')}")
            step = max(1, len(rows) // A_CLASS)
            chosen = list(rows[::step][:A_CLASS])
            show_thumbnails(dataset, column, chosen, pd.Series(dtype="string"))
        return
    pages = max(1, -(-len(present) // A_PAGE))
    page = 1
    if pages > 1:
        page = st.number_input("Page", 1, pages, 1, key="grid_page", help=f"of {pages:,}")
    show_thumbnails(dataset, column, list(present[(page - 1) * A_PAGE : page * A_PAGE]), labels)


def show_viewer(dataset: Dataset, column: str, labels: pd.Series) -> None:
    """Show one image with its window, its slices, its histogram and what its header says."""
    assert dataset.media is not None
    present = dataset.frame.index[dataset.frame[column].notna()]
    # The five windows of a CT must fit beside the image.
    left, right = st.columns([5, 4])
    with right:
        row = int(st.number_input(
            "Row", int(present[0]) + 1, int(present[-1]) + 1, int(present[0]) + 1, key="view_row"
        )) - 1  # fmt: skip
    if row not in present:
        right.info("This row has no image.")
        return
    name = str(dataset.frame[column][row])
    pixels = open_image(dataset.media, name)
    with right:
        plane = _choose_slice(pixels)
        window = None if plane.ndim == 3 else _choose_window(plane, name)
    shown = plane if window is None else (255 * apply_window(plane, window)).astype(np.uint8)
    with left:
        st.image(enlarge(shown), caption=_describe(plane, row, labels.get(row)))
    if window is not None:
        with right:
            _show_histogram(plane, window)
    with st.expander("What the file and the table say of it"):
        if name.endswith(".dcm"):
            st.dataframe(pd.DataFrame(list_elements(dataset.media / name)), hide_index=True)
        told = dataset.frame.drop(columns=column).loc[row].rename("Value").astype("string")
        st.dataframe(told)


def _choose_slice(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim < 3 or pixels.shape[2] == 3:
        return pixels
    if len(pixels) == 1:
        return pixels[0]
    place = st.slider("Slice", 1, len(pixels), len(pixels) // 2 + 1, key=f"slice_{len(pixels)}")
    return pixels[place - 1]


def _choose_window(plane: np.ndarray, name: str) -> Window:
    """Ask which values shall be told apart: a preset for CT, or level and width."""
    low, high = float(plane.min()), float(plane.max())
    whole = Window((low + high) / 2 + 0.5, max(high - low, 1.0) + 1)
    presets = {WHOLE: whole}
    if plane.dtype == np.int16:
        presets |= CT_WINDOWS
    chosen = WHOLE
    if len(presets) > 1:
        chosen = st.segmented_control(
            "Window", list(presets), default=WHOLE, format_func=str.capitalize, key="view_window",
            help="Which Hounsfield units are told apart: lung −600 ± 750, bone 400 ± 900, brain "
            "40 ± 40, subdural 75 ± 107.",
        ) or WHOLE  # fmt: skip
    start = presets[chosen]
    key = f"{name[:8]}_{chosen}"
    reach = max(high - low, start.width, 1.0)
    step, written = (1.0, "%.0f") if reach > FINE else (0.01, "%.2f")
    centre = st.slider(
        "Level (middle of the window)", low - reach / 2, high + reach / 2, float(start.centre),
        step=step, format=written, key=f"level_{key}",
    )  # fmt: skip
    width = st.slider(
        "Width (contrast: narrower is stronger)", min(2.0, reach / 50), 1.5 * reach,
        float(start.width), step=step, format=written, key=f"width_{key}",
    )  # fmt: skip
    return Window(centre, width)


def _describe(plane: np.ndarray, row: int, label: object) -> str:
    said = f"Row {row + 1}, {plane.shape[1]} × {plane.shape[0]} pixels"
    return said if pd.isna(label) else f"{said}: {label}"


def enlarge(shown: np.ndarray) -> np.ndarray:
    """Return an image large enough to be looked at, its pixels as they are."""
    scale = max(1, LARGEST // max(shown.shape[:2]))
    return shown.repeat(scale, axis=0).repeat(scale, axis=1)


def _show_histogram(plane: np.ndarray, window: Window) -> None:
    counts, edges = np.histogram(plane[np.isfinite(plane)], bins=BINS)
    unit = UNITS.get(str(plane.dtype), "grey value")
    figure = make_figure("Pixel values of this image", unit.capitalize(), "Pixels", height=260)
    middle = (edges[:-1] + edges[1:]) / 2
    figure.add_bar(x=middle, y=counts, marker_color=BLUE, name="Pixels",
                   hovertemplate="about %{x:.0f}: %{y:,} pixels<extra></extra>")  # fmt: skip
    figure.add_vrect(x0=window.centre - window.width / 2, x1=window.centre + window.width / 2,
                     fillcolor="rgba(230,159,0,0.18)", line_width=0)  # fmt: skip
    figure.update_layout(showlegend=False, bargap=0)
    # Air fills most of many images: its bar would hide all others.
    figure.update_yaxes(range=[0, float(np.quantile(counts, 0.98)) * 1.15 or 1.0])
    show_chart(figure, {unit: middle, "pixels": counts}, "pixel_values")


def image_columns(dataset: Dataset) -> list[Column]:
    """Return the columns that hold images, if the images are there."""
    found = [column for column in dataset.columns if column.kind == "image"]
    return found if dataset.media is not None else []
