"""A text with places marked in it, as people mark paper: colours, and a word on hovering."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

# Okabe–Ito colours, thin enough for dark and light alike.
COLOURS = {
    "blue": "rgba(0, 114, 178, 0.30)",
    "orange": "rgba(230, 159, 0, 0.38)",
    "red": "rgba(213, 94, 0, 0.42)",
    "green": "rgba(0, 158, 115, 0.30)",
    "grey": "rgba(128, 128, 128, 0.28)",
    **{f"for {step}": f"rgba(230, 159, 0, {0.2 * step + 0.05:.2f})" for step in (1, 2, 3)},
    **{f"against {step}": f"rgba(86, 180, 233, {0.2 * step + 0.05:.2f})" for step in (1, 2, 3)},
}
AROUND = 45


@dataclass(frozen=True)
class Mark:
    """A place in a text, its colour and what hovering over it says."""

    start: int
    end: int
    colour: str
    title: str = ""


def show_marked(text: str, marks: Sequence[Mark], height: int | None = None) -> None:
    """Show a text with its marks; of marks that overlap, the first holds."""
    style = "white-space: pre-wrap; line-height: 1.65; overflow-wrap: anywhere;"
    with st.container(border=True, height=height or "content"):
        st.html(f'<div style="{style}">{_mark(text, marks)}</div>')


def _mark(text: str, marks: Sequence[Mark]) -> str:
    parts, last = [], 0
    for mark in sorted(marks, key=lambda mark: (mark.start, -mark.end)):
        if mark.start < last:
            continue
        parts.append(html.escape(text[last : mark.start]))
        parts.append(
            f'<mark title="{html.escape(mark.title)}" style="background: {COLOURS[mark.colour]}; '
            f'color: inherit; border-radius: 3px; padding: 1px 2px;">'
            f"{html.escape(text[mark.start : mark.end])}</mark>"
        )
        last = mark.end
    return "".join([*parts, html.escape(text[last:])])


def show_quote(text: str, mark: Mark) -> None:
    """Show a place with the words around it."""
    start, end = max(0, mark.start - AROUND), min(len(text), mark.end + AROUND)
    # Whole words: a cut one reads like a misspelling.
    if start and (blank := re.search(r"\s", text[start : mark.start])):
        start += blank.end()
    if end < len(text) and (blank := re.search(r"\s(?=\S*$)", text[mark.end : end])):
        end = mark.end + blank.start()
    before, after = "…" * (start > 0), "…" * (end < len(text))
    quote = f"{before}{text[start:end]}{after}".replace("\n", " ")
    shift = len(before) - start
    inner = Mark(mark.start + shift, mark.end + shift, mark.colour, mark.title)
    st.html(f'<div style="font-size: 0.95em;">“{_mark(quote, [inner])}”</div>')


def plain(text: str) -> str:
    """Return a text for Markdown in which nothing is formatted.

    >>> plain("5 * 3 [mg]")
    '5 \\\\* 3 \\\\[mg\\\\]'
    """
    for sign in "\\`*_{}[]<>()#+!|$:~":
        text = text.replace(sign, f"\\{sign}") if sign in "\\`*_[]<>#|$~" else text
    return text.replace("\n", " ")
