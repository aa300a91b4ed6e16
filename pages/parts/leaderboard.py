"""All judged models of the workspace in one table, the best first, and their settings beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from medcore import figures
from medcore.evaluate import explain_metric, label_metric, label_model
from medcore.evaluate.words import LARGER_IS_WORSE
from medcore.records import Run
from medcore.store import RunRow
from pages.parts.charts import show_chart
from pages.parts.form import read_field, walk_fields, write_option
from pages.parts.frame import write_time

MOST, MOST_AXES = 1000, 8
# The first one leads.
SHOWN: Mapping[str, tuple[str, ...]] = {
    "binary": ("auroc", "auprc", "recall", "specificity", "f1", "brier"),
    "multiclass": ("auroc", "accuracy", "recall", "f1", "log_loss"),
    "multilabel": ("auroc", "auprc", "recall", "precision", "f1", "subset_accuracy", "brier"),
    "regression": ("mae", "rmse", "r2"),
    "effect": ("qini", "effect_slope", "policy_over_all", "policy_over_none", "ate"),
    "survival": ("c_index", "uno_c", "integrated_brier", "brier_scaled"),
}


def describe_question(run: RunRow) -> str:
    """Return what a run predicts and of which data; models are compared within one question."""
    roles = run.config["data"]["roles"]
    told = sorted(name for name, role in roles.items()
                  if role in ("outcome", "duration", "event", "treatment"))  # fmt: skip
    positive = run.summary.get("positive") or ""
    parts = (run.dataset, run.summary.get("task", ""), *told, positive)
    return "|".join(str(part) for part in parts)


def list_figures(runs: Sequence[RunRow]) -> list[str]:
    """Return the names of the figures that models of this task are listed with."""
    task, known = runs[0].summary["task"], runs[0].summary.get("metrics", {})
    return [name for name in SHOWN.get(task, tuple(known)[:5]) if name in known] or list(known)[:5]


def read_side(run: RunRow, name: str, side: str = "value") -> float:
    """Return one figure of a run, or an end of its interval; NaN where there is none."""
    value = run.summary.get("metrics", {}).get(name, {}).get(side)
    return math.nan if value is None else float(value)


def rank_runs(runs: Sequence[RunRow]) -> list[RunRow]:
    """Return runs by their leading figure, the best first; those without one last."""
    names = list_figures(runs)
    if not names:
        return list(runs)
    sign = 1 if names[0] in LARGER_IS_WORSE else -1

    def order(run: RunRow) -> float:
        value = read_side(run, names[0])
        return math.inf if math.isnan(value) else sign * value

    return sorted(runs, key=order)


def name_runs(runs: Sequence[RunRow]) -> dict[str, str]:
    """Return a name for each run's id; where two are called alike, with a number."""
    seen: dict[str, int] = {}
    names = {}
    for run in runs:
        seen[run.name] = seen.get(run.name, 0) + 1
        names[run.id] = run.name if seen[run.name] == 1 else f"{run.name} ({seen[run.name]})"
    return names


def make_leaderboard(runs: Sequence[RunRow], names: Mapping[str, str]) -> pd.DataFrame:
    """Return one row a run: its name, time, model, patients, and figures with their intervals."""
    task, figures_shown = runs[0].summary["task"], list_figures(runs)
    rows = []
    for run in runs:
        row: dict[str, Any] = {"Model": names[run.id]}
        for name in figures_shown:
            row[label_metric(name)] = read_side(run, name)
            row[f"{label_metric(name)}: interval"] = _interval(run, name)
        row["Kind"] = label_model(run.config["model"]["name"], task)
        row["Test patients"] = run.summary.get("n")
        row["Trained"] = write_time(run.created)
        rows.append(row)
    return pd.DataFrame(rows)


def _interval(run: RunRow, name: str) -> str:
    low, high = (read_side(run, name, side) for side in ("low", "high"))
    return "" if math.isnan(low) or math.isnan(high) else f"{low:.3f} to {high:.3f}"


def choose_runs(runs: Sequence[RunRow], names: Mapping[str, str]) -> list[RunRow]:
    """Show the leaderboard, sortable, and return the runs whose rows are ticked."""
    columns = {
        label_metric(name): st.column_config.NumberColumn(format="%.3f", help=explain_metric(name))
        for name in list_figures(runs)
    }
    chosen = st.dataframe(
        make_leaderboard(runs, names), hide_index=True, key="leaderboard", on_select="rerun",
        selection_mode="multi-row",
        column_config=columns | {"Model": st.column_config.TextColumn(pinned=True)},
    )  # fmt: skip
    return [runs[place] for place in chosen.selection.rows]


@st.cache_data(scope="session", max_entries=8, show_spinner=False)
def tabulate_settings(
    _runs: Sequence[RunRow],
    ids: tuple[str, ...],  # noqa: ARG001
) -> tuple[pd.DataFrame, list[str]]:
    """Return each run's value of the settings in which they differ, and those settings' titles.

    The settings with the most different values come first; at most eight. A run's settings never
    change, so that its id stands for them.
    """
    found: dict[str, tuple[list[Any], int]] = {}
    for name, field in walk_fields():
        values = [_dig(run.config, name, field.default) for run in _runs]
        different = len({str(value) for value in values})
        if different > 1:
            number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
            told = values if number else [write_option(name, str(value)) for value in values]
            found[field.title or name] = told, different
    titles = sorted(found, key=lambda title: -found[title][1])[:MOST_AXES]
    return pd.DataFrame({title: found[title][0] for title in titles}), titles


def _dig(values: Any, name: str, default: Any) -> Any:
    for part in name.split("."):
        if part not in values:
            return default
        values = values[part]
    return values


def show_settings_chart(runs: Sequence[RunRow], names: Mapping[str, str]) -> None:
    """Show every model's settings as a line that leads to a figure."""
    table, titles = tabulate_settings(runs, tuple(run.id for run in runs))
    shown = list_figures(runs)
    if not titles or not shown:
        return
    st.subheader("Which settings go with good figures?", anchor=False)
    name = st.selectbox("Figure", shown, format_func=label_metric, key="settings_figure")
    label = label_metric(name)
    table.insert(0, "Name", [names[run.id] for run in runs])
    table[label] = [read_side(run, name) for run in runs]
    known = table[table[label].notna()]
    drawn = figures.draw_settings(known, titles, label, larger_is_worse=name in LARGER_IS_WORSE)
    show_chart(*drawn, "settings")
    st.caption(
        "Each line is a model; drag along an axis to keep only the lines that pass there. Models "
        "chosen for their test figures look better than they are: choose by the Laboratory."
    )


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
