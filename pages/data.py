"""Data: bring tables in, and say what each column is."""

import streamlit as st

from medcore.data import SAMPLES, estimate_memory, outcome_candidates
from medcore.errors import MedcoreError
from medcore.jobs import start_import
from medcore.store import drop_upload, list_datasets, stage_upload
from pages.parts import state
from pages.parts.columns import edit_columns
from pages.parts.frame import count, open_page
from pages.parts.imports import await_import, pack_pictures, refuse, show_imports
from pages.parts.thumbnails import show_rows


def take_uploads(files: list) -> None:
    """Stage the uploaded files and queue their reading."""
    workspace = state.current().workspace
    for file in pack_pictures(files):
        try:
            path = stage_upload(workspace, file.name, file)
            estimate = estimate_memory(path)
            if not estimate.fits:
                drop_upload(path)
                refuse(f"“{file.name}” does not fit: {estimate.sentence}.")
                continue
            job = start_import(workspace, path, file.name.rsplit(".", 1)[0])
            await_import(job.id)
        except MedcoreError as error:
            refuse(str(error))


def show_uploader() -> None:
    """Show where files are dropped; what is dropped is read in the background."""
    count = st.session_state.setdefault("uploads", 0)
    files = st.file_uploader(
        "Drop tables here (CSV, TSV, Excel, Parquet, Stata, SAS, SPSS), or images: several files, "
        "a MedMNIST file, or a zip with one folder a class or with a table; up to 500 MB",
        accept_multiple_files=True,
        key=f"uploader_{count}",
    )
    if files and st.button("Read them", type="primary", key="read_uploads"):
        take_uploads(files)
        st.session_state["uploads"] = count + 1
        st.rerun()


def describe_source(source: str) -> str:
    """Return where a data set came from, in words."""
    sample = next((s for s in SAMPLES if source == f"sample:{s.name}"), None)
    return f"from {source}" if sample is None else f"from {sample.source}, {sample.licence}"


def choose_dataset() -> None:
    """Show the workspace's data sets to choose from."""
    rows = list_datasets(state.current().workspace)
    used = state.current().dataset
    if len(rows) < 2 and used is not None:
        return
    for row in rows:
        if used is not None and row.id == used.id:
            continue
        if st.button(f"Use {row.name} ({row.rows:,} rows)", key=f"use_{row.id}"):
            state.use(state.DATASET, row.id)
            st.rerun()


used = state.current().dataset
if used is None:
    open_page("Data", "Bring patients: a table with one row each (or one row a visit), or images.")
    show_imports()
    show_uploader()
    choose_dataset()
    state.link("home", "Or start with a sample on Home", ":material/home:")
else:
    dataset = state.configured()
    open_page(
        used.name, f"{used.rows:,} rows, {used.columns} columns, {describe_source(used.source)}."
    )
    show_imports()
    outcomes = dataset.with_role("outcome")
    findings = state.findings()
    left, middle, _ = st.columns([2, 3, 3], vertical_alignment="center")
    if left.button("Train a model", type="primary", key="to_train", width="stretch"):
        state.go("train")
    with middle:
        severe = sum(finding.severity != "hint" for finding in findings)
        state.link(
            "checks",
            f"{count(len(findings), 'finding')}, {severe} to look at",
            ":material/fact_check:",
        )
    if not outcomes:
        likely = ", ".join(outcome_candidates(dataset.frame, dataset.columns)[:3])
        st.info(
            f"No column is the outcome yet. Likely ones: {likely}. Choose it below, or on Train.",
            icon=":material/flag:",
        )
    st.subheader("What each column is", anchor=False)
    edit_columns(state.table(), dataset)
    st.subheader("The first rows", anchor=False)
    show_rows(dataset)
    with st.expander("Bring another table, or use another one"):
        show_uploader()
        choose_dataset()
