"""What drives a model and one patient's prediction, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.figures.judgement import Drawn
from medcore.figures.style import BLUE, GREYS, VERMILION, make_figure

BAND = "rgba(0,114,178,0.18)"
MOST_BARS, MOST_STEPS = 15, 10
THIN = {"color": "#999999", "dash": "dash", "width": 1}


def draw_importance(table: pd.DataFrame, axis: str) -> Drawn:
    """Importance of groups of columns with intervals; those clear of zero are blue.

    `table`: columns, value, from, to, the most important first.
    """
    shown = table.head(MOST_BARS)
    labels = shown["columns"].str.replace(" + ", " +<br>")
    height = 130 + 30 * int(len(shown) + labels.str.count("<br>").sum())
    more = f" ({MOST_BARS} of {len(table)})" if len(table) > MOST_BARS else ""
    figure = make_figure(f"What the model leans on{more}", axis, "", height)
    clear = shown["from"] > 0
    for chosen, colour, name in (
        (clear, BLUE, "matters"), (~clear, GREYS[0], "not distinguishable from zero"),
    ):  # fmt: skip
        rows = shown[chosen]
        figure.add_scatter(
            x=rows["value"], y=labels[chosen], mode="markers", name=name,
            marker={"color": colour, "size": 10},
            error_x={"type": "data", "symmetric": False, "array": rows["to"] - rows["value"],
                     "arrayminus": rows["value"] - rows["from"], "thickness": 1.6},
            customdata=rows[["from", "to"]],
            hovertemplate="%{y}: %{x:.3g} (%{customdata[0]:.3g} to %{customdata[1]:.3g})"
            "<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=0, line=THIN)
    order = list(labels)[::-1]
    figure.update_yaxes(
        type="category", categoryorder="array", categoryarray=order, automargin=True
    )
    figure.update_layout(legend={"y": -75 / (height - 60)}, showlegend=bool(clear.any()))
    return figure, table


def draw_effect(
    effect: Mapping[str, Any], target: str, label: str, axis: str, scale: float
) -> Drawn:
    """A column's effect on the prediction with its band, and below it the patients there are.

    `effect` is one of an explanation's; values are multiplied by `scale`.
    """
    figure = make_figure(f"Effect of {label}", label, axis, 470)
    table = pd.DataFrame(effect["curves"][target]).astype(float) * scale
    table.insert(0, effect["column"], effect["at"])
    ranked = effect["kind"] != "category"
    (_add_curve if ranked else _add_points)(figure, effect["at"], table)
    _add_density(figure, effect)
    figure.update_layout(
        yaxis={"domain": [0.32, 1]}, xaxis={"anchor": "y2"}, showlegend=False, bargap=0.05
    )
    figure.add_hline(y=0, line=THIN)
    return figure, table


def _add_curve(figure: go.Figure, at: list, table: pd.DataFrame) -> None:
    band = [*table["high"], *table["low"][::-1]]
    figure.add_scatter(x=[*at, *at[::-1]], y=band, fill="toself", line={"width": 0},
                       fillcolor=BAND, hoverinfo="skip")  # fmt: skip
    figure.add_scatter(
        x=at, y=table["value"], mode="lines+markers", line={"color": BLUE, "width": 2.5},
        marker={"size": 5}, customdata=table[["low", "high"]],
        hovertemplate="%{x}: %{y:+.3g} (%{customdata[0]:+.3g} to %{customdata[1]:+.3g})"
        "<extra></extra>",
    )  # fmt: skip


def _add_points(figure: go.Figure, at: list, table: pd.DataFrame) -> None:
    figure.add_scatter(
        x=[str(value) for value in at], y=table["value"], mode="markers",
        marker={"color": BLUE, "size": 11},
        error_y={"type": "data", "symmetric": False, "array": table["high"] - table["value"],
                 "arrayminus": table["value"] - table["low"], "thickness": 1.6},
        hovertemplate="%{x}: %{y:+.3g}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(type="category")


def _add_density(figure: go.Figure, effect: Mapping[str, Any]) -> None:
    """Add bars of patients on a second axis below; where steps have widths, patients per unit."""
    x, height, width, name = [str(v) for v in effect["at"]], effect["counts"], None, "Patients"
    if effect["kind"] == "number":
        pairs = list(pairwise(effect["at"]))
        x, width = [(a + b) / 2 for a, b in pairs], [b - a for a, b in pairs]
        height = [n / w for n, w in zip(effect["counts"], width, strict=True)]
        name = "Patients per unit"
    elif effect["kind"] == "date":
        x = x[:-1]
    figure.add_bar(
        x=x, y=height, width=width, marker_color=GREYS[0], yaxis="y2",
        customdata=effect["counts"], hovertemplate="%{customdata} patients<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        yaxis2={"domain": [0, 0.24], "title": name, "rangemode": "tozero", "nticks": 3,
                "gridcolor": "rgba(128,128,128,0.25)"},
    )  # fmt: skip


def draw_shares(
    table: pd.DataFrame, base: float, said: float, axis: str, *, percent: bool
) -> Drawn:
    """The steps from the average prediction to a patient's, as a waterfall.

    `table`: column, value (as people read it) and share, the largest share first.
    """
    kept = MOST_STEPS + (len(table) == MOST_STEPS + 1)
    top, rest = table.head(kept), table.iloc[kept:]
    labels = [f"{row.column} = {row.value}" for row in top.itertuples()]
    shares = top["share"].tolist()
    if len(rest):
        labels.append(f"{len(rest)} other columns")
        shares.append(float(rest["share"].sum()))
    form = ".1%" if percent else ".4g"
    texts = [f"{base:{form}}", *[f"{share:+{form}}" for share in shares], f"{said:{form}}"]
    rows = ["Average", *labels, "This patient"]
    figure = make_figure("From the average to this patient", axis, "", 130 + 34 * len(rows))
    figure.add_trace(
        go.Waterfall(
            orientation="h", y=rows, x=[base, *shares, said], text=texts, textposition="outside",
            measure=["absolute", *["relative"] * len(shares), "total"], cliponaxis=False,
            increasing={"marker": {"color": VERMILION}}, decreasing={"marker": {"color": BLUE}},
            totals={"marker": {"color": GREYS[2]}},
            connector={"line": {"color": "#999999", "width": 1}},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    figure.update_xaxes(range=_reach(base, shares), tickformat=".0%" if percent else None)
    figure.update_layout(showlegend=False)
    return figure, table


def _reach(base: float, shares: list[float]) -> list[float]:
    """Return an axis that shows every step, with room for its figure on either side."""
    ends = [base]
    for share in shares:
        ends.append(ends[-1] + share)
    room = 0.25 * (max(ends) - min(ends)) or 0.1 * abs(base) or 1.0
    return [min(ends) - room, max(ends) + room]
