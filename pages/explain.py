"""Explain: what drives the model, and this one patient's risk?"""

import streamlit as st

from medcore.errors import MedcoreError
from medcore.explanation import ExplainChoice
from medcore.explanation.words import REMARK
from medcore.jobs import start_explanation
from medcore.records import Column, Run
from medcore.store import read_columns
from pages.parts import state
from pages.parts.course import show_course
from pages.parts.drivers import SHUFFLES, choose_wishes, show_drivers
from pages.parts.explained import (
    ENTERED,
    GONE,
    choose_patient,
    choose_target,
    choose_view,
    find_job,
    read_explanation,
)
from pages.parts.frame import close_page, need_finished_run, open_page
from pages.parts.hazards import link_to_hazards
from pages.parts.listening import show_listening
from pages.parts.passages import show_passages
from pages.parts.patient import describe_model, warm_once
from pages.parts.runs import has_table, question
from pages.parts.saliency import show_saliency
from pages.parts.shares import show_nearest, show_shares
from pages.parts.treatment import leave_effect_to_results
from pages.parts.waiting import watch_job
from pages.parts.whatif import show_what_if


def start(run: Run, choice: ExplainChoice) -> None:
    """Queue the explanation."""
    try:
        start_explanation(state.current().workspace, run.id, choice)
        st.rerun()
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")


def show_model(run: Run, columns: dict[str, Column], outcome: Column) -> None:
    """Show what drives the model, or offer to find out."""
    job, result = find_job(run), read_explanation(run)
    if job is not None and job.active:
        watch_job(job.id)
    elif job is not None and job.state == "failed":
        st.error(job.error or "The explanation failed.", icon=":material/error:")
    elif job is not None and job.state == "stopped" and result is None:
        st.warning("The explanation was stopped.", icon=":material/stop_circle:")
    if result is not None:
        target = choose_target(result["targets"], outcome)
        show_drivers(result, target, columns, outcome.unit or "")
    elif job is None or not job.active:
        st.markdown(f"Not asked yet for this model. {SHUFFLES}")
    if not has_table(run):
        st.info(GONE, icon=":material/table:")
    elif job is None or not job.active:
        usual = ExplainChoice(**result["choice"]) if result else ExplainChoice()
        with st.expander("Explain again with other settings" if result else "Advanced"):
            choice = choose_wishes(run.id, usual)
            again = result is not None and st.button("Explain again", key="explain_again")
        first = result is None and st.button(
            "Explain this model", type="primary", key="explain", icon=":material/lightbulb:"
        )
        if again or first:
            start(run, choice)


def show_patient(run: Run, columns: dict[str, Column], outcome: Column) -> None:
    """Show why one patient gets the prediction they get, what would change it, and their like."""
    warm_once(run)
    chosen = choose_patient(run, columns, outcome)
    if chosen is None:
        return
    values, key = chosen
    said, order = None, list(columns)
    if has_table(run):
        with st.spinner("Following the patient's values …"):
            place = {"workspace": run.workspace, "dataset": run.dataset}
            said = question(run, "explain_patient", values=values, **place)
        target = choose_target(list(said["targets"]), outcome)
        task = run.summary["task"]
        show_shares(said, target, columns, outcome, task)
        shares = dict(zip(said["columns"], said["targets"][target]["value"], strict=True))
        order = sorted(shares, key=lambda name: -abs(shares[name]))
    else:
        st.info(GONE, icon=":material/table:")
        answer = question(run, "answer_patients", rows=[values])
        target = choose_target(list(answer["targets"]), outcome)
    if all(columns[name].kind in ENTERED or values.get(name) is None for name in columns):
        show_what_if(run, values, columns, order, target, outcome.name, key)
    if said is not None:
        happened = said["positive"] if task == "survival" else target
        show_nearest(said["nearest"], said["shown"], order, happened, outcome, task)


open_page("Explain", "What drives the model, and this one patient's risk?")
if need_finished_run():
    run = state.current().run
    st.caption(f"{run.name} · {describe_model(run)}")
    leave_effect_to_results(run, "explain")
    st.markdown(f"*{REMARK}*")
    described = read_columns(run.folder)
    link_to_hazards(described)
    inputs = {column.name: column for column in described if column.role == "input"}
    outcome = next(column for column in described if column.role in ("outcome", "event"))
    view = choose_view(described)
    shows = {
        "model": show_model, "patient": show_patient, "course": show_course,
        "image": show_saliency, "audio": show_listening, "text": show_passages,
    }  # fmt: skip
    shows[view](run, inputs, outcome)
close_page()
