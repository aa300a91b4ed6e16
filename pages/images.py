"""Images: look at them before a model does, and find what should not be there."""

import pandas as pd
import streamlit as st

from medcore.data.dicom.blanking import BLANKED
from medcore.data.media.account import read_audit
from medcore.records import Dataset
from pages.parts import state
from pages.parts.arrival import show_refused
from pages.parts.blanking import await_blanking, show_writing
from pages.parts.copies import show_copies
from pages.parts.frame import count, need_dataset, open_page
from pages.parts.viewing import image_columns, show_grid, show_viewer


def choose_column(dataset: Dataset) -> str | None:
    """Return the column whose images are looked at; say what is missing where there is none."""
    columns = [column.name for column in image_columns(dataset)]
    if not columns:
        st.info("This data set has no images.", icon=":material/radiology:")
        state.link("data", "Bring images on Data", ":material/upload:")
        state.link("home", "Or start with synthetic chests on Home", ":material/home:")
        return None
    if len(columns) == 1:
        return columns[0]
    return st.selectbox("Which images", columns, key="image_column")


def find_labels(dataset: Dataset) -> pd.Series:
    """Return the outcome of each row; nothing where there is none."""
    outcomes = dataset.with_role("outcome")
    return dataset.frame[outcomes[0].name] if outcomes else pd.Series(dtype="string")


def show_audit(dataset: Dataset) -> None:
    """Show what was removed from the files before they were kept."""
    audit = read_audit(dataset.media)
    if blanked := audit.get(BLANKED):
        st.markdown(f"**Parts of {count(blanked, 'image')} were blanked out by hand.**")
    if not audit.get("elements"):
        st.markdown(
            "These images came without headers, as plain pictures: whatever else their files held "
            "was not kept."
        )
        show_refused(audit.get("refused", ()))
        return
    elements = pd.DataFrame(audit["elements"])
    names = {"element": "Element", "name": "Name", "action": "What was done", "count": "Files"}
    st.markdown(
        f"**{count(len(elements), 'element')} of the files' headers were removed, emptied, "
        "replaced or shifted** before anything was kept. Only elements on a list of safe ones "
        "stay, which does at least what the Basic Profile of DICOM PS3.15 asks. Pixels "
        "were written anew."
    )
    st.dataframe(elements.rename(columns=names), hide_index=True)
    st.download_button("Download as CSV", elements.to_csv(index=False), "removed.csv", "text/csv",
                       key="audit_csv", on_click="ignore")  # fmt: skip
    show_refused(audit.get("refused", ()))
    st.caption("A head scan can show a face; that is not removed.")


open_page("Look at images", "What is in these images, and is anything there that should not be?")
await_blanking()
if need_dataset():
    dataset = state.configured()
    column = choose_column(dataset)
    if column is not None:
        labels = find_labels(dataset)
        if dataset.source == "sample:phantoms":
            st.caption("Synthetic images, drawn by a program; no patient is in them.")
        tabs = st.tabs(["All", "One image", "Copies", "Writing in the picture", "What was removed"])
        with tabs[0]:
            show_grid(dataset, column, labels)
        with tabs[1]:
            show_viewer(dataset, column, labels)
        with tabs[2]:
            show_copies(dataset, column, labels)
        with tabs[3]:
            show_writing(dataset, column)
        with tabs[4]:
            show_audit(dataset)
