"""A dictation's text: how sure each word is, what may have been said instead, and its sound."""

from __future__ import annotations

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs.speech import SOUND
from medcore.lexicon import Edit, Proposal, apply_edits, edit_places
from medcore.speech import Transcript, read_part, read_transcript, write_wav
from medcore.store import TextRow, delete_text, load_text, text_folder
from pages.parts import state
from pages.parts.edits import (
    ask_initials,
    mark_changes,
    open_proposals,
    read_log,
    show_log,
    show_proposals,
)
from pages.parts.frame import count
from pages.parts.marked_text import Mark, show_marked

UNSURE, GUESSED, LIKELY = 0.6, 0.3, 0.5
AROUND_SECONDS = 0.4
TABS = ("Text", "What may have been said", "Log")


def show_dictation(identity: str) -> None:
    """Show a kept dictation."""
    workspace = state.current().workspace
    row = load_text(workspace, identity)
    heard = read_transcript(row.details)
    edits = read_log(row)
    proposals = open_proposals(heard.proposals, edits)
    likely = [p for p in proposals if p.score >= LIKELY]
    _show_summary(heard, likely, edits)
    text, instead, log = st.tabs(TABS)
    with text:
        _show_text(row, heard, edits, proposals)
    with instead:
        if proposals:
            ask_initials()
        _show_proposals(row, heard, likely, [p for p in proposals if p.score < LIKELY])
    with log:
        show_log(row)


def _show_summary(heard: Transcript, likely: list[Proposal], edits: tuple[Edit, ...]) -> None:
    words = count(len(heard.words), "word")
    unsure = sum(word.confidence < UNSURE for word in heard.words)
    st.markdown(
        f"**{words}** in {heard.seconds:,.0f} s; {unsure} unsure. "
        f"**{count(len(likely), 'likely correction')}** to look at, "
        f"{count(len(edits), 'decision')} so far. It is a draft until you have read it."
    )
    for note in heard.notes:
        st.warning(note, icon=":material/mic:")
    if not heard.text:
        st.info("No speech was heard in this recording.", icon=":material/volume_off:")
    for segment in heard.segments:
        if segment.doubt:
            st.warning(
                f"From {segment.from_second:.0f} to {segment.to_second:.0f} s {segment.doubt}: "
                f"this "
                "may never have been said. Listen to it.",
                icon=":material/hearing:",
            )


def _show_text(
    row: TextRow, heard: Transcript, edits: tuple[Edit, ...], proposals: list[Proposal]
) -> None:
    changed = apply_edits(row.text, edits)
    show_marked(changed, _marks(heard, edits, proposals))
    st.caption(
        "Red: guessed. Orange: unsure. Blue: something else may have been said. Green: changed by "
        "you. Hover for how sure the recogniser is."
    )
    path = text_folder(state.current().workspace, row.id) / SOUND
    if path.is_file():
        st.audio(path.read_bytes(), format="audio/flac")
    left, right = st.columns(2)
    left.download_button(
        "Download the text", changed, "dictation.txt", on_click="ignore", key="download_dictation",
        icon=":material/download:", disabled=not changed,
    )  # fmt: skip
    right.button(
        "Delete this dictation and its sound", key="delete_dictation", on_click=_delete,
        args=(row.id,), icon=":material/delete:", type="tertiary",
    )  # fmt: skip


def _marks(heard: Transcript, edits: tuple[Edit, ...], proposals: list[Proposal]) -> list[Mark]:
    places = edit_places(edits)
    marks = mark_changes(places)

    def shift(start: int) -> int:
        return sum(len(e.after) - len(e.before) for e, _, _ in places if e.end <= start)

    for proposal in proposals:
        if proposal.score >= LIKELY:
            moved = shift(proposal.start)
            title = f"{' / '.join(proposal.options)}? {proposal.score:.0%}"
            marks.append(Mark(proposal.start + moved, proposal.end + moved, "blue", title))
    gone = [(e.start, e.end) for e, _, _ in places]
    for word in heard.words:
        if word.confidence < UNSURE and not any(a < word.end and word.start < b for a, b in gone):
            moved, colour = shift(word.start), "red" if word.confidence < GUESSED else "orange"
            marks.append(
                Mark(word.start + moved, word.end + moved, colour, f"sure to {word.confidence:.0%}")
            )
    # Where a proposal and an unsure word meet, the proposal is shown.
    order = {"green": 0, "blue": 1, "red": 2, "orange": 2}
    free: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: order[mark.colour]):
        if not any(mark.start < other.end and other.start < mark.end for other in free):
            free.append(mark)
    return free


def _show_proposals(
    row: TextRow, heard: Transcript, likely: list[Proposal], others: list[Proposal]
) -> None:
    path = text_folder(state.current().workspace, row.id) / SOUND

    def listen(proposal: Proposal) -> None:
        words = [w for w in heard.words if proposal.start < w.end and w.start < proposal.end]
        if words and path.is_file():
            start = max(0.0, words[0].from_second - AROUND_SECONDS)
            part = read_part(path, start, words[-1].to_second + AROUND_SECONDS)
            st.audio(write_wav(part), format="audio/wav")

    def keep() -> TextRow:
        return load_text(state.current().workspace, row.id)

    if not likely and not others:
        st.success("Nothing here sounds like another medical word.", icon=":material/check:")
    show_proposals(likely, keep, f"heard_{row.id}", listen)
    if others:
        with st.expander(f"{count(len(others), 'less likely correction')}; most of them are wrong"):
            show_proposals(others, keep, f"maybe_{row.id}", listen)


def _delete(identity: str) -> None:
    try:
        delete_text(state.current().workspace, identity)
    except MedcoreError as error:
        st.toast(str(error))
