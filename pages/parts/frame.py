"""What every page has around its own content."""

from __future__ import annotations

import contextlib
import time

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import list_jobs, stop_job, tend
from medcore.store import Workspace, get_run
from pages.parts import state
from pages.parts.border import draw_apart

UNDER_WAY = "jobs_under_way"
WORK = {
    "import": "Reading",
    "fetch": "Fetching a public set",
    "blank": "Blanking out",
    "compare": "Comparing images",
    "predict": "Predicting a file",
    "validate": "Validating elsewhere",
    "optimism": "Looking for luck and optimism",
    "laboratory": "Laboratory",
    "report": "Report",
    "transcribe": "Transcribing",
    "recogniser": "Training a recogniser",
    "masking": "Filling hidden values",
    "explain": "Explaining",
}
RESEARCH = "Research use. Not a medical device."


def open_page(title: str, question: str) -> None:
    """Begin a page: its title, and the sentence on what it answers."""
    st.title(title, anchor=False)
    st.markdown(question)


def close_page() -> None:
    """End a page that shows a prediction."""
    st.divider()
    st.caption(RESEARCH)


def need_dataset() -> bool:
    """Say what is missing where no data set is in use; tell whether one is."""
    if state.current().dataset is not None:
        return True
    st.info("No data set is in use yet. Choose a sample or bring a table.", icon=":material/table:")
    state.link("home", "Choose a sample on Home", ":material/home:")
    state.link("data", "Bring a table on Data", ":material/upload:")
    return False


def need_finished_run() -> bool:
    """Say what is missing where no judged run is in use; tell whether one is."""
    run = state.current().run
    if run is not None and run.state == "finished":
        return True
    if run is None:
        st.info("No trained model is in use yet.", icon=":material/model_training:")
        state.link("train", "Train a model", ":material/model_training:")
    else:
        st.info(f"“{run.name}” is {run.state}; there is nothing to judge yet.")
        state.link("train", "See how far it is", ":material/model_training:")
    state.link("workspace", "Choose one of your runs", ":material/folder:")
    return False


def show_sidebar() -> None:
    """Show the data set and run in use on top of the sidebar, and running jobs below."""
    now = state.current()
    with st.sidebar:
        if now.dataset is not None:
            state.link("data", now.dataset.name, ":material/table:")
        if now.run is not None:
            state.link(
                "results" if now.run.state == "finished" else "train",
                now.run.name,
                ":material/monitoring:",
            )
        busy = bool(list_jobs(now.workspace, active_only=True, limit=1))
        draw_apart(_show_jobs, every=2 if busy else None)()


def _show_jobs() -> None:
    """Show what is under way, and say once when something has ended."""
    workspace = state.current().workspace
    tend(workspace.home)
    jobs = list_jobs(workspace, active_only=True)
    before = st.session_state.get(UNDER_WAY, {})
    st.session_state[UNDER_WAY] = {job.id: job.run for job in jobs}
    for run in {before[ended] for ended in before.keys() - st.session_state[UNDER_WAY].keys()}:
        _tell_end(workspace, run)
    for job in jobs[:5]:
        name = WORK.get(job.kind, "Training")
        text = f"{name}: {job.message}" if job.state != "queued" else f"{name}: waiting"
        bar, button = st.columns([5, 1], vertical_alignment="center")
        bar.progress(min(1.0, job.fraction), text=text)
        button.button(
            "",
            icon=":material/stop_circle:",
            key=f"stop_{job.id}",
            help="Stop",
            on_click=_stop,
            args=(job.id,),
            type="tertiary",
            disabled=job.state == "stopping",
        )


def _tell_end(workspace: Workspace, run_id: str | None) -> None:
    with contextlib.suppress(MedcoreError):
        if run_id is not None:
            run = get_run(workspace, run_id)
            st.toast(f"“{run.name}” is {run.state}.", icon=":material/model_training:")


def _stop(job_id: str) -> None:
    try:
        stop_job(state.current().workspace, job_id)
    except MedcoreError as error:
        st.toast(str(error))


def count(number: int, thing: str) -> str:
    """Return how many things, in words.

    >>> count(1, "finding"), count(1200, "finding")
    ('1 finding', '1,200 findings')
    """
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def write_seconds(seconds: float) -> str:
    """Return a duration in words.

    >>> write_seconds(75)
    'about 1 min 15 s'
    """
    if seconds < 60:
        return f"about {max(1, round(seconds))} s"
    minutes, rest = divmod(round(seconds / 5) * 5, 60)
    if minutes < 60:
        return f"about {minutes} min {rest} s" if rest else f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60} min"


def write_time(moment: float) -> str:
    """Return a moment as people write it, in the server's time zone."""
    return time.strftime("%d %b %Y, %H:%M", time.localtime(moment))
