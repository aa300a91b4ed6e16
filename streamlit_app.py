"""The app's entry: navigation, what is in use, and a frame in which nothing ends as a traceback."""

import logging

import streamlit as st

from medcore.errors import MedcoreError, StoreError
from pages.parts import state
from pages.parts.frame import show_sidebar
from pages.parts.sections import LOGO, MARK, navigate

logger = logging.getLogger("medcore")


def main() -> None:
    """Run the page that the visitor is on."""
    presenting = st.session_state.get("present", False)
    page = navigate(presenting)
    try:
        state.enter()
    except StoreError as error:
        st.error(str(error), icon=":material/error:")
        st.button("Start a new workspace", on_click=state.forget, type="primary")
        return
    try:
        if not presenting:
            st.logo(LOGO, icon_image=MARK, size="large")
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
