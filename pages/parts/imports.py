"""Uploads while they are read, and why one could not be."""

from __future__ import annotations

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import get_job, tend
from pages.parts import state
from pages.parts.border import draw_apart

WAITING, REFUSED = "imports", "import_errors"


def show_imports() -> None:
    """Show each upload's progress and what could not be read; the first read is taken into use."""
    for place, sentence in enumerate(st.session_state.get(REFUSED, [])):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.error(sentence, icon=":material/error:")
            st.button(
                "", icon=":material/close:", key=f"dismiss_{place}", help="Dismiss",
                type="tertiary", on_click=st.session_state[REFUSED].remove, args=(sentence,),
            )  # fmt: skip
    if st.session_state.get(WAITING):
        draw_apart(_show_progress, every=1)()


def refuse(sentence: str) -> None:
    """Keep why a file could not be taken until the visitor dismisses it."""
    st.session_state.setdefault(REFUSED, []).append(sentence)


def await_import(job_id: str) -> None:
    """Watch an import."""
    st.session_state.setdefault(WAITING, []).append(job_id)


def _show_progress() -> None:
    workspace = state.current().workspace
    tend(workspace.home)
    ended, read = [], None
    for identity in st.session_state[WAITING]:
        try:
            job = get_job(workspace, identity)
        except MedcoreError:
            ended.append(identity)
            continue
        if job.active:
            name = job.payload.get("name", "the table")
            st.progress(min(1.0, job.fraction), text=f"Reading {name} …")
            continue
        ended.append(identity)
        if job.state == "finished":
            read = read or job.result["dataset"]
        else:
            refuse(job.error or "Reading was stopped.")
    st.session_state[WAITING] = [i for i in st.session_state[WAITING] if i not in ended]
    if read is not None:
        state.use(state.DATASET, read)
        state.use(state.RUN, None)
    if ended:
        st.rerun()
