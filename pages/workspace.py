"""Workspace: what is kept, how to come back, take it along, or delete it."""

import streamlit as st

from medcore.jobs import list_jobs
from medcore.store import list_datasets, workspace_usage
from pages.parts import state
from pages.parts.frame import count, open_page, write_time
from pages.parts.keeping import (
    confirm_delete_dataset,
    confirm_delete_workspace,
    show_export,
    show_import,
    show_link,
    show_runs,
)
from pages.parts.runs import STATES

KINDS = {
    "import": "Read data",
    "fetch": "Fetch a public set",
    "blank": "Blank out parts of images",
    "compare": "Look for copies",
    "run": "Train",
    "judge": "Judge",
    "predict": "Predict a file",
}

open_page("Workspace", "What is kept for you, for how long, and how you come back to it.")
workspace = state.current().workspace
usage = workspace_usage(workspace)
st.progress(
    min(1.0, usage.bytes / usage.limit_bytes),
    text=f"{usage.bytes / 2**20:,.1f} of {usage.limit_bytes / 2**20:,.0f} MB used: "
    f"{count(usage.datasets, 'data set')}, {count(usage.runs, 'model')}",
)
if workspace.expires is None:
    st.markdown("This workspace does not expire.")
else:
    st.markdown(
        f"Everything here is deleted on **{write_time(workspace.expires)}** unless you come back "
        "before; each visit moves the date. A hosted server's disk may be wiped earlier: export "
        "what you want to keep."
    )

show_link()
st.subheader("Models", anchor=False)
show_runs()

st.subheader("Data sets", anchor=False)
rows = list_datasets(workspace)
for row in rows:
    with st.container(border=True):
        left, middle, right = st.columns([6, 1, 1], vertical_alignment="center")
        left.markdown(
            f"**{row.name}**  \n{row.rows:,} rows, {row.columns} columns, {write_time(row.created)}"
        )
        if middle.button("Open", key=f"open_data_{row.id}", width="stretch"):
            state.use(state.DATASET, row.id)
            state.go("data")
        if right.button("Delete", key=f"delete_data_{row.id}", width="stretch"):
            confirm_delete_dataset(row)
if not rows:
    st.caption("No data set yet.")

st.subheader("Take it along", anchor=False)
left, right = st.columns(2)
with left:
    show_export()
with right:
    show_import()

with st.expander("Jobs"):
    jobs = list_jobs(workspace, limit=50)
    st.dataframe(
        {
            "Job": [KINDS.get(job.kind, job.kind) for job in jobs],
            "State": [STATES.get(job.state, job.state.capitalize()) for job in jobs],
            "Begun": [write_time(job.created) for job in jobs],
            "Reason": [job.error or "" for job in jobs],
        }
    )

st.subheader("Privacy", anchor=False)
st.markdown(
    "Your tables and models lie on this server alone and are sent nowhere; nothing is counted or "
    "tracked. Whoever has this page's address can open them, nobody else; treat it like a password "
    "and bring no names or record numbers that the model does not need."
)
if st.button("Delete this workspace", key="delete_workspace", icon=":material/delete:"):
    confirm_delete_workspace(usage)
