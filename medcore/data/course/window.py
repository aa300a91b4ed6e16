"""A cell of a series column: which visits it holds, and the moment from which is predicted."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

WRITTEN = re.compile(r"(\d+):(\d+)@(-?[\d.e+-]+)")


class Window(NamedTuple):
    """The visits at the positions `start` to before `stop`, seen from the time `index`."""

    start: int
    stop: int
    index: float


def write_window(window: Window) -> str:
    """Return a window as the word that stands in its cell.

    >>> write_window(Window(12, 15, 34.5))
    '12:15@34.5'
    """
    return f"{window.start}:{window.stop}@{float(window.index)!r}"


def read_window(word: str) -> Window:
    """Return the window that a cell names; `ValueError` for other words.

    >>> read_window("12:15@34.5")
    Window(start=12, stop=15, index=34.5)
    """
    found = WRITTEN.fullmatch(word)
    if found is None:
        raise ValueError(f"'{word}' names no visits")
    start, stop, index = found.groups()
    return Window(int(start), int(stop), float(index))


def trim_window(window: Window, time: np.ndarray, history: float | None) -> Window:
    """Return a window without visits longer than `history` before its index; the last one stays."""
    if history is None:
        return window
    first = int(np.searchsorted(time[window.start : window.stop], window.index - history))
    return window._replace(start=min(window.start + first, window.stop - 1))
