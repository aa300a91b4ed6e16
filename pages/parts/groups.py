"""For whom the model is good: a column to divide the test patients by, and each group's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from medcore.config import RunConfig
from medcore.data import assign_columns
from medcore.errors import MedcoreError
from medcore.evaluate import (
    band_numbers,
    explain_metric,
    judge_subgroups,
    label_metric,
    write_metric,
)
from medcore.evaluate.subgroups import FEWEST, FIGURES, Subgroup
from medcore.records import Column, Evaluation, Metric, Run
from medcore.store import read_columns, read_predictions
from pages.parts import state
from pages.parts.charts import BLUE, make_figure, show_chart

LIKELY = ("sex", "gender", "age", "ethnicity", "race")
MOST_VALUES = 100


def choose_columns(run: Run) -> list[Column]:
    """Return the columns patients may be divided by, the ones a clinic asks about first."""
    columns = [
        column for column in read_columns(run.folder)
        if column.role in ("input", "site") and column.kind in ("number", "category")
        and len(column.categories) <= MOST_VALUES
    ]  # fmt: skip
    return sorted(columns, key=lambda c: (c.name.lower() not in LIKELY, c.role != "site"))


@st.cache_data(scope="session", max_entries=16, show_spinner="Judging each group …")
def _judge(folder: str, config: str, _groups: pd.Series, column: str) -> tuple[Subgroup, ...]:  # noqa: ARG001
    predictions = read_predictions(Path(folder))
    return judge_subgroups(predictions, RunConfig.model_validate_json(config), _groups)


@st.fragment
def show_groups(run: Run, evaluation: Evaluation) -> None:
    """Show the figures of each group of a column that the visitor chooses."""
    st.subheader("For whom does it work?", anchor=False)
    columns = choose_columns(run)
    if not columns:
        st.caption("There is no column to divide the patients by.")
        return
    names = {column.name: column for column in columns}
    name = st.selectbox(
        "Divide the test patients by", list(names), index=None, key=f"groups_{run.id}",
        placeholder=f"Choose a column, such as {columns[0].name}",
    )  # fmt: skip
    if name is None:
        return
    try:
        values = assign_columns(state.table_of(run.dataset), run.config).frame[name]
    except MedcoreError:
        st.info("The data set of this model was deleted; its patients cannot be divided any more.")
        return
    groups = band_numbers(values, name) if names[name].kind == "number" else values
    found = _judge(str(run.folder), run.config.model_dump_json(), groups, name)
    task = evaluation.task
    _draw(found, FIGURES[task][0], name)
    st.dataframe(
        pd.DataFrame([_write_group(group) for group in found]),
        hide_index=True,
        column_config={
            label_metric(figure): st.column_config.TextColumn(help=explain_metric(figure))
            for figure in FIGURES[task]
        },
    )
    _say_differences(found)


def _write_group(group: Subgroup) -> dict[str, Any]:
    row: dict[str, Any] = {"Group": group.name, "Patients": group.n}
    if group.events is not None:
        row["With the outcome"] = group.events
    few = f"too few (under {FEWEST})"
    return row | {
        label_metric(figure): few if group.few else write_metric(metric)
        for figure, metric in group.metrics.items()
    }


def _draw(found: tuple[Subgroup, ...], figure_name: str, column: str) -> None:
    shown = [group for group in found if not group.few]
    if not shown:
        return
    metrics: list[Metric] = [group.metrics[figure_name] for group in shown]
    table = pd.DataFrame(
        {
            "group": [group.name for group in shown],
            "value": [metric.value for metric in metrics],
            "low": [metric.low for metric in metrics],
            "high": [metric.high for metric in metrics],
        }
    )
    label = label_metric(figure_name)
    figure = make_figure(
        f"{label} by {column}", f"{label} (95 % interval)", "", 150 + 34 * len(table)
    )
    figure.add_scatter(
        x=table["value"], y=table["group"], mode="markers", marker={"color": BLUE, "size": 10},
        error_x={"type": "data", "symmetric": False, "array": table["high"] - table["value"],
                 "arrayminus": table["value"] - table["low"]},
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category")
    show_chart(figure, table, "subgroups")


def _say_differences(found: tuple[Subgroup, ...]) -> None:
    """Say for which groups a figure differs from that of everybody else."""
    sentences = []
    for group in found:
        for figure, metric in group.differences.items():
            if group.few or metric.low != metric.low or metric.low <= 0 <= metric.high:
                continue
            word = "higher" if metric.value > 0 else "lower"
            sentences.append(
                f"- {group.name}: {label_metric(figure)} is {word} than among the others "
                f"({metric.value:+.2f}, {metric.low:+.2f} to {metric.high:+.2f})."
            )
    st.markdown("\n".join(sentences) or "No group can be told from the others by these figures.")
    st.caption(
        "Many groups and figures are looked at: one in twenty differs by chance alone. Whether a "
        "model is fair is not for these figures to say."
    )
