"""Charts of whether predictions come true: calibration, and agreement of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.figures.style import (
    BAND,
    BLUE,
    DASHES,
    GREYS,
    ORANGE,
    SEQUENCE,
    VERMILION,
    make_figure,
)

Drawn = tuple[go.Figure, pd.DataFrame]
EVEN = {"color": "#999999", "width": 1, "dash": "dash"}


def draw_calibration(
    curve: Mapping[str, Any],
    smooth: Mapping[str, Any] | None = None,
    counts: Mapping[str, Any] | None = None,
    *,
    top: bool = False,
) -> Drawn:
    """Predicted against observed risk: ten groups, a smooth curve, and below who has which risk.

    `smooth` has a 95 % band; `counts` is a histogram of risks with and without the outcome. `top`:
    the risk is that of the class named, and what is observed is that it was right.
    """
    figure = _frame("Do predicted risks come true? (calibration)")
    if top:
        figure.update_layout(
            title_text="Is the class it names right as often as it says?",
            xaxis_title="Probability of the class named", yaxis_title="Share that was right",
        )  # fmt: skip
    table = pd.DataFrame(curve)
    if smooth is not None:
        x = smooth["predicted"]
        figure.add_scatter(
            x=[*x, *reversed(x)], y=[*smooth["high"], *reversed(smooth["low"])], fill="toself",
            line={"width": 0}, fillcolor=BAND, hoverinfo="skip", name="95 % band",
        )  # fmt: skip
        figure.add_scatter(x=x, y=smooth["observed"], mode="lines", name="Smooth curve",
                           line={"color": BLUE, "width": 2})  # fmt: skip
    figure.add_scatter(
        x=table["predicted"], y=table["observed"], customdata=table["n"], name="Tenths of patients",
        mode="lines+markers" if smooth is None else "markers", line={"color": BLUE, "width": 2},
        error_y={"type": "data", "symmetric": False, "array": table["high"] - table["observed"],
                 "arrayminus": table["observed"] - table["low"], "thickness": 1.2},
        hovertemplate="predicted %{x:.2f}<br>observed %{y:.2f}"
        "<br>%{customdata} patients<extra></extra>",
    )  # fmt: skip
    if counts is not None:
        _add_counts(figure, counts)
    return figure, table


def _frame(title: str) -> go.Figure:
    figure = make_figure(title, "Predicted risk", "Observed share with the outcome")
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="Perfect", hoverinfo="skip",
                       line=EVEN)  # fmt: skip
    figure.update_yaxes(range=[-0.02, 1.02])
    figure.update_xaxes(range=[-0.02, 1.02])
    return figure


def _add_counts(figure: go.Figure, counts: Mapping[str, Any]) -> None:
    """Add a strip below: how many patients have which risk."""
    edges = counts["edges"]
    middle = [(a + b) / 2 for a, b in pairwise(edges)]
    for side, colour, name in (
        ("without", GREYS[1], "Without it"),
        ("with", ORANGE, "With the outcome"),
    ):
        figure.add_bar(
            x=middle, y=counts[side], yaxis="y2", width=edges[1] - edges[0], name=name,
            marker_color=colour, hovertemplate="%{y} patients<extra>" + name + "</extra>",
        )  # fmt: skip
    grid = "rgba(128,128,128,0.25)"
    figure.update_layout(
        barmode="stack", height=470, yaxis={"domain": [0.27, 1]},
        yaxis2={"domain": [0, 0.19], "title": "Patients", "gridcolor": grid, "nticks": 3},
        xaxis={"anchor": "y2"}, legend={"y": -0.2},
    )  # fmt: skip


def draw_recalibration(before: Mapping[str, Any], after: Mapping[str, Any]) -> Drawn:
    """The calibration of the same test patients before and after risks were put right."""
    figure = _frame("Before and after recalibration")
    tables = []
    for name, curve, line in (
        ("Before", before, {"color": VERMILION, "width": 2, "dash": "dot"}),
        ("After", after, {"color": BLUE, "width": 2}),
    ):
        table = pd.DataFrame(curve)
        figure.add_scatter(
            x=table["predicted"], y=table["observed"], mode="lines+markers", name=name, line=line,
            customdata=table["n"], hovertemplate="predicted %{x:.2f}<br>observed %{y:.2f}"
            "<br>%{customdata} patients<extra>" + name + "</extra>",
        )  # fmt: skip
        tables.append(table.assign(risks=name.lower()))
    return figure, pd.concat(tables)


def draw_class_calibration(curves: Mapping[str, Any], each: str = "class") -> Drawn:
    """Predicted against observed risk of each class against the rest, or of each finding."""
    figure = _frame(f"Do each {each}'s risks come true? (calibration)")
    figure.update_layout(height=440 + 14 * len(curves))
    rows = []
    for place, (name, curve) in enumerate(curves.items()):
        table = pd.DataFrame(curve)
        figure.add_scatter(
            x=table["predicted"], y=table["observed"], mode="lines+markers", name=name,
            line={"color": SEQUENCE[place % len(SEQUENCE)], "width": 2,
                  "dash": DASHES[place // len(SEQUENCE) % 4]},
        )  # fmt: skip
        rows.append(table.assign(**{"class": name}))
    return figure, pd.concat(rows)


def draw_agreement(curve: Mapping[str, Any], unit: str) -> Drawn:
    """The difference of prediction and outcome by their mean, with the limits of agreement."""
    suffix = f", {unit}" if unit else ""
    figure = make_figure(
        "How far predictions and outcomes agree (Bland–Altman)",
        f"Mean of prediction and outcome{suffix}", f"Prediction − outcome{suffix}",
    )  # fmt: skip
    figure.add_scatter(x=curve["mean"], y=curve["difference"], mode="markers", name="Patients",
                       marker={"color": BLUE, "opacity": 0.6, "size": 7})  # fmt: skip
    for name, label, dash in (
        ("bias", "bias", "solid"),
        ("loa_low", "lower limit", "dash"),
        ("loa_high", "upper limit", "dash"),
    ):
        value = curve[name]
        if value is not None and value == value:
            figure.add_hline(y=value, line={"color": VERMILION, "dash": dash, "width": 1.5},
                             annotation_text=f"{label} {value:.3g}")  # fmt: skip
    return figure, pd.DataFrame({"mean": curve["mean"], "difference": curve["difference"]})
