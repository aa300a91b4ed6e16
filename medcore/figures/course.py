"""One patient's course as pictures: the prediction after each visit, and which values moved it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from medcore.figures.style import BAND, BLUE, VERMILION, make_figure

Drawn = tuple[go.Figure, pd.DataFrame]
# From what lowers the prediction over nothing to what raises it.
SCALE = [[0.0, "#0072B2"], [0.5, "rgba(128,128,128,0.08)"], [1.0, "#D55E00"]]


def draw_trajectory(
    trajectory: Sequence[Mapping[str, Any]],
    target: str,
    axis: str,
    time: str,
    threshold: float | None = None,
    *,
    percent: bool = True,
) -> Drawn:
    """The prediction after each visit with its interval; `axis` and `time` name the axes."""
    told = [{"time": at["time"], **at["targets"][target]} for at in trajectory]
    table = pd.DataFrame(told).sort_values("time")
    figure = make_figure("Visit by visit", time, axis, 340)
    if table["low"].notna().all():
        x = table["time"].tolist()
        figure.add_scatter(
            x=[*x, *reversed(x)], y=[*table["high"], *reversed(table["low"].tolist())],
            fill="toself", mode="lines", line={"width": 0}, fillcolor=BAND, hoverinfo="skip",
            name="interval of each visit",
        )  # fmt: skip
    form = ".1%" if percent else ".4g"
    figure.add_scatter(
        x=table["time"], y=table["value"], mode="lines+markers", name="prediction at the visit",
        line={"color": BLUE, "width": 3, "shape": "hv"}, marker={"size": 8},
        hovertemplate=f"%{{x:.4g}}: %{{y:{form}}}<extra></extra>",
    )  # fmt: skip
    if threshold is not None:
        figure.add_hline(y=threshold, line={"dash": "dash", "color": VERMILION, "width": 1},
                         annotation_text="threshold")  # fmt: skip
    if percent:
        figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure, table


def draw_course_map(said: Mapping[str, Any], time: str, *, percent: bool = True) -> Drawn:
    """By how much each measured value moved the prediction, visit by visit.

    Cells without a measurement are empty; each shows the value that was measured.
    """
    found = np.array(said["found"], dtype=np.float64)
    values = said["values"]
    known = np.array([[value is not None for value in row] for row in values], dtype=bool)
    shown = np.where(known, found, np.nan)
    visits = [f"{at:.4g}" for at in said["times"]]
    labels = _tell_apart(visits)
    reach = max(float(np.abs(found).max(initial=0.0)), 1e-9)
    scale = 100 if percent else 1
    figure = make_figure("What moved the prediction", time, "", 150 + 36 * len(values))
    figure.add_heatmap(
        z=shown * scale, x=labels, y=said["channels"], zmin=-reach * scale, zmax=reach * scale,
        colorscale=SCALE, xgap=1, ygap=1,
        colorbar={"title": {"text": "points" if percent else "change"}, "thickness": 12},
        text=[["" if v is None else _write(v) for v in row] for row in values],
        hovertemplate="%{y} = %{text} at %{x}: %{z:+.2f}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    figure.update_xaxes(type="category", showgrid=False)
    rows = [
        {"what": channel, "visit": visit, "value": value, "change": float(change)}
        for channel, row, moved in zip(said["channels"], values, found, strict=True)
        for visit, value, change in zip(said["times"], row, moved, strict=True)
        if value is not None
    ]
    return figure, pd.DataFrame(rows, columns=["what", "visit", "value", "change"])


def _tell_apart(words: Sequence[str]) -> list[str]:
    """Return words with a mark on those that stood before, so that each is a place of its own."""
    seen: dict[str, int] = {}
    out = []
    for word in words:
        seen[word] = seen.get(word, 0) + 1
        out.append(word + "′" * (seen[word] - 1))
    return out


def _write(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)
