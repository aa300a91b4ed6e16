"""The training images that the network takes for most alike one, with what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from medcore.errors import MedcoreError
from medcore.evaluate import label_model
from medcore.explanation.words import write_nearest
from medcore.records import Column, Run
from pages.parts import state
from pages.parts.runs import question
from pages.parts.shares import write_value
from pages.parts.thumbnails import show_gallery

SAME = 0.5
TITLE = "Training images most like this one"


def show_similar(
    run: Run, column: str, outcome: Column, target: str, asked: Mapping[str, Any]
) -> None:
    """Show the nearest training images; `asked` holds the `row` of one, or a network's `vector`."""
    st.subheader(TITLE, anchor=False)
    place = {"workspace": run.workspace, "dataset": run.dataset}
    try:
        with st.spinner("Comparing with the training images …"):
            said = question(run, "similar_images", column=column, **asked, **place)
    except MedcoreError as error:
        st.info(str(error), icon=":material/info:")
        return
    words = write_nearest(said["nearest"], outcome.name, target, run.summary["task"])
    if (usual := said["usual"].get(target)) is not None:
        words += f" Of all {said['compared']:,} compared, {usual:.0%} had."
    st.markdown(words)
    captions = {
        near["row"]: f"Row {near['row'] + 1}: {outcome.name} = "
        f"**{write_value(outcome, near['outcome'])}**, likeness {near['likeness']:.2f}"
        for near in said["nearest"]
    }
    show_gallery(state.table_of(run.dataset), column, captions)
    st.caption(_say_check(said))


def _say_check(said: Mapping[str, Any]) -> str:
    """Return how alike is meant, and whether it tells of what was learned."""
    network = label_model(said["network"].split()[0], "binary")
    how = (
        f"Alike to the network ({network}), among {said['compared']:,} training images: likeness "
        "is the cosine of what it makes of two images, 1 for the same. Few images prove nothing; "
        "they show what the model learned from."
    )
    if said["overlap"] is None:
        return how
    shared = (
        f"a network with random weights finds {said['overlap']:.0%} of the same neighbours, luck "
        f"{said['chance']:.0%}"
    )
    if said["overlap"] > SAME:
        return (
            f"{how} Sanity check not passed: {shared}; so this shows how images look, not what "
            "was learned."
        )
    return f"{how} Sanity check passed: {shared}."
