"""Files dropped on Data: tables one by one, images or recordings with what belongs to them."""

from __future__ import annotations

from pathlib import PurePath

import streamlit as st

from medcore.data import MEDMNIST, estimate_memory
from medcore.data.media.formats import is_sound
from medcore.errors import MedcoreError
from medcore.jobs import start_fetch, start_import
from medcore.store import drop_upload, stage_images, stage_upload
from pages.parts import state
from pages.parts.imports import await_import, refuse

TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".parquet", ".dta", ".sav", ".zsav", ".sas7bdat",
          ".xpt")  # fmt: skip
IMAGE, SERIES = "an image", "a series (volume)"
FOLDERS = {
    "classes, where they look like it": None, "classes": True, "patients, or of no meaning": False,
}  # fmt: skip


def show_uploader() -> None:
    """Show where files are dropped; what is dropped is read in the background."""
    turn = st.session_state.setdefault("uploads", 0)
    files = st.file_uploader(
        "Drop tables here (CSV, TSV, Excel, Parquet, Stata, SAS, SPSS), images (DICOM, PNG, JPEG, "
        "TIFF, NIfTI) or recordings (WAV, FLAC, MP3, OGG, M4A), also as a zip, with a table that "
        "names them, up to 500 MB",
        accept_multiple_files=True,
        key=f"uploader_{turn}",
    )
    if not files:
        return
    images = any(PurePath(file.name).suffix.lower() not in TABLES for file in files)
    name, wishes = _ask_wishes(files) if images else ("", {})
    if st.button("Read them", type="primary", key="read_uploads"):
        _take_images(files, name, wishes) if images else _take_tables(files)
        st.session_state["uploads"] = turn + 1
        st.rerun()


def _ask_wishes(files: list) -> tuple[str, dict[str, bool | None]]:
    """Ask how images shall be read; return the data set's name and the wishes."""
    first = PurePath(files[0].name)
    sounds = [file for file in files if is_sound(file.name)]
    given = "Recordings" if sounds else "Images"
    given = first.stem if first.suffix.lower() == ".npz" else given
    with st.container(border=True):
        st.markdown(
            "**Before images and recordings are kept, identities are removed**: names, numbers, "
            "dates of birth, private elements, file names, tags of a recording. Dates are shifted, "
            "each patient's alike. Names that stand written in the picture itself are only "
            "suspected: look at them on Images. A voice stays a voice, and so do names spoken."
        )
        left, right = st.columns(2)
        name = left.text_input(
            "Name of the data set", given, max_chars=200, key="images_name",
            help="Choose one without a patient's name: it is shown and stored.",
        )  # fmt: skip
        row = right.segmented_control(
            "One row is", [IMAGE, SERIES], default=IMAGE, key="images_row",
            help="A series of CT or MR slices becomes one volume, its slices in the order in which "
            "they lie in the body.",
        )  # fmt: skip
        keep = left.checkbox(
            "Keep sex, age, height and weight", key="images_characteristics",
            help="From the files' headers; ages over 89 are kept as 90. Patients may be told by "
            "them where there are few.",
        )  # fmt: skip
        folders = right.selectbox(
            "The folders in the zip are", FOLDERS, key="images_folders",
            help="Such as normal and pneumonia: their names become the outcome. DICOM folders look "
            "like classes where each holds several patients. Names of patients never become one: "
            "if in doubt, choose the last.",
        )  # fmt: skip
        parts = left.checkbox(
            "The parts of the recordings' names become columns", key="images_parts",
            help="Such as 7_ann_3.wav: the columns name_1 and name_2 hold 7 and ann. Only where "
            "they name no patient.",
        )  # fmt: skip
    wishes = {"series": row == SERIES, "characteristics": keep}
    wishes["folders"] = FOLDERS[folders]
    return name, wishes | {"parts": parts}


def _take_images(files: list, name: str, wishes: dict[str, bool | None]) -> None:
    workspace = state.current().workspace
    try:
        path = stage_images(workspace, [(file.name, file) for file in files])
        await_import(start_import(workspace, path, name or "Images", wishes).id)
    except MedcoreError as error:
        refuse(str(error))


def _take_tables(files: list) -> None:
    workspace = state.current().workspace
    for file in files:
        try:
            path = stage_upload(workspace, file.name, file)
            estimate = estimate_memory(path)
            if not estimate.fits:
                drop_upload(path)
                refuse(f"“{file.name}” does not fit: {estimate.sentence}.")
                continue
            await_import(start_import(workspace, path, file.name.rsplit(".", 1)[0]).id)
        except MedcoreError as error:
            refuse(str(error))


def show_public_sets() -> None:
    """Offer the published image sets that can be fetched where there is internet."""
    with st.expander("Fetch a published image set (needs internet)"):
        st.markdown(
            "MedMNIST: small pictures, 28 × 28 pixels, with the division into training, validation "
            "and test that its authors published. The file is checked after it was fetched."
        )
        chosen = st.selectbox(
            "Set", MEDMNIST, key="public_set",
            format_func=lambda s: f"{s.title}: {s.images:,} images, {s.classes} classes, "
            f"{s.licence}",
        )  # fmt: skip
        if st.button("Fetch it", key="fetch_set", icon=":material/cloud_download:"):
            try:
                await_import(start_fetch(state.current().workspace, chosen.name).id)
            except MedcoreError as error:
                refuse(str(error))
            st.rerun()
