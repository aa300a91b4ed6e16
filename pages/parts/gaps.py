"""Missing values and outcome classes, made visible."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from medcore.checks import class_balance, missing_by_column, missing_by_outcome, missing_patterns
from medcore.config import RunConfig
from medcore.data import infer_task, outcome_classes
from medcore.records import Dataset
from pages.parts import state
from pages.parts.charts import BLUE, ORANGE, make_figure, show_chart
from pages.parts.prognosis import show_followup
from pages.parts.why_missing import (
    show_cost,
    show_groups,
    show_patterns,
    show_reasons,
    show_rows,
)


def show_missing(dataset: Dataset) -> None:
    """Show how much is missing where, together with what, and with which outcome."""
    table = missing_by_column(dataset)
    if table.empty:
        st.success("No input has a missing value.", icon=":material/check_circle:")
        return
    complete = float(
        dataset.frame[[c.name for c in dataset.with_role("input")]].notna().all(axis=1).mean()
    )
    st.markdown(f"{len(table)} inputs have gaps; {complete:.0%} of rows have none.")
    figure = make_figure("Missing values by column", "Share of rows", "", 120 + 28 * len(table))
    figure.add_bar(x=table["share"], y=table["column"], orientation="h", marker_color=BLUE,
                   hovertemplate="%{y}: %{x:.1%}<extra></extra>")  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(tickformat=".0%")
    show_chart(figure, table, "missing_by_column")
    show_patterns(missing_patterns(dataset))
    show_rows(dataset)
    _show_by_outcome(dataset)
    show_groups(dataset)
    show_reasons(dataset)
    show_cost(dataset)


def _show_by_outcome(dataset: Dataset) -> None:
    outcomes = dataset.with_role("outcome")
    if not outcomes or infer_task(dataset) != "binary":
        return
    _, positive = outcome_classes(dataset, RunConfig())
    if positive is None:
        return
    table = missing_by_outcome(dataset, positive)
    figure = make_figure(
        f"Is a gap more frequent with “{outcomes[0].name} = {positive}”?",
        "Share missing, with − without, 95 % interval", "", 120 + 28 * len(table),
    )  # fmt: skip
    figure.add_scatter(
        x=table["difference"], y=table["column"], mode="markers", marker={"color": BLUE, "size": 9},
        error_x={"type": "data", "symmetric": False, "array": table["high"] - table["difference"],
                 "arrayminus": table["difference"] - table["low"]},
        hovertemplate="%{y}: %{x:+.1%}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": "#999999", "dash": "dash"})
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(tickformat="+.0%")
    st.markdown("An interval beyond zero says that a missing value itself tells of the outcome.")
    show_chart(figure, table, "missing_by_outcome")


def show_balance(dataset: Dataset) -> None:
    """Show how the outcome's classes or values are distributed; events over time."""
    if dataset.with_role("event"):
        show_followup()
        return
    outcomes = dataset.with_role("outcome")
    if not outcomes:
        st.info("No outcome is chosen yet.", icon=":material/flag:")
        state.link("data", "Choose it on Data", ":material/table:")
        return
    if infer_task(dataset) == "regression":
        values = dataset.frame[outcomes[0].name].dropna()
        figure = make_figure(f"Values of {outcomes[0].name}", outcomes[0].unit or "", "Patients")
        figure.add_trace(go.Histogram(x=values, marker_color=BLUE, nbinsx=30))
        show_chart(figure, values.describe().reset_index(), "outcome")
        return
    table = class_balance(dataset)
    rarest = table.iloc[-1]
    st.markdown(
        f"The rarest class is “{rarest['class']}”, {rarest['share']:.1%} of rows. A model that "
        f"always says “{table.iloc[0]['class']}” is right for {table.iloc[0]['share']:.0%}: "
        "accuracy alone proves little."
    )
    figure = make_figure(f"Classes of {outcomes[0].name}", "Rows", "", 120 + 34 * len(table))
    figure.add_bar(x=table["rows"], y=table["class"], orientation="h", marker_color=ORANGE)
    figure.update_yaxes(autorange="reversed", type="category")
    show_chart(figure, table, "outcome_classes")
