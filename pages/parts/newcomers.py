"""A table of new patients: chosen, looked at, asked about, and judged in the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import get_job, list_jobs, start_import, start_validation, tend
from medcore.records import Run
from medcore.store import DatasetRow, list_datasets, read_columns, read_json, stage_upload
from medcore.store.folder import COHORT
from medcore.validation import KEEP, NOTABLE, Question, compare_cohorts, read_newcomers
from pages.parts import state
from pages.parts.border import draw_apart
from pages.parts.frame import count, write_seconds
from pages.parts.judgement import load_evaluation

IMPORT, PICKED = "validation_import", "validation_table"


def show_job(run: Run) -> bool:
    """Show a validation of this run, or an upload, while it is under way; tell whether one is."""
    workspace = state.current().workspace
    waiting = [job for job in list_jobs(workspace, kind="validate", active_only=True)
               if job.run == run.id]  # fmt: skip
    identity = waiting[0].id if waiting else st.session_state.get(IMPORT)
    if identity is None:
        return False
    try:
        job = get_job(workspace, identity)
    except MedcoreError:
        st.session_state.pop(IMPORT, None)
        return False
    if job.active:
        draw_apart(_watch, every=1)(identity)
        return True
    st.session_state.pop(IMPORT, None)
    if job.state == "finished":
        st.session_state[PICKED] = job.result["dataset"]
    else:
        st.error(job.error or "Reading was stopped.", icon=":material/error:")
    return False


def _watch(identity: str) -> None:
    workspace = state.current().workspace
    tend(workspace.home)
    job = get_job(workspace, identity)
    if not job.active:
        st.rerun()
    left = f" · {write_seconds(job.seconds_left)} left" if job.seconds_left else ""
    st.progress(min(1.0, job.fraction), text=f"{job.message}{left}")


def choose_newcomers(run: Run) -> DatasetRow | None:
    """Let the visitor choose a table of the workspace or bring another."""
    workspace = state.current().workspace
    rows = {row.id: row for row in list_datasets(workspace) if row.id != run.dataset}
    left, right = st.columns(2)
    pictures = any(c.kind == "image" and c.role == "input" for c in read_columns(run.folder))
    with right:
        if pictures:
            st.caption(
                "Bring new images, with what became of the patients, on Data; then take this model "
                "into use again on Workspace, and choose them here."
            )
            state.link("data", "Bring images on Data", ":material/upload:")
        file = (
            None
            if pictures
            else st.file_uploader("Bring a table of new patients", key=f"newcomers_{run.id}")
        )
        if file is not None and st.button("Read it", key="read_newcomers"):
            path = stage_upload(workspace, file.name, file)
            st.session_state[IMPORT] = start_import(workspace, path, file.name).id
            st.rerun()
    with left:
        if not rows:
            st.info(
                "No other data set is in this workspace yet; bring one.", icon=":material/upload:"
            )
            return None
        picked = st.session_state.get(PICKED)
        chosen = st.selectbox(
            "New patients", list(rows), format_func=lambda key: rows[key].name,
            index=list(rows).index(picked) if picked in rows else None,
            placeholder="Choose a table", key=f"table_{picked}",
        )  # fmt: skip
    return rows.get(chosen)


@st.cache_data(scope="session", max_entries=8, show_spinner="Looking at the new patients …")
def _look(
    folder: str, table: str, answers: dict[str, str], _run: Run
) -> tuple[int, tuple[str, ...], tuple[Question, ...], list[dict[str, Any]]]:
    """Return how many can be judged, what is to be said and asked, and how they differ."""
    del folder
    cohort = None
    if (_run.folder / COHORT).is_file():
        cohort = read_json(_run.folder, COHORT)
    classes = load_evaluation(str(_run.folder)).classes
    found = read_newcomers(
        state.table_of(table), read_columns(_run.folder), classes, _run.config, cohort, answers
    )
    drift = compare_cohorts(cohort, found.dataset) if cohort else []
    return len(found.dataset.frame), found.sentences, found.questions, drift


def check_newcomers(run: Run, row: DatasetRow) -> None:
    """Show what the new table holds, ask about units, and offer to judge the model on it."""
    try:
        rows, sentences, questions, _ = _look(str(run.folder), row.id, {}, run)
        answers = _ask(run, row, questions)
        _, sentences, _, drift = _look(str(run.folder), row.id, answers, run)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.markdown(f"**{count(rows, 'new patient row')} with a known outcome.**")
    for sentence in sentences:
        st.markdown(f"- {sentence}")
    if drift:
        with st.expander(_say_drift(drift)):
            show_drift(drift, "before")
    open_still = len(questions) - len(answers)
    if st.button(
        "Judge the model on them", type="primary", key="validate", icon=":material/travel_explore:",
        disabled=bool(open_still),
        help="Answer the questions about units first." if open_still else None,
    ):  # fmt: skip
        start_validation(state.current().workspace, run.id, row.id, answers)
        st.rerun()


def _ask(run: Run, row: DatasetRow, questions: tuple[Question, ...]) -> dict[str, str]:
    """Show each question about a unit; nothing is converted that was not agreed to."""
    answers = {}
    for question in questions:
        st.warning(question.sentence, icon=":material/straighten:")
        answer = st.radio(
            f"What about {question.column}?", [question.conversion, KEEP], index=None,
            format_func=lambda key: "Keep as it is" if key == KEEP else f"Convert: {key}",
            horizontal=True, key=f"unit_{run.id}_{row.id}_{question.column}",
            label_visibility="collapsed",
        )  # fmt: skip
        if answer is not None:
            answers[question.column] = answer
    return answers


def _say_drift(drift: list[Mapping[str, Any]]) -> str:
    apart = [
        row["column"] for row in drift
        if abs(row["difference"] or 0) > NOTABLE or abs(row["difference in missing"] or 0) > NOTABLE
    ]  # fmt: skip
    if not apart:
        return "The new patients are like those of development (no difference above 0.1)"
    return f"How the new patients differ: {len(apart)} of {len(drift)} columns by more than 0.1"


def show_drift(drift: list[Mapping[str, Any]], key: str) -> None:
    """Show Table 1: development beside here, with standardised differences."""
    rows = [
        {
            "Column": row["column"] + (f", {row['unit']}" if row["unit"] else ""),
            "Difference": row["difference"],
            "Development": row["development"],
            "Here": row["here"],
            "Missing in development": row["missing in development"],
            "Missing here": row["missing here"],
            "Difference in missing": row["difference in missing"],
        }
        for row in sorted(drift, key=lambda row: -abs(row["difference"] or 0))
    ]
    table = pd.DataFrame(rows)
    number = st.column_config.NumberColumn
    standardised = "In standard deviations; above 0.1 groups are usually called different."
    st.dataframe(
        table, hide_index=True, key=f"drift_{key}",
        column_config={
            "Column": st.column_config.TextColumn(pinned=True),
            "Difference": number(format="%.2f", help=standardised),
            "Missing in development": number(format="percent"),
            "Missing here": number(format="percent"),
            "Difference in missing": number(format="%.2f", help=standardised),
        },
    )  # fmt: skip
    st.caption("Mean (standard deviation), or the most frequent categories.")
    st.download_button(
        "Download as CSV", table.to_csv(index=False).encode(), "drift.csv", "text/csv",
        key=f"csv_drift_{key}", on_click="ignore",
    )  # fmt: skip
