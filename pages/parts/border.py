"""Where errors end: a sentence for the visitor, the rest in the server's log.

A part that is drawn apart from its page (by itself every second, or when one of its own widgets is
used) runs without the entry file around it, so it brings the border along.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from medcore.errors import MedcoreError

logger = logging.getLogger("medcore")
UNFORESEEN = (
    "Something went wrong on this page that medcore did not foresee. Nothing you made is lost: "
    "reload the page, or go back to Home. The server's log holds the details."
)


@contextmanager
def end_errors(title: str) -> Iterator[None]:
    """End whatever goes wrong inside in a sentence; `title` names it in the log."""
    try:
        yield
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
    except Exception:
        logger.exception("%s failed", title)
        st.error(UNFORESEEN, icon=":material/error:")


def draw_apart(show: Callable[..., None], every: float | None = None) -> Callable[..., None]:
    """Return a part of a page that is drawn without the rest, every so many seconds if so said."""

    @functools.wraps(show)
    def draw(*given: object, **named: object) -> None:
        with end_errors(f"The part {show.__qualname__}"):
            show(*given, **named)

    return st.fragment(draw, run_every=every)
