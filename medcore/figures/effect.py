"""Charts of an effect of treatment: overlap, balance, averages, and who benefits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medcore.evaluate.effect_words import Effect, is_binary, label_effect, name_row
from medcore.evaluate.overlap import BALANCED
from medcore.figures.forest import draw_forest
from medcore.figures.judgement import Drawn
from medcore.figures.style import BAND, BLUE, GREYS, ORANGE, make_figure

MOST_ROWS = 25
AVERAGES = ("ate_crude", "ate", "ate_ipw", "ate_g_formula", "att")


def scale_of(effect: Effect) -> tuple[float, str]:
    """Return what differences are multiplied with, and the name of their axis."""
    if is_binary(effect):
        return 100.0, "Difference per 100 patients"
    unit = f" ({effect['unit']})" if effect["unit"] else ""
    return 1.0, f"Difference in {effect['outcome']}{unit}"


def draw_overlap(histogram: Mapping[str, Sequence[float]], effect: Effect) -> Drawn:
    """How many of each arm have which chance of treatment: they should cover the same range."""
    figure = make_figure(
        "Could they have had either arm?", "Chance of treatment, given the inputs", "Patients (%)"
    )
    edges = np.asarray(histogram["edges"])
    middle = (edges[:-1] + edges[1:]) / 2
    table = {"chance from": edges[:-1], "chance to": edges[1:]}
    for arm, colour in (("control", ORANGE), ("treated", BLUE)):
        counts = np.asarray(histogram[arm], dtype=np.float64)
        name = f"{effect['treatment']} = {effect[arm]}"
        share = 100 * counts / max(1.0, counts.sum())
        figure.add_bar(
            x=middle, y=share, name=name, marker={"color": colour}, opacity=0.6,
            width=[0.94 * (edges[1] - edges[0])] * len(middle),
            hovertemplate="chance %{x:.0%}: %{y:.1f} % of patients<extra>" + name
            + "</extra>",
        )  # fmt: skip
        table[name] = counts.astype(int)
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    return figure, pd.DataFrame(table)


def draw_balance(balance: Sequence[Mapping[str, Any]]) -> Drawn:
    """Each input's difference between the arms before and after weighting (a love plot)."""
    ranked = sorted(balance, key=lambda row: -abs(row["before"]))
    shown = ranked[:MOST_ROWS]
    names = [name_row(row) for row in shown]
    rest = f" (the {MOST_ROWS} largest of {len(ranked)})" if len(ranked) > MOST_ROWS else ""
    figure = make_figure(
        f"How alike the arms are{rest}", "Difference in standard deviations", "",
        max(410, 170 + 20 * len(shown)),
    )  # fmt: skip
    for side, name, mark in (
        ("before", "before weighting", {"color": GREYS[0], "size": 9, "symbol": "circle-open"}),
        ("after", "after weighting", {"color": BLUE, "size": 9}),
    ):
        figure.add_scatter(
            x=[abs(row[side]) for row in shown], y=names, mode="markers", name=name, marker=mark,
            hovertemplate="%{y}: %{x:.2f}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.add_vline(x=BALANCED, line={"color": "#999999", "width": 1, "dash": "dash"})
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=names[::-1])
    table = pd.DataFrame(ranked)
    return figure, table


def draw_averages(effect: Effect) -> Drawn:
    """The crude difference beside the adjusted ones, with their intervals."""
    scale, axis = scale_of(effect)
    names = [name for name in AVERAGES if name in effect]
    metrics = [_scaled(effect[name], scale) for name in names]
    labels = [label_effect(name) or name for name in names]
    figure, table = draw_forest("Crude and adjusted", axis, labels, metrics, even=0.0)
    return figure, table.drop(columns="few patients")


def _scaled(metric: Mapping[str, Any], scale: float) -> dict[str, float]:
    return {
        side: np.nan if metric[side] is None else scale * metric[side]
        for side in ("value", "low", "high")
    }


def draw_qini(curve: Mapping[str, Sequence[float]], effect: Effect) -> Drawn:
    """What treating by predicted benefit gains, by how many are treated, beside chance."""
    scale, _ = scale_of(effect)
    unit = "per 100 patients" if is_binary(effect) else effect["unit"] or effect["outcome"]
    figure = make_figure(
        "Treating those first who should benefit most (Qini)", "Share of patients treated",
        f"Gain per patient of all ({unit})" if not is_binary(effect) else f"Gain ({unit})",
    )  # fmt: skip
    share = [0.0, *curve["share"]]
    low, gain, high, chance = (
        [0.0, *(scale * value for value in curve[name])]
        for name in ("gain_low", "gain", "gain_high", "random")
    )
    _add_band(figure, share, low, high)
    figure.add_scatter(x=share, y=gain, mode="lines", name="by predicted benefit",
                       line={"color": BLUE, "width": 3},
                       hovertemplate="%{x:.0%} treated: %{y:.2f}<extra></extra>")  # fmt: skip
    figure.add_scatter(x=share, y=chance, mode="lines", name="at random", hoverinfo="skip",
                       line={"color": "#999999", "width": 1, "dash": "dash"})  # fmt: skip
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    table = {"share": share, "gain": gain, "low": low, "high": high, "random": chance}
    return figure, pd.DataFrame(table)


def draw_uplift(curve: Mapping[str, Sequence[float]], effect: Effect) -> Drawn:
    """The benefit in those treated, by how many are treated."""
    scale, axis = scale_of(effect)
    figure = make_figure(
        "Benefit in those who are treated (uplift)", "Share of patients treated",
        axis.replace("Difference", "Benefit"),
    )  # fmt: skip
    low, middle, high = (
        [scale * value for value in curve[name]] for name in ("uplift_low", "uplift", "uplift_high")
    )
    _add_band(figure, curve["share"], low, high)
    figure.add_scatter(x=curve["share"], y=middle, mode="lines", name="benefit",
                       line={"color": BLUE, "width": 3},
                       hovertemplate="%{x:.0%} treated: %{y:.2f}<extra></extra>")  # fmt: skip
    figure.add_hline(y=middle[-1], line={"color": "#999999", "width": 1, "dash": "dash"})
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_layout(showlegend=False)
    # The first few patients' own mean means nothing, and would squeeze the rest.
    settled = [(a, b) for s, a, b in zip(curve["share"], low, high, strict=True) if s >= 0.1]
    figure.update_yaxes(range=[min(a for a, _ in settled), max(b for _, b in settled)])
    table = {"share": curve["share"], "benefit": middle, "low": low, "high": high}
    return figure, pd.DataFrame(table)


def _add_band(figure: Any, x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> None:
    figure.add_scatter(
        x=[*x, *reversed(x)], y=[*high, *reversed(low)], fill="toself", fillcolor=BAND,
        line={"width": 0}, mode="lines", name="95 % interval", hoverinfo="skip",
    )  # fmt: skip


def draw_effect_calibration(groups: Sequence[Mapping[str, Any]], effect: Effect) -> Drawn:
    """The effect in groups of patients by predicted effect; a right model lies on the line."""
    scale, axis = scale_of(effect)
    figure = make_figure("Predicted and found effect", f"Predicted: {_lower(axis)}", "Found")
    x = [scale * group["predicted"] for group in groups]
    y, low, high = (
        [scale * group[side] for group in groups] for side in ("observed", "low", "high")
    )
    ends = [min(x), max(x)]
    figure.add_scatter(x=ends, y=ends, mode="lines", name="as predicted", hoverinfo="skip",
                       line={"color": "#999999", "width": 1, "dash": "dash"})  # fmt: skip
    figure.add_scatter(
        x=x, y=y, mode="markers", name="groups of patients",
        marker={"color": BLUE, "size": 10},
        error_y={"type": "data", "symmetric": False, "color": BLUE,
                 "array": [h - v for h, v in zip(high, y, strict=True)],
                 "arrayminus": [v - a for v, a in zip(y, low, strict=True)]},
        hovertemplate="predicted %{x:.2f}, found %{y:.2f}<extra></extra>",
    )  # fmt: skip
    table = {"predicted": x, "found": y, "low": low, "high": high,
             "patients": [group["n"] for group in groups]}  # fmt: skip
    return figure, pd.DataFrame(table)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def draw_effects(histogram: Mapping[str, Sequence[float]], effect: Effect) -> Drawn:
    """How predicted effects spread over the patients."""
    scale, axis = scale_of(effect)
    edges = scale * np.asarray(histogram["edges"])
    figure = make_figure("Predicted effects of single patients", axis, "Patients")
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2, y=list(histogram["counts"]), marker={"color": BLUE},
        width=[0.94 * (edges[1] - edges[0])] * (len(edges) - 1), name="patients",
        hovertemplate="%{x:.2f}: %{y} patients<extra></extra>",
    )  # fmt: skip
    figure.add_vline(
        x=scale * effect["ate"]["value"], line={"color": "#999999", "width": 1, "dash": "dash"}
    )
    figure.update_layout(showlegend=False)
    table = {"from": edges[:-1], "to": edges[1:], "patients": histogram["counts"]}
    return figure, pd.DataFrame(table)


def draw_group_effects(column: str, groups: Sequence[Mapping[str, Any]], effect: Effect) -> Drawn:
    """The average effect in each group of patients."""
    scale, axis = scale_of(effect)
    metrics = [
        _scaled({"value": g["effect"], "low": g["low"], "high": g["high"]}, scale) for g in groups
    ]
    names = [f"{group['name']} ({group['n']:,})" for group in groups]
    few = [group["few"] for group in groups]
    mean = scale * effect["ate"]["value"]
    return draw_forest(f"Effect by {column}", axis, names, metrics, few=few, even=mean)
