"""Whether more patients would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.evaluate import label_metric
from medcore.figures.style import BLUE, make_figure


def draw_size_curve(
    points: Sequence[Mapping[str, Any]], name: str
) -> tuple[go.Figure, pd.DataFrame]:
    """A figure of the same test patients against the number of patients learned from."""
    label = label_metric(name)
    figure = make_figure(
        f"Would more patients help? ({label})", "Patients learned from", f"{label} (95 % interval)"
    )
    rows = [
        {"patients": point["patients"], "draws": point["draws"],
         **{side: point["metrics"][name][side] for side in ("value", "low", "high")}}
        for point in points
        if point["metrics"][name]["value"] is not None
    ]  # fmt: skip
    table = pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})
    figure.add_scatter(
        x=table["patients"], y=table["value"], mode="lines+markers", name=label,
        line={"color": BLUE, "width": 2}, showlegend=False,
        error_y={"type": "data", "symmetric": False, "array": table["high"] - table["value"],
                 "arrayminus": table["value"] - table["low"], "thickness": 1.2},
        hovertemplate="%{x} patients: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(rangemode="tozero")
    return figure, table
