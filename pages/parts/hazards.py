"""Hazard ratios on Results, and whether they stay the same over time, in words."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medcore.records import Column, Evaluation, Run
from pages.parts import state

LEVEL = 0.05


def show_hazards(_: Run, evaluation: Evaluation) -> None:
    """Show the Cox regression that stands beside every model of time to event."""
    found = evaluation.curves.get("hazards")
    if not found or not found["rows"]:
        return
    st.subheader("What goes with the event", anchor=False)
    st.markdown(
        f"A Cox regression of {found['n']:,} rows that were learned from, {found['events']:,} with "
        "the event. A hazard ratio of 2 means that the event comes at twice the rate, the other "
        "columns being equal; it is no cause. " + write_constancy(found["rows"])
    )
    table = pd.DataFrame(found["rows"]).rename(
        columns={
            "column": "Column",
            "contrast": "Contrast",
            "ratio": "Hazard ratio",
            "low": "From",
            "high": "To",
            "constant_p": "Constant over time? (p)",
        }
    )
    numbers = {
        name: st.column_config.NumberColumn(format="%.2f")
        for name in ("Hazard ratio", "From", "To")
    }
    numbers["Constant over time? (p)"] = st.column_config.NumberColumn(
        format="%.3f",
        help="Schoenfeld's test (Grambsch and Therneau 1994): a small value says that the ratio "
        "changes in the course of follow-up.",
    )
    st.dataframe(table, hide_index=True, column_config=numbers)
    if found["left_out"]:
        st.caption(f"Not shown, to keep the table readable: {', '.join(found['left_out'])}.")


def link_to_hazards(columns: tuple[Column, ...]) -> None:
    """Say on Explain, where the question is one of time, where the hazard ratios are."""
    if any(column.role == "event" for column in columns):
        st.caption("Importance is told by how far risks move; hazard ratios stand on Results.")
        state.link("results", "See the hazard ratios", ":material/monitoring:")


def write_constancy(rows: list[dict]) -> str:
    """Return in words whether hazard ratios stay the same over time (Holm's correction)."""
    known = sorted(
        (row["constant_p"], row["column"]) for row in rows if row["constant_p"] is not None
    )
    moving = []
    for place, (p, column) in enumerate(known):
        if p * (len(known) - place) >= LEVEL:
            break
        moving.append(column)
    if not moving:
        return (
            "Nothing speaks against ratios that stay the same over time (proportional hazards, "
            "Schoenfeld's test)."
        )
    names = ", ".join(dict.fromkeys(moving))
    return (
        f"For {names} the ratio changes in the course of follow-up (proportional hazards do not "
        "hold, Schoenfeld's test): read it as an average. A logistic hazard or DeepHit does not "
        "need this assumption."
    )
