"""Which case an explanation is of, the answer about it, and whether that tells of learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.records import Column, Run
from medcore.store import read_predictions
from pages.parts import state
from pages.parts.explained import choose_target
from pages.parts.runs import question

MOST_LISTED, LIKE = 300, 0.5


@dataclass(frozen=True)
class Case:
    """A row of the run's data set, the column that is looked at, and the class it speaks of."""

    row: int
    column: str
    target: str
    positive: str | None


def choose_case(
    run: Run, columns: Mapping[str, Column], outcome: Column, kind: str, where: Sequence[Any]
) -> Case | None:
    """Let a case be chosen whose column is of a kind; None where there is nobody.

    `where` are three places of the page: for the patient, the class and the column.
    """
    told = read_predictions(run.folder)
    targets = [told.positive] if told.positive else list(told.classes) or [outcome.name]
    names = [name for name, column in columns.items() if column.kind == kind]
    with where[1]:
        target = choose_target(list(dict.fromkeys([*targets, *told.classes])), outcome)
    with where[2]:
        column = names[0]
        if len(names) > 1:
            column = st.selectbox("Column", names, key=f"explain_{kind}_column")
    with where[0]:
        row = _choose_row(told.frame, target, outcome)
    return None if row is None else Case(int(row), column, target, told.positive)


def ask_case(
    run: Run, case: Case, request: str, waiting: str, icon: str, **more: Any
) -> Mapping[str, Any] | None:
    """Return the worker's answer about a case; None where it could not be given, and say why."""
    asked = {"row": case.row, "column": case.column, "target": case.target, **more}
    try:
        with st.spinner(waiting):
            return _ask(run, f"{run.workspace} {run.id}", request, asked)
    except MedcoreError as error:
        st.warning(str(error), icon=icon)
        return None


@st.cache_data(scope="session", max_entries=32, show_spinner=False)
def _ask(_run: Run, identity: str, request: str, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    return question(_run, request, **asked, workspace=_run.workspace, dataset=_run.dataset)


def _choose_row(frame: pd.DataFrame, target: str, outcome: Column) -> int | None:
    """Let a test patient be chosen, the highest risk first."""
    own = frame[(frame["model"] == "model") & (frame["part"] == "test")]
    risk = f"p_{target}" if f"p_{target}" in own else "predicted"
    own = own.sort_values(risk, ascending=False).drop_duplicates("row_id")
    places = np.unique(np.linspace(0, len(own) - 1, min(MOST_LISTED, len(own))).astype(int))
    shown = own.iloc[places].set_index("row_id")
    return st.selectbox(
        "A test patient", list(shown.index), key="explain_row",
        format_func=lambda row: (
            f"Row {row + 1}: {outcome.name} = {shown.loc[row, 'outcome']}, "
            f"predicted {shown.loc[row, risk]:.2f}"
        ),
        help="By the predicted risk, highest first.",
    )  # fmt: skip


def say_check(likeness: float | None, instead: str) -> None:
    """Say whether a map tells of learning; `instead` is what it shows where it does not.

    `likeness`: its rank correlation with the map of networks that learned nothing.
    """
    if likeness is None:
        st.info("The map is flat: nothing in it raised the risk.", icon=":material/info:")
    elif likeness > LIKE:
        st.warning(
            f"A network with random weights gives a similar map (rank correlation {likeness:.2f}): "
            f"this one shows {instead}, not what was learned. Look at others too.",
            icon=":material/warning:",
        )
    else:
        st.success(
            "Sanity check passed: networks with random weights give another map (rank correlation "
            f"{likeness:.2f}), so this one tells of what was learned.",
            icon=":material/check_circle:",
        )


def say_share(weight: float) -> None:
    """Say how much of the model looks at the column, and what a map is not."""
    if weight < 0.995:
        st.caption(
            f"The networks that look at it make up {weight:.0%} of the model; the rest looks at "
            "the other columns."
        )
    st.caption(f"{state.current().run.name}. A map explains the model, never the patient.")
