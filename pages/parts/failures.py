"""The patients the model was most wrong about, with their pictures."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.evaluate.failures import called_rows, shared_traits, worst_cases
from medcore.records import Column, Dataset, Evaluation, Run
from medcore.store import read_columns
from pages.parts import state
from pages.parts.columns import KINDS
from pages.parts.findings import finding_of, load_predictions
from pages.parts.player import play
from pages.parts.thumbnails import TILE, draw_thumbnail

# A player needs more room than a picture.
MOST, PLAYER = 8, 260
TASKS = ("binary", "multiclass")


def show_failures(run: Run, evaluation: Evaluation) -> None:
    """Show the worst cases by confidence, where there are pictures or recordings of them."""
    pictures = [
        c for c in read_columns(run.folder) if c.kind in ("image", "audio") and c.role == "input"
    ]
    if not pictures or evaluation.task not in TASKS:
        return
    try:
        dataset = state.table_of(run.dataset)
    except MedcoreError:
        return
    told = load_predictions(run.folder, finding_of(run, evaluation))
    threshold = evaluation.parts["test"].threshold
    called = called_rows(told.frame, told.classes, told.positive, threshold)
    cases = worst_cases(called)
    st.subheader("Where it was most wrong", anchor=False)
    if cases.empty:
        st.markdown("Not one test patient was called wrongly.")
        return
    st.markdown(
        f"Of {len(called):,} test patients {len(cases):,} are called wrongly, "
        + ("by the likeliest class" if threshold is None else f"at the threshold {threshold:.2f}")
        + ". Those the model was surest of come first: look for poor images or recordings, wrong "
        "labels, and what they share."
    )
    # As many beside each other as the screen has room for.
    flowing = st.container(horizontal=True)
    for case in cases.head(MOST).itertuples():
        with flowing.container(width=PLAYER if pictures[0].kind == "audio" else TILE):
            _show_case(dataset, pictures[0], case)
    _show_shared(dataset, called)
    with st.expander("All of them in a table"):
        st.dataframe(
            cases.assign(row_id=cases["row_id"] + 1), hide_index=True, key="worst_cases",
            column_config={
                "row_id": "Row", "outcome": "Outcome", "called": "Called",
                "probability": st.column_config.NumberColumn("Probability", format="%.2f"),
            },
        )  # fmt: skip
        csv = cases.to_csv(index=False).encode()
        st.download_button("Download as CSV", csv, "worst_cases.csv", "text/csv",
                           key="csv_worst_cases", on_click="ignore")  # fmt: skip


def _show_shared(dataset: Dataset, called: pd.DataFrame) -> None:
    """Say what those called wrongly share, of what is known of them."""
    columns = [column for column in dataset.columns if column.role != "patient"]
    shared = shared_traits(called, dataset.frame, columns)
    if shared.empty:
        st.markdown("Nothing that is known of them sets them apart from the others.")
        return
    st.markdown("**What they share.** Groups that are called wrongly more often than the rest:")
    st.dataframe(
        shared, hide_index=True, key="shared_traits",
        column_config={
            "column": "Column", "group": "Value", "rows": "Test rows", "wrong": "Called wrongly",
            "share": st.column_config.NumberColumn("Share", format="percent"),
            "low": st.column_config.NumberColumn("From", format="percent", help="95 % interval"),
            "high": st.column_config.NumberColumn("To", format="percent"),
            "others": st.column_config.NumberColumn("Among the rest", format="percent"),
        },
    )  # fmt: skip


def _show_case(dataset: Dataset, column: Column, case) -> None:
    cell = dataset.frame[column.name].get(case.row_id)
    if dataset.media is not None and cell is not None and not pd.isna(cell):
        if column.kind == "audio":
            play(dataset.media, str(cell))
        else:
            st.image(draw_thumbnail(dataset.media, str(cell), TILE))
    else:
        st.markdown(f"*No {KINDS[column.kind]}*")
    st.caption(
        f"Row {case.row_id + 1}: is **{case.outcome}**, called **{case.called}** "
        f"({case.probability:.2f})"
    )
