"""One patient's visits entered by hand: a small table, and the risk after each of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from medcore.data import is_course
from medcore.records import Column, Run
from medcore.store import read_columns, read_rules
from pages.parts.course import show_trajectory
from pages.parts.form import batched
from pages.parts.patient import label_column, show_answer, show_field, warm_once, write_rule
from pages.parts.runs import question

EMPTY_ROWS = 4


def reads_visits(run: Run) -> bool:
    """Tell whether a run's model looks at visits."""
    return is_course(read_columns(run.folder))


def show_course_form(run: Run) -> None:
    """Show the form of one patient's visits, and what the model says after each."""
    columns = read_columns(run.folder)
    warm_once(run)
    entered = _enter(run, columns)
    if entered is not None:
        values, visits = entered
        with st.spinner("Asking the model …"):
            said = question(run, "predict_course", values=values, visits=visits)
        st.session_state["said_course"] = (run.id, said)
    held = st.session_state.get("said_course")
    if held is not None and held[0] == run.id:
        inputs = [c for c in columns if c.role in ("input", "measurement")]
        show_answer(run, inputs, held[1])
        show_trajectory(run, held[1]["trajectory"])


def _enter(run: Run, columns: tuple[Column, ...]) -> tuple[dict[str, Any], list[dict]] | None:
    static = [c for c in columns if c.role == "input" and not c.made_of]
    rules = read_rules(run.folder)
    with st.form("course"):
        values = {}
        for three in batched(static, 3):
            for place, column in zip(st.columns(3), three, strict=False):
                with place:
                    text = write_rule(rules.get(column.name))
                    values[column.name] = show_field(column, f"course_{column.name}", text=text)
        st.markdown("**Visits**, one a row, in any order; leave empty what was not measured.")
        table = _edit_visits(run, columns)
        asked = st.form_submit_button("Predict", type="primary", icon=":material/play_arrow:")
    return (values, _read_rows(table)) if asked else None


def _edit_visits(run: Run, columns: tuple[Column, ...]) -> pd.DataFrame:
    visit = next(c for c in columns if c.role == "visit")
    shown = [visit, *(c for c in columns if c.role == "measurement")]
    types = {"number": "float64", "date": "datetime64[us]"}
    empty = pd.DataFrame(
        {c.name: pd.Series([None] * EMPTY_ROWS, dtype=types.get(c.kind, "string")) for c in shown}
    )
    widgets = {
        "number": lambda c: st.column_config.NumberColumn(label_column(c), format="%g"),
        "date": lambda c: st.column_config.DateColumn(label_column(c)),
        "category": lambda c: st.column_config.SelectboxColumn(
            label_column(c), options=list(c.categories)
        ),
    }
    told = {c.name: widgets[c.kind](c) for c in shown if c.kind in widgets}
    return st.data_editor(
        empty, num_rows="dynamic", hide_index=True, column_config=told, key=f"visits_{run.id}"
    )


def _read_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows in which anything is entered, as JSON has them."""
    rows = []
    for _, row in table.iterrows():
        values = {
            str(name): None
            if pd.isna(value)
            else str(value.date())
            if isinstance(value, pd.Timestamp)
            else value
            for name, value in row.items()
        }
        if any(value is not None for value in values.values()):
            rows.append(values)
    return rows
