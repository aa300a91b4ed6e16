"""Charts of what a model gains by not answering where it is unsure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.figures.style import BAND, BLUE, make_figure

Drawn = tuple[go.Figure, pd.DataFrame]


def draw_abstention(curve: Mapping[str, Any]) -> Drawn:
    """Wrong calls among the surest patients, by their share, with Wilson's band."""
    figure = make_figure(
        "Wrong calls among the surest patients",
        "Patients who get an answer (the surest first)", "Wrong among them",
    )  # fmt: skip
    table = pd.DataFrame(curve)
    x = table["share"].tolist()
    figure.add_scatter(
        x=[*x, *reversed(x)], y=[*table["high"], *reversed(table["low"].tolist())], fill="toself",
        line={"width": 0}, fillcolor=BAND, hoverinfo="skip", name="95 % interval",
    )  # fmt: skip
    figure.add_scatter(
        x=x, y=table["error"], mode="lines", name="This model", line={"color": BLUE, "width": 3},
        hovertemplate="the surest %{x:.0%}: %{y:.1%} wrong<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1.02], tickformat=".0%")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure, table
