"""How a model's answer changes along one column, with the patients there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from medcore.figures import draw_effect
from medcore.records import Column
from pages.parts.charts import show_chart
from pages.parts.patient import label_column


def show_effects(
    result: Mapping[str, Any], target: str, columns: Mapping[str, Column], unit: str
) -> None:
    """Show one column's effect, the most important first in the list."""
    effects = {effect["column"]: effect for effect in result["effects"]}
    if not effects:
        return
    st.subheader("How the prediction changes along a column", anchor=False)
    name = st.selectbox("Column", list(effects), key="explain_column")
    effect, share = effects[name], result["task"] != "regression"
    label = label_column(columns[name]) if name in columns else name
    axis = "Change of the predicted risk, points" if share else f"Change of the prediction, {unit}"
    axis = axis.rstrip(", ")
    show_chart(*draw_effect(effect, target, label, axis, 100 if share else 1), "effect")
    st.caption(_describe(result, effect, target, share, unit))


def _describe(
    result: Mapping[str, Any], effect: Mapping[str, Any], target: str, share: bool, unit: str
) -> str:
    average = result["average"][target]
    level = f"{average:.0%}" if share else f"{average:.3g} {unit}".strip()
    words = (
        f"Relative to the average prediction of {level} for {result['background']:,} training "
        "patients, each moved by small steps with all else kept (accumulated local effects, Apley "
        "and Zhu 2020); the band is a 95 % interval over patients. Where few patients are, the "
        "model is guessing."
    )
    lost = effect["unknown"][target]
    if effect["missing"] and lost["value"] is not None:
        value = f"{100 * lost['value']:+.1f} points" if share else f"{lost['value']:+.3g} {unit}"
        words += (
            f" {effect['missing']:,} of them lack the value; losing it would move the others' "
            f"predictions by {value.strip()} on average."
        )
    if effect["others"]:
        words += f" {effect['others']:,} have rarer categories that are not shown."
    return words
