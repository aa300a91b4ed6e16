"""The words that a workspace adds to medcore's own lexicon."""

from __future__ import annotations

import streamlit as st

from medcore.lexicon import Lexicon, load_lexicon
from medcore.store import load_wording, save_wording
from pages.parts import state
from pages.parts.frame import count


def own_lexicon() -> Lexicon:
    """Return the lexicon with the workspace's own words."""
    return _load(load_wording(state.current().workspace)["own"])


@st.cache_resource(scope="session", max_entries=2, show_spinner=False)
def _load(own: str) -> Lexicon:
    return load_lexicon(own.splitlines())


def edit_words() -> None:
    """Show the workspace's own words to change."""
    workspace = state.current().workspace
    own = load_wording(workspace)["own"]
    lines = [line for line in own.splitlines() if line.strip()]
    with st.expander(f"Words of your own ({count(len(lines), 'line')})"):
        st.markdown(
            "A term a line, or `ABBREVIATION = meaning`. They join medcore's own "
            f"{len(load_lexicon().terms):,} drugs and findings on Notes and Dictation."
        )
        text = st.text_area("Your words", own, height=140, label_visibility="collapsed")
        if st.button("Keep these words", key="keep_words"):
            save_wording(workspace, own=text)
            st.rerun()
