"""One patient explained: a waterfall from the average to their prediction, and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medcore.explanation.words import name_target, write_nearest
from medcore.figures import draw_shares
from medcore.records import Column
from pages.parts.charts import show_chart

ROUNDING = 1e-9


def write_value(column: Column | None, value: Any) -> str:
    """Return a column's value with its unit, as people read it.

    >>> write_value(Column("weight", "number", "input", "kg"), 71.25)
    '71.25 kg'
    """
    if value is None:
        return "unknown"
    text = f"{value:.6g}" if isinstance(value, int | float) else str(value)
    unit = column.unit if column is not None and column.unit else ""
    return f"{text} {unit}".strip()


def show_shares(
    said: Mapping[str, Any],
    target: str,
    columns: Mapping[str, Column],
    outcome: Column,
    task: str,
) -> None:
    """Show how one patient's prediction comes about."""
    told, unit = said["targets"][target], outcome.unit or ""
    percent = task != "regression"
    subject = name_target(task, outcome.name, target)

    def write(value: float) -> str:
        return f"{value:.1%}" if percent else f"{value:.4g} {unit}".strip()

    st.markdown(
        f"#### {subject}: {write(told['said'])}, where the average training patient gets "
        f"{write(told['base'])}"
    )
    table = _tabulate(said, told, columns)
    axis = subject if percent or not unit else f"{subject}, {unit}"
    show_chart(*draw_shares(table, told["base"], told["said"], axis, percent=percent), "shares")
    gap = abs(told["gap"])
    total = sum(told["value"])
    sums = "they do" if gap < ROUNDING else f"they miss it by {gap:.2g}"
    difference = f"{100 * total:+.1f} points" if percent else f"{total:+.4g} {unit}".strip()
    st.caption(
        f"Shapley values: each column's own value is put in place of {said['patients']} training "
        "patients' one after the other, in random orders there and back, and the mean step is its "
        f"share. Check: the shares must sum to the difference of {difference}; {sums}."
    )


def _tabulate(
    said: Mapping[str, Any], told: Mapping[str, Any], columns: Mapping[str, Column]
) -> pd.DataFrame:
    """Return one row a column, the largest share first."""
    table = pd.DataFrame(
        {
            "column": said["columns"],
            "value": [write_value(columns.get(c), said["shown"][c]) for c in said["columns"]],
            "share": np.array(told["value"], dtype=float),
            "from": np.array(told["low"], dtype=float),
            "to": np.array(told["high"], dtype=float),
        }
    )
    return table.sort_values("share", key=abs, ascending=False, ignore_index=True)


def show_nearest(
    nearest: Sequence[Mapping[str, Any]],
    shown: Mapping[str, Any],
    order: Sequence[str],
    target: str,
    outcome: Column,
    task: str,
) -> None:
    """Show the training patients most like this one, and what happened to them."""
    st.subheader("Patients like this one", anchor=False)
    st.markdown(write_nearest(list(nearest), outcome.name, target, task))
    if not nearest:
        return
    names = list(order)
    rows = [{"": "This patient", outcome.name: "?", "Distance": None, **shown}]
    for place, row in enumerate(nearest, 1):
        happened = {outcome.name: write_value(outcome, row["outcome"])}
        rows.append({"": f"{place}.", **happened, "Distance": row["distance"], **row["values"]})
    table = pd.DataFrame(rows)[["", outcome.name, "Distance", *names]]
    st.dataframe(
        table, hide_index=True, key="nearest",
        column_config={
            "": st.column_config.TextColumn(pinned=True, width="small"),
            outcome.name: st.column_config.Column(help="What happened to them."),
            "Distance": st.column_config.NumberColumn(
                format="%.2f",
                help="Root of the mean squared difference over the columns known of this patient, "
                "as the model takes them: about standard deviations for numbers, 1 for another "
                "category.",
            ),
        },
    )  # fmt: skip
    st.caption(
        "Training patients, compared on the columns that are known of this patient; the columns "
        "with the largest shares stand first. Few patients prove nothing; they show whom the model "
        "learned from."
    )
