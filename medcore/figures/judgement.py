"""From an `Evaluation` to Plotly figures; the model is blue, baselines grey."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from medcore.evaluate import label_model
from medcore.figures.style import BLUE, DASHES, GREYS, ORANGE, SEQUENCE, VERMILION, make_figure

Drawn = tuple[go.Figure, pd.DataFrame]


def model_line(name: str, place: int) -> dict[str, Any]:
    """Return how a model's line looks: this model blue, baselines grey."""
    if name == "model":
        return {"color": BLUE, "width": 3}
    return {"color": GREYS[place % 4], "width": 1.6, "dash": DASHES[place % 4]}


def drawn_models(curves: Mapping[str, Any], chart: str) -> list[tuple[int, str, Any]]:
    """Return the models that have a chart, the baselines first so that the model lies on top."""
    names = [n for n in curves if n != "differences" and chart in curves[n] and n != "prevalence"]
    return [
        (i, n, curves[n][chart]) for i, n in enumerate(sorted(names, key=lambda n: n == "model"))
    ]


def draw_roc(curves: Mapping[str, Any]) -> Drawn:
    """Sensitivity against false alarms, for the model and its baselines."""
    figure = make_figure(
        "Finding patients against false alarms (ROC)",
        "False alarms (1 − specificity)",
        "Sensitivity (recall)",
    )
    rows = []
    for place, name, curve in drawn_models(curves, "roc"):
        figure.add_scatter(
            x=curve["false_alarm"], y=curve["sensitivity"], name=label_model(name), mode="lines",
            line=model_line(name, place), customdata=curve["threshold"],
            hovertemplate="sensitivity %{y:.2f}<br>false alarms %{x:.2f}<br>threshold "
            "%{customdata:.3f}<extra>" + label_model(name) + "</extra>",
        )  # fmt: skip
        rows.append(pd.DataFrame(curve).assign(model=label_model(name)))
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="Chance", hoverinfo="skip",
                       line={"color": "#999999", "width": 1, "dash": "dash"})  # fmt: skip
    return figure, pd.concat(rows)


def draw_precision_recall(curves: Mapping[str, Any]) -> Drawn:
    """Precision against recall, with the prevalence as the level of chance."""
    figure = make_figure("How many alarms are right (precision–recall)", "Recall (sensitivity)",
                         "Precision (PPV)")  # fmt: skip
    rows = []
    for place, name, curve in drawn_models(curves, "precision_recall"):
        figure.add_scatter(
            x=curve["recall"], y=curve["precision"], name=label_model(name), mode="lines",
            line=model_line(name, place), customdata=curve["threshold"],
            hovertemplate="precision %{y:.2f}<br>recall %{x:.2f}<br>threshold "
            "%{customdata:.3f}<extra>" + label_model(name) + "</extra>",
        )  # fmt: skip
        rows.append(pd.DataFrame(curve).assign(model=label_model(name)))
    level = curves["model"]["precision_recall"]["prevalence"]
    figure.add_scatter(x=[0, 1], y=[level, level], mode="lines", name=f"Prevalence {level:.0%}",
                       line={"color": "#999999", "width": 1, "dash": "dash"})  # fmt: skip
    figure.update_yaxes(range=[0, 1.03])
    return figure, pd.concat(rows)


def draw_histogram(curve: Mapping[str, Any], positive: str, threshold: float | None) -> Drawn:
    """How many patients get which risk, with and without the outcome."""
    figure = make_figure("Predicted risks of the test patients", "Predicted risk", "Patients")
    edges = curve["edges"]
    middle = [(a + b) / 2 for a, b in pairwise(edges)]
    for name, values, colour in (
        (f"Without “{positive}”", curve["without"], "#8A949E"),
        (f"With “{positive}”", curve["with"], ORANGE),
    ):
        figure.add_bar(
            x=middle, y=values, name=name, marker_color=colour, width=edges[1] - edges[0],
            hovertemplate="risk about %{x:.2f}: %{y} patients<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.05)
    if threshold is not None:
        figure.add_vline(x=threshold, line={"color": VERMILION, "dash": "dash", "width": 2},
                         annotation_text="threshold")  # fmt: skip
    return figure, pd.DataFrame(
        {"risk": middle, "with": curve["with"], "without": curve["without"]}
    )


def draw_confusion(labels: list[str], counts: list[list[int]]) -> Drawn:
    """Patients by outcome (rows) and what the model said (columns)."""
    figure = make_figure("Outcome against what the model says", "The model says", "Outcome",
                         height=max(300, 60 * len(labels) + 140))  # fmt: skip
    shares = [[c / max(sum(row), 1) for c in row] for row in counts]
    texts = [
        [f"{c}<br>{s:.0%}" for c, s in zip(row, part, strict=True)]
        for row, part in zip(counts, shares, strict=True)
    ]
    figure.add_heatmap(
        z=shares, x=labels, y=labels, text=texts, texttemplate="%{text}", zmin=0, zmax=1,
        colorscale=[[0, "#DCEAF5"], [1, BLUE]], showscale=False,
        hovertemplate="outcome %{y}, model says %{x}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", autorange="reversed")
    table = pd.DataFrame(counts, columns=labels)
    table.insert(0, "outcome", labels)
    return figure, table


def draw_by_class(
    roc: Mapping[str, Any],
    precision_recall: Mapping[str, Any],
    each: str = "class against the rest",
) -> list[Drawn]:
    """A ROC and a precision–recall curve for each class against the rest, or each finding."""
    kinds = (
        (roc, f"Each {each} (ROC)", "false_alarm", "False alarms (1 − specificity)",
         "sensitivity", "Sensitivity (recall)"),
        (precision_recall, f"Each {each} (precision–recall)", "recall",
         "Recall (sensitivity)", "precision", "Precision (PPV)"),
    )  # fmt: skip
    return [_draw_classes(*kind) for kind in kinds]


def _draw_classes(
    curves: Mapping[str, Any], title: str, x: str, x_title: str, y: str, y_title: str
) -> Drawn:
    figure = make_figure(title, x_title, y_title, height=440 + 14 * len(curves))
    rows = []
    for place, (name, curve) in enumerate(curves.items()):
        line = {"color": SEQUENCE[place % len(SEQUENCE)], "width": 2,
                "dash": DASHES[place // len(SEQUENCE) % 4]}  # fmt: skip
        figure.add_scatter(x=curve[x], y=curve[y], name=name, mode="lines", line=line)
        columns = {side: curve[side] for side in (x, y, "threshold")}
        rows.append(pd.DataFrame(columns).assign(**{"class": name}))
    figure.update_yaxes(range=[0, 1.03])
    return figure, pd.concat(rows)


def draw_scatter(curve: Mapping[str, Any], name: str, unit: str) -> Drawn:
    """Predicted against observed numbers."""
    label = f"{name} in {unit}" if unit else name
    figure = make_figure("Predicted against observed", f"Observed {label}", f"Predicted {label}")
    table = pd.DataFrame(curve)
    ends = [min(table.min()), max(table.max())]
    figure.add_scatter(x=table["observed"], y=table["predicted"], mode="markers", name="Patients",
                       marker={"color": BLUE, "opacity": 0.6, "size": 7})  # fmt: skip
    figure.add_scatter(x=ends, y=ends, mode="lines", name="Perfect", hoverinfo="skip",
                       line={"color": "#999999", "width": 1, "dash": "dash"})  # fmt: skip
    return figure, table


def draw_residuals(curve: Mapping[str, Any], unit: str) -> Drawn:
    """How far off predictions are."""
    label = f"Predicted − observed, {unit}" if unit else "Predicted − observed"
    figure = make_figure("How far off predictions are", label, "Patients")
    edges = curve["edges"]
    middle = [(a + b) / 2 for a, b in pairwise(edges)]
    figure.add_bar(x=middle, y=curve["count"], marker_color=BLUE, name="Patients")
    figure.update_layout(bargap=0.05, showlegend=False)
    return figure, pd.DataFrame({"error": middle, "patients": curve["count"]})


def draw_learning(events: list[Mapping[str, Any]]) -> Drawn | None:
    """Training and validation loss by epoch; None before the first epoch."""
    epochs = [event for event in events if "train_loss" in event]
    if not epochs:
        return None
    table = pd.DataFrame(epochs)[["fit", "epoch", "train_loss", "validation_loss"]]
    figure = make_figure("Learning curves", "Epoch", "Loss (smaller is better)")
    table["fit"] = [_title_fit(fit) for fit in table["fit"]]
    fits = list(dict.fromkeys(table["fit"]))[-6:]
    for place, fit in enumerate(fits):
        rows = table[table["fit"] == fit]
        colour = SEQUENCE[place % len(SEQUENCE)]
        figure.add_scatter(x=rows["epoch"], y=rows["train_loss"], mode="lines",
                           name=f"{fit}: training", line={"color": colour, "width": 2})  # fmt: skip
        figure.add_scatter(x=rows["epoch"], y=rows["validation_loss"], mode="lines",
                           name=f"{fit}: validation",
                           line={"color": colour, "width": 2, "dash": "dash"})  # fmt: skip
    return figure, table


def _title_fit(fit: str) -> str:
    """Return a fit's name with the model's name as people write it."""
    name, *rest = fit.split(", ")
    return ", ".join([label_model(name), *rest])
