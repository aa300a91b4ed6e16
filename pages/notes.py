"""Notes: what a note says, where it contradicts, and what would make it more accurate."""

import streamlit as st

from medcore.lexicon import apply_edits
from medcore.notes import (
    DEFAULT_RULES,
    find_abbreviations,
    find_contradictions,
    find_misspellings,
    read_note,
    read_rules,
)
from medcore.store import load_wording
from pages.parts import state
from pages.parts.edits import (
    ask_initials,
    open_proposals,
    read_log,
    show_changed,
    show_log,
    show_proposals,
)
from pages.parts.frame import count, open_page
from pages.parts.note_column import show_column
from pages.parts.note_privacy import show_privacy
from pages.parts.note_review import show_contradictions, show_copied, show_says
from pages.parts.note_source import Note, choose_note, keep_text, kept_text
from pages.parts.wording import edit_words, own_lexicon

# Streamlit goes back to the first tab when a title changes, so no counts in them.
TABS = ("Contradictions", "More accurate", "What it says", "Copied forward", "De-identify", "Log")


def show_note(note: Note) -> None:
    """Show everything about one note."""
    lexicon = own_lexicon()
    rules = load_wording(state.current().workspace)["rules"]
    read = read_note(note.text, lexicon, read_rules(rules) if rules else DEFAULT_RULES)
    found = find_contradictions(read, note.row, lexicon, note.units)
    proposals = [
        *find_misspellings(note.text, lexicon, read.sections),
        *find_abbreviations(note.text, lexicon, read.sections),
    ]
    kept = kept_text(note)
    edits = () if kept is None else read_log(kept)
    proposals = sorted(open_proposals(proposals, edits), key=lambda p: p.start)
    st.markdown(
        f"**{count(len(found), 'contradiction')}**, {count(len(proposals), 'proposal')}, "
        f"{count(len(edits), 'decision')} so far."
    )
    tabs = st.tabs(TABS)
    with tabs[0]:
        show_contradictions(note, read, found)
    with tabs[1]:
        show_changed(note.text, edits, proposals)
        if proposals:
            ask_initials()
        show_proposals(proposals, lambda: keep_text(note), "note")
        if edits:
            st.download_button(
                "Download the text", apply_edits(note.text, edits), "note.txt", on_click="ignore",
                icon=":material/download:", key="download_note",
            )  # fmt: skip
        if not proposals:
            st.success("No word here looks misspelt, and no abbreviation is open.")
    with tabs[2]:
        show_says(read)
    with tabs[3]:
        show_copied(note)
    with tabs[4]:
        show_privacy(note, apply_edits(note.text, edits), lexicon)
    with tabs[5]:
        show_log(kept)


open_page(
    "Notes",
    "Where does a note contradict itself or the patient's row, what does it say, and what would "
    "make it more accurate? Nothing is changed without a click.",
)
chosen = choose_note()
if chosen is None:
    st.info("Paste a note or bring one as a file to begin.", icon=":material/clinical_notes:")
else:
    show_note(chosen)
show_column()
edit_words()
