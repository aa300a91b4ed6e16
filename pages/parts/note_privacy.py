"""A note without what identifies the patient, as far as rules can tell."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medcore.lexicon import Lexicon, Proposal, accept_proposal, apply_edits
from medcore.notes import Surrogates, find_identifiers, propose_surrogates
from medcore.store import load_wording
from pages.parts import state
from pages.parts.frame import count
from pages.parts.marked_text import Mark, show_marked
from pages.parts.note_source import Note

KINDS = {
    "name": "names", "date": "dates", "age": "ages above 89", "phone": "telephone numbers",
    "e-mail": "e-mail addresses", "number": "record and other numbers", "address": "addresses",
    "link": "links", "place": "institutions",
}  # fmt: skip


def show_privacy(note: Note, text: str, lexicon: Lexicon) -> None:
    """Show the note with stand-ins, what was replaced, and the warning that belongs to it."""
    st.warning(
        "This takes out what the rules find; it does not make a note anonymous. A rare disease, an "
        "unusual story or a misspelt name can still tell who it is: read the result before it "
        "leaves your hands.",
        icon=":material/privacy_tip:",
    )
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    patient = left.text_input(
        "Patient", _patient(note), key="privacy_patient",
        help="All notes of one patient get the same stand-ins and the same shift of dates, so that "
        "intervals stay as they were.",
    )  # fmt: skip
    names = middle.text_input("Names that must go", key="privacy_names", placeholder="Ada Byron, …")
    day_first = right.toggle("Dates are day/month", key="privacy_days")
    seed = load_wording(state.current().workspace)["seed"]
    surrogates = Surrogates(seed, patient or "patient", day_first)
    found = find_identifiers(text, lexicon, [name for name in names.split(",") if name.strip()])
    proposals = propose_surrogates(found, surrogates)
    edits = ()
    for proposal in proposals:
        edits = accept_proposal(edits, proposal, proposal.options[0], "rules")
    changed = apply_edits(text, edits)
    counts = {kind: sum(i.kind == kind for i in found) for kind in KINDS}
    words = ", ".join(f"{KINDS[kind]} {n}" for kind, n in counts.items() if n)
    st.markdown(f"**{count(len(found), 'place')}** marked{': ' + words if words else ''}.")
    show_marked(
        text,
        [Mark(i.start, i.end, "red" if i.likely else "orange", i.kind) for i in found],
    )
    st.caption(
        "Red: found by a rule. Orange: a capitalised word that is neither English nor medical."
    )
    st.markdown("**With stand-ins**")
    show_marked(changed, _stand_ins(proposals))
    st.download_button(
        "Download the text", changed, "note_deidentified.txt", on_click="ignore",
        icon=":material/download:", key="download_deidentified",
    )  # fmt: skip
    if proposals:
        with st.expander("What stands in for what"):
            st.dataframe(
                {
                    "Kind": [proposal.reason for proposal in proposals],
                    "In the note": [proposal.before for proposal in proposals],
                    "Instead": [proposal.options[0] for proposal in proposals],
                },
                hide_index=True,
            )


def _stand_ins(proposals: Sequence[Proposal]) -> list[Mark]:
    """Return where the stand-ins are in the changed text."""
    marks, moved = [], 0
    for proposal in sorted(proposals, key=lambda proposal: proposal.start):
        start, stand_in = proposal.start + moved, proposal.options[0]
        marks.append(Mark(start, start + len(stand_in), "green", f"stands for: {proposal.reason}"))
        moved += len(stand_in) - len(proposal.before)
    return marks


def _patient(note: Note) -> str:
    if note.row_id is None or state.current().dataset is None:
        return ""
    dataset = state.configured()
    patients = dataset.with_role("patient")
    return (
        str(dataset.frame.at[note.row_id, patients[0].name]) if patients else str(note.row_id + 1)
    )
