"""How far a job is, and a way to stop it, wherever a page waits for one."""

from __future__ import annotations

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import list_jobs, stop_job, tend
from pages.parts import state
from pages.parts.border import draw_apart
from pages.parts.frame import write_seconds


def watch_job(identity: str) -> None:
    """Show how far a job is, with a way to stop it; the page is drawn anew when it has ended."""
    draw_apart(_show_job, every=1)(identity)


def _show_job(identity: str) -> None:
    workspace = state.current().workspace
    tend(workspace.home)
    job = next((job for job in list_jobs(workspace, active_only=True) if job.id == identity), None)
    if job is None:
        st.rerun()
    left, right = st.columns([5, 1], vertical_alignment="center")
    text = f"{job.message} · {job.fraction:.0%}"
    if job.seconds_left is not None:
        text += f" · {write_seconds(job.seconds_left)} left"
    left.progress(min(1.0, job.fraction), text=text)
    key = f"stop_here_{identity}"
    if right.button("Stop", icon=":material/stop_circle:", key=key, width="stretch"):
        try:
            stop_job(workspace, identity)
        except MedcoreError as error:
            st.toast(str(error))
