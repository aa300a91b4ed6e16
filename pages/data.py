"""Data: bring tables, images and recordings in, and say what each column is."""

import streamlit as st

from medcore.data import SAMPLES, outcome_candidates
from medcore.store import list_datasets
from pages.parts import state
from pages.parts.arrival import show_arrival
from pages.parts.columns import edit_columns
from pages.parts.frame import count, open_page
from pages.parts.imports import show_imports
from pages.parts.player import show_player
from pages.parts.several import say_findings
from pages.parts.thumbnails import show_rows
from pages.parts.uploads import show_public_sets, show_uploader


def describe_source(source: str) -> str:
    """Return where a data set came from, in words."""
    sample = next((s for s in SAMPLES if source == f"sample:{s.name}"), None)
    return source if sample is None else f"{sample.source} ({sample.licence})"


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
    open_page(
        "Data",
        "Bring patients: a table with one row each (or one row a visit), images, or recordings.",
    )
    show_imports()
    show_uploader()
    show_public_sets()
    choose_dataset()
    state.link("home", "Or start with a sample on Home", ":material/home:")
else:
    dataset = state.configured()
    open_page(
        used.name,
        f"{used.rows:,} rows, {used.columns} columns. Source: {describe_source(used.source)}.",
    )
    show_imports()
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
    show_arrival(state.table())
    if dataset.predicted_column() is None:
        likely = ", ".join(outcome_candidates(dataset.frame, dataset.columns)[:3])
        st.info(
            f"No column is the outcome yet. Likely ones: {likely}. Choose it below, or on Train."
            if likely
            else "No column can be an outcome. Bring a table with the outcome of each row, in a "
            "zip with its files; or images in folders named for their classes, and say so when you "
            "bring them.",
            icon=":material/flag:",
        )
    st.subheader("What each column is", anchor=False)
    edit_columns(state.table(), dataset)
    if len(dataset.with_role("outcome")) > 1:
        say_findings(state.settings())
        st.caption("To ask for one of them only, give the others another role.")
    st.subheader("The first rows", anchor=False)
    show_rows(dataset)
    show_player(dataset)
    with st.expander("Bring another table, or use another one"):
        show_uploader()
        show_public_sets()
        choose_dataset()
