"""Where in an image the networks looked, beside the image itself, with its sanity check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from medcore.explanation.images import METHODS
from medcore.figures.pictures import enlarge
from medcore.records import Column, Run
from pages.parts.case import ask_case, choose_case, say_check, say_share
from pages.parts.likeness import show_similar
from pages.parts.runs import has_table

SIDE = 360
FOR, AGAINST = np.array([230, 159, 0]), np.array([86, 180, 233])
HELP = {
    "grad_cam": "Which parts of the last layer that knows places raised the class: coarse, quick.",
    "hires_cam": "As Grad-CAM, but only what truly entered the risk, place by place.",
    "integrated_gradients": "Each pixel's share in the difference to an average image: fine.",
    "occlusion": "How much the risk falls when a patch is covered: slow, and easy to understand.",
}


def show_saliency(run: Run, columns: Mapping[str, Column], outcome: Column) -> None:
    """Show one patient's image with what the model's networks looked at."""
    if not has_table(run):
        st.info("The images were deleted; bring them again and train.", icon=":material/image:")
        return
    st.markdown("**Where the network looked, not where the disease is.**")
    left, middle, right = st.columns([3, 2, 2])
    case = choose_case(run, columns, outcome, "image", (left, middle, right))
    with right:
        method = st.selectbox(
            "Way of looking", list(METHODS), format_func=METHODS.get, key="saliency_method",
            help="  \n".join(f"{METHODS[name]}: {text}" for name, text in HELP.items()),
        )  # fmt: skip
        opacity = st.slider("Opacity of the map", 0.0, 1.0, 0.6, 0.05, key="saliency_opacity")
    if case is None:
        return
    waiting, icon = "Looking where the network looked …", ":material/image_not_supported:"
    asked = (run, case, "explain_image", waiting, icon)
    said = ask_case(*asked, method=method)
    if said is None:
        return
    highest = said["slice"]
    if said["slices"] > 1:
        wanted = st.slider(
            "Slice", 1, said["slices"], highest + 1,
            key=f"saliency_slice_{case.row}_{case.column}_{case.target}_{method}",
            help="Of the slices the network gets, in the order in which they lie in the body; at "
            "first that in which the map is highest. All have one scale.",
        )  # fmt: skip
        if wanted != highest + 1:
            said = ask_case(*asked, method=method, slice=wanted - 1) or said
    pixels, found = np.array(said["pixels"], np.uint8), np.array(said["found"])
    left, right = st.columns(2)
    left.image(enlarge(pixels, SIDE), caption=_name_image(said, highest), width="stretch")
    caption = f"Orange speaks for “{case.target}”, blue against it "
    right.image(
        enlarge(_overlay(pixels, found, opacity), SIDE),
        caption=f"{caption}({_name(method, said['layer'])})",
        width="stretch",
    )
    say_check(said["likeness"], "edges of the image")
    say_share(said["weight"])
    happened = case.positive if run.summary["task"] == "survival" else case.target
    show_similar(run, case.column, outcome, happened, {"row": case.row})


def _name(method: str, layer: str) -> str:
    return f"{METHODS[method]}, layer {layer}" if layer else METHODS[method]


def _name_image(said: Mapping[str, Any], highest: int | None) -> str:
    if highest is None:
        return "The image, as the network gets it"
    told = f"Slice {said['slice'] + 1} of the {said['slices']} the network gets"
    return f"{told}: where the map is highest" if said["slice"] == highest else told


def _overlay(pixels: np.ndarray, found: np.ndarray, opacity: float) -> np.ndarray:
    """Return the image in grey under its map: orange for, blue against."""
    base = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    strength = np.clip(np.abs(found), 0, 1)[..., None] * opacity
    colour = np.where((found >= 0)[..., None], FOR, AGAINST)
    return np.round(base * (1 - strength) + colour * strength).astype(np.uint8)
