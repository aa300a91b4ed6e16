"""Where in an image the networks looked, beside the image itself, with its sanity check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.explanation.images import METHODS
from medcore.figures.pictures import enlarge
from medcore.records import Column, Run
from medcore.store import read_predictions
from pages.parts import state
from pages.parts.explained import choose_target
from pages.parts.likeness import show_similar
from pages.parts.runs import has_table, question

SIDE, MOST_LISTED = 360, 300
FOR, AGAINST = np.array([230, 159, 0]), np.array([86, 180, 233])
LIKE = 0.5
HELP = {
    "grad_cam": "Which parts of the last layer that knows places raised the class: coarse, quick.",
    "hires_cam": "As Grad-CAM, but only what truly entered the risk, place by place.",
    "integrated_gradients": "Each pixel's share in the difference to an average image: fine.",
    "occlusion": "How much the risk falls when a patch is covered: slow, and easy to understand.",
}


def show_saliency(run: Run, columns: Mapping[str, Column], outcome: Column) -> None:
    """Show one patient's image with what the model's networks looked at."""
    pictures = [name for name, column in columns.items() if column.kind == "image"]
    if not has_table(run):
        st.info("The images were deleted; bring them again and train.", icon=":material/image:")
        return
    st.markdown("**Where the network looked, not where the disease is.**")
    told = read_predictions(run.folder)
    targets = [told.positive] if told.positive else list(told.classes) or [outcome.name]
    left, middle, right = st.columns([3, 2, 2])
    with middle:
        target = choose_target(list(dict.fromkeys([*targets, *told.classes])), outcome)
        method = st.selectbox(
            "Way of looking", list(METHODS), format_func=METHODS.get, key="saliency_method",
            help="  \n".join(f"{METHODS[name]}: {text}" for name, text in HELP.items()),
        )  # fmt: skip
    with right:
        column = pictures[0]
        if len(pictures) > 1:
            column = st.selectbox("Image", pictures, key="saliency_column")
        opacity = st.slider("Opacity of the map", 0.0, 1.0, 0.6, 0.05, key="saliency_opacity")
    with left:
        row = choose_row(told.frame, target, outcome)
    if row is None:
        return
    try:
        with st.spinner("Looking where the network looked …"):
            said = _look(run, row, column, target, method)
    except MedcoreError as error:
        st.warning(str(error), icon=":material/image_not_supported:")
        return
    pixels, found = np.array(said["pixels"], np.uint8), np.array(said["found"])
    left, right = st.columns(2)
    left.image(enlarge(pixels, SIDE), caption=_name_image(said["slice"]), width="stretch")
    right.image(
        enlarge(_overlay(pixels, found, opacity), SIDE),
        caption=f"Orange speaks for “{target}”, blue against it ({_name(method, said['layer'])})",
        width="stretch",
    )
    say_check(said, "edges of the image")
    happened = told.positive if run.summary["task"] == "survival" else target
    show_similar(run, column, outcome, happened, {"row": int(row)})


def _name(method: str, layer: str) -> str:
    return f"{METHODS[method]}, layer {layer}" if layer else METHODS[method]


def choose_row(frame: pd.DataFrame, target: str, outcome: Column) -> int | None:
    """Let a test patient be chosen, the highest risk first."""
    own = frame[(frame["model"] == "model") & (frame["part"] == "test")]
    risk = f"p_{target}" if f"p_{target}" in own else "predicted"
    own = own.sort_values(risk, ascending=False).drop_duplicates("row_id")
    places = np.unique(np.linspace(0, len(own) - 1, min(MOST_LISTED, len(own))).astype(int))
    shown = own.iloc[places].set_index("row_id")
    return st.selectbox(
        "A test patient", list(shown.index), key="saliency_row",
        format_func=lambda row: (
            f"Row {row + 1}: {outcome.name} = {shown.loc[row, 'outcome']}, "
            f"predicted {shown.loc[row, risk]:.2f}"
        ),
        help="By the predicted risk, highest first.",
    )  # fmt: skip


@st.cache_data(scope="session", max_entries=32, show_spinner=False)
def _ask(_run: Run, identity: str, row: int, column: str, target: str, method: str) -> dict:  # noqa: ARG001
    place = {"workspace": _run.workspace, "dataset": _run.dataset}
    asked = {"row": int(row), "column": column, "target": target, "method": method}
    return question(_run, "explain_image", **asked, **place)


def _look(run: Run, row: int, column: str, target: str, method: str) -> Mapping[str, Any]:
    return _ask(run, f"{run.workspace} {run.id}", row, column, target, method)


def _name_image(place: int | None) -> str:
    if place is None:
        return "The image, as the network gets it"
    return f"Slice {place + 1} of those the network gets: where the map is highest"


def _overlay(pixels: np.ndarray, found: np.ndarray, opacity: float) -> np.ndarray:
    """Return the image in grey under its map: orange for, blue against."""
    base = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    strength = np.clip(np.abs(found), 0, 1)[..., None] * opacity
    colour = np.where((found >= 0)[..., None], FOR, AGAINST)
    return np.round(base * (1 - strength) + colour * strength).astype(np.uint8)


def say_check(said: Mapping[str, Any], instead: str) -> None:
    """Say whether a map tells of learning; `instead` is what it shows where it does not."""
    likeness = said["likeness"]
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
    if said["weight"] < 0.995:
        st.caption(
            f"The networks that look at it make up {said['weight']:.0%} of the model; the "
            "rest looks at the other columns."
        )
    st.caption(f"{state.current().run.name}. A map explains the model, never the patient.")
