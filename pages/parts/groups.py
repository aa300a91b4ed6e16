"""For whom the model is good: a column to divide the test patients by, and each group's figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd
import streamlit as st

from medcore.config import RunConfig
from medcore.data import assign_columns
from medcore.errors import DataError, MedcoreError
from medcore.evaluate import (
    band_dates,
    band_numbers,
    explain_metric,
    judge_subgroups,
    label_metric,
    write_metric,
)
from medcore.evaluate.subgroups import FEWEST, FIGURES, Subgroup
from medcore.figures import Drawn, draw_forest
from medcore.records import Column, Evaluation, Run
from medcore.store import read_columns
from pages.parts import state
from pages.parts.border import draw_apart
from pages.parts.charts import show_chart
from pages.parts.findings import finding_of, load_predictions

LIKELY = ("sex", "gender", "age", "ethnicity", "race")
FADED = "color: #8A949E"


def choose_columns(run: Run) -> list[Column]:
    """Return the columns patients may be divided by, the ones a clinic asks about first."""
    columns = [
        column for column in read_columns(run.folder)
        if column.role in ("input", "site", "date", "ignored")
        and column.kind in ("number", "category", "date")
    ]  # fmt: skip
    return sorted(columns, key=_rank)


def _rank(column: Column) -> tuple[bool, bool, bool]:
    return column.name.lower() not in LIKELY, column.role != "site", column.role == "ignored"


def divide(run: Run, column: Column, rows: list[int] | None = None) -> pd.Series:
    """Return the group of every row, or of some, by its id; `MedcoreError` when data is gone."""
    values = assign_columns(state.table_of(run.dataset), run.config).frame[column.name]
    if rows is not None:
        values = values.loc[rows]
    if column.kind == "date":
        return band_dates(values)
    return band_numbers(values, column.name) if column.kind == "number" else values


@st.cache_data(scope="session", max_entries=16, show_spinner="Judging each group …")
def judge_groups(
    folder: str,
    config: str,
    _groups: pd.Series,
    column: str,  # noqa: ARG001
    finding: str = "",
) -> tuple[Subgroup, ...]:
    """Return the figures of each group; `column` tells the cache which groups they are."""
    predictions = load_predictions(folder, finding)
    return judge_subgroups(predictions, RunConfig.model_validate_json(config), _groups)


@draw_apart
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
        groups = divide(run, names[name])
    except MedcoreError:
        st.info("The data set of this model was deleted; its patients cannot be divided any more.")
        return
    try:
        told = (str(run.folder), run.config.model_dump_json(), groups, name)
        found = judge_groups(*told, finding_of(run, evaluation))
    except DataError as error:
        st.info(str(error), icon=":material/block:")
        return
    task = evaluation.task
    show_chart(*draw_groups(found, FIGURES[task][0], name), "subgroups")
    table = pd.DataFrame([_write_group(group) for group in found])
    grey = [group.few for group in found]
    st.dataframe(
        table.style.apply(lambda _: [FADED if few else "" for few in grey]),
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


def draw_groups(found: tuple[Subgroup, ...], figure: str, column: str) -> Drawn:
    """One figure by group, those with few patients in grey."""
    label = label_metric(figure)
    return draw_forest(
        f"{label} by {column}", label, [group.name for group in found],
        [asdict(group.metrics[figure]) for group in found], few=[group.few for group in found],
    )  # fmt: skip


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
    with st.expander("Differences to everybody else, with intervals"):
        rows = [
            {"Group": group.name}
            | {label_metric(n): write_metric(m) for n, m in group.differences.items()}
            for group in found if not group.few
        ]  # fmt: skip
        st.dataframe(pd.DataFrame(rows), hide_index=True)
    st.caption(
        "Many groups and figures are looked at: one in twenty differs by chance alone. Whether a "
        "model is fair is not for these figures to say."
    )
