"""The charts of a judged run, by task; the most telling come first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from medcore.config import Task
from medcore.records import Evaluation, Run
from pages.parts import figures
from pages.parts.charts import show_chart
from pages.parts.form import batched
from pages.parts.judgement import outcome_unit

Charts = dict[str, figures.Drawn]


def _draw_regression(run: Run, evaluation: Evaluation) -> Charts:
    name, unit = outcome_unit(run)
    model = evaluation.curves["model"]
    return {
        "observed": figures.draw_scatter(model["scatter"], name, unit),
        "residuals": figures.draw_residuals(model["residuals"], unit),
    }


def _draw_multiclass(_: Run, evaluation: Evaluation) -> Charts:
    model = evaluation.curves["model"]
    roc, curve = figures.draw_by_class(model["roc_by_class"], model["precision_recall_by_class"])
    return {
        "confusion": figures.draw_confusion(**model["confusion"]),
        "roc": roc,
        "precision_recall": curve,
        "calibration": figures.draw_calibration(model["calibration"]),
    }


def _draw_binary(_: Run, evaluation: Evaluation) -> Charts:
    model, threshold = evaluation.curves["model"], evaluation.parts["test"].threshold
    return {
        "roc": figures.draw_roc(evaluation.curves),
        "calibration": figures.draw_calibration(model["calibration"]),
        "precision_recall": figures.draw_precision_recall(evaluation.curves),
        "decision": figures.draw_decision(evaluation.curves),
        "risks": figures.draw_histogram(model["histogram"], evaluation.positive, threshold),
        "confusion": figures.draw_confusion(**model["confusion"]),
    }


DRAW: Mapping[Task, Callable[[Run, Evaluation], Charts]] = {
    "binary": _draw_binary,
    "multiclass": _draw_multiclass,
    "regression": _draw_regression,
}


def show_charts(run: Run, evaluation: Evaluation, most: int | None = None) -> None:
    """Show charts two abreast, with many classes one; on a narrow screen they follow each other."""
    drawn = list(DRAW[evaluation.task](run, evaluation).items())[:most]
    abreast = 2 if len(evaluation.classes) <= 4 else 1
    for pair in batched(drawn, abreast):
        for column, (name, (figure, table)) in zip(st.columns(abreast), pair, strict=False):
            with column:
                show_chart(figure, table, name)
