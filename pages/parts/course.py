"""Tables of visits: from which moment is predicted, how far ahead, and what came of one patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from medcore.config import RunConfig, change_config
from medcore.errors import MedcoreError
from medcore.explanation.words import name_target
from medcore.figures import draw_course_map, draw_trajectory
from medcore.records import Column, Dataset, Run
from medcore.store import read_columns
from pages.parts import state
from pages.parts.charts import show_chart
from pages.parts.explained import choose_target, list_patients
from pages.parts.judgement import load_evaluation
from pages.parts.patient import label_column
from pages.parts.runs import has_table, question

MOMENTS = {
    "auto": "The usual visit (see help)",
    "first": "The first visit",
    "last": "The last visit",
    "random": "One visit of each patient, drawn at random",
    "every": "Each visit in turn",
}


def choose_course(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Show the moment from which is predicted and the horizon; return the settings with them."""
    fields, place = type(config.series).model_fields, state.current().dataset.id
    unit = next((c.unit or "" for c in dataset.with_role("visit")), "")
    times = [c.name for c in dataset.columns if c.kind in ("number", "date") and _could_be(c.role)]
    moments = [*MOMENTS, *times]
    left, right = st.columns(2)
    with left:
        index = st.selectbox(
            "Predict from", moments, key=f"index_{place}", help=fields["index"].description,
            index=moments.index(config.series.index) if config.series.index in moments else 0,
            format_func=lambda name: MOMENTS.get(name, f"the time in “{name}”"),
        )  # fmt: skip
    with right:
        horizon = st.number_input(
            f"Within (horizon{', ' + unit if unit else ''})", min_value=0.0, step=1.0, format="%g",
            value=config.series.horizon, placeholder="not set", key=f"horizon_{place}",
            help=fields["horizon"].description,
        )  # fmt: skip
    held = config
    config = change_config(config, {"series.index": index, "series.horizon": horizon or None})
    if config != held:
        # What is asked changes with it: the question above is shown anew.
        state.keep_settings(config)
        st.rerun()
    try:
        ledger = state.asked(config).ledger
        for entry in ledger[len(state.table().ledger) :]:
            st.caption(entry.reason)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
    return config


def show_trajectory(run: Run, trajectory: Sequence[Mapping[str, Any]]) -> None:
    """Show what the model says after each visit of one patient."""
    columns, task = read_columns(run.folder), run.summary["task"]
    outcome = next(c for c in columns if c.role in ("outcome", "event"))
    targets = list(trajectory[-1]["targets"])
    target = choose_target(targets, outcome)
    evaluation = load_evaluation(str(run.folder))
    threshold = evaluation.parts["test"].threshold if evaluation.positive == target else None
    axis = name_target(task, outcome.name, target)
    percent = task != "regression"
    time = label_time(columns)
    drawn = draw_trajectory(trajectory, target, axis, time, threshold, percent=percent)
    show_chart(*drawn, "trajectory")
    st.caption("Each point knows the visits up to it and none after it.")


def show_course(run: Run, _: Mapping[str, Column], outcome: Column) -> None:
    """Show one test patient's course: the prediction after each visit, and what moved it."""
    if not has_table(run):
        st.info("The visits were deleted; bring them again and train.", icon=":material/table:")
        return
    listed = list_patients(str(run.folder), outcome.name)
    chosen = st.selectbox(
        "Test patient", list(listed), index=None, key=f"course_row_{run.id}",
        placeholder="Choose one; the highest predictions stand first",
    )  # fmt: skip
    if chosen is None:
        return
    evaluation = load_evaluation(str(run.folder))
    names = [evaluation.positive] if evaluation.positive else list(evaluation.classes)
    target = choose_target(names or [outcome.name], outcome)
    try:
        with st.spinner("Following the patient's visits …"):
            place = {"workspace": run.workspace, "dataset": run.dataset}
            said = question(run, "explain_course", row=listed[chosen], target=target, **place)
    except MedcoreError as error:
        st.warning(str(error), icon=":material/timeline:")
        return
    show_trajectory(run, said["trajectory"])
    _show_map(said, target, outcome, run)


def _show_map(said: Mapping[str, Any], target: str, outcome: Column, run: Run) -> None:
    task, percent = run.summary["task"], run.summary["task"] != "regression"
    subject = name_target(task, outcome.name, target)

    def write(value: float) -> str:
        return f"{value:.1%}" if percent else f"{value:.4g} {outcome.unit or ''}".strip()

    st.markdown(
        f"#### {subject}: the networks say {write(said['said'])}; with usual results at the same "
        f"visits and tests they would say {write(said['base'])}"
    )
    drawn = draw_course_map(said, label_time(read_columns(run.folder)), percent=percent)
    show_chart(*drawn, "course_map")
    gap = f"{100 * abs(said['gap']):.2g} points" if percent else f"{abs(said['gap']):.2g}"
    text = (
        "Integrated gradients: each cell is what the measured result moved, compared with the "
        f"training patients' usual one. Together they must make up the difference; they miss it by "
        f"{gap}. When somebody came and what was tested is the same on both sides."
    )
    if said["weight"] < 0.995:
        text += f" The networks are {said['weight']:.0%} of the model."
    st.caption(text)


def label_time(columns: Sequence[Column]) -> str:
    """Return what the axis of the visits' time is called."""
    visit = next(c for c in columns if c.role == "visit")
    return label_column(visit) if visit.kind == "number" else f"{visit.name} (days since 1970)"


def _could_be(role: str) -> bool:
    return role not in ("visit", "outcome", "event", "patient")
