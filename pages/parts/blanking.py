"""Names written into pictures: those that are suspected, and rectangles that blank them out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from medcore.data.dicom.blanking import Rectangle, suspected
from medcore.data.media import image_shape
from medcore.errors import MedcoreError
from medcore.figures.pictures import encode_picture, enlarge, show_grey
from medcore.jobs import get_job, start_blanking
from medcore.records import Dataset
from medcore.store import list_runs
from pages.parts import state
from pages.parts.frame import count
from pages.parts.viewing import open_image
from pages.parts.waiting import watch_job

DOTS, PREVIEW, WAITING = 24, 220, "blanking"
ONE, ALIKE = "this image", "all suspected images of its size"


def show_writing(dataset: Dataset, column: str) -> None:
    """Show which images may have names written in them, and let a person blank them out."""
    assert dataset.media is not None
    if WAITING in st.session_state:
        st.info("Parts of images are being blanked out; see above.", icon=":material/hourglass:")
        return
    rows = dataset.frame.index[suspected(dataset) & dataset.frame[column].notna()]
    if "text_in_image" not in dataset.frame.columns:
        st.markdown("Nobody has looked for writing in these pictures: they came without headers.")
    elif not len(rows):
        st.success("In no image is writing suspected. A rule can miss it: look at some yourself.",
                   icon=":material/check_circle:")  # fmt: skip
    else:
        reasons = dataset.frame.loc[rows, "text_in_image"].astype("string")
        st.warning(f"**{count(len(rows), 'image')} may have names written in the picture.** "
                   "Nothing was blanked out by itself.", icon=":material/visibility:")  # fmt: skip
        st.dataframe(
            reasons.str.removeprefix("suspected: ").value_counts().rename("Images")
            .rename_axis("Why it is suspected").reset_index(), hide_index=True,
        )  # fmt: skip
    choices = list(rows) or list(dataset.frame.index[dataset.frame[column].notna()])
    row = st.selectbox("Row", choices, format_func=lambda r: f"{r + 1:,}", key="blank_row")
    name = str(dataset.frame[column][row])
    left, right = st.columns([3, 2])
    with left:
        box = _draw_box(dataset.media, name, row)
    with right:
        rectangle = _ask_rectangle(box, dataset.media, name, row)
        _preview(dataset.media, name, rectangle)
        reach = st.radio("Blank it out in", [ONE, ALIKE], key="blank_reach",
                         disabled=len(rows) < 2)  # fmt: skip
        delete = st.checkbox("Delete the data set that still has the writing", True,
                             key="blank_delete")  # fmt: skip
        _say_runs()
        if st.button("Blank it out", type="primary", key="blank_out"):
            names = _reach(dataset, column, name, rows, reach)
            _blank(column, {n: [rectangle] for n in names}, delete)


def _draw_box(media: Path, name: str, row: int) -> tuple[int, int, int, int] | None:
    """Show the image and return the box that was drawn on it: top, left, bottom, right."""
    picture = show_grey(open_image(media, name))
    rows, columns = picture.shape[:2]
    figure = go.Figure()
    # Boxes are only reported where there are points to be chosen.
    x, y = np.meshgrid(np.linspace(0, columns, DOTS), np.linspace(0, rows, DOTS))
    figure.add_scatter(x=x.ravel(), y=y.ravel(), mode="markers", marker={"opacity": 0},
                       hoverinfo="skip")  # fmt: skip
    figure.add_layout_image(source=encode_picture(picture, max(rows, columns)), x=0, y=0,
                            sizex=columns, sizey=rows, xref="x", yref="y", layer="below",
                            sizing="stretch")  # fmt: skip
    figure.update_xaxes(range=[0, columns], visible=False, constrain="domain")
    figure.update_yaxes(range=[rows, 0], visible=False, scaleanchor="x", constrain="domain")
    figure.update_layout(dragmode="select", margin=dict.fromkeys("lrtb", 0), showlegend=False,
                         height=460, plot_bgcolor="rgba(0,0,0,0)")  # fmt: skip
    st.caption("Draw a box around the writing with the mouse, or give its place in numbers.")
    chosen = st.plotly_chart(figure, key=f"box_{row}", on_select="rerun", selection_mode="box",
                             config={"displayModeBar": False})  # fmt: skip
    boxes = chosen.selection.box if chosen and "selection" in chosen else []
    if not boxes:
        return None
    (x0, x1), (y0, y1) = sorted(boxes[-1]["x"]), sorted(boxes[-1]["y"])
    return int(y0), int(x0), int(np.ceil(y1)), int(np.ceil(x1))


def _ask_rectangle(
    box: tuple[int, int, int, int] | None, media: Path, name: str, row: int
) -> Rectangle:
    rows, columns = image_shape(media, name)[:2]
    start = box or (0, 0, rows // 10, columns - 1)
    key = f"{row}_{'_'.join(map(str, start))}"
    labels = (("Top", rows), ("Left", columns), ("Bottom", rows), ("Right", columns))
    places = [*st.columns(2), *st.columns(2)]
    values = [
        place.number_input(f"{label} (pixel)", 0, most - 1, min(max(0, given), most - 1),
                           key=f"{label}_{key}")
        for place, (label, most), given in zip(places, labels, start, strict=True)
    ]  # fmt: skip
    return Rectangle(*(int(value) for value in values))


def _preview(media: Path, name: str, rectangle: Rectangle) -> None:
    """Show what would be kept, so that a number too small is seen before it counts."""
    picture = show_grey(open_image(media, name)).copy()
    picture[rectangle.inside(*picture.shape[:2])] = 0
    st.image(enlarge(picture, PREVIEW), caption="So it will be kept")


def _say_runs() -> None:
    """Say what becomes of the models that learned from these images."""
    now = state.current()
    runs = list_runs(now.workspace, limit=1_000)
    learned = sum(now.dataset is not None and run.dataset == now.dataset.id for run in runs)
    if learned:
        st.caption(
            f"{count(learned, 'model')} learned from these images with the writing in them. "
            "Nothing of a model changes by blanking out: train again on the new data set."
        )


def _reach(dataset: Dataset, column: str, name: str, rows: pd.Index, reach: str) -> list[str]:
    if reach == ONE:
        return [name]
    assert dataset.media is not None
    size = image_shape(dataset.media, name)[:2]
    names = dataset.frame.loc[rows, column].astype(str).unique()
    return [n for n in names if image_shape(dataset.media, n)[:2] == size]


def _blank(column: str, rectangles: Mapping[str, list[Rectangle]], delete: bool) -> None:
    """Blank out in the background, and wait for it here."""
    now = state.current()
    assert now.dataset is not None
    try:
        job = start_blanking(now.workspace, now.dataset.id, column, rectangles, delete=delete)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state[WAITING] = job.id
    st.rerun()


def await_blanking() -> None:
    """Show how far blanking out is, if it is under way; take what came of it into use.

    The data set that is looked at may be gone by then.
    """
    identity = st.session_state.get(WAITING)
    if identity is None:
        return
    try:
        job = get_job(state.current().workspace, identity)
    except MedcoreError:
        job = None
    if job is not None and job.active:
        watch_job(identity)
        return
    st.session_state.pop(WAITING)
    if job is None or job.state != "finished":
        st.error((job and job.error) or "Blanking out was stopped; nothing was changed.",
                 icon=":material/error:")  # fmt: skip
        return
    state.use(state.DATASET, job.result["dataset"])
    st.toast(f"Blanked out in {count(len(job.payload['rectangles']), 'image')}.")
    st.rerun()
