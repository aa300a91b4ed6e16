"""Parts of a page that are drawn by themselves end in sentences, as the page does."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from medcore.errors import StoreError
from tests.test_architecture import ROOT
from tests.test_pages import (  # noqa: F401 - a fixture that all tests of pages need
    _server_knows_the_navigation,
    check,
    open_page,
)

LOCKED = "The database is locked by another program; close it, or try again in a minute."


def test_a_locked_store_is_a_sentence_in_its_part_and_the_page_goes_on(monkeypatch):
    def locked(_home):
        raise StoreError(LOCKED)

    monkeypatch.setattr("pages.parts.frame.tend", locked)
    app = open_page("home")
    assert [error.value for error in app.sidebar.error] == [LOCKED]
    assert app.title and not app.main.error


@pytest.mark.parametrize(("error", "said"), [
    (StoreError(LOCKED), LOCKED), (RuntimeError("secret"), "did not foresee"),
])  # fmt: skip
def test_a_part_that_fails_ends_in_a_sentence_and_the_rest_is_drawn(monkeypatch, error, said):
    def page():
        import streamlit as st

        from pages.parts.waiting import watch_job

        watch_job("job")
        st.markdown("the rest")

    def fail(_identity):
        raise error

    monkeypatch.setattr("pages.parts.waiting._show_job", fail)
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert said in app.error[0].value
    assert "secret" not in app.error[0].value
    assert app.markdown[0].value == "the rest"


def test_a_part_may_have_the_whole_page_drawn_anew():
    def page():
        import streamlit as st

        from pages.parts.border import draw_apart

        def finish():
            if "done" not in st.session_state:
                st.session_state["done"] = True
                st.rerun()
            st.markdown("finished")

        draw_apart(finish, every=1)()

    app = AppTest.from_function(page).run()
    check(app)
    assert app.markdown[0].value == "finished"


def test_no_part_of_a_page_is_drawn_outside_the_border():
    outside = [
        path.name for path in (ROOT / "pages").rglob("*.py")
        if re.search(r"\bst\.fragment\b|run_every", path.read_text(encoding="utf-8"))
    ]  # fmt: skip
    assert outside == ["border.py"]
