"""How well recognition understands a set of recordings, plain and with likely corrections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import get_job
from medcore.speech import NORMALISER
from pages.parts import state
from pages.parts.border import draw_apart
from pages.parts.dictation_source import SCORE_JOB, show_progress, take_collection

NAMES = {
    "wer": ("Word error rate", "Of 100 words said, how many were heard wrong, missed or added."),
    "cer": ("Letter error rate", "The same by letters: near misses weigh less."),
    "wer_raw": ("Word error rate, raw", "With capitals and punctuation as they stand."),
    "cer_raw": ("Letter error rate, raw", "By letters, with capitals and punctuation."),
    "term_recall": (
        "Medical terms heard", "Of the drugs and findings said, the share that the text holds."
    ),
    "number_accuracy": (
        "Numbers and units kept", "A wrong dose is worse than many wrong words."
    ),
}  # fmt: skip
COUNTS = {
    "words": "Words said", "substitutions": "Heard as another word", "deletions": "Missed",
    "insertions": "Added", "flipped_negations": "Negations lost or added",
    "inserted_terms": "Medical terms never said", "recordings": "Recordings",
    "speakers": "Speakers",
}  # fmt: skip


def show_scoring() -> None:
    """Show where a zip is given and what came of the last one."""
    take_collection()
    identity = st.session_state.get(SCORE_JOB)
    if identity is None:
        return
    try:
        job = get_job(state.current().workspace, identity)
    except MedcoreError:
        st.session_state.pop(SCORE_JOB)
        return
    if job.active:
        draw_apart(show_progress, every=1)(identity)
    elif job.state == "finished":
        _show_scores(job.result)
    else:
        st.error(job.error or "Scoring was stopped.", icon=":material/error:")


def _show_scores(result: Mapping[str, Any]) -> None:
    scores = result["scores"]
    flipped = scores["plain"]["counts"]["flipped_negations"]
    if flipped:
        st.error(
            f"**{flipped} negations were lost or added.** “No evidence of …” became “evidence of "
            "…”, or the other way round: a small error rate can hide this.",
            icon=":material/priority_high:",
        )
    for name in ("wer", "term_recall", "number_accuracy"):
        st.markdown(f"{NAMES[name][0]}: **{_write(scores['plain']['measures'][name])}**")
    st.dataframe(
        {
            "Measure": [title for title, _ in NAMES.values()],
            "As heard": [_write(scores["plain"]["measures"][name]) for name in NAMES],
            "With likely corrections": [
                _write(scores["corrected"]["measures"][name]) for name in NAMES
            ],
            "What it means": [meaning for _, meaning in NAMES.values()],
        },
        hide_index=True,
    )
    st.dataframe(
        {
            "Count": list(COUNTS.values()),
            "As heard": [scores["plain"]["counts"].get(name, 0) for name in COUNTS],
            "With likely corrections": [
                scores["corrected"]["counts"].get(name, 0) for name in COUNTS
            ],
        },
        hide_index=True,
    )
    factor = result["real_time_factor"]
    speed = f" A minute of sound took {60 * factor:,.0f} s." if factor is not None else ""
    st.caption(
        f"Errors are summed over all recordings; intervals resample speakers. Compared in "
        f"{NORMALISER}, unless raw. Model: {result['model']}.{speed}"
    )
    with st.expander("Each recording"):
        st.dataframe(result["recordings"], hide_index=True)


def _write(measure: Mapping[str, Any]) -> str:
    if measure["value"] is None:
        return f"undefined: {measure['reason']}"
    if measure["low"] is None:
        return f"{measure['value']:.2f} ({measure['reason']})"
    return f"{measure['value']:.2f} ({measure['low']:.2f}–{measure['high']:.2f})"
