"""Several models in one picture: their curves, and their settings beside a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.figures.judgement import Drawn
from medcore.figures.style import DASHES, SEQUENCE, make_figure

EVEN = {"color": "#999999", "width": 1, "dash": "dash"}
ROC = ("false_alarm", "False alarms (1 − specificity)", "sensitivity", "Sensitivity (recall)")
CALIBRATION = ("predicted", "Predicted risk", "observed", "Observed share with the outcome")
# Chart → title, columns and axes, and what lies under the lines: (x, y) of a dashed line.
OVERLAYS: Mapping[str, tuple] = {
    "roc": ("Finding patients against false alarms (ROC)", ROC, "Chance"),
    "roc_by_class": ("Finding the class against false alarms (ROC)", ROC, "Chance"),
    "calibration": ("Do predicted risks come true? (calibration)", CALIBRATION, "Perfect"),
    "calibration_by_class": ("Do this class's risks come true?", CALIBRATION, "Perfect"),
    "decision": (
        "Is acting on it worth it? (decision curve)",
        ("threshold", "Risk from which one would act", "net_benefit", "Net benefit per patient"),
        None,
    ),
}
# Task → its charts, and in which of them one class or horizon is looked at.
CHARTS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "binary": (("roc", "calibration", "decision"), None),
    "multiclass": (("roc_by_class", "calibration_by_class"), "Class"),
    "multilabel": (("roc_by_class", "calibration_by_class"), "Finding"),
    "survival": (("calibration", "decision"), "Horizon"),
    "regression": (("residuals",), None),
}


def overlay(
    curves: Mapping[str, Mapping[str, Any]], chart: str, within: str | None = None
) -> Drawn:
    """One chart of several models, by their names; `within` is a class or horizon.

    A model without that chart is left out; the table is empty where none has it.
    """
    found = {}
    for name, own in curves.items():
        # The smooth curve is easier to tell apart than tenths of patients are.
        drawn = own.get(f"{chart}_smooth") or own.get(chart)
        if drawn is not None and within is not None:
            drawn = drawn.get(within)
        if drawn is not None:
            found[name] = drawn
    if chart == "residuals":
        return _overlay_errors(found)
    title, (x, x_title, y, y_title), even = OVERLAYS[chart]
    figure = make_figure(title if within is None else f"{title}: {within}", x_title, y_title, 440)
    if even is not None:
        figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name=even, line=EVEN, hoverinfo="skip")
    rows = []
    for place, (name, curve) in enumerate(found.items()):
        figure.add_scatter(x=curve[x], y=curve[y], name=name, mode=_mode(curve), line=_line(place))
        rows.append(pd.DataFrame({x: curve[x], y: curve[y], "model": name}))
    if chart == "decision" and found:
        top = max([*(max(curve[y]) for curve in found.values()), 0.01])
        figure.update_yaxes(range=[-0.25 * top, 1.1 * top])
    return figure, pd.concat(rows) if rows else pd.DataFrame()


def _mode(curve: Mapping[str, Any]) -> str:
    """Return whether a curve's points are marked: groups of patients are, and have a size."""
    return "lines+markers" if "n" in curve else "lines"


def _line(place: int) -> dict[str, Any]:
    size = len(SEQUENCE)
    return {"color": SEQUENCE[place % size], "width": 2, "dash": DASHES[place // size % 4]}


def _overlay_errors(found: Mapping[str, Mapping[str, Any]]) -> Drawn:
    """How far off each model's predictions are, as shares of patients."""
    figure = make_figure(
        "How far off predictions are", "Predicted − observed", "Patients per unit, share", 440
    )
    rows = []
    for place, (name, curve) in enumerate(found.items()):
        edges, total = curve["edges"], max(sum(curve["count"]), 1)
        density = [
            n / total / ((b - a) or 1)
            for n, a, b in zip(curve["count"], edges, edges[1:], strict=False)
        ]
        figure.add_scatter(x=edges, y=[*density, density[-1]], name=name, mode="lines",
                           line={**_line(place), "shape": "hv"})  # fmt: skip
        rows.append(pd.DataFrame({"error from": edges[:-1], "share per unit": density,
                                  "model": name}))  # fmt: skip
    figure.add_vline(x=0, line=EVEN)
    return figure, pd.concat(rows) if rows else pd.DataFrame()


def draw_settings(
    table: pd.DataFrame, settings: Sequence[str], figure_name: str, *, larger_is_worse: bool
) -> Drawn:
    """Every model as a line over its settings to a figure (parallel coordinates).

    `table` has a column for each setting, numbers or words, and one called `figure_name`.
    """
    axes = []
    for name in settings:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            axes.append({"label": name, "values": values})
            continue
        words = sorted(values.astype(str).unique())
        codes = values.astype(str).map({word: place for place, word in enumerate(words)})
        axes.append({"label": name, "values": codes, "tickvals": list(range(len(words))),
                     "ticktext": words})  # fmt: skip
    axes.append({"label": figure_name, "values": table[figure_name]})
    figure = make_figure(f"Settings and {figure_name}", "", "", 430)
    figure.add_trace(
        go.Parcoords(
            dimensions=axes, labelangle=-15, labelside="bottom",
            line={"color": table[figure_name], "colorscale": "Cividis",
                  "reversescale": larger_is_worse},
        )
    )  # fmt: skip
    figure.update_layout(margin={"l": 110, "r": 40, "t": 60, "b": 80})
    return figure, table
