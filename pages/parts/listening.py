"""Which stretch of a recording the networks listened to, played back, with its sanity check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from medcore.errors import MedcoreError
from medcore.figures.sounds import draw_listening
from medcore.records import Column, Run
from medcore.sound import read_part, write_wav
from medcore.store import read_predictions
from pages.parts import state
from pages.parts.charts import show_chart
from pages.parts.explained import choose_target, has_table
from pages.parts.player import play
from pages.parts.saliency import choose_row, say_check
from pages.parts.whatif import question

STEPS = (
    "Stretch by stretch is silenced, and the model asked again: where its score of the class falls "
    "(orange), that stretch spoke for the class; where it rises (blue), against it."
)


def show_listening(run: Run, columns: Mapping[str, Column], outcome: Column) -> None:
    """Show one patient's recording with what the model's networks listened to."""
    names = [name for name, column in columns.items() if column.kind == "audio"]
    if not has_table(run):
        st.info("The recordings were deleted; bring them again and train.", icon=":material/mic:")
        return
    st.markdown(f"**Where the network listened, not where the disease is.** {STEPS}")
    told = read_predictions(run.folder)
    targets = [told.positive] if told.positive else list(told.classes) or [outcome.name]
    left, right = st.columns(2)
    with right:
        target = choose_target(list(dict.fromkeys([*targets, *told.classes])), outcome)
        name = names[0]
        if len(names) > 1:
            name = st.selectbox("Recording", names, key="listening_column")
    with left:
        row = choose_row(told.frame, target, outcome)
    if row is None:
        return
    try:
        with st.spinner("Listening to the recording without each stretch …"):
            said = _ask(run, f"{run.workspace} {run.id}", row, name, target)
    except MedcoreError as error:
        st.warning(str(error), icon=":material/volume_off:")
        return
    figure, table = draw_listening(said, target)
    show_chart(figure, table, "listening")
    _play_both(run, row, name, said, target)
    say_check(said, "stretches that are loud")


def _play_both(run: Run, row: int, column: str, said: Mapping[str, Any], target: str) -> None:
    dataset = state.table_of(run.dataset)
    cell = dataset.frame[column].get(row)
    if dataset.media is None or not isinstance(cell, str):
        return
    best = int(np.argmax(said["fall"]))
    start, end = said["starts"][best], said["ends"][best]
    left, right = st.columns(2)
    with left:
        st.caption("The recording")
        play(dataset.media, cell)
    with right:
        st.caption(f"The stretch that speaks most for “{target}”, {start:.2f}–{end:.2f} s")
        samples = read_part(dataset.media / cell, max(0.0, start - 0.05), end + 0.05)
        st.audio(write_wav(samples), format="audio/wav")


@st.cache_data(scope="session", max_entries=32, show_spinner=False)
def _ask(_run: Run, identity: str, row: int, column: str, target: str) -> dict:  # noqa: ARG001
    place = {"workspace": _run.workspace, "dataset": _run.dataset}
    return question(_run, "explain_sound", row=int(row), column=column, target=target, **place)
