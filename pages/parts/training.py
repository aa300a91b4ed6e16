"""A run while it waits, trains, stops or fails."""

from __future__ import annotations

import streamlit as st

from medcore.errors import MedcoreError
from medcore.figures import draw_learning
from medcore.jobs import Job, job_of_run, judge_run, queue_position, start_run, stop_job, tend
from medcore.records import Run
from medcore.store import get_run, read_events
from pages.parts import state
from pages.parts.border import draw_apart
from pages.parts.charts import show_chart
from pages.parts.frame import write_seconds

WATCHED = "watched_run"


def watch_run(run: Run) -> None:
    """Show how far a run is; once it is finished, its results open by themselves."""
    if run.state in ("queued", "running", "stopping"):
        st.session_state[WATCHED] = run.id
        draw_apart(_show_live, every=1)(run.id)
    elif run.state == "finished":
        if st.session_state.pop(WATCHED, None) == run.id:
            state.go("results")
        st.success(f"“{run.name}” is trained and judged.", icon=":material/check_circle:")
        state.link("results", "See its results", ":material/monitoring:")
    else:
        _show_ended(run)


def _show_live(identity: str) -> None:
    workspace = state.current().workspace
    tend(workspace.home)
    try:
        run, job = get_run(workspace, identity), job_of_run(workspace, identity)
    except MedcoreError:
        # Deleted from another tab: the whole page knows what to say of that, this part does not.
        st.rerun()
    if job is None or not job.active:
        st.rerun()
    with st.container(border=True):
        _show_progress(run, job)
    drawn = draw_learning(read_events(run.folder)[0])
    if drawn is not None:
        show_chart(*drawn, "learning_live")


def _show_progress(run: Run, job: Job) -> None:
    left, right = st.columns([5, 1], vertical_alignment="center")
    with left:
        if job.state == "queued":
            place = queue_position(state.current().workspace, job)
            ahead = f"{place - 1} before it" if place > 1 else "next in line"
            st.markdown(f"**{run.name}** waits: {ahead}. You may close this page; it goes on.")
        else:
            text = f"{job.message} · {job.fraction:.0%}"
            if job.seconds_left is not None:
                text += f" · {write_seconds(job.seconds_left)} left"
            st.markdown(f"**{run.name}**")
            st.progress(min(1.0, job.fraction), text=text)
    right.button(
        "Stop", icon=":material/stop_circle:", key="stop_run", width="stretch",
        on_click=_stop, args=(job.id,), help="Keeps the best state so far; you can judge it.",
    )  # fmt: skip


def _stop(job_id: str) -> None:
    try:
        stop_job(state.current().workspace, job_id)
    except MedcoreError as error:
        st.toast(str(error))


def _show_ended(run: Run) -> None:
    """Say why a run has no results, and what can be done."""
    workspace = state.current().workspace
    job = job_of_run(workspace, run.id)
    if run.state == "failed":
        reason = (job.error if job else None) or "The reason is not known."
        st.error(f"“{run.name}” failed. {reason}", icon=":material/error:")
    else:
        st.warning(
            f"“{run.name}” was stopped. The best state so far is kept, not judged yet.",
            icon=":material/stop_circle:",
        )
        if st.button("Judge it as it is", type="primary", key="judge_stopped"):
            judge_run(workspace, run.id)
            st.rerun()
    if st.button("Train it again", key="train_again", icon=":material/replay:"):
        again, _ = start_run(workspace, run.dataset, run.config, name=run.name, again=True)
        state.use(state.RUN, again.id)
        st.rerun()
    drawn = draw_learning(read_events(run.folder)[0])
    if drawn is not None:
        show_chart(*drawn, "learning_ended")
