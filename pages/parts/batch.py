"""Many patients by file: the same file comes back with predictions."""

from __future__ import annotations

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import get_job, start_prediction, tend
from medcore.records import Run
from medcore.store import inside, read_columns, stage_images, stage_upload
from medcore.store.folder import read_reading
from pages.parts import state
from pages.parts.border import draw_apart

TABLE = (
    "Bring a table; it comes back with every row and column it had, and the predictions on the "
    "right."
)
IMAGES = (
    "Bring images, one by one or as a zip, with a table beside them if you like; a table of "
    "predictions comes back. Identities are removed on arrival: each file is named by its place "
    "among all files in the order of their names."
)


def show_batch(run: Run) -> None:
    """Take a file, and give it back with predictions on the right."""
    columns = [column for column in read_columns(run.folder) if column.role == "input"]
    inputs, pictures = [c.name for c in columns], any(c.kind == "image" for c in columns)
    st.markdown(f"{IMAGES if pictures else TABLE} Columns are matched by name; what is absent "
                "counts as unknown.")  # fmt: skip
    with st.expander(f"The {len(inputs)} columns the model looks at"):
        st.markdown(", ".join(inputs))
        empty = (",".join(f'"{name}"' for name in inputs) + "\n").encode()
        st.download_button(
            "An empty table with these columns", empty, "new_patients.csv", "text/csv",
            on_click="ignore", key="empty_table",
        )  # fmt: skip
    label = "Images of new patients, or a zip of them" if pictures else "A table of new patients"
    files = st.file_uploader(label, key=f"batch_{run.id}", accept_multiple_files=pictures)
    if pictures and "series" in read_reading(run.folder):
        st.caption(
            "DICOM slices are joined to series, a row a series, as they were for training: bring "
            "all slices of a series."
        )
    if files and st.button("Predict the file", type="primary", key="predict_file"):
        workspace = state.current().workspace
        if pictures:
            # Names of files may be patients' names: they go no further than the reader.
            path = stage_images(workspace, [(file.name, file) for file in files])
            name = path.name
        else:
            path, name = stage_upload(workspace, files.name, files), files.name
        job = start_prediction(workspace, run.id, path, name)
        st.session_state["batch_job"] = job.id
    if identity := st.session_state.get("batch_job"):
        _watch_batch(identity)


def _watch_batch(identity: str) -> None:
    try:
        job = get_job(state.current().workspace, identity)
    except MedcoreError:
        st.session_state.pop("batch_job")
        return
    if job.active:
        draw_apart(_show_progress, every=1)(identity)
    elif job.state == "finished":
        for sentence in job.result["sentences"]:
            st.info(sentence, icon=":material/info:")
        _offer(job.result["file"], "Download the predictions", "predictions", "primary")
        text = "Unknown values as the model filled them in; the last column names which those are."
        label = "Download the values the model used"
        _offer(job.result["completed"], label, "completed", "secondary", text)
    else:
        st.error(job.error or "The prediction was stopped.", icon=":material/error:")


def _offer(file: str, label: str, name: str, look: str, text: str | None = None) -> None:
    path = inside(state.current().workspace, file)
    if path.is_file():
        st.download_button(
            label, path.read_bytes, path.name, "text/csv", type=look, help=text,
            icon=":material/download:", key=f"download_{name}", on_click="ignore",
        )  # fmt: skip


def _show_progress(identity: str) -> None:
    workspace = state.current().workspace
    tend(workspace.home)
    job = get_job(workspace, identity)
    if not job.active:
        st.rerun()
    st.progress(min(1.0, job.fraction), text=f"Predicting: {job.message}")
