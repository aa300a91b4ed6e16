"""Recordings on a page: played, with their length and what is odd about them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from medcore.data.media.formats import QUALITY, SAMPLE_RATE, SECONDS
from medcore.errors import MedcoreError
from medcore.records import Dataset
from medcore.sound import kept_seconds

MOST_LISTED = 300
ODD = {
    "too short": "too short to learn from",
    "overdriven": "overdriven: parts of it are cut off",
    "all but silent": "all but silent",
}


def show_player(dataset: Dataset) -> None:
    """Let a recording of a data set be chosen and played; nothing where it has none."""
    columns = [column.name for column in dataset.columns if column.kind == "audio"]
    if not columns or dataset.media is None:
        return
    st.subheader("Listen", anchor=False)
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        name = columns[0]
        if len(columns) > 1:
            name = st.selectbox("Column", columns, key="player_column")
        rows = dataset.frame[name].dropna().index[:MOST_LISTED]
        if not len(rows):
            return
        row = st.selectbox(
            "Recording", list(rows), key="player_row",
            format_func=lambda row: describe_row(dataset, row),
        )  # fmt: skip
    with right:
        play(dataset.media, str(dataset.frame[name][row]))
    told = describe_sound(dataset, row)
    if told:
        st.caption(told)


def describe_row(dataset: Dataset, row: int) -> str:
    """Return a row in a few words: its number, its outcome and its patient."""
    shown = dataset.with_role("outcome", "patient", "site")[:3]
    values = [(column.name, dataset.frame[column.name].get(row)) for column in shown]
    said = ", ".join(f"{name} = {value}" for name, value in values if not pd.isna(value))
    return f"Row {row + 1}: {said}" if said else f"Row {row + 1}"


def describe_sound(dataset: Dataset, row: int) -> str:
    """Return what the file told when it was brought, in a sentence; empty where nothing is known.

    Its quality comes last, where it is not good.
    """
    known = {
        name: dataset.frame[name].get(row)
        for name in (SECONDS, SAMPLE_RATE, QUALITY)
        if name in dataset.frame.columns
    }
    known = {name: value for name, value in known.items() if not pd.isna(value)}
    parts = []
    if SECONDS in known:
        parts.append(f"{known[SECONDS]:.2f} s")
    if SAMPLE_RATE in known:
        parts.append(f"recorded at {known[SAMPLE_RATE]:,.0f} samples a second")
    if known.get(QUALITY) in ODD:
        parts.append(ODD[known[QUALITY]])
    return ", ".join(parts)


def play(media: Path, name: str) -> None:
    """Show a player for a kept recording, or say that it is gone."""
    try:
        kept_seconds(media / name)
    except MedcoreError as error:
        st.warning(str(error), icon=":material/volume_off:")
        return
    st.audio((media / name).read_bytes(), format="audio/flac")
