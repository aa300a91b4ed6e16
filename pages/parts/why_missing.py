"""Why values may be missing, and what leaving rows or columns out would cost."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from medcore.checks import (
    LittleTest,
    class_balance,
    gap_predictability,
    lost_by_limit,
    missing_by_group,
    missing_by_row,
    run_little,
)
from medcore.data import infer_task
from medcore.records import Dataset
from pages.parts import state
from pages.parts.charts import BLUE, GREYS, make_figure, show_chart
from pages.parts.frame import count

CANNOT = (
    "Whether a value is missing because of what it would have been (missing not at random) cannot "
    "be tested with any data: only someone who knows how they came about can tell."
)
SETS_SHOWN, COLUMNS_SHOWN = 12, 12


def show_patterns(patterns: pd.DataFrame) -> None:
    """Draw which columns are missing together: how often above, which below."""
    shown = patterns.head(SETS_SHOWN)
    names: list[str] = []
    for columns in shown["columns"]:
        names += [name for name in columns if name not in names]
    names = names[:COLUMNS_SHOWN]
    words = [", ".join(columns) or "nothing missing" for columns in shown["columns"]]
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.5, 0.5], vertical_spacing=0.03)
    places = list(range(len(shown)))
    figure.add_bar(x=places, y=shown["rows"], marker_color=BLUE, customdata=words, row=1, col=1,
                   hovertemplate="%{customdata}: %{y:,} rows<extra></extra>")  # fmt: skip
    for row, name in enumerate(names):
        inside = [place for place, columns in enumerate(shown["columns"]) if name in columns]
        outside = [place for place in places if place not in inside]
        for group, colour in ((outside, GREYS[3]), (inside, BLUE)):
            figure.add_scatter(x=group, y=[row] * len(group), mode="markers", row=2, col=1,
                               marker={"size": 11, "color": colour}, hoverinfo="skip")  # fmt: skip
    plain = make_figure("Which values are missing together", "", "").layout
    figure.update_layout(plain, height=260 + 24 * len(names), showlegend=False)
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(title_text="Rows", row=1, col=1)
    figure.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed",
                        showgrid=False, row=2, col=1)  # fmt: skip
    table = patterns.assign(
        columns=[", ".join(columns) or "nothing missing" for columns in patterns["columns"]]
    )
    show_chart(figure, table, "missing_patterns")


def show_rows(dataset: Dataset) -> None:
    """Draw how many values a row misses."""
    table = missing_by_row(dataset)
    figure = make_figure("How many values a row misses", "Values missing", "Rows", 300)
    figure.add_bar(x=table["missing"], y=table["rows"], marker_color=BLUE,
                   hovertemplate="%{x} missing: %{y:,} rows<extra></extra>")  # fmt: skip
    show_chart(figure, table, "missing_by_row")


def show_groups(dataset: Dataset) -> None:
    """Draw the share missing by site and over time, where the table says either."""
    for column in dataset.with_role("site", "date"):
        table = missing_by_group(dataset, column.name)
        if table.empty or table.shape[1] < 2:
            continue
        figure = make_figure(f"Share missing by {column.name}", "", "", 140 + 28 * len(table))
        figure.add_trace(
            go.Heatmap(
                z=table.to_numpy(), x=list(table.columns), y=list(table.index), zmin=0, zmax=1,
                colorscale=[[0, "rgba(0,114,178,0.05)"], [1, BLUE]],
                colorbar={"tickformat": ".0%"},
                hovertemplate="%{y}, %{x}: %{z:.0%} missing<extra></extra>",
            )
        )  # fmt: skip
        figure.update_yaxes(autorange="reversed")
        figure.update_xaxes(type="category")
        shown = table.reset_index(names="column")
        show_chart(figure, shown, f"missing_by_{column.role}")


@st.cache_data(scope="session", max_entries=4, show_spinner="Looking for what tells of gaps …")
def _look(
    _dataset: Dataset,
    identity: str,  # noqa: ARG001
    settings: str,  # noqa: ARG001
) -> tuple[pd.DataFrame, LittleTest | None]:
    return gap_predictability(_dataset), run_little(_dataset)


def show_reasons(dataset: Dataset) -> None:
    """Show how well the others tell of each gap, Little's test, and what no test can tell."""
    settings = state.settings().data.model_dump_json()
    table, little = _look(dataset, state.current().dataset.id, settings)
    if not table.empty:
        st.markdown("An AUROC of 0.5: the other columns tell nothing of the gap; 1: they tell it "
                    "exactly, as when a test was never done together with another.")  # fmt: skip
        figure = make_figure(
            "Do the other columns tell where values are missing?",
            "AUROC of the gap, 95 % interval", "",
            120 + 28 * len(table),
        )  # fmt: skip
        figure.add_scatter(
            x=table["auroc"], y=table["column"], mode="markers",
            marker={"color": BLUE, "size": 9},
            error_x={"type": "data", "symmetric": False, "array": table["high"] - table["auroc"],
                     "arrayminus": table["auroc"] - table["low"]},
            hovertemplate="%{y}: %{x:.2f}<extra></extra>",
        )  # fmt: skip
        figure.add_vline(x=0.5, line={"color": "#999999", "dash": "dash"})
        figure.update_yaxes(autorange="reversed")
        figure.update_xaxes(range=[min(0.4, float(table["low"].min())), 1.02])
        show_chart(figure, table, "gap_predictability")
    if little is not None and little.p == little.p:
        shown = "less than 0.001" if little.p < 0.001 else f"{little.p:.3f}"
        verdict = (
            "gaps follow a pattern, so complete rows alone are not like all patients"
            if little.p < 0.05
            else "no sign of a pattern, which does not prove that there is none"
        )
        st.markdown(
            f"Little's test of “missing completely at random” over {little.columns} number "
            f"columns: χ² = {little.statistic:.1f} with {little.freedom} degrees of freedom, "
            f"p {'=' if little.p >= 0.001 else 'is'} {shown}: {verdict}."
        )
    st.markdown(CANNOT)


def show_cost(dataset: Dataset) -> None:
    """Show what leaving out rows or columns that miss too much would cost."""
    st.markdown("**What leaving out would cost**")
    limit = st.slider(
        "Most that may be missing, in per cent", 0, 90, 0, 5, key="missing_limit",
        help="0 keeps only what is complete. On Train this is the strategy “Drop rows” or “Drop "
        "columns” with its limit.",
    )  # fmt: skip
    rows, columns = lost_by_limit(dataset, limit / 100)
    lost = int(rows.sum())
    sentence = (
        f"Leaving out rows would lose **{lost:,} of {len(rows):,} rows** ({lost / len(rows):.0%})"
    )
    st.markdown(f"{sentence}{_write_shift(dataset, rows)}. Leaving out columns would lose "
                f"**{count(len(columns), 'input')}**"
                + (f": {', '.join(columns)}." if columns else "."))  # fmt: skip


def _write_shift(dataset: Dataset, lost: pd.Series) -> str:
    outcomes = dataset.with_role("outcome")
    if not outcomes or lost.all() or not lost.any():
        return ""
    values = dataset.frame[outcomes[0].name].dropna()
    kept = values[~lost[values.index]]
    if infer_task(dataset) == "regression":
        return f"; the mean outcome would go from {values.mean():.4g} to {kept.mean():.4g}"
    rare = class_balance(dataset)["class"].iloc[-1]
    was, now = (float((v.astype("string") == rare).mean()) for v in (values, kept))
    return f"; the share of “{rare}” would go from {was:.1%} to {now:.1%}"
