"""What drives a model: importance of its columns, effects along each, and whether to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.evaluate import label_metric
from medcore.explanation import ExplainChoice
from medcore.explanation.words import (
    MEASURES,
    leading_measure,
    ranked_groups,
    write_checks,
    write_drivers,
)
from medcore.figures import draw_importance
from medcore.records import Column
from pages.parts.charts import show_chart
from pages.parts.effects import show_effects

SHUFFLES = (
    "Each column's values are shuffled among the test patients, and the model is judged again: "
    "what it loses is what it owed to that column."
)


def choose_wishes(run_id: str, usual: ExplainChoice) -> ExplainChoice:
    """Show the settings of an explanation."""
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    repeats = left.number_input(
        "Shuffles of each column", 1, 100, usual.repeats, key=f"explain_repeats_{run_id}",
        help="More make the figures steadier and take longer.",
    )  # fmt: skip
    together = middle.slider(
        "Shuffle columns together from an association of", 0.1, 1.0, usual.together, 0.05,
        key=f"explain_together_{run_id}",
        help="When two columns say much the same, a model reads the one when the other is "
        "shuffled, and neither seems to matter. At 1 only copies go together.",
    )  # fmt: skip
    checks = right.toggle(
        "Check the method too", usual.checks, key=f"explain_checks_{run_id}",
        help="Trains two small models, on shuffled outcomes and with a column of random numbers: "
        "nothing may seem to matter there.",
    )  # fmt: skip
    return ExplainChoice(int(repeats), float(together), bool(checks))


def show_drivers(result: Mapping[str, Any], target: str, columns: Mapping[str, Column],
                 unit: str) -> None:  # fmt: skip
    """Show what drives the model's answer for a target."""
    first, *others = write_drivers(result, target)
    st.markdown(f"#### {first}")
    for sentence in others:
        st.markdown(f"- {sentence}")
    st.caption(
        f"{SHUFFLES} Measured on {result['rows']:,} {result['part']} rows, the mean of "
        f"{result['choice']['repeats']} shuffles; 95 % intervals."
    )
    measures = list(result["importance"][target])
    measure = st.segmented_control(
        "Measured as", measures, default=leading_measure(result, target), required=True,
        format_func=lambda name: MEASURES[name][0], key=f"explain_measure_{result['task']}",
    )  # fmt: skip
    st.caption(MEASURES[measure][1])
    _draw_importance(result, target, measure, unit)
    show_effects(result, target, columns, unit)
    _show_checks(result)


def _draw_importance(result: Mapping[str, Any], target: str, measure: str, unit: str) -> None:
    ranked = ranked_groups(result, target, measure)
    table = pd.DataFrame(
        [
            {"columns": name, "value": figure.value, "from": figure.low, "to": figure.high,
             "interval by": figure.method, "association within": group["association"],
             "why there is none": figure.reason or ""}
            for name, figure, group in ranked
        ]
    )  # fmt: skip
    axis = MEASURES[measure][0] + (f", {unit}" if unit and measure in ("mae", "shift") else "")
    show_chart(*draw_importance(table, axis), "importance")


def _show_checks(result: Mapping[str, Any]) -> None:
    st.subheader("Can these figures be believed?", anchor=False)
    sentences = write_checks(result)
    if not sentences:
        st.caption("The checks were not asked for; explain again with “Check the method too”.")
    for sentence in sentences:
        st.markdown(f"- {sentence}")
    checks = result["checks"]
    if checks and not checks["reason"]:
        rows = [
            {"Check": name, "Columns": " + ".join(found["columns"]), "Importance": found["value"],
             "From": found["low"], "To": found["high"],
             "Place": f"{found['rank']} of {found['of']}",
             "Held": "yes" if found["held"] else "no"}
            for name, found in (("Shuffled outcomes: the largest", checks["shuffled"]),
                                ("Random numbers beside the others", checks["noise"]))
        ]  # fmt: skip
        with st.expander("The numbers behind it"):
            st.caption(f"{label_metric(checks['measure'])}: loss, or rise of the error.")
            st.dataframe(pd.DataFrame(rows), hide_index=True, key="explain_checks")
    st.caption("For single patients: the shares must sum to the difference they explain; the page "
               "says by how much they do not.")  # fmt: skip
