"""Forest plots: one figure for each site or group of patients, and the pooled one below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.figures.style import BLUE, GREYS, VERMILION, make_figure

Drawn = tuple[go.Figure, pd.DataFrame]
SIDES = ("value", "low", "high")
POOLED, AHEAD = "all sites, pooled", "a new site (95 %)"


def draw_forest(
    title: str,
    label: str,
    names: Sequence[str],
    metrics: Sequence[Mapping[str, Any]],
    pooled: Mapping[str, Any] | None = None,
    few: Sequence[bool] = (),
    even: float | None = None,
) -> Drawn:
    """One line for each name with its 95 % interval; those with `few` patients are grey.

    `metrics` and `pooled` hold value, low and high; `even` is where a perfect figure would lie.
    """
    few = few or [False] * len(names)
    rows = [
        {"name": name, "few patients": thin, **{side: metric[side] for side in SIDES}}
        for name, metric, thin in zip(names, metrics, few, strict=True)
    ]
    if pooled is not None:
        rows.append({"name": POOLED, "few patients": False, **{s: pooled[s] for s in SIDES}})
        ends = pooled["predict_low"], pooled["predict_high"]
        if None not in ends and ends[0] == ends[0]:
            rows.append({"name": AHEAD, "few patients": False, "value": None,
                         "low": ends[0], "high": ends[1]})  # fmt: skip
    table = pd.DataFrame(rows)
    figure = make_figure(title, f"{label} (95 % interval)", "", 170 + 34 * len(table))
    for row in rows:
        _add_line(figure, row)
    if even is not None:
        figure.add_vline(x=even, line={"color": "#999999", "width": 1, "dash": "dash"})
    figure.update_layout(showlegend=False)
    figure.update_yaxes(
        type="category", categoryorder="array",
        categoryarray=[row["name"] for row in reversed(rows)],
    )  # fmt: skip
    return figure, table


def _add_line(figure: go.Figure, row: Mapping[str, Any]) -> None:
    name = row["name"]
    colour = GREYS[1] if row["few patients"] else VERMILION if name in (POOLED, AHEAD) else BLUE
    known = row["low"] is not None and row["low"] == row["low"]
    if known:
        figure.add_scatter(
            x=[row["low"], row["high"]], y=[name, name], mode="lines", hoverinfo="skip",
            line={"color": colour, "width": 2, "dash": "dot" if name == AHEAD else "solid"},
        )  # fmt: skip
    if row["value"] is None or row["value"] != row["value"]:
        return
    reach = f" ({row['low']:.2f} to {row['high']:.2f})" if known else ""
    figure.add_scatter(
        x=[row["value"]], y=[name], mode="markers",
        marker={"color": colour, "size": 13 if name == POOLED else 10,
                "symbol": "diamond" if name == POOLED else "square"},
        hovertemplate=f"{name}: {row['value']:.2f}{reach}<extra></extra>",
    )  # fmt: skip
