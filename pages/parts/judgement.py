"""An `Evaluation` in words and tables."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import streamlit as st

from medcore.data import write_horizon
from medcore.evaluate import (
    explain_metric,
    label_metric,
    label_model,
    leading_metrics,
    read_evaluation,
    write_difference,
    write_headline,
    write_metric,
    write_need,
)
from medcore.records import Evaluation, Metric, PartEvaluation, Run
from medcore.store import read_columns, read_json
from medcore.store.folder import EVALUATION

METHODS = {
    "bootstrap": "bootstrap: the test patients drawn anew, again and again",
    "delong": "DeLong 1988",
    "wilson": "Wilson 1927",
    "crossfit": "cross-fitting",
    "none": "",
}
RANKING = {
    "binary": ("auroc", "brier"),
    "multiclass": ("auroc", "log_loss"),
    "multilabel": ("auroc", "auprc"),
    "regression": (),
    "survival": ("uno_c", "integrated_brier"),
}


@st.cache_data(scope="session", max_entries=8, show_spinner="Opening the results …")
def load_evaluation(folder: str) -> Evaluation:
    """Return the evaluation in a finished run's folder."""
    return read_evaluation(read_json(Path(folder), EVALUATION))


def outcome_unit(run: Run) -> tuple[str, str]:
    """Return the outcome's name and unit; for time to event, that of time."""
    roles = ("outcome", "event")
    columns = read_columns(run.folder)
    column = next(column for column in columns if column.role in roles)
    if column.role == "event":
        return column.name, next(c.unit for c in columns if c.role == "duration") or ""
    return column.name, column.unit or ""


def show_answer(run: Run, evaluation: Evaluation) -> None:
    """Show the sentence that matters, and the three figures that lead."""
    outcome, unit = outcome_unit(run)
    st.markdown(f"#### {write_headline(evaluation, outcome, unit)}")
    part = evaluation.parts["test"]
    for column, name in zip(st.columns(3), leading_metrics(evaluation), strict=True):
        metric = part.metrics[name]
        with column:
            _show_metric(name, metric, unit if name in ("mae", "rmse") else "", evaluation.task)
    events = (
        f", {part.events:,} of them with {outcome} = {evaluation.positive}"
        if part.events is not None
        else ""
    )
    st.caption(
        f"Judged on {part.n:,} test patients{events}; the model never saw them. In brackets: 95 % "
        "intervals. " + _write_threshold(run, part)
    )


def _show_metric(name: str, metric: Metric, unit: str, task: str) -> None:
    known = math.isfinite(metric.value)
    value = f"{metric.value:.2f}" if known else "–"
    interval = f"{metric.low:.2f}–{metric.high:.2f}" if math.isfinite(metric.low) else None
    if metric.low < 0:
        interval = f"{metric.low:.2f} to {metric.high:.2f}"
    st.metric(
        label_metric(name, task) + (f", {unit}" if unit else ""),
        value,
        f"({interval})" if interval else (metric.reason or None),
        delta_color="off",
        delta_arrow="off",
        help=explain_metric(name, task),
        border=True,
    )


def _write_threshold(run: Run, part: PartEvaluation) -> str:
    if part.threshold is None:
        return ""
    return (
        f"An alarm is a risk of at least {part.threshold:.2f}; this threshold is "
        f"{write_need(run.config.evaluate)}."
    )


def show_baselines(
    _: Run, evaluation: Evaluation, title: str | None = "Beside simple models"
) -> None:
    """Show the model beside simple ones, and whether differences can be told from chance."""
    if title:
        st.subheader(title, anchor=False)
    names = (*leading_metrics(evaluation), *RANKING[evaluation.task])
    names = tuple(dict.fromkeys(names))
    everyone = {"model": evaluation.parts["test"], **evaluation.baselines}
    rows = [
        {"Model": label_model(model, evaluation.task)}
        | {
            label_metric(name, evaluation.task): write_metric(
                part.metrics[name], _digits(evaluation.task)
            )
            for name in names
            if name in part.metrics
        }
        for model, part in everyone.items()
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            label_metric(name, evaluation.task): st.column_config.TextColumn(
                help=explain_metric(name, evaluation.task)
            )
            for name in names
        },
    )
    _show_differences(evaluation)
    if evaluation.task == "survival" and (horizons := evaluation.curves["model"]["horizons"]):
        st.caption(
            f"Uno's C-index counts events up to {write_horizon(horizons[-1]['label'])}. Patients "
            "who were lost to follow-up are stood for by others of these test patients."
        )


def _digits(task: str) -> int:
    return 3 if task == "regression" else 2


def _show_differences(evaluation: Evaluation) -> None:
    sentences = [
        write_difference(name, baseline, metric, evaluation.task)
        for baseline, metrics in evaluation.curves.get("differences", {}).items()
        for name, metric in metrics.items()
        if name in ("auroc", "mae", "c_index", "integrated_brier")
        # One risk for all ranks nobody, but Kaplan–Meier's is the score to beat.
        and (baseline == "prevalence") == (name == "integrated_brier")
    ]
    if sentences:
        st.markdown("\n".join(f"- {sentence}" for sentence in sentences))


def metric_table(part: PartEvaluation, task: str = "") -> pd.DataFrame:
    """Return every metric with its interval, method and meaning, one row each."""
    return pd.DataFrame(
        [
            {
                "Metric": label_metric(name, task),
                "Value": metric.value,
                "From": metric.low,
                "To": metric.high,
                "Interval by": METHODS[metric.method],
                "What it means for patients": explain_metric(name, task),
                "Why there is none": metric.reason or "",
            }
            for name, metric in part.metrics.items()
        ]
    )


def show_metrics(_: Run, evaluation: Evaluation) -> None:
    """Show all metrics in a closed table, with download."""
    with st.expander("All metrics, with intervals and what each means"):
        table = metric_table(evaluation.parts["test"], evaluation.task)
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="%.3f")
                for name in ("Value", "From", "To")
            },
        )
        st.download_button(
            "Download as CSV",
            table.to_csv(index=False).encode(),
            "metrics.csv",
            "text/csv",
            on_click="ignore",
            key="metrics_csv",
        )


def show_limits(_: Run, evaluation: Evaluation, present: bool = False) -> None:
    """Show what the reader must know before believing the figures."""
    st.subheader("Before you rely on it", anchor=False)
    fixed = (
        "Judged on patients of the same source; elsewhere, or later, it may do worse.",
        "A prediction is no cause: changing an input does not change a patient's risk.",
    )
    for sentence in (*evaluation.warnings[: 4 if present else None], *fixed):
        st.markdown(f"- {sentence}")
