"""The table in which a person says what each column is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.records import Column, Dataset
from pages.parts import state

KINDS = {
    "number": "number", "category": "category", "date": "date", "text": "text", "image": "image",
    "audio": "recording",
    "series": "series of visits",
}  # fmt: skip
ROLES = {
    "input": "input",
    "outcome": "outcome (to predict)",
    "patient": "patient identifier",
    "site": "hospital or site",
    "date": "date of the row",
    "visit": "time of the visit (several rows a patient)",
    "measurement": "measured at visits",
    "duration": "length of follow-up",
    "event": "event (how follow-up ended)",
    "treatment": "treatment (two arms)",
    "ignored": "ignored",
}
BARS = 12


def edit_columns(raw: Dataset, dataset: Dataset) -> None:
    """Show the columns with kind, role and unit to edit, and keep what was changed."""
    rows = _describe(dataset, state.current().dataset.id, state.settings().data.model_dump_json())
    edited = st.data_editor(
        rows,
        hide_index=True,
        key=f"columns_{state.current().dataset.id}",
        disabled=["Column", "Values", "Missing", "How it was recognised"],
        column_config={
            "Column": st.column_config.TextColumn(width="medium", pinned=True),
            "Kind": st.column_config.SelectboxColumn(
                options=list(KINDS.values()), required=True,
                help="What the column holds. Change it where it was recognised wrongly.",
            ),
            "Role": st.column_config.SelectboxColumn(
                options=list(ROLES.values()), required=True,
                help="What the column is for. Inputs are what the model may look at.",
            ),
            "Unit": st.column_config.TextColumn(help="Shown beside values, e.g. mmHg."),
            "Values": st.column_config.BarChartColumn(
                help="How the values are distributed: numbers in twelve steps, categories by size.",
                y_min=0,
            ),
            "Missing": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, help="Share of rows without a value."
            ),
        },
    )  # fmt: skip
    if not edited.equals(rows):
        _keep(raw, rows, edited)


@st.cache_data(scope="session", max_entries=4, show_spinner="Looking at the columns …")
def _describe(_dataset: Dataset, identity: str, settings: str) -> pd.DataFrame:  # noqa: ARG001
    return pd.DataFrame([_row(column, _dataset.frame[column.name]) for column in _dataset.columns])


def _row(column: Column, values: pd.Series) -> dict[str, object]:
    return {
        "Column": column.name,
        "Kind": KINDS.get(column.kind, column.kind),
        "Role": ROLES.get(column.role, column.role),
        "Unit": column.unit or "",
        "Values": _bars(column, values),
        "Missing": float(values.isna().mean()),
        "How it was recognised": column.note,
    }


def _bars(column: Column, values: pd.Series) -> list[int]:
    known = values.dropna()
    if column.kind == "number" and len(known):
        numbers = known.to_numpy(np.float64)
        return np.histogram(numbers[np.isfinite(numbers)], bins=BARS)[0].tolist()
    if column.kind == "date" and len(known):
        return np.histogram(known.dt.year.to_numpy(), bins=BARS)[0].tolist()
    if column.kind in ("image", "audio", "series"):
        return []
    return known.astype("string").value_counts().head(BARS).tolist()


def _keep(raw: Dataset, before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Write what differs from before into the settings; one outcome at a time."""
    config = state.settings()
    values = config.data.model_dump()
    kinds = {word: kind for kind, word in KINDS.items()}
    roles = {word: role for role, word in ROLES.items()}
    for place in np.flatnonzero((before != after)[["Kind", "Role", "Unit"]].any(axis=1)):
        row, old = after.iloc[place], before.iloc[place]
        name = row["Column"]
        if row["Kind"] != old["Kind"]:
            values["kinds"][name] = kinds.get(row["Kind"], row["Kind"])
        if row["Unit"] != old["Unit"]:
            values["units"][name] = row["Unit"] or ""
        if row["Role"] != old["Role"]:
            role = roles.get(row["Role"], row["Role"])
            set_role(values["roles"], name, role, raw)
            # Whoever gives a column a role takes back that it was left out.
            values["repairs"] = [
                repair
                for repair in values["repairs"]
                if (repair["action"], repair["column"]) != ("ignore_column", name)
            ]
    try:
        changed = config.model_copy(update={"data": type(config.data)(**values)})
        state.keep_settings(changed)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state.pop(f"columns_{state.current().dataset.id}", None)
    st.rerun()


def set_role(roles: dict[str, str], name: str, role: str, raw: Dataset) -> None:
    """Give a column a role; of outcome, patient and site there is one each."""
    if role in ("outcome", "event", "duration", "patient", "site", "date", "visit",
                "treatment"):  # fmt: skip
        held = {column.name: column.role for column in raw.columns} | roles
        for other, had in held.items():
            if had == role and other != name:
                roles[other] = "ignored"
    roles[name] = role
