"""Uploads while they are read."""

from __future__ import annotations

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import get_job, tend
from pages.parts import state


@st.fragment(run_every=1)
def show_imports() -> None:
    """Show each upload's progress; the first that is read is taken into use."""
    workspace = state.current().workspace
    waiting = st.session_state.get("imports", [])
    if not waiting:
        return
    tend(workspace.home)
    left, read = [], None
    for identity in waiting:
        try:
            job = get_job(workspace, identity)
        except MedcoreError:
            continue
        if job.state == "finished":
            read = read or job.result["dataset"]
        elif job.state in ("failed", "stopped"):
            st.session_state.setdefault("import_errors", []).append(job.error or "Stopped.")
        else:
            name = job.payload.get("name", "the table")
            st.progress(min(1.0, job.fraction), text=f"Reading {name} …")
            left.append(identity)
    st.session_state["imports"] = left
    for sentence in st.session_state.get("import_errors", []):
        st.error(sentence, icon=":material/error:")
    if read is not None:
        state.use(state.DATASET, read)
        state.use(state.RUN, None)
        st.rerun()
    if not left:
        st.session_state.pop("import_errors", None)
