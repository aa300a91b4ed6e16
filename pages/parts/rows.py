"""What became of each row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from medcore.data import configure_dataset
from medcore.errors import MedcoreError
from medcore.records import Dataset, Run
from medcore.split import read_split
from medcore.store import read_json
from medcore.store.folder import SPLIT
from pages.parts import state

PARTS = {
    "train": "learned from",
    "validation": "decided when to stop and the threshold",
    "calibration": "set aside for calibration",
    "test": "judged on, once",
}


def preview_rows(dataset: Dataset) -> Dataset:
    """Return the rows that a run would use; what stands in the way of one is said."""
    try:
        return configure_dataset(state.table(), state.settings())
    except MedcoreError as error:
        st.warning(f"Nothing can be trained yet. {error}", icon=":material/flag:")
        return dataset


def show_ledger(entries: Sequence[Mapping[str, Any]], run: Run | None = None) -> None:
    """Show every step that took rows or columns in, and, of a run, who was in which part."""
    table = pd.DataFrame(
        [
            {
                "What happened": entry["reason"],
                "Rows in": entry["rows_in"],
                "Rows used": entry["rows_out"],
                "Inputs in": entry["columns_in"],
                "Inputs used": entry["columns_out"],
            }
            for entry in entries
        ]
    )
    st.dataframe(table, hide_index=True)
    if run is None:
        return
    split = read_split(read_json(run.folder, SPLIT))
    for part, rows in split.parts.items():
        st.markdown(f"- {len(rows):,} rows: {PARTS[part]}")
    if split.folds:
        tested = sum(len(parts["test"]) for parts in split.folds)
        st.markdown(f"- {tested:,} rows judged in {len(split.folds)} folds, each once a repeat")
