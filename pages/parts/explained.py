"""What is there of an explanation: the file, the job, the table, and whom to explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from medcore.data import assign_columns, is_course
from medcore.jobs import Job, list_jobs
from medcore.records import Column, Run
from medcore.store import read_columns, read_json, read_predictions
from medcore.store.folder import EXPLANATION
from pages.parts import state
from pages.parts.patient import enter_patient
from pages.parts.runs import has_table

MOST_LISTED = 1_000
GONE = (
    "The table this model was trained on was deleted, so nobody can be shuffled or compared any "
    "more; bring it again and train, or see “What if?” under “One patient”."
)
ENTERED = ("number", "category", "date", "text")


def read_explanation(run: Run) -> Mapping[str, Any] | None:
    """Return what was found out about a run's model, if anything was."""
    if not (run.folder / EXPLANATION).is_file():
        return None
    return read_json(run.folder, EXPLANATION)


def find_job(run: Run) -> Job | None:
    """Return the newest job that explains a run."""
    jobs = list_jobs(state.current().workspace, kind="explain")
    return next((job for job in jobs if job.run == run.id), None)


def choose_view(columns: Sequence[Column]) -> str:
    """Show what can be explained of a run with these columns; return the view's name."""
    views = {"model": "What drives the model", "patient": "One patient"}
    if is_course(columns):
        # Visits are no values of a form; they have a view of their own.
        views = {"model": views["model"], "course": "One patient's course"}
    kinds = {column.kind for column in columns if column.role == "input"}
    media = {"image": "One image", "audio": "One recording", "text": "One note"}
    views |= {kind: title for kind, title in media.items() if kind in kinds}
    return st.segmented_control(
        "View", list(views), default="model", required=True, format_func=views.get,
        label_visibility="collapsed", key="explain_view",
    )  # fmt: skip


def choose_target(targets: Sequence[str], outcome: Column) -> str:
    """Let one of several classes be chosen; the only target is taken as it is."""
    if len(targets) == 1:
        return targets[0]
    return st.selectbox(
        "By when" if outcome.role == "event" else f"Class of {outcome.name}", targets,
        key="explain_target", help="The model gives a risk for each; this one's is explained.",
    )  # fmt: skip


def choose_patient(
    run: Run, columns: Mapping[str, Column], outcome: Column
) -> tuple[dict[str, Any], str] | None:
    """Return a patient's values and a key for their widgets; None until one is chosen."""
    ways = {"test": "A test patient", "form": "Enter a patient"}
    way = "form"
    if has_table(run):
        way = st.segmented_control(
            "Whom", list(ways), default="test", required=True, format_func=ways.get,
            key="explain_whom",
        )  # fmt: skip
    if way == "form":
        plain = [column for column in columns.values() if column.kind in ENTERED]
        if len(plain) < len(columns):
            st.caption("Pictures and recordings count as unknown here; choose a test patient.")
        values = enter_patient(run, plain, "Explain")
        if values is not None:
            number = st.session_state.get("explain_number", 0) + 1
            st.session_state["explain_number"] = number
            st.session_state["explain_entered"] = (run.id, values, f"form{number}")
        held = st.session_state.get("explain_entered")
        return held[1:] if held is not None and held[0] == run.id else None
    listed = list_patients(str(run.folder), outcome.name)
    chosen = st.selectbox(
        "Test patient", list(listed), index=None, key=f"explain_row_{run.id}",
        placeholder="Choose one; the highest predictions stand first",
    )  # fmt: skip
    if chosen is None:
        return None
    rows = _test_rows(run.dataset, run.config.model_dump_json(), tuple(listed.values()), run)
    return _plain(rows.loc[listed[chosen]]), str(listed[chosen])


@st.cache_data(scope="session", max_entries=4, show_spinner="Listing the test patients …")
def list_patients(folder: str, outcome: str) -> dict[str, int]:
    """Return the row id of each test row by what was predicted and what happened."""
    predictions = read_predictions(Path(folder))
    frame = predictions.frame
    frame = frame[(frame["model"] == "model") & (frame["part"] == "test")]
    frame = frame.drop_duplicates("row_id")
    name = f"p_{predictions.positive}" if predictions.positive else None
    if predictions.task == "regression":
        name = "predicted"
    elif predictions.horizons:
        name = f"risk_{predictions.horizons[-1].label}"
    if name is not None:
        frame = frame.sort_values(name, ascending=False)
    listed = {}
    for place, (_, row) in enumerate(frame.head(MOST_LISTED).iterrows(), 1):
        happened = row["outcome"]
        if name == "predicted":
            told = f"predicted {row[name]:.4g}, had {happened:.4g}"
        elif name is not None:
            when = f" by {predictions.horizons[-1].label}" if predictions.horizons else ""
            told = f"risk{when} {row[name]:.0%}, {outcome} = {happened}"
        else:
            told = f"{outcome} = {happened}"
        listed[f"Test patient {place}: {told}"] = int(row["row_id"])
    return listed


@st.cache_resource(scope="session", max_entries=2, show_spinner="Opening the patients …")
def _test_rows(dataset: str, config: str, rows: tuple[int, ...], _run: Run) -> pd.DataFrame:  # noqa: ARG001
    """Return the inputs of some rows, with the repairs that were agreed to."""
    frame = assign_columns(state.table_of(dataset), _run.config).frame
    names = [column.name for column in read_columns(_run.folder) if column.role == "input"]
    return frame.loc[list(rows), names]


def _plain(row: pd.Series) -> dict[str, Any]:
    values = {}
    for name, value in row.items():
        if pd.isna(value):
            values[str(name)] = None
        elif isinstance(value, pd.Timestamp):
            values[str(name)] = str(value.date())
        else:
            values[str(name)] = value.item() if hasattr(value, "item") else value
    return values
