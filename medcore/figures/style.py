"""The one look of all charts: colours told apart by colour-blind eyes, titles, named axes."""

from __future__ import annotations

import plotly.graph_objects as go

# Okabe and Ito's colours.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00",
)  # fmt: skip
GREYS = ("#8A949E", "#A9B1B9", "#6E7780", "#C2C8CE")
DASHES = ("solid", "dot", "dashdot", "longdash")
# The fill of an interval, seen on light and dark ground alike.
BAND = "rgba(86,180,233,0.28)"
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
