"""Dictation: speech to text, and the text made more accurate."""

import streamlit as st

from pages.parts.dictation_score import show_scoring
from pages.parts.dictation_source import (
    choose_dictation,
    choose_model,
    take_recordings,
    watch_jobs,
)
from pages.parts.dictation_text import show_dictation
from pages.parts.frame import close_page, open_page
from pages.parts.own_recogniser import show_own_recogniser
from pages.parts.wording import edit_words

open_page(
    "Dictation",
    "What was said, how sure is each word, and which medical words may have been meant? Nothing is "
    "changed without a click.",
)
dictate, score, own = st.tabs(["Dictate", "How well does it hear?", "A recogniser of your own"])
with dictate:
    hears = choose_model()
    if hears:
        take_recordings()
    watch_jobs()
    chosen = choose_dictation()
    if chosen is not None:
        show_dictation(chosen)
    elif hears:
        st.info("Record or bring speech to begin.", icon=":material/mic:")
    edit_words()
with score:
    show_scoring()
with own:
    show_own_recogniser()
close_page()
