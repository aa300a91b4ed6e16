"""The app's entry: navigation, what is in use, and a frame in which nothing ends as a traceback."""

import logging

import streamlit as st

from medcore.errors import MedcoreError, StoreError
from pages.parts import state
from pages.parts.frame import show_sidebar

logger = logging.getLogger("medcore")

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


def main() -> None:
    """Run the page that the visitor is on."""
    st.set_page_config("medcore", ":material/cardiology:", layout="wide")
    pages = {
        section: [
            st.Page(f"pages/{name}.py", title=title, icon=icon, default=name == "home")
            for name, title, icon in entries
        ]
        for section, entries in SECTIONS.items()
    }
    page = st.navigation(pages)
    try:
        state.enter()
    except StoreError as error:
        st.error(str(error), icon=":material/error:")
        st.button("Start a new workspace", on_click=state.forget, type="primary")
        return
    try:
        show_sidebar()
        page.run()
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
    except Exception:  # the page border: a visitor reads a sentence, the log holds the rest
        logger.exception("The page %s failed", page.title)
        st.error(
            "Something went wrong on this page that medcore did not foresee. Nothing you made is "
            "lost: reload the page, or go back to Home. The server's log holds the details.",
            icon=":material/error:",
        )


main()
