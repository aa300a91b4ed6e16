"""How a judged model came to be: its learning curves, and what became of rows and columns."""

from __future__ import annotations

import streamlit as st

from medcore.figures import draw_learning
from medcore.records import Evaluation, Run
from medcore.store import read_events, read_json
from medcore.store.folder import DATASET
from pages.parts.charts import show_chart
from pages.parts.rows import show_ledger


def show_learning(run: Run, _: Evaluation) -> None:
    """Show the loss by epoch, closed."""
    with st.expander("How it learned"):
        learning = draw_learning(read_events(run.folder)[0])
        if learning is not None:
            show_chart(*learning, "learning")
        else:
            st.markdown("This model has no epochs; it is fitted in one go.")


def show_rows(run: Run, _: Evaluation) -> None:
    """Show the ledger, closed."""
    with st.expander("What became of the rows and columns"):
        show_ledger(read_json(run.folder, DATASET)["ledger"], run)
