"""Several findings at once: which columns, or which cells, say what a patient has."""

from __future__ import annotations

import streamlit as st

from medcore.config import RunConfig, change_config
from medcore.data import assign_columns, outcome_candidates, outcome_classes
from medcore.data.labels import configure_labels, read_yes
from medcore.errors import MedcoreError
from medcore.records import Dataset
from pages.parts import state
from pages.parts.frame import count
from pages.parts.roles import ASKED, ask_anew

WAYS = {"columns": "A yes/no column each", "cells": "Several in one cell"}
MOST_NAMED = 12


def choose_several(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Show where the findings stand; return the settings with the choice."""
    held = "cells" if config.outcome.separator else "columns"
    way = st.segmented_control(
        "Where the findings stand", list(WAYS), default=held, required=True,
        format_func=WAYS.get, key=f"several_{state.current().dataset.id}",
    )  # fmt: skip
    config = (_choose_cells if way == "cells" else _choose_columns)(config, dataset)
    say_findings(config)
    return config


def _choose_columns(config: RunConfig, dataset: Dataset) -> RunConfig:
    held = [column.name for column in dataset.with_role("outcome")]
    offered = list(dict.fromkeys([*held, *_yes_no(state.current().dataset.id)]))
    chosen = st.multiselect(
        "Findings to predict", offered, default=held if len(held) > 1 else [],
        placeholder="Choose two columns or more", key=f"findings_{state.current().dataset.id}",
        help="Columns of yes and no. An empty cell means that nobody knows, not that it is absent. "
        "What is taken off this list is no input either.",
    )  # fmt: skip
    return _keep(config, chosen, None)


def _choose_cells(config: RunConfig, dataset: Dataset) -> RunConfig:
    names = [c.name for c in dataset.columns if c.kind in ("category", "text")]
    held = [column.name for column in dataset.with_role("outcome") if column.name in names]
    left, right = st.columns([2, 1])
    with left:
        name = st.selectbox(
            "Column with the findings", names, index=names.index(held[0]) if held else None,
            placeholder="Choose a column", key=f"cells_{state.current().dataset.id}",
        )  # fmt: skip
    with right:
        separator = st.text_input(
            "Between two findings", config.outcome.separator or ";", max_chars=5,
            key=f"separator_{state.current().dataset.id}",
            help=type(config.outcome).model_fields["separator"].description,
        )  # fmt: skip
    if name is None or not separator:
        return config
    return _keep(config, [name], separator)


@st.cache_data(scope="session", max_entries=4, show_spinner=False)
def _yes_no(identity: str) -> list[str]:
    """Return the names of the columns that can be read as yes and no."""
    dataset = state.table_of(identity)
    found = []
    for name in outcome_candidates(dataset.frame, dataset.columns):
        values = dataset.frame[name]
        if not 1 < values.nunique() <= 4:
            continue
        try:
            known = read_yes(values, name)
        except MedcoreError:
            continue
        if {0.0, 1.0} <= set(known):
            found.append(name)
    return found


def _keep(config: RunConfig, outcomes: list[str], separator: str | None) -> RunConfig:
    """Give these columns the role outcome, and take it, and that of input, from those before."""
    if not outcomes:
        return config
    now = assign_columns(state.table(), config)
    roles = dict(config.data.roles)
    roles |= {column.name: "ignored" for column in now.with_role(*ASKED)}
    roles |= dict.fromkeys(outcomes, "outcome")
    same = roles == dict(config.data.roles) and separator == config.outcome.separator
    if same and config.task in (None, "multilabel"):
        return config
    config = ask_anew(config, roles, separator)
    if separator is not None and now.column(outcomes[0]).kind == "text":
        kinds = {**config.data.kinds, outcomes[0]: "category"}
        return change_config(config, {"data.kinds": kinds})
    return config


def say_findings(config: RunConfig) -> None:
    """Say what is predicted, or what is wrong with the choice."""
    dataset = assign_columns(state.table(), config)
    if len(dataset.with_role("outcome")) < 2 and config.outcome.separator is None:
        st.caption("Choose the columns that say which findings a patient has.")
        return
    try:
        names, _ = outcome_classes(dataset, config)
        told = configure_labels(dataset, config)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    listed = ", ".join(names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    st.caption(f"Predicts {len(names)} findings, each with a risk of its own: {listed}{more}.")
    gone = len(dataset.frame) - len(told.frame)
    if gone:
        st.caption(f"{count(gone, 'row')} of which no finding is known: set aside.")
