"""The app's pages and the order in which they stand in the sidebar."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

MARK, LOGO = (str(Path(__file__).parent / name) for name in ("mark.svg", "logo.svg"))

SECTIONS = {
    "Start": [("home", "Home", ":material/home:")],
    "Data": [
        ("data", "Data", ":material/table:"),
        ("checks", "Checks", ":material/fact_check:"),
        ("images", "Images", ":material/radiology:"),
    ],
    "Model": [
        ("train", "Train", ":material/model_training:"),
        ("laboratory", "Laboratory", ":material/science:"),
    ],
    "Judge": [
        ("results", "Results", ":material/monitoring:"),
        ("validate", "Validate", ":material/travel_explore:"),
        ("compare", "Compare", ":material/compare_arrows:"),
        ("explain", "Explain", ":material/lightbulb:"),
    ],
    "Use": [
        ("predict", "Predict", ":material/person_search:"),
        ("dictation", "Dictation", ":material/mic:"),
        ("notes", "Notes", ":material/clinical_notes:"),
        ("report", "Report", ":material/description:"),
    ],
    "Workspace": [("workspace", "Workspace", ":material/folder:")],
}


def navigate(hidden: bool = False) -> st.Page:
    """Show the navigation, unless it is hidden, and return the page the visitor is on."""
    # Without an icon of its own, a browser would fetch the page's from another's server.
    st.set_page_config("medcore", MARK, layout="wide")
    pages = {
        section: [
            st.Page(f"pages/{name}.py", title=title, icon=icon, default=name == "home")
            for name, title, icon in entries
        ]
        for section, entries in SECTIONS.items()
    }
    return st.navigation(pages, position="hidden" if hidden else "sidebar", expanded=True)
