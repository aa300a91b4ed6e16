"""A run's report: what it is meant for, one click, the files, and what only the author can say."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError, StoreError
from medcore.jobs import get_job, start_report, tend
from medcore.records import Run
from medcore.report import author_words, keep_author_words, report_is_current
from medcore.store.folder import REPORT
from pages.parts import state
from pages.parts.border import draw_apart
from pages.parts.frame import count, write_time

FILES = {
    "report.html": ("Report", "to read and to print; one file", "text/html"),
    "model_card.md": ("Model card", "in Hugging Face's format", "text/markdown"),
    "tripod_ai.csv": ("TRIPOD+AI", "the checklist, item by item", "text/csv"),
    "claim.csv": ("CLAIM", "the checklist for imaging", "text/csv"),
    "model.onnx": ("Model as ONNX", "for other programs", "application/octet-stream"),
    "model_inputs.json": ("Inputs of the ONNX model", "their names and order", "application/json"),
    "predictions.csv": ("Predictions", "of every model for every patient", "text/csv"),
    "config.json": ("Settings", "all of them", "application/json"),
    "evaluation.json": ("Figures", "every one, with its interval", "application/json"),
    "rebuild.py": ("Python script", "rebuilds the run from the data", "text/x-python"),
}
PLACEHOLDER = (
    "For example: to estimate, at admission, the risk that an adult with heart failure dies within "
    "a year, so that a cardiologist can plan follow-up. Not for children, not without a clinician."
)


def ask_use(run: Run) -> None:
    """Ask what the model is meant for, keep it with the run, and offer to write the report."""
    kept = author_words(run.folder)
    st.text_area(
        "What is this model meant for?", kept.intended_use, key=f"use_{run.id}", max_chars=5000,
        placeholder=PLACEHOLDER, on_change=_keep_use, args=(run,),
        help="For whom, by whom, when, and for what it is not. Left empty, the report says that "
        "it is not reported.",
    )  # fmt: skip
    st.button(
        "Write the report", type="primary", key="write_report", icon=":material/description:",
        on_click=_start, args=(run,),
    )  # fmt: skip


def _keep_use(run: Run) -> None:
    _try(lambda: keep_author_words(run.folder, intended_use=st.session_state[f"use_{run.id}"]))


def _start(run: Run) -> None:
    def start() -> None:
        job = start_report(state.current().workspace, run.id)
        st.session_state[f"report_job_{run.id}"] = job.id

    _try(start)


def _try(act: Any) -> None:
    try:
        act()
    except MedcoreError as error:
        st.toast(str(error), icon=":material/error:")


def watch_report(run: Run) -> bool:
    """Show how far the report is; tell whether it is still being written."""
    identity = st.session_state.get(f"report_job_{run.id}")
    if identity is None:
        return False
    try:
        job = get_job(state.current().workspace, identity)
    except MedcoreError:
        st.session_state.pop(f"report_job_{run.id}")
        return False
    if job.active:
        draw_apart(_show_progress, every=1)(identity)
    elif job.state != "finished":
        st.error(job.error or "Writing the report was stopped.", icon=":material/error:")
    return job.active


def _show_progress(identity: str) -> None:
    workspace = state.current().workspace
    tend(workspace.home)
    job = get_job(workspace, identity)
    if not job.active:
        st.rerun()
    waits = job.state == "queued"
    st.progress(min(1.0, job.fraction), text="Waiting" if waits else "Writing the report")


def show_report(run: Run, summary: Mapping[str, Any]) -> None:
    """Show what the report says in short, and its files."""
    st.subheader("The report", anchor=False)
    if not report_is_current(run.folder, summary):
        st.warning("The model was judged again since; write the report again.")
    missing = len(summary["open"])
    st.markdown(
        f"Written {write_time(summary['time'])}. The run filled in what it knows; "
        + (f"**{count(missing, 'item')} of TRIPOD+AI need you** (below)." if missing else
           "every item of TRIPOD+AI is reported.")
    )  # fmt: skip
    st.markdown(f"- {summary['headline']}\n- {summary['export']}")
    if warned := summary["warnings"]:
        with st.expander(f"{count(len(warned), 'warning')} of the run stand in it"):
            st.markdown("\n".join(f"- {sentence}" for sentence in warned))
    if not summary["intended_use"]:
        st.warning("The report says that its intended use is not reported: say it above.")
    folder = run.folder / REPORT
    with st.container(horizontal=True):
        st.download_button(
            "Download everything", lambda: _zip(folder, summary["files"]),
            f"{run.name} report.zip", "application/zip", type="primary",
            icon=":material/folder_zip:", key="report_zip", on_click="ignore",
        )  # fmt: skip
        _offer(folder / summary["files"][0])
    with st.expander("Each file by itself"):
        for name in summary["files"][1:]:
            button, words = st.columns([1, 2], vertical_alignment="center")
            with button:
                _offer(folder / name, wide=True)
            words.caption(f"`{name}`: {FILES[name][1]}")
    with st.expander("Read the report here"):
        st.iframe(folder / "report.html", height=700)


def _offer(path: Path, *, wide: bool = False) -> None:
    title, _, kind = FILES[path.name]
    st.download_button(
        title, path.read_bytes, path.name, kind, key=f"report_{path.name}", on_click="ignore",
        icon=":material/download:", width="stretch" if wide else "content",
        disabled=not path.is_file(),
    )  # fmt: skip


def _zip(folder: Path, names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                archive.write(folder / name, name)
    return buffer.getvalue()


def show_open(run: Run, summary: Mapping[str, Any]) -> None:
    """Show what only the author can say, as a table to fill in; answers are kept with the run."""
    st.subheader("What only you can say", anchor=False)
    answers = author_words(run.folder).answers
    opened = [row for row in summary["open"] if row["item"] != "3b"]
    known = {row["item"] for row in opened}
    table = pd.DataFrame(
        [
            {"Item": row["item"], "Still to say": _write_open(row),
             "Your words": answers.get(row["item"], "")}
            for row in opened
        ]
    )  # fmt: skip
    if table.empty:
        st.markdown("Nothing is left: every item is reported.")
        return
    st.markdown(
        "medcore never invents what it cannot know. What you write here goes into the report and "
        "the checklist, word for word, and stays with the run."
    )
    edited = st.data_editor(
        table, hide_index=True, disabled=["Item", "Still to say"], key=f"open_{run.id}",
        column_config={
            "Item": st.column_config.TextColumn(width=50),
            "Still to say": st.column_config.TextColumn(width=340),
            "Your words": st.column_config.TextColumn(width=380),
        },
    )  # fmt: skip
    if st.button("Keep my words and write the report again", key="keep_words"):
        said = dict(zip(edited["Item"], edited["Your words"], strict=True))
        others = {item: words for item, words in answers.items() if item not in known}
        try:
            keep_author_words(run.folder, answers=others | said)
        except StoreError as error:
            st.error(str(error))
            return
        _start(run)
        st.rerun()


def _write_open(row: Mapping[str, str]) -> str:
    topic, ask = row["topic"], row["needs_author"]
    return topic if ask == topic else f"{topic}: {ask}"
