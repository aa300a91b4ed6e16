"""Which stretch of a recording the networks listened to, played back, with its sanity check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from medcore.figures.sounds import draw_listening, draw_pitches
from medcore.records import Column, Run
from medcore.sound import read_part, write_wav
from pages.parts import state
from pages.parts.case import Case, ask_case, choose_case, say_check, say_share
from pages.parts.charts import show_chart
from pages.parts.player import play
from pages.parts.runs import has_table

STEPS = (
    "Stretch by stretch is silenced, and the model asked again: where its score of the class falls "
    "(orange), that stretch spoke for the class; where it rises (blue), against it."
)

PITCHES = (
    "Point by point of the spectrogram, against a sound that keeps the recording's mean pitch all "
    "along (integrated gradients): orange spoke for the class, blue against it."
)


def show_listening(run: Run, columns: Mapping[str, Column], outcome: Column) -> None:
    """Show one patient's recording with what the model's networks listened to."""
    if not has_table(run):
        st.info("The recordings were deleted; bring them again and train.", icon=":material/mic:")
        return
    st.markdown(f"**Where the network listened, not where the disease is.** {STEPS}")
    left, right = st.columns(2)
    case = choose_case(run, columns, outcome, "audio", (left, right, right))
    if case is None:
        return
    waiting = "Listening to the recording without each stretch …"
    said = ask_case(run, case, "explain_sound", waiting, ":material/volume_off:")
    if said is None:
        return
    figure, table = draw_listening(said, case.target)
    show_chart(figure, table, "listening")
    _play_both(run, case, said)
    say_check(said["likeness"], "stretches that are loud")
    if said["pitches"] is not None:
        st.markdown(PITCHES)
        show_chart(*draw_pitches(said, case.target), "pitches")
        say_check(said["pitches"]["likeness"], "what is loud")
    else:
        st.caption(
            "Which pitches counted cannot be told: the network learned on top of what a pretrained "
            "speech model hears, and that model gives no gradients."
        )
    say_share(said["weight"])


def _play_both(run: Run, case: Case, said: Mapping[str, Any]) -> None:
    dataset = state.table_of(run.dataset)
    cell = dataset.frame[case.column].get(case.row)
    if dataset.media is None or not isinstance(cell, str):
        return
    best = int(np.argmax(said["fall"]))
    start, end = said["starts"][best], said["ends"][best]
    left, right = st.columns(2)
    with left:
        st.caption("The recording")
        play(dataset.media, cell)
    with right:
        st.caption(f"The stretch that speaks most for “{case.target}”, {start:.2f}–{end:.2f} s")
        samples = read_part(dataset.media / cell, max(0.0, start - 0.05), end + 0.05)
        st.audio(write_wav(samples), format="audio/wav")
