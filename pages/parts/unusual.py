"""The test images most unlike those that a model learned from."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medcore.errors import MedcoreError
from medcore.explanation.likeness import UNUSUAL
from medcore.records import Evaluation, Run
from medcore.store import read_columns
from pages.parts import state
from pages.parts.runs import has_table, question
from pages.parts.thumbnails import show_gallery


def show_unusual(run: Run, _evaluation: Evaluation) -> None:
    """Show the most unusual test images, where the model has a network that tells."""
    images = [c for c in read_columns(run.folder) if c.kind == "image" and c.role == "input"]
    if not images or not run.config.image.pretrain or not has_table(run):
        return
    st.subheader("The most unusual test images", anchor=False)
    column = images[0].name
    try:
        with st.spinner("Looking for unusual images …"):
            said = _find(run, f"{run.workspace} {run.id}", column)
    except MedcoreError as error:
        st.info(str(error), icon=":material/info:")
        return
    expected = round((1 - UNUSUAL) * said["looked"])
    st.markdown(
        f"Of {said['looked']:,} test images {said['beyond']:,} are more unusual than "
        f"{UNUSUAL:.0%} of training images; about {expected:,} would be if all were of one kind. "
        "See whether these are of the right kind, well taken and the right way up."
    )
    captions = {
        image["row"]: f"Row {image['row'] + 1}: more unusual than {image['share']:.0%}"
        for image in said["images"]
    }
    show_gallery(state.table_of(run.dataset), column, captions)


@st.cache_data(scope="session", max_entries=8, show_spinner=False)
def _find(_run: Run, identity: str, column: str) -> dict[str, Any]:  # noqa: ARG001
    place = {"workspace": _run.workspace, "dataset": _run.dataset}
    return question(_run, "unusual_images", column=column, **place)
