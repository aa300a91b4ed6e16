"""Charts of time to event: what became of groups of patients, and whether risks came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from medcore.data import write_horizon
from medcore.evaluate import label_model
from medcore.figures.judgement import Drawn
from medcore.figures.style import BLUE, DASHES, GREYS, ORANGE, SEQUENCE, VERMILION, make_figure
from medcore.records import Evaluation

RISING = (BLUE, ORANGE, VERMILION)
PERFECT = {"color": "#999999", "width": 1, "dash": "dash"}


def draw_incidence(
    curves: Sequence[Mapping[str, Any]],
    moments: Sequence[float],
    title: str,
    unit: str,
    *,
    falling: bool,
    predicted: Sequence[float] | None = None,
) -> Drawn:
    """Curves by group with their intervals, and below how many are still followed.

    `curves`: name, n, time, risk, low, high and at_risk (at `moments`). `falling` draws the share
    without the event (Kaplan–Meier), else the incidence (Aalen–Johansen). `predicted`: the times of
    each curve's own `predicted` mean, drawn dashed.
    """
    base = make_figure(title, "", "Share without the event" if falling else "Share with the event",
                       height=420 + 22 * len(curves))  # fmt: skip
    table = 0.06 * len(curves) + 0.02
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1, row_heights=[1 - table, table],
    )  # fmt: skip
    figure.update_layout(base.layout)
    colours = RISING if len(curves) == 3 else SEQUENCE
    tables = []
    for place, curve in enumerate(curves):
        colour = colours[place % len(colours)]
        tables.append(_add_group(figure, curve, colour, falling))
        if predicted is not None:
            figure.add_scatter(
                x=[0, *predicted], y=_turn([0, *curve["predicted"]], falling), mode="lines",
                line={"color": colour, "width": 1.5, "dash": "dash"}, showlegend=False,
                hovertemplate="predicted %{y:.0%}<extra>" + curve["name"] + "</extra>",
            )  # fmt: skip
        figure.add_scatter(
            x=list(moments), y=[curve["name"]] * len(moments), mode="text",
            text=[f"{count:,}" for count in curve["at_risk"]], showlegend=False, hoverinfo="skip",
            textfont={"color": colour}, row=2, col=1,
        )  # fmt: skip
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", row=1, col=1)
    # Half a row more at either end, so that no number is cut.
    ends = [len(curves) - 0.5, -0.5]
    figure.update_yaxes(range=ends, showgrid=False, title="", row=2, col=1)
    figure.update_xaxes(title=f"Time, {unit}" if unit else "Time", row=2, col=1, showgrid=False)
    figure.add_annotation(
        text="Patients still followed", xref="paper", x=0, yref="paper", showarrow=False,
        y=0.9 * table + 0.02, yanchor="bottom", xanchor="left", font={"size": 12},
    )  # fmt: skip
    return figure, pd.concat(tables)


def _turn(values: Sequence[float], falling: bool) -> list[float]:
    return [1 - value for value in values] if falling else list(values)


def _add_group(
    figure: go.Figure, curve: Mapping[str, Any], colour: str, falling: bool
) -> pd.DataFrame:
    name = f"{curve['name']} ({curve['n']:,})"
    value, low, high = (_turn(curve[key], falling) for key in ("risk", "low", "high"))
    for bound, fill in ((low, None), (high, "tonexty")):
        figure.add_scatter(
            x=curve["time"], y=bound, mode="lines", fill=fill, hoverinfo="skip", showlegend=False,
            line={"width": 0, "shape": "hv", "color": colour}, fillcolor=_fade(colour),
        )  # fmt: skip
    figure.add_scatter(
        x=curve["time"], y=value, mode="lines", name=name,
        line={"color": colour, "width": 2.5, "shape": "hv"},
        hovertemplate="time %{x:.4g}: %{y:.0%}<extra>" + curve["name"] + "</extra>",
    )  # fmt: skip
    low, high = (high, low) if falling else (low, high)
    return pd.DataFrame(
        {"group": curve["name"], "time": curve["time"], "share": value, "low": low, "high": high}
    )


def _fade(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.13)"


def draw_groups(evaluation: Evaluation, unit: str) -> Drawn:
    """What became of the thirds of predicted risk; dashed what was predicted for them."""
    groups = evaluation.curves["model"]["groups"]
    return draw_incidence(
        groups["curves"], groups["moments"], "What became of patients, by predicted risk", unit,
        falling=len(evaluation.classes) == 1, predicted=groups["times"],
    )  # fmt: skip


def draw_horizon_calibration(evaluation: Evaluation) -> Drawn:
    """Predicted against observed risk by each horizon, in groups of patients."""
    figure = make_figure("Do predicted risks come true? (calibration)", "Predicted risk",
                         "Observed share with the event")  # fmt: skip
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="Perfect", hoverinfo="skip",
                       line=PERFECT)  # fmt: skip
    tables = []
    for place, (label, curve) in enumerate(evaluation.curves["model"]["calibration"].items()):
        table = pd.DataFrame(curve).dropna(subset=["observed"])
        title, colour = f"by {write_horizon(label)}", SEQUENCE[place % len(SEQUENCE)]
        figure.add_scatter(
            x=table["predicted"], y=table["observed"], mode="lines+markers", name=title,
            line={"color": colour, "width": 2}, customdata=table["n"],
            error_y={"type": "data", "symmetric": False, "array": table["high"] - table["observed"],
                     "arrayminus": table["observed"] - table["low"], "thickness": 1},
            hovertemplate="predicted %{x:.0%}, observed %{y:.0%}<br>%{customdata} patients<extra>"
            + title + "</extra>",
        )  # fmt: skip
        tables.append(table.assign(horizon=title))
    figure.update_xaxes(range=[0, 1.02], tickformat=".0%")
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return figure, pd.concat(tables) if tables else pd.DataFrame()


def draw_horizon_decision(evaluation: Evaluation) -> Drawn:
    """What acting on the risks by the last horizon is worth, beside acting on all or on nobody."""
    curves = evaluation.curves
    label = next(reversed(curves["model"]["decision"]))
    figure = make_figure(
        f"Is acting on the risk by {write_horizon(label)} worth it? (decision curve)",
        "Risk from which one would act", "Net benefit per patient",
    )  # fmt: skip
    model, rows = curves["model"]["decision"][label], []
    for bound, fill in (("low", None), ("high", "tonexty")):
        figure.add_scatter(
            x=model["threshold"], y=model[bound], mode="lines", fill=fill, hoverinfo="skip",
            line={"width": 0}, fillcolor="rgba(0,114,178,0.15)", showlegend=False,
        )  # fmt: skip
    names = [name for name in evaluation.baselines if name != "prevalence"]
    for place, name in enumerate([*names, "model"]):
        curve = curves[name]["decision"][label]
        style = {"color": GREYS[place % 4], "width": 1.6, "dash": DASHES[place % 4]}
        style = {"color": BLUE, "width": 3} if name == "model" else style
        title = label_model(name, "survival")
        figure.add_scatter(
            x=curve["threshold"], y=curve["net_benefit"], mode="lines", name=title, line=style,
            hovertemplate="act from %{x:.0%}: %{y:.3f}<extra>" + title + "</extra>",
        )  # fmt: skip
        rows.append(pd.DataFrame(curve).assign(model=title))
    figure.add_scatter(x=model["threshold"], y=model["treat_all"], mode="lines", name="Act on all",
                       line={"color": "#999999", "width": 1})  # fmt: skip
    figure.add_hline(y=0, line={"color": "#999999", "width": 1, "dash": "dot"})
    top = max(model["net_benefit"][0], 0.02)
    figure.update_yaxes(range=[-0.25 * top, 1.15 * top])
    figure.update_xaxes(tickformat=".0%")
    return figure, pd.concat(rows)


def draw_patient_curve(
    times: Sequence[float],
    value: Sequence[float],
    low: Sequence[float | None],
    high: Sequence[float | None],
    horizons: Sequence[Mapping[str, Any]],
    unit: str,
) -> go.Figure:
    """One patient's risk over time with its interval, the horizons marked."""
    figure = make_figure("", f"Time, {unit}" if unit else "Time", "Risk of the event", height=300)
    x = [0, *times]
    if low[0] is not None:
        for bound, fill in ((low, None), (high, "tonexty")):
            figure.add_scatter(
                x=x, y=[0, *bound], mode="lines", fill=fill, hoverinfo="skip", showlegend=False,
                line={"width": 0}, fillcolor="rgba(0,114,178,0.18)",
            )  # fmt: skip
    figure.add_scatter(
        x=x, y=[0, *value], mode="lines", line={"color": BLUE, "width": 3}, showlegend=False,
        hovertemplate="by %{x:.4g}: %{y:.0%}<extra></extra>",
    )  # fmt: skip
    for horizon in horizons:
        figure.add_vline(x=horizon["time"], line={"color": "#999999", "width": 1, "dash": "dot"},
                         annotation_text=write_horizon(horizon["label"]))  # fmt: skip
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return figure
