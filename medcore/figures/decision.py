"""Charts of what acting on the predicted risks is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.evaluate import label_model
from medcore.figures.judgement import drawn_models, model_line
from medcore.figures.style import BAND, BLUE, make_figure

Drawn = tuple[go.Figure, pd.DataFrame]
THIN = {"color": "#999999", "width": 1}
ACT = "Risk from which one would act"


def draw_decision(curves: Mapping[str, Any], low: float = 0.0, high: float = 1.0) -> Drawn:
    """Net benefit between two thresholds, for the model with its band, baselines, all and none."""
    figure = make_figure(
        "Is acting on it worth it? (decision curve)", ACT, "Net benefit, patients of 100"
    )
    table = _within(curves["model"]["decision"], low, high)
    x = table["threshold"].tolist()
    for place, name, other in drawn_models(curves, "decision"):
        own = _within(other, low, high)
        figure.add_scatter(
            x=own["threshold"], y=100 * own["net_benefit"], name=label_model(name), mode="lines",
            line=model_line(name, place),
            hovertemplate="from a risk of %{x}: %{y:.1f}<extra>" + label_model(name) + "</extra>",
        )  # fmt: skip
    _add_band(figure, x, 100 * table["low"], 100 * table["high"])
    figure.add_scatter(x=x, y=100 * table["treat_all"], name="Act on everybody",
                       mode="lines", line={**THIN, "dash": "dash"})  # fmt: skip
    figure.add_scatter(x=[low, high], y=[0, 0], name="Act on nobody", mode="lines", line=THIN)
    top = 100 * max(table["high"].max(), 0.01)
    figure.update_yaxes(range=[-0.25 * top, 1.1 * top])
    figure.update_xaxes(range=[low, high], tickformat=".0%")
    return figure, table


def draw_avoided(curve: Mapping[str, Any], low: float = 0.0, high: float = 1.0) -> Drawn:
    """Interventions avoided per 100 patients between two thresholds, with the band."""
    figure = make_figure("Interventions avoided, against acting on everybody", ACT,
                         "Avoided per 100 patients")  # fmt: skip
    columns = ["threshold", "avoided", "avoided_low", "avoided_high"]
    table = _within({name: curve[name] for name in columns}, low, high)
    x = table["threshold"].tolist()
    _add_band(figure, x, table["avoided_low"], table["avoided_high"])
    figure.add_scatter(
        x=x, y=table["avoided"], mode="lines", name="This model", line={"color": BLUE, "width": 3},
        hovertemplate="from a risk of %{x}: %{y:.0f} of 100 spared<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(x=[low, high], y=[0, 0], name="None avoided", mode="lines", line=THIN)
    figure.update_yaxes(range=[min(-20, table["avoided"].clip(-100).min()), 105])
    figure.update_xaxes(range=[low, high], tickformat=".0%")
    return figure, table


def _within(curve: Mapping[str, Any], low: float, high: float) -> pd.DataFrame:
    table = pd.DataFrame(curve)
    return table[table["threshold"].between(low - 1e-9, high + 1e-9)]


def _add_band(figure: go.Figure, x: list[float], low: pd.Series, high: pd.Series) -> None:
    figure.add_scatter(
        x=[*x, *reversed(x)], y=[*high, *reversed(low.tolist())], fill="toself",
        line={"width": 0}, fillcolor=BAND, hoverinfo="skip", name="95 % band",
    )  # fmt: skip
