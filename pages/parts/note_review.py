"""What a note says: contradictions with both places, sections, findings, copied passages."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medcore.errors import MedcoreError
from medcore.notes import (
    DEFAULT_RULES,
    Contradiction,
    Finding,
    Place,
    ReadNote,
    copied_share,
    find_copied,
    read_rules,
    write_rules,
)
from medcore.store import load_wording, save_wording
from pages.parts import state
from pages.parts.frame import count
from pages.parts.marked_text import Mark, show_marked, show_quote
from pages.parts.note_source import Note

STATUS = {
    "present": ("blue", "has it"),
    "negated": ("grey", "does not have it"),
    "uncertain": ("orange", "uncertain"),
    "family": ("green", "in the family"),
    "historical": ("green", "in the history"),
}


def show_contradictions(note: Note, read: ReadNote, found: Sequence[Contradiction]) -> None:
    """Show each contradiction with both its places."""
    if not note.row:
        st.caption("No row stands beside this note, so only the note itself was looked at.")
    if not found:
        beside = f"or with the {count(len(note.row), 'value')} of its row" if note.row else ""
        st.success(
            f"Nothing contradicts in the note {beside}. The rules look at age, sex, side, values, "
            "allergies and yes/no conditions; what is silent contradicts nothing.",
            icon=":material/check_circle:",
        )
    for contradiction in found:
        with st.container(border=True):
            st.markdown(f":material/sync_problem: **{contradiction.sentence}**")
            left, right = st.columns(2)
            for column, place in ((left, contradiction.first), (right, contradiction.second)):
                with column:
                    _show_place(read, place)
    places = [p for c in found for p in (c.first, c.second)]
    marks = [
        Mark(p.start, p.end, "red", "contradiction")
        for p in places
        if p.start is not None and p.end
    ]
    show_marked(read.text, marks)


def _show_place(read: ReadNote, place: Place) -> None:
    if place.start is None or place.end is None:
        st.caption("In the row")
        st.code(place.text, language=None)
    else:
        st.caption("In the note")
        show_quote(read.text, Mark(place.start, place.end, "red"))


def show_says(read: ReadNote) -> None:
    """Show findings and drugs with how they are spoken of, and the sections."""
    marks = [_mark(finding) for finding in read.findings]
    show_marked(read.text, marks)
    st.caption(
        "Blue: has it, or takes it. Grey: denied. Orange: uncertain. Green: in the family or the "
        "history."
    )
    if read.findings:
        st.dataframe(
            {
                "Finding or drug": [finding.term.name for finding in read.findings],
                "As written": [read.text[f.start : f.end] for f in read.findings],
                "The patient": [_say(finding) for finding in read.findings],
                "Section": [finding.section for finding in read.findings],
                "Because of": [
                    ", ".join(read.text[a:b] for a, b in finding.cues) for finding in read.findings
                ],
            },
            hide_index=True,
        )
    with st.expander(f"{count(len(read.sections), 'section')}, and the rules for their headers"):
        st.dataframe(
            {
                "Section": [section.name for section in read.sections],
                "Header": [section.title for section in read.sections],
                "Letters": [section.end - section.body for section in read.sections],
            },
            hide_index=True,
        )
        _edit_rules()


def _mark(finding: Finding) -> Mark:
    colour, words = STATUS[finding.status][0], _say(finding)
    return Mark(finding.start, finding.end, colour, f"{finding.term.name}: {words}")


def _say(finding: Finding) -> str:
    """Return what the note says of the patient and a finding or drug."""
    if finding.term.kind != "drug" or finding.status in ("uncertain", "family"):
        return STATUS[finding.status][1]
    if finding.section == "allergies":
        return "no allergy" if finding.negated else "allergy"
    return {"negated": "not given", "historical": "in the history"}.get(finding.status, "drug")


def _edit_rules() -> None:
    workspace = state.current().workspace
    rules = load_wording(workspace)["rules"] or write_rules(DEFAULT_RULES)
    text = st.text_area(
        "A section a line: headers after the colon, with semicolons between", rules, height=200
    )
    left, right = st.columns(2)
    if left.button("Use these rules", key="keep_rules"):
        try:
            read_rules(text)
        except MedcoreError as error:
            st.error(str(error), icon=":material/error:")
        else:
            save_wording(workspace, rules=text)
            st.rerun()
    if right.button("Back to medcore's own rules", key="reset_rules"):
        save_wording(workspace, rules="")
        st.rerun()


def show_copied(note: Note) -> None:
    """Show what a patient's later notes carry over from earlier ones."""
    dataset = state.configured() if note.column is not None else None
    patients = [] if dataset is None else dataset.with_role("patient")
    if dataset is None or not patients or note.column is None:
        st.info(
            "Copied passages are looked for between one patient's notes: choose a note from a data "
            "set whose patient column is marked on Data.",
            icon=":material/content_copy:",
        )
        return
    own = dataset.frame[
        dataset.frame[patients[0].name] == dataset.frame.at[note.row_id, patients[0].name]
    ]
    own = own[own[note.column].notna()]
    dates = dataset.with_role("date")
    if dates:
        own = own.sort_values(dates[0].name)
    notes = own[note.column].astype(str).tolist()
    passages = find_copied(notes)
    later = own.index.get_loc(note.row_id)
    mine = [passage for passage in passages if passage.later == later]
    order = "in order of date" if dates else "in the table's order, as no column is the date"
    share = copied_share(note.text, later, passages)
    st.markdown(
        f"**{share:.0%}** of this note stands in an earlier note of the same patient "
        f"({count(len(notes), 'note')}, {order})."
    )
    show_marked(
        note.text,
        [Mark(*p.later_place, "orange", f"from row {own.index[p.earlier] + 1}, {p.alike:.0%} alike")
         for p in mine],
    )  # fmt: skip
