"""The table in which a person says what each column is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from medcore.config import RunConfig
from medcore.errors import MedcoreError
from medcore.records import Column, Dataset
from pages.parts import state
from pages.parts.roles import check_mixture, set_role

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
                help="What the column is for. Inputs are what the model may look at. Several "
                "outcomes are several findings, each of them yes or no.",
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
    """Keep what differs from before, unless no task takes such outcomes together."""
    try:
        changed = change_columns(state.settings(), raw, before, after)
        check_mixture(raw, changed)
        state.keep_settings(changed)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state.pop(f"columns_{state.current().dataset.id}", None)
    st.rerun()


def change_columns(
    config: RunConfig, raw: Dataset, before: pd.DataFrame, after: pd.DataFrame
) -> RunConfig:
    """Return the settings with what a person changed in the table of columns."""
    kinds = {word: kind for kind, word in KINDS.items()}
    roles = {word: role for role, word in ROLES.items()}
    edited = ["Column", "Kind", "Role", "Unit"]
    rows = zip(*(table[edited].to_dict("records") for table in (before, after)), strict=True)
    changed = [(old, row) for old, row in rows if old != row]
    # Outcomes last: who makes another column the outcome instead changes two rows at once.
    for old, row in sorted(changed, key=lambda pair: pair[1]["Role"] == ROLES["outcome"]):
        name = row["Column"]
        if row["Role"] != old["Role"]:
            config = _take_back(config, name)
            config = set_role(config, raw, name, roles.get(row["Role"], row["Role"]))
        values = config.model_dump()
        if row["Kind"] != old["Kind"]:
            values["data"]["kinds"][name] = kinds.get(row["Kind"], row["Kind"])
        if row["Unit"] != old["Unit"]:
            values["data"]["units"][name] = row["Unit"] or ""
        config = RunConfig.model_validate(values)
    return config


def _take_back(config: RunConfig, name: str) -> RunConfig:
    """Return the settings without the repair that left a column out: it gets a role again."""
    values = config.model_dump()
    values["data"]["repairs"] = [
        repair for repair in values["data"]["repairs"]
        if (repair["action"], repair["column"]) != ("ignore_column", name)
    ]  # fmt: skip
    return RunConfig.model_validate(values)
