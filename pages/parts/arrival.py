"""What became of the files that were brought: how many are read, which are not, and why."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from medcore.data.media.account import read_audit
from medcore.records import Dataset
from pages.parts.frame import count

# Up to so many reasons stand in the warning itself; more are a table of their own.
AT_ONCE = 3
# What was read though somebody should know how.
CALM = ("folders", "images", "blank out")
ABOUT_NUMBERS = (
    "Files are numbered in the order of their names. Names themselves are not kept: they may be "
    "those of patients. Export again what cannot be read and bring all once more, or go on without."
)


def show_arrival(raw: Dataset) -> None:
    """Say what was set aside while a data set's files were read; nothing where nothing was."""
    first, *rest = raw.ledger
    if raw.media is None or not rest:
        return
    refused = read_audit(raw.media).get("refused", ())
    lines = [f"**{first.reason}**"]
    for entry in rest:
        if not entry.step.startswith("unreadable"):
            lines.append(f"- {entry.reason}")
        elif len(refused) <= AT_ONCE:
            lines += [f"- {reason}" for reason in refused or [entry.reason]]
        else:
            lines.append(f"- {count(len(refused), 'reason')} why files cannot be read: see below.")
    calm = all(entry.step in CALM for entry in rest)
    show, icon = (st.info, "inventory_2") if calm else (st.warning, "warning")
    show("\n".join([lines[0], "", *lines[1:]]), icon=f":material/{icon}:")
    if len(refused) > AT_ONCE:
        with st.expander("Which files cannot be read, and why"):
            show_refused(refused)
    elif refused:
        st.caption(ABOUT_NUMBERS)


def show_refused(refused: Sequence[str]) -> None:
    """Show why files could not be read, each in a sentence."""
    if not refused:
        return
    st.markdown(f"**{count(len(refused), 'file')} could not be read**")
    st.dataframe({"Why": list(refused)}, hide_index=True)
    st.caption(ABOUT_NUMBERS)
