"""Every note of a column held against its row: a list of contradictions with both places."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medcore.notes import DEFAULT_RULES, Contradiction, Place, read_rules, scan_column
from medcore.records import Dataset
from medcore.store import load_wording
from pages.parts import state
from pages.parts.frame import count
from pages.parts.note_source import text_columns
from pages.parts.wording import own_lexicon

# Notes held against their rows in one go; a click looks at the next ones.
AT_ONCE = 1_000
FOUND = "notes_found"


def show_column() -> None:
    """Offer to look at all notes of the data set in use, and list what contradicts."""
    if state.current().dataset is None:
        return
    dataset = state.configured()
    columns = [column.name for column in text_columns(dataset)]
    if not columns:
        return
    st.divider()
    st.subheader("Every note of the data set", anchor=False)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    column = left.selectbox("Column", columns, key="column_of_notes")
    key = (state.current().dataset.id, column)
    held = st.session_state.get(FOUND)
    held = held if held is not None and held["key"] == key else {"key": key, "done": 0, "rows": []}
    total = int(dataset.frame[column].notna().sum())
    title = "Look at every note" if not held["done"] else "Look at the next ones"
    if held["done"] < total and right.button(
        title, key="scan_notes", icon=":material/rule:", width="stretch",
        help=f"Up to {AT_ONCE:,} notes at a time; contradictions in the note or with its row.",
    ):  # fmt: skip
        held = _scan(dataset, column, columns, held, total)
        st.session_state[FOUND] = held
        st.rerun()
    if held["done"]:
        _show(held, total)


def _scan(dataset: Dataset, column: str, columns: list[str], held: dict, total: int) -> dict:
    """Look at the next notes, saying how far it is."""
    rules = load_wording(state.current().workspace)["rules"]
    known = dataset.frame[dataset.frame[column].notna()]
    some = known.iloc[held["done"] : held["done"] + AT_ONCE]
    units = {c.name: c.unit for c in dataset.columns}
    rows, bar = list(held["rows"]), st.progress(0.0, "Reading the notes …")
    scanned = scan_column(
        some, column, own_lexicon(), without=columns, units=units,
        rules=read_rules(rules) if rules else DEFAULT_RULES,
    )  # fmt: skip
    for place, found in enumerate(scanned, 1):
        rows += [_describe(found.row_id, one) for one in found.contradictions]
        if place % 10 == 0:
            bar.progress(place / len(some), f"Read {place:,} of {len(some):,} notes")
    bar.empty()
    return {"key": held["key"], "done": min(total, held["done"] + len(some)), "rows": rows}


def _describe(row_id: int, found: Contradiction) -> dict[str, object]:
    return {
        "Row": row_id + 1,
        "What contradicts": found.sentence,
        "One place": _write(found.first),
        "The other place": _write(found.second),
        "Kind": found.kind,
    }


def _write(place: Place) -> str:
    if place.column is not None:
        return f"column {place.column}: {place.text}"
    return f"note: “{place.text}”"


def _show(held: dict, total: int) -> None:
    rows = held["rows"]
    looked = f"{held['done']:,} of {count(total, 'note')} looked at"
    if not rows:
        st.success(f"{looked}; nothing contradicts.", icon=":material/check_circle:")
        return
    notes = len({row["Row"] for row in rows})
    st.warning(
        f"{looked}: {count(len(rows), 'contradiction')} in {count(notes, 'note')}. "
        "Choose the row above to see both places in the text.",
        icon=":material/sync_problem:",
    )
    table = pd.DataFrame(rows)
    st.dataframe(table, hide_index=True)
    st.download_button(
        "Download the list", table.to_csv(index=False), "contradictions.csv", on_click="ignore",
        icon=":material/download:", key="download_contradictions",
    )  # fmt: skip
