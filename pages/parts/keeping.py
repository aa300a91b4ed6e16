"""What the Workspace page does: list, rename, delete, export, import, and the way back."""

from __future__ import annotations

import math
import tempfile
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from medcore.errors import MedcoreError
from medcore.records import Run
from medcore.store import (
    DatasetRow,
    Usage,
    Workspace,
    count_runs,
    delete_dataset,
    delete_run,
    delete_workspace,
    export_workspace,
    import_workspace,
    list_runs,
    rename_run,
)
from pages.parts import state
from pages.parts.frame import count, write_time
from pages.parts.runs import show_figures

PAGE = 20


def show_link() -> None:
    """Show the address that leads back to this workspace."""
    st.markdown("**Your way back.** Keep this address; nobody can find it for you.")
    parts = urlsplit(st.context.url or "")
    root = parts.path.rsplit("/", 1)[0] + "/"
    query = f"workspace={state.current().workspace.id}"
    st.code(urlunsplit((parts.scheme, parts.netloc, root, query, "")), language=None)


def show_runs() -> None:
    """Show the runs, newest first, with search, a page at a time."""
    workspace = state.current().workspace
    total = count_runs(workspace)
    if not total:
        st.caption("No model yet.")
        state.link("train", "Train one", ":material/model_training:")
        return
    search, place = "", 1
    if total > 5:
        left, right = st.columns([4, 1])
        search = left.text_input("Search by name", key="run_search")
        pages = max(1, math.ceil(total / PAGE))
        if pages > 1 and not search:
            place = right.number_input("Page", 1, pages, 1, key="run_page", help=f"of {pages}")
    runs = list_runs(workspace, limit=PAGE, offset=(place - 1) * PAGE, search=search)
    for run in runs:
        _show_run(run)
    if search and not runs:
        st.caption(f"No model's name holds “{search}”.")


def _show_run(run: Run) -> None:
    with st.container(border=True):
        left, middle, right = st.columns([3, 3, 3], vertical_alignment="center")
        left.markdown(f"**{run.name}**  \n{write_time(run.created)}")
        with middle:
            show_figures(run)
        with right, st.container(horizontal=True):
            if st.button("Open", key=f"open_{run.id}"):
                state.use(state.RUN, run.id)
                state.use(state.DATASET, run.dataset)
                state.go("results" if run.state == "finished" else "train")
            if st.button("Rename", key=f"rename_{run.id}"):
                _rename(run)
            if st.button("Delete", key=f"delete_{run.id}"):
                _confirm_delete_run(run)


@st.dialog("Rename")
def _rename(run: Run) -> None:
    name = st.text_input("Name", run.name, max_chars=200, key="new_name")
    if st.button("Save", type="primary", key="save_name"):
        rename_run(state.current().workspace, run.id, name)
        st.rerun()


@st.dialog("Delete this model?")
def _confirm_delete_run(run: Run) -> None:
    st.markdown(
        f"“{run.name}”, its predictions and its results will be gone for good. The data set stays."
    )
    if st.button("Delete it", type="primary", key="really_delete_run"):
        _carry_out(lambda: delete_run(state.current().workspace, run.id))


@st.dialog("Delete this data set?")
def confirm_delete_dataset(row: DatasetRow) -> None:
    """Ask once, naming what goes."""
    st.markdown(
        f"“{row.name}” with {row.rows:,} rows and what you agreed to on Checks will be gone for "
        "good. Models trained on it stay."
    )
    if st.button("Delete it", type="primary", key="really_delete_dataset"):
        _carry_out(lambda: delete_dataset(state.current().workspace, row.id))


@st.dialog("Delete this workspace?")
def confirm_delete_workspace(usage: Usage) -> None:
    """Ask once, naming what goes."""
    st.markdown(
        f"{count(usage.datasets, 'data set')} and {count(usage.runs, 'model')} will be gone for "
        "good, and this address will lead nowhere."
    )
    if st.button("Delete everything", type="primary", key="really_delete_workspace"):
        delete_workspace(state.current().workspace)
        state.forget()
        st.rerun()


def _carry_out(deletion) -> None:
    try:
        deletion()
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()


def show_export() -> None:
    """Offer everything in the workspace as one file."""
    st.markdown("**Export** all data sets and models as one file.")
    st.download_button(
        "Export",
        partial(_export, state.current().workspace),
        "medcore_workspace.zip",
        "application/zip",
        key="export",
        icon=":material/download:",
        on_click="ignore",
        help="Anyone who has the file can read the patients in it.",
    )


def _export(workspace: Workspace) -> bytes:
    """Return the export; asked for by the browser, outside the session."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workspace.zip"
        return export_workspace(workspace, path).read_bytes()


def show_import() -> None:
    """Take an exported file in."""
    file = st.file_uploader("**Import** an exported workspace", type="zip", key="import_file")
    if file is None or not st.button("Import", key="import_now"):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workspace.zip"
        path.write_bytes(file.getbuffer())
        try:
            counts = import_workspace(state.current().workspace, path)
        except MedcoreError as error:
            st.error(str(error), icon=":material/error:")
            return
    parts = (("datasets", "data set"), ("runs", "model"), ("texts", "text"))
    said = ", ".join(count(counts[part], word) for part, word in parts)
    st.toast(f"Imported {said}.")
    st.rerun()
