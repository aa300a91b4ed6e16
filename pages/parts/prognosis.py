"""Time to event on pages: what became of groups of patients, and one patient's course."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medcore.data import configure_dataset, outcome_classes, read_causes, write_horizon
from medcore.errors import MedcoreError
from medcore.evaluate import band_numbers
from medcore.evaluate.followup import incidence_curve, log_rank, risk_table
from medcore.figures.prognosis import draw_incidence, draw_patient_curve
from medcore.records import Column, Dataset
from pages.parts import state
from pages.parts.charts import show_chart

EVERYBODY = "Everybody"
MOST_GROUPS = 6


def show_followup() -> None:
    """Show the share with the event over time, by any group, with the test between groups."""
    config = state.settings()
    try:
        dataset = configure_dataset(state.table(), config)
        causes, positive = outcome_classes(dataset, config)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    event, duration = dataset.predicted_column(), dataset.with_role("duration")[0]
    st.markdown(_say_events(dataset, event.name, causes))
    left, right = st.columns(2)
    with left:
        name = st.selectbox(
            "By", [EVERYBODY, *_grouping(dataset)], key="followup_by",
            help="Numbers are divided into bands: ages by twenty years, others into thirds.",
        )  # fmt: skip
    with right:
        cause = positive
        if len(causes) > 1:
            cause = st.selectbox("Event", causes, causes.index(positive), key="followup_cause")
    time = dataset.frame[duration.name].to_numpy(np.float64)
    code = read_causes(dataset.frame[event.name], causes)
    number = causes.index(cause) + 1
    groups = _name_groups(dataset, name)
    drawn, moments = _curves(time, code, number, groups), _moments(time)
    for curve in drawn:
        curve["at_risk"] = risk_table(time[(groups == curve["name"]).to_numpy()], moments)
    title = f"{event.name} = {cause} over time" + ("" if name == EVERYBODY else f", by {name}")
    show_chart(
        *draw_incidence(drawn, moments, title, duration.unit or "", falling=len(causes) == 1),
        "followup",
    )
    if len(drawn) > 1:
        kept = groups.isin([curve["name"] for curve in drawn]).to_numpy()
        _, p = log_rank(time[kept], code[kept], groups[kept].to_numpy(object), number)
        st.markdown(write_test(p, name))
    if len(causes) > 1:
        st.caption(
            "Several events compete, so the curve is the cumulative incidence (Aalen–Johansen): "
            "who has had another event can no longer have this one first."
        )


def _say_events(dataset: Dataset, name: str, causes: tuple[str, ...]) -> str:
    counts, rows = dataset.frame[name].value_counts(), len(dataset.frame)
    told = ", ".join(f"{counts[cause]:,} had “{name} = {cause}”" for cause in causes)
    rest = rows - int(counts[list(causes)].sum())
    return f"Of {rows:,} rows, {told}; {rest:,} were followed without an event (censored)."


def _grouping(dataset: Dataset) -> list[str]:
    wanted = dataset.with_role("input", "site", "treatment")
    return [c.name for c in wanted if c.kind in ("category", "number")]


def _name_groups(dataset: Dataset, name: str) -> pd.Series:
    if name == EVERYBODY:
        return pd.Series(EVERYBODY, index=dataset.frame.index, dtype=object)
    values = dataset.frame[name]
    if dataset.column(name).kind == "number":
        return band_numbers(values.astype(np.float64), name)
    return values.astype(object)


def _curves(
    time: np.ndarray, code: np.ndarray, number: int, groups: pd.Series
) -> list[dict[str, Any]]:
    names = groups.value_counts().index[:MOST_GROUPS]
    found = []
    for name in sorted(map(str, names)):
        mask = (groups == name).to_numpy()
        curve = incidence_curve(time[mask], code[mask], number)
        found.append({"name": name, "n": int(mask.sum()), **curve})
    return found


def _moments(time: np.ndarray) -> np.ndarray:
    return np.linspace(0, float(time.max()), 6)


def write_test(p: float, name: str) -> str:
    """Return what a log-rank test says of groups, in words."""
    if not np.isfinite(p):
        return "The groups cannot be compared: no event happened while several were followed."
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    if p < 0.05:
        return (
            f"The groups of “{name}” differ by more than chance would explain (log-rank test, "
            f"{said}). That does not say why."
        )
    return f"The groups of “{name}” are not distinguishable (log-rank test, {said})."


def show_prognosis(outcome: Column, unit: str, said: Mapping[str, Any]) -> None:
    """Show one patient's risks by the horizons, and the whole curve with its interval."""
    place = said["classes"].index(said["positive"])
    value, low, high = (said[side][place] for side in ("value", "low", "high"))
    rows = []
    for horizon in said["horizons"]:
        at = said["times"].index(horizon["time"])
        rows.append((write_horizon(horizon["label"]), value[at], low[at], high[at]))
    label, risk, *_ = rows[-1]
    st.markdown(f"#### Risk of {outcome.name} = {said['positive']} by {label}: {risk:.0%}")
    for column, (label, risk, down, up) in zip(st.columns(len(rows)), rows, strict=True):
        interval = None if down is None else f"({100 * down:.0f}–{100 * up:.0f} %)"
        column.metric(f"By {label}", f"{risk:.0%}", interval, delta_color="off", delta_arrow="off",
                      border=True)  # fmt: skip
    if low[0] is not None:
        st.markdown(
            "In brackets and shaded: what became of patients whom the model did not learn from and "
            "to whom it gave a similar risk (95 % interval)."
        )
    figure = draw_patient_curve(said["times"], value, low, high, said["horizons"], unit)
    st.plotly_chart(figure, config={"displayModeBar": False}, key="patient_curve")
    others = [name for name in said["classes"] if name != said["positive"]]
    for name in others:
        at = said["times"].index(said["horizons"][-1]["time"])
        risk = said["value"][said["classes"].index(name)][at]
        st.caption(f"{outcome.name} = {name} by {rows[-1][0]}: {risk:.0%}.")
