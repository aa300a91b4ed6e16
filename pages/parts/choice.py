"""One of a few: side by side where the names can be read so, else in a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

MOST_SEGMENTS, LONGEST_SEGMENT, LONGEST_ROW = 5, 24, 48


def choose_one(
    label: str,
    options: Sequence[str],
    default: str,
    *,
    key: str,
    format_func: Callable[[str], str] = str,
    help: str | None = None,
) -> str:
    """Show options whose names come from the data; return the one chosen.

    A segment cuts what does not fit into it, so long or many names stand in a list instead.
    """
    if fits_in_segments([format_func(option) for option in options]):
        return st.segmented_control(
            label, options, default=default, required=True, format_func=format_func, key=key,
            help=help, wrap=True,
        )  # fmt: skip
    options = list(options)
    return st.selectbox(
        label, options, index=options.index(default), format_func=format_func, key=key, help=help
    )


def fits_in_segments(names: Sequence[str]) -> bool:
    """Tell whether names can be read side by side.

    >>> fits_in_segments(["death = yes", "death = no"])
    True
    >>> fits_in_segments(["kidney_failure_within_year = yes", "kidney_failure_within_year = no"])
    False
    """
    lengths = [len(name) for name in names]
    return (
        len(lengths) <= MOST_SEGMENTS
        and max(lengths) <= LONGEST_SEGMENT
        and sum(lengths) <= LONGEST_ROW
    )
