"""The app's entry: navigation, what is in use, and a frame in which nothing ends as a traceback."""

import streamlit as st

from medcore.errors import StoreError
from pages.parts import state
from pages.parts.border import end_errors
from pages.parts.frame import show_sidebar
from pages.parts.sections import LOGO, MARK, navigate


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
    with end_errors(f"The page {page.title}"):
        if not presenting:
            st.logo(LOGO, icon_image=MARK, size="large")
            show_sidebar()
        page.run()


main()
