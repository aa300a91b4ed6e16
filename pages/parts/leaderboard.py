"""All judged models of the workspace in one table, and two of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from medcore.config import RunConfig
from medcore.evaluate import (
    compare_predictions,
    explain_metric,
    label_metric,
    label_model,
)
from medcore.evaluate.words import LARGER_IS_WORSE
from medcore.records import Metric, Run
from medcore.store import read_predictions
from pages.parts.form import read_field, walk_fields, write_option
from pages.parts.frame import write_time

MOST = 1000
SHOWN = {
    "binary": ("auroc", "auprc", "recall", "specificity", "f1", "brier"),
    "multiclass": ("accuracy", "recall", "f1", "auroc", "log_loss"),
    "regression": ("mae", "rmse", "r2"),
}


def describe_question(run: Run) -> str:
    """Return what a run predicts and of which data; models are compared within one question."""
    roles = run.config.data.roles
    outcome = next((name for name, role in roles.items() if role == "outcome"), "")
    positive = run.summary.get("positive") or ""
    parts = (run.dataset, run.summary.get("task", ""), outcome, positive)
    return "|".join(str(part) for part in parts)


def make_leaderboard(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row a run: its name, time, model, patients, and metrics with their intervals."""
    rows = []
    for run in runs:
        task, metrics = run.summary["task"], run.summary.get("metrics", {})
        row: dict[str, Any] = {
            "Model": run.name,
            "Trained": write_time(run.created),
            "Kind": label_model(run.config.model.name, task),
            "Test patients": run.summary.get("n"),
        }
        for name in SHOWN[task]:
            row[label_metric(name)] = metrics.get(name, {}).get("value")
            row[f"{label_metric(name)}: interval"] = _interval(metrics.get(name, {}))
        rows.append(row)
    return pd.DataFrame(rows)


def _interval(metric: dict[str, Any]) -> str:
    low, high = metric.get("low"), metric.get("high")
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def choose_runs(runs: Sequence[Run]) -> list[Run]:
    """Show the leaderboard, sortable, and return the runs whose rows are ticked."""
    task = runs[0].summary["task"]
    columns = {
        label_metric(name): st.column_config.NumberColumn(format="%.3f", help=explain_metric(name))
        for name in SHOWN[task]
    }
    chosen = st.dataframe(
        make_leaderboard(runs), hide_index=True, column_config=columns, key="leaderboard",
        on_select="rerun", selection_mode="multi-row",
    )  # fmt: skip
    return [runs[place] for place in chosen.selection.rows]


@st.cache_data(scope="session", max_entries=16, show_spinner="Comparing on the same patients …")
def _compare(folders: tuple[str, str], configs: tuple[str, str]) -> dict[str, Metric]:
    first, second = (read_predictions(Path(folder)) for folder in folders)
    read = [RunConfig.model_validate_json(config) for config in configs]
    return compare_predictions(first, second, (read[0], read[1]))


def show_difference(first: Run, second: Run) -> None:
    """Show the paired difference of two runs; raises `DataError` for different test patients."""
    runs = (first, second)
    differences = _compare(
        (str(first.folder), str(second.folder)),
        (first.config.model_dump_json(), second.config.model_dump_json()),
    )
    rows = [_write_row(name, metric, runs) for name, metric in differences.items()]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Difference": st.column_config.NumberColumn(format="%+.3f"),
            "From": st.column_config.NumberColumn(format="%+.3f"),
            "To": st.column_config.NumberColumn(format="%+.3f"),
        },
    )


def _write_row(name: str, metric: Metric, runs: tuple[Run, Run]) -> dict[str, Any]:
    known = metric.low == metric.low
    if not known:
        verdict = metric.reason or "No interval."
    elif metric.low <= 0 <= metric.high:
        verdict = "Not distinguishable"
    else:
        better = (metric.value > 0) != (name in LARGER_IS_WORSE)
        verdict = f"{runs[not better].name} is better"
    return {
        "Metric": label_metric(name),
        "Difference": metric.value,
        "From": metric.low,
        "To": metric.high,
        "What it says": verdict,
        "What it means for patients": explain_metric(name),
    }


def show_settings(first: Run, second: Run) -> None:
    """Show in which settings two runs differ."""
    rows = []
    for name, field in walk_fields():
        ours, theirs = read_field(first.config, name), read_field(second.config, name)
        if ours != theirs:
            words = [write_option(name, str(value)) for value in (ours, theirs)]
            rows.append({"Setting": field.title, first.name: words[0], f"{second.name} ": words[1]})
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True)
    else:
        st.markdown("Both were trained with the same settings.")
