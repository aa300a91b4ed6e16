"""Pictures in tables and beside figures: small, cached for the session alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from medcore.data.media import read_image
from medcore.errors import MedcoreError
from medcore.figures.pictures import encode_picture, show_grey
from medcore.records import Dataset

SIDE, TILE = 96, 150


@st.cache_data(scope="session", max_entries=2000, show_spinner=False)
def draw_thumbnail(media: Path, name: str, side: int = SIDE) -> str:
    """Return a kept image as a small PNG in a data address; empty where it cannot be read."""
    try:
        pixels = read_image(media, name)
    except MedcoreError:
        return ""
    return encode_picture(show_grey(pixels), side)


def show_gallery(dataset: Dataset, column: str, captions: Mapping[int, str]) -> None:
    """Show the pictures of some rows side by side, each over its caption."""
    flowing = st.container(horizontal=True)
    for row, caption in captions.items():
        with flowing.container(width=TILE):
            cell = dataset.frame[column].get(row)
            if dataset.media is not None and not pd.isna(cell):
                st.image(draw_thumbnail(dataset.media, str(cell), TILE))
            st.caption(caption)


def show_rows(dataset: Dataset, rows: int = 50, height: int = 280) -> None:
    """Show the first rows of a data set, with pictures where it has them."""
    shown = dataset.frame.head(rows).copy()
    # The names under which recordings are kept tell nobody anything; they are played instead.
    shown = shown.drop(columns=[c.name for c in dataset.columns if c.kind in ("audio", "series")])
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
