"""Results: is this model any good, for whom, and at which threshold?"""

import streamlit as st

from medcore.records import Run
from pages.parts import state
from pages.parts.certainty import show_certainty, show_finding_sets
from pages.parts.certificate import show_certificate
from pages.parts.classes import show_classes
from pages.parts.decision import show_decision
from pages.parts.development import show_learning, show_rows
from pages.parts.elsewhere import show_sites, show_times
from pages.parts.failures import show_failures
from pages.parts.findings import choose_finding, show_findings, show_together
from pages.parts.frame import close_page, need_finished_run, open_page
from pages.parts.groups import show_groups
from pages.parts.hazards import show_hazards
from pages.parts.judgement import (
    load_evaluation,
    show_answer,
    show_baselines,
    show_limits,
    show_metrics,
)
from pages.parts.luck import show_luck
from pages.parts.pictures import show_charts
from pages.parts.strategies import show_strategies
from pages.parts.threshold import show_threshold
from pages.parts.treatment import show_effect
from pages.parts.unusual import show_unusual

# What each view is made of; a section shows nothing where it has nothing to say.
VIEWS = {
    "good": (
        "Is it any good?",
        (show_baselines, show_classes, show_charts, show_hazards, show_limits),
    ),
    "threshold": ("At which threshold?", (show_threshold, show_decision)),
    "whom": (
        "For whom?",
        (show_certainty, show_finding_sets, show_sites, show_times, show_groups, show_failures,
         show_unusual),
    ),
    "trust": ("Can it be trusted?", (show_certificate, show_luck)),
    "numbers": ("All numbers", (show_metrics, show_strategies, show_learning, show_rows)),
}  # fmt: skip
# Those that are about the whole run, also where one of several findings is looked at.
WHOLE = (
    show_limits, show_finding_sets, show_certificate, show_luck, show_learning, show_rows,
)  # fmt: skip


def present(on: bool) -> None:
    """Turn the clean view for stakeholders on or off."""
    st.session_state["present"] = on


def show_presentation(run: Run) -> None:
    """Show what a meeting needs: the sentence, the figures, four charts, and the limits."""
    evaluation = load_evaluation(str(run.folder))
    st.title(run.name, anchor=False)
    if evaluation.task == "effect":
        show_effect(run, evaluation, present=True)
    else:
        show_answer(run, evaluation)
        show_charts(run, evaluation, most=4)
        show_limits(run, evaluation, present=True)
    st.button("End the presentation", on_click=present, args=(False,), key="present_off")


def show_all(run: Run) -> None:
    """Show the answer, and the view that the visitor chose."""
    with st.container(horizontal=True, vertical_alignment="center"):
        state.link("predict", "Use it for a patient", ":material/person_search:")
        state.link("explain", "What drives it?", ":material/lightbulb:")
        state.link("train", "Change and train again", ":material/model_training:")
        st.button(
            "Present", icon=":material/slideshow:", on_click=present, args=(True,),
            key="present_on", help="A clean view for a meeting, which prints well.",
        )  # fmt: skip
    evaluation = load_evaluation(str(run.folder))
    if evaluation.task == "effect":
        show_effect(run, evaluation)
        return
    show_answer(run, evaluation)
    show_findings(run, evaluation)
    chosen = choose_finding(run, evaluation)
    views = {key: title for key, (title, _) in VIEWS.items()}
    if chosen.task != "binary":
        views.pop("threshold")
    view = st.segmented_control(
        "View", list(views), default="good", required=True, format_func=views.get,
        label_visibility="collapsed", key="results_view",
    )  # fmt: skip
    for show in VIEWS[view][1]:
        show(run, evaluation if show in WHOLE else chosen)
    if view == "good" and chosen is not evaluation:
        show_together(run, evaluation)


QUESTION = "Is this model any good, for whom, and at which threshold?"
ASKED = "What does the treatment do, who benefits, and can it be believed?"
run = state.current().run
if run is None or run.state != "finished":
    open_page("Results", QUESTION)
    need_finished_run()
    st.stop()
if st.session_state.get("present"):
    show_presentation(run)
else:
    open_page(run.name, ASKED if run.summary.get("task") == "effect" else QUESTION)
    show_all(run)
close_page()
