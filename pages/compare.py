"""Compare: which model is better, and is the difference real?"""

import streamlit as st

from medcore import figures
from medcore.errors import MedcoreError
from medcore.records import Run
from medcore.store import list_runs
from pages.parts import state
from pages.parts.charts import show_chart
from pages.parts.frame import close_page, open_page
from pages.parts.judgement import load_evaluation
from pages.parts.leaderboard import (
    MOST,
    choose_runs,
    describe_question,
    show_difference,
    show_settings,
)

OVERLAID = 6


def choose_question(runs: list[Run]) -> list[Run]:
    """Return the judged runs that answer the same question as the run in use, or a chosen one."""
    questions: dict[str, list[Run]] = {}
    for run in runs:
        questions.setdefault(describe_question(run), []).append(run)
    used = state.current().run
    keys = list(questions)
    start = keys.index(describe_question(used)) if used and used in runs else 0
    if len(keys) == 1:
        return runs
    chosen = st.selectbox(
        "Models that predict the same, from the same data", keys, index=start,
        format_func=lambda key: f"{questions[key][0].name} and alike ({len(questions[key])})",
    )  # fmt: skip
    return questions[chosen]


def show_pair(runs: list[Run]) -> None:
    """Show the difference of two models on the same test patients, and of their settings."""
    st.subheader("Is the difference real?", anchor=False)
    left, right = st.columns(2)
    names = {run.id: run.name for run in runs}
    first = left.selectbox("This model", list(names), format_func=names.get, key="first_run")
    rest = [identity for identity in names if identity != first]
    second = right.selectbox("less this one", rest, format_func=names.get, key="second_run")
    ours, theirs = (next(run for run in runs if run.id == key) for key in (first, second))
    try:
        show_difference(ours, theirs)
        st.caption(
            "Both models are judged on the same patients, drawn anew together; an interval that "
            "includes zero cannot tell them apart."
        )
    except MedcoreError as error:
        st.warning(str(error), icon=":material/warning:")
    with st.expander("Settings that differ"):
        show_settings(ours, theirs)


def show_curves(runs: list[Run]) -> None:
    """Overlay the curves of several models."""
    evaluations = {run.name: load_evaluation(str(run.folder)) for run in runs[:OVERLAID]}
    if next(iter(evaluations.values())).task != "binary":
        return
    for column, chart in zip(st.columns(2), ("roc", "decision"), strict=True):
        with column:
            show_chart(*figures.overlay(evaluations, chart), f"compare_{chart}")


open_page("Compare", "Which model is better, and is the difference real?")
runs = [run for run in list_runs(state.current().workspace, limit=MOST) if run.state == "finished"]
if not runs:
    st.info("No trained model is here yet; two are needed.", icon=":material/model_training:")
    state.link("train", "Train a model", ":material/model_training:")
else:
    alike = choose_question(runs)
    ticked = choose_runs(alike)
    if len(alike) > 1:
        st.caption("Tick rows to compare these; otherwise the newest are compared.")
        chosen = ticked if len(ticked) > 1 else alike
        show_pair(chosen)
        show_curves(chosen)
    else:
        st.info("Train a second model of the same outcome to compare.", icon=":material/add:")
        state.link("train", "Train another", ":material/model_training:")
    close_page()
