"""Tables of visits: from which moment is predicted, and how far ahead."""

from __future__ import annotations

import streamlit as st

from medcore.config import RunConfig, change_config
from medcore.errors import MedcoreError
from medcore.records import Dataset
from pages.parts import state

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
    config = change_config(config, {"series.index": index, "series.horizon": horizon or None})
    try:
        ledger = state.asked(config).ledger
        for entry in ledger[len(state.table().ledger) :]:
            st.caption(entry.reason)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
    return config


def _could_be(role: str) -> bool:
    return role not in ("visit", "outcome", "event", "patient")
