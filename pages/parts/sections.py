"""The app's pages and the order in which they stand in the sidebar."""

from __future__ import annotations

import streamlit as st

SECTIONS = {
    "Start": [("home", "Home", ":material/home:")],
    "Data": [
        ("data", "Data", ":material/table:"),
        ("checks", "Checks", ":material/fact_check:"),
    ],
    "Model": [("train", "Train", ":material/model_training:")],
    "Judge": [("results", "Results", ":material/monitoring:")],
    "Use": [("predict", "Predict", ":material/person_search:")],
    "Workspace": [("workspace", "Workspace", ":material/folder:")],
}


def navigate(hidden: bool = False) -> st.Page:
    """Show the navigation, unless it is hidden, and return the page the visitor is on."""
    pages = {
        section: [
            st.Page(f"pages/{name}.py", title=title, icon=icon, default=name == "home")
            for name, title, icon in entries
        ]
        for section, entries in SECTIONS.items()
    }
    return st.navigation(pages, position="hidden" if hidden else "sidebar")
