"""Where a note comes from: pasted, a text file, or a text column of the data set in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from medcore.errors import DataError
from medcore.records import Column, Dataset
from medcore.store import TextRow, delete_text, list_texts, save_text
from pages.parts import state
from pages.parts.frame import write_time

MOST_LETTERS = 60_000
PASTED, FILE, TABLE, EARLIER = "Paste it", "Text file", "From the data set", "Kept earlier"
DRAFT = "note_draft"


@dataclass(frozen=True)
class Note:
    """The note on the page, and the row beside it ({} where there is none)."""

    name: str
    text: str
    row: Mapping[str, Any]
    units: Mapping[str, str | None]
    column: str | None = None
    row_id: int | None = None


def check_note(data: bytes | str, name: str) -> str:
    """Return a note's text; raises `DataError` for what is no note, or too long a one.

    >>> check_note(b"BP 128/74", "note.txt")
    'BP 128/74'
    """
    if isinstance(data, bytes):
        if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"“{name}” is not a text file; save the note as .txt.")
        from charset_normalizer import from_bytes

        best = from_bytes(data[: MOST_LETTERS * 4]).best()
        if best is None:
            raise DataError(f"“{name}” is not a text file; save the note as .txt.")
        data = str(best)
    text = data.replace("\r\n", "\n").replace("\0", "")
    if len(text) > MOST_LETTERS:
        raise DataError(
            f"The note has {len(text):,} letters; at most {MOST_LETTERS:,} are read. Cut it into "
            "the notes it is made of."
        )
    if not re.search(r"\w", text):
        raise DataError("The note holds no words.")
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html")) or re.match(r"[\[{]\s*[\"\[{]", start):
        raise DataError("This is a web page or JSON, not a note; paste the text that it shows.")
    return text


def choose_note() -> Note | None:
    """Show the ways to bring a note; None while there is none."""
    dataset = state.configured() if state.current().dataset is not None else None
    columns = [] if dataset is None else text_columns(dataset)
    kept = list_texts(state.current().workspace, "note")
    ways = [PASTED, FILE, *([TABLE] if columns else []), *([EARLIER] if kept else [])]
    usual = TABLE if columns else PASTED
    way = st.segmented_control("The note", ways, default=usual, key="note_way") or usual
    if way == TABLE and dataset is not None:
        return _from_table(dataset, columns)
    if way == EARLIER:
        text, name = _kept(kept)
    else:
        text, name = _pasted() if way == PASTED else _from_file()
    if not text:
        return None
    row_id, row = _beside(dataset)
    units = {} if dataset is None else {c.name: c.unit for c in dataset.columns}
    return Note(name, check_note(text, name), row, units, row_id=row_id)


def text_columns(dataset: Dataset) -> list[Column]:
    """Return the columns that hold notes: of kind text, or with long values."""
    columns = []
    for column in dataset.columns:
        values = dataset.frame[column.name].dropna().head(200)
        long = column.kind == "category" and values.astype(str).str.len().mean() > 60
        if column.kind == "text" or long:
            columns.append(column)
    return columns


def _pasted() -> tuple[str, str]:
    # A widget forgets what it held when its page is left.
    text = st.text_area(
        "Paste the note", st.session_state.get(DRAFT, ""), height=220, key="note_text",
        placeholder="68 y/o lady with cough. PMH: HTN. Denies chest pain …",
    )  # fmt: skip
    st.session_state[DRAFT] = text
    return text, "Pasted note"


def _kept(rows: list[TextRow]) -> tuple[str, str]:
    """Show the notes in which something was accepted, to go on with their logs."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    names = {row.id: f"{row.name} ({write_time(row.created)})" for row in rows}
    chosen = left.selectbox("Note", list(names), format_func=names.get, key="note_earlier")
    row = next(row for row in rows if row.id == chosen)
    right.button(
        "Delete", key="delete_note", icon=":material/delete:", width="stretch",
        on_click=delete_text, args=(state.current().workspace, row.id),
        help="Deletes the kept note and its log.",
    )  # fmt: skip
    return row.text, row.name


def _from_file() -> tuple[bytes | str, str]:
    file = st.file_uploader("A note as .txt", type=["txt", "text", "md"], key="note_file")
    return ("", "") if file is None else (file.getvalue(), file.name)


def _from_table(dataset: Dataset, columns: list[Column]) -> Note | None:
    left, right = st.columns(2)
    names = [column.name for column in columns]
    column = left.selectbox("Column with notes", names, key="note_column")
    filled = dataset.frame.index[dataset.frame[column].notna()]
    if not len(filled):
        st.info(f"“{column}” holds no notes.")
        return None
    patient = next(iter(dataset.with_role("patient")), None)
    row_id = right.selectbox(
        "Row", filled, key="note_row",
        format_func=lambda row: f"Row {row + 1}"
        + (f", patient {dataset.frame.at[row, patient.name]}" if patient else ""),
    )  # fmt: skip
    row = _row(dataset, row_id, names)
    text = check_note(str(dataset.frame.at[row_id, column]), column)
    units = {c.name: c.unit for c in dataset.columns}
    return Note(f"{column}, row {row_id + 1}", text, row, units, column, int(row_id))


def _beside(dataset: Dataset | None) -> tuple[int | None, Mapping[str, Any]]:
    """Ask which row of the data set in use, if any, the note belongs to."""
    if dataset is None:
        st.caption("Bring a table on Data to have a note compared with its row.")
        return None, {}
    row_id = st.selectbox(
        "Compare with a row of the data set in use", dataset.frame.index, index=None,
        format_func=lambda row: f"Row {row + 1}", placeholder="no row", key="note_beside",
    )  # fmt: skip
    return (None, {}) if row_id is None else (int(row_id), _row(dataset, row_id, []))


def _row(dataset: Dataset, row_id: int, without: list[str]) -> dict[str, Any]:
    row = dataset.frame.loc[row_id]
    return {
        str(name): value
        for name, value in row.items()
        if name not in without and not pd.isna(value)
    }


def kept_text(note: Note) -> TextRow | None:
    """Return the note as it is kept with its log, once something in it was accepted."""
    rows = list_texts(state.current().workspace, "note")
    return next((row for row in rows if (row.name, row.text) == (note.name, note.text)), None)


def keep_text(note: Note) -> TextRow:
    """Keep the note, if it is not yet, and return it."""
    row = kept_text(note)
    if row is None:
        row = save_text(state.current().workspace, "note", note.name, note.text)
    return row
