"""What the model would say if a patient's values were others; answers come as sliders move."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medcore.explanation.words import name_target
from medcore.records import Column, Run
from pages.parts.border import draw_apart
from pages.parts.form import batched
from pages.parts.patient import label_column, show_field
from pages.parts.runs import question

USUAL = 6


def show_what_if(
    run: Run,
    values: Mapping[str, Any],
    columns: Mapping[str, Column],
    order: Sequence[str],
    target: str,
    outcome: str,
    key: str,
) -> None:
    """Show sliders for a patient's columns, the first few in `order`, and the answer to them."""
    st.subheader("What if?", anchor=False)
    st.caption(
        "Move a value and see what the model would say. It is not what would happen to the "
        "patient if the value were changed by treatment."
    )
    draw_apart(_ask)(run, dict(values), columns, tuple(order), target, outcome, key)


def _ask(
    run: Run,
    values: dict[str, Any],
    columns: Mapping[str, Column],
    order: Sequence[str],
    target: str,
    outcome: str,
    key: str,
) -> None:
    chosen = st.multiselect(
        "Columns to change", list(order), default=list(order[:USUAL]), key=f"whatif_{key}"
    )
    ranges = question(run, "describe_numbers")["numbers"]
    changed = dict(values)
    for three in batched(chosen, 3):
        for place, name in zip(st.columns(3), three, strict=False):
            with place:
                changed[name] = _show_widget(columns[name], values.get(name), ranges.get(name), key)
    _show_answer(question(run, "answer_patients", rows=[values, changed]), target, outcome)


def _show_widget(column: Column, value: Any, limits: Mapping[str, Any] | None, key: str) -> Any:
    place = f"whatif_{key}_{column.name}"
    if column.kind != "number" or limits is None or value is None:
        return show_field(column, place, value)
    low, high = min(limits["low"], value), max(limits["high"], value)
    if not low < high:
        return value
    if limits["whole"] and float(value).is_integer():
        return st.slider(label_column(column), int(low), int(high), int(value), key=place)
    step = 10.0 ** (math.floor(math.log10(high - low)) - 2)
    return st.slider(
        label_column(column), float(low), float(high), float(value), step, format="%.6g", key=place
    )


def _show_answer(said: Mapping[str, Any], target: str, outcome: str) -> None:
    """Show the second patient's answer, and how far it is from the first's."""
    was, now = said["targets"][target]
    label = name_target(said["task"], outcome, target)
    if said["task"] == "regression":
        change = f"{now - was:+.4g} from {was:.4g}" if now != was else None
        st.metric(label, f"{now:.4g}", change, delta_color="off", border=True)
        return
    change = f"{100 * (now - was):+.1f} points from {was:.1%}" if abs(now - was) > 0.0005 else None
    colour = "inverse" if said["positive"] is not None else "off"
    st.metric(label, f"{now:.1%}", change, delta_color=colour, border=True)
    threshold = said["threshold"]
    if isinstance(threshold, Mapping):
        threshold = threshold[target]
    if threshold is not None:
        word = "an alarm" if now >= threshold else "no alarm"
        st.caption(f"That is {word} at the threshold of {threshold:.2f}.")
