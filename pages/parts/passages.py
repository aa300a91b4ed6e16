"""A note with the words coloured that moved the prediction, and the words as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from medcore.records import Column, Run
from pages.parts import state
from pages.parts.case import LIKE, ask_case, choose_case
from pages.parts.marked_text import Mark, show_marked
from pages.parts.runs import has_table

HEIGHT, LONG, LOOSE = 420, 1_500, 0.05
# A word is coloured from this part of the largest share on, in steps of a third.
FAINT = 0.12


def show_passages(run: Run, columns: Mapping[str, Column], outcome: Column) -> None:
    """Show one patient's note with the words that raised or lowered the prediction."""
    if not has_table(run):
        st.info("The notes were deleted; bring them again and train.", icon=":material/notes:")
        return
    left, right = st.columns([3, 2])
    case = choose_case(run, columns, outcome, "text", (left, right, right))
    if case is None:
        return
    waiting = "Following each word through the model …"
    said = ask_case(run, case, "explain_note", waiting, ":material/notes:")
    if said is None:
        return
    st.markdown(
        f"Orange words speak **for “{case.target}”**, blue ones against it; hover for each word's "
        "share."
    )
    height = HEIGHT if len(said["text"]) > LONG else None
    show_marked(said["text"], mark_words(said["words"]), height)
    _say_checks(said)
    with st.expander("The words as a table"):
        _show_table(said["table"])


def mark_words(words: Sequence[Sequence[float]]) -> list[Mark]:
    """Return a mark for each word whose share is worth seeing, stronger the larger it is."""
    largest = max((abs(share) for _, _, share in words), default=0.0)
    if not largest:
        return []
    marks = []
    for start, end, share in words:
        strength = abs(share) / largest
        if strength >= FAINT:
            level = int(np.clip(np.ceil(strength * 3), 1, 3))
            colour = f"{'for' if share > 0 else 'against'} {level}"
            marks.append(Mark(int(start), int(end), colour, f"{share:+.2f}"))
    return marks


def _say_checks(said: Mapping[str, Any]) -> None:
    likeness, gap = said["likeness"], said["gap"]
    if likeness is None:
        st.info("No word of this note moved the prediction.", icon=":material/info:")
    elif likeness > LIKE:
        st.warning(
            "A model that learned nothing colours the same words (rank correlation "
            f"{likeness:.2f}): these colours show the note, not what was learned.",
            icon=":material/warning:",
        )
    else:
        st.success(
            "Sanity check passed: a model that learned nothing colours other words (rank "
            f"correlation {likeness:.2f}).",
            icon=":material/check_circle:",
        )
    adds = f"The shares add up to what all words together do, but for {gap:.1%} of it."
    if gap > LOOSE:
        st.warning(f"{adds} Take single words with caution.", icon=":material/warning:")
    else:
        st.caption(adds)
    if said["weight"] < 0.995:
        st.caption(
            f"What reads the note word by word makes up {said['weight']:.0%} of the model; the "
            "rest looks at other columns, or cannot be followed."
        )
    st.caption(
        "Shares of the log-odds, by integrated gradients; for TF-IDF with two classes, weight × "
        f"value. {state.current().run.name}. They explain the model, never the patient."
    )


def _show_table(table: Sequence[Sequence[Any]]) -> None:
    st.dataframe(
        {
            "Word": [word for word, _, _ in table],
            "Share": [share for _, share, _ in table],
            "Times in the note": [count for _, _, count in table],
        },
        column_config={
            "Share": st.column_config.NumberColumn(
                format="%+.3f", help="Above 0 the word speaks for the class, below against it."
            )
        },
        hide_index=True,
    )
