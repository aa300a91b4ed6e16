"""A question of time: which event, followed for how long, and by when risks are told."""

from __future__ import annotations

import streamlit as st

from medcore.config import RunConfig, change_config
from medcore.data import assign_columns, outcome_candidates, outcome_classes
from medcore.data.labels import wants_labels
from medcore.errors import MedcoreError
from medcore.records import Dataset
from pages.parts import state
from pages.parts.arms import asks_effect
from pages.parts.choice import choose_one
from pages.parts.roles import ASKED, ask_anew

UNITS = ("hours", "days", "weeks", "months", "years")
KINDS = {
    "outcome": "An outcome",
    "several": "Several findings",
    "time": "Time to an event",
    "effect": "Effect of a treatment",
}


def choose_kind(config: RunConfig, dataset: Dataset) -> str:
    """Show what is asked: "outcome", "several" findings, "time" to an event, or "effect"."""
    held = "time" if dataset.with_role("event") else "outcome"
    if wants_labels(dataset, config):
        held = "several"
    if asks_effect(config, dataset):
        held = "effect"
    return st.segmented_control(
        "What is asked", list(KINDS), default=held, required=True, format_func=KINDS.get, wrap=True,
        key=f"asked_{state.current().dataset.id}",
        help="Several findings: which of them does a patient have? Each gets a risk and a "
        "threshold of its own. Time to an event: will it come, and by when? Patients who were "
        "followed for different times, or lost to follow-up, are used for as long as they were "
        "seen. Effect of a treatment: what does it do to the outcome, and who benefits?",
    )  # fmt: skip


def choose_event(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Show event, follow-up, unit, cause and horizons; return the settings with the choices."""
    left, right = st.columns(2)
    with left:
        event = _choose_column(dataset, "event", "Event", _likely_events(dataset))
    with right:
        numbers = [c.name for c in dataset.columns if c.kind == "number" and c.name != event]
        duration = _choose_column(dataset, "duration", "Length of follow-up", numbers)
    if event is None or duration is None:
        st.caption("Say which column holds the event, and which how long each was followed.")
        return config
    config = _keep_roles(config, event, duration)
    unit = next(c.unit for c in assign_columns(state.table(), config).columns if c.name == duration)
    left, right = st.columns(2)
    with left:
        config = _choose_unit(config, duration, unit)
    with right:
        written = st.text_input(
            "Risks by (horizons)", ", ".join(config.evaluate.horizons),
            placeholder="such as 1y, 5y; empty: quartiles of the times of events",
            key=f"horizons_{state.current().dataset.id}",
            help="The times by which risks are told and judged. h, d, w, m and y stand for hours "
            "to years; a number alone is in the unit of the follow-up.",
        )  # fmt: skip
    config = change_config(config, {"evaluate.horizons": written})
    return _choose_cause(config, event)


def _likely_events(dataset: Dataset) -> list[str]:
    held = [c.name for c in dataset.with_role("outcome")]
    likely = outcome_candidates(dataset.frame, dataset.columns)
    others = [c.name for c in dataset.columns if c.kind in ("number", "category")]
    return list(dict.fromkeys([*held, *likely, *others]))


def _choose_column(dataset: Dataset, role: str, label: str, names: list[str]) -> str | None:
    held = next((c.name for c in dataset.with_role(role)), None)
    if held is None and role == "event":
        held = next((c.name for c in dataset.with_role("outcome")), None)
    names = list(dict.fromkeys([*([held] if held else []), *names]))
    return st.selectbox(
        label, names, index=names.index(held) if held else None, placeholder="Choose a column",
        key=f"{role}_{state.current().dataset.id}",
    )  # fmt: skip


def _keep_roles(config: RunConfig, event: str, duration: str) -> RunConfig:
    wanted = {event: "event", duration: "duration"}
    roles = {name: "ignored" if role in ASKED else role for name, role in config.data.roles.items()}
    roles |= wanted
    if roles == dict(config.data.roles) and config.task in (None, "survival"):
        return config
    return ask_anew(config, roles)


def _choose_unit(config: RunConfig, duration: str, unit: str | None) -> RunConfig:
    options = list(dict.fromkeys([*([unit] if unit else []), *UNITS]))
    chosen = st.selectbox(
        "Unit of follow-up", options, index=0 if unit else None, placeholder="unknown",
        key=f"unit_{state.current().dataset.id}_{duration}",
    )  # fmt: skip
    if chosen in (unit, None):
        return config
    units = {**config.data.units, duration: chosen}
    return change_config(config, {"data.units": units})


def _choose_cause(config: RunConfig, event: str) -> RunConfig:
    try:
        dataset = state.asked(config)
        causes, positive = outcome_classes(dataset, config)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return config
    if not dataset.with_role("event"):
        st.caption(f"Risk of: {dataset.predicted_column().name}.")
        return config
    if len(causes) == 1:
        st.caption(f"Risk of: {event} = {causes[0]}; everybody else counts as censored.")
        return config
    chosen = choose_one(
        "Risk of", causes, positive,
        format_func=lambda name: f"{event} = {name}", key=f"cause_{event}_{'_'.join(causes)}",
        help="Several events compete: who has had one can no longer have another first. The others "
        "are taken into account (Aalen–Johansen), not treated as lost to follow-up.",
    )  # fmt: skip
    return change_config(config, {"outcome.positive": chosen}) if chosen != positive else config
