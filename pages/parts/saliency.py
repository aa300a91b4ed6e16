"""Where in an image the networks looked, beside the image itself, with its sanity check."""

from __future__ import annotations

from collections.abc import Mapping

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
    said = ask_case(run, case, "explain_image", waiting, icon, method=method)
    if said is None:
        return
    pixels, found = np.array(said["pixels"], np.uint8), np.array(said["found"])
    left, right = st.columns(2)
    left.image(enlarge(pixels, SIDE), caption=_name_image(said["slice"]), width="stretch")
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
