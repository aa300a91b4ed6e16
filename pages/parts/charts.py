"""One way to show a chart: the picture, and its numbers one click away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

# Okabe and Ito's colours, told apart by colour-blind eyes.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00",
)  # fmt: skip
GREYS = ("#8A949E", "#A9B1B9", "#6E7780", "#C2C8CE")
DASHES = ("solid", "dot", "dashdot", "longdash")
SEQUENCE = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, "#8A949E", "#B8A500")


def make_figure(title: str, x: str, y: str, height: int = 410) -> go.Figure:
    """Return an empty figure with a title and named axes; legends lie below, for narrow screens."""
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": 16}},
        xaxis_title=x,
        yaxis_title=y,
        height=height,
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        legend={"orientation": "h", "yanchor": "top", "y": -0.28, "x": 0},
        hovermode="closest",
        colorway=SEQUENCE,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    grid = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.4)"}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure


def show_chart(
    figure: go.Figure, table: pd.DataFrame | Mapping[str, Sequence[Any]], name: str
) -> None:
    """Show a chart with its picture's download, and its numbers in a closed table with theirs."""
    options = {
        "displaylogo": False,
        "toImageButtonOptions": {"filename": name, "scale": 2},
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    }
    st.plotly_chart(figure, config=options, key=f"chart_{name}")
    with st.expander("The numbers behind it"):
        numbers = pd.DataFrame(table)
        st.dataframe(numbers, hide_index=True, key=f"table_{name}")
        st.download_button(
            "Download as CSV",
            numbers.to_csv(index=False).encode(),
            f"{name}.csv",
            "text/csv",
            key=f"csv_{name}",
            on_click="ignore",
        )
