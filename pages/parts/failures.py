"""The patients the model was most wrong about, with their pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.records import Column, Dataset, Evaluation, Run
from medcore.store import read_columns
from pages.parts import state
from pages.parts.columns import KINDS
from pages.parts.findings import finding_of, load_predictions
from pages.parts.form import batched
from pages.parts.player import play
from pages.parts.thumbnails import draw_thumbnail

MOST, ROW, SIDE = 8, 4, 160


def worst_cases(frame: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """Return the test patients called wrongly, those the model was surest of first.

    Columns row_id, outcome, called and probability (of the class that was called).
    """
    own = frame[(frame["model"] == "model") & (frame["part"] == "test")]
    risks = own[[f"p_{name}" for name in classes]].to_numpy(np.float64)
    called = np.array(classes, dtype=object)[risks.argmax(axis=1)]
    table = pd.DataFrame(
        {
            "row_id": own["row_id"].to_numpy(),
            "outcome": own["outcome"].astype(str).to_numpy(),
            "called": called,
            "probability": risks.max(axis=1),
        }
    )
    wrong = table[table["called"] != table["outcome"]]
    return wrong.sort_values("probability", ascending=False, ignore_index=True)


def show_failures(run: Run, evaluation: Evaluation) -> None:
    """Show the worst cases by confidence, where there are pictures or recordings of them."""
    pictures = [
        c for c in read_columns(run.folder) if c.kind in ("image", "audio") and c.role == "input"
    ]
    if not pictures or not evaluation.classes:
        return
    try:
        dataset = state.table_of(run.dataset)
    except MedcoreError:
        return
    told = load_predictions(run.folder, finding_of(run, evaluation))
    cases = worst_cases(told.frame, told.classes)
    st.subheader("Where it was most wrong", anchor=False)
    if cases.empty:
        st.markdown("Not one test patient was called wrongly.")
        return
    st.markdown(
        f"{len(cases):,} test patients belong to another class than the likeliest. Those the model "
        "was surest of come first: look for poor images or recordings, wrong labels, and what they "
        "share."
    )
    for four in batched(list(cases.head(MOST).itertuples()), ROW):
        for place, case in zip(st.columns(ROW), four, strict=False):
            with place:
                _show_case(dataset, pictures[0], case)
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


def _show_case(dataset: Dataset, column: Column, case) -> None:
    cell = dataset.frame[column.name].get(case.row_id)
    if dataset.media is not None and cell is not None and not pd.isna(cell):
        if column.kind == "audio":
            play(dataset.media, str(cell))
        else:
            st.image(draw_thumbnail(dataset.media, str(cell), SIDE))
    else:
        st.markdown(f"*No {KINDS[column.kind]}*")
    st.caption(
        f"Row {case.row_id + 1}: is **{case.outcome}**, called **{case.called}** "
        f"({case.probability:.2f})"
    )
