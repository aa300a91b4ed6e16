"""Compare: which model is better, and is the difference real?"""

import streamlit as st

from medcore.store import RunRow, count_runs, list_judged
from pages.parts import state
from pages.parts.frame import close_page, open_page
from pages.parts.leaderboard import (
    MOST,
    choose_runs,
    describe_question,
    name_runs,
    rank_runs,
    show_settings_chart,
)
from pages.parts.pair import show_curves, show_pair


def choose_question(runs: list[RunRow]) -> list[RunRow]:
    """Return the judged runs that answer the same question as the run in use, or a chosen one."""
    questions: dict[str, list[RunRow]] = {}
    for run in runs:
        questions.setdefault(describe_question(run), []).append(run)
    used = state.current().run
    keys = list(questions)
    own = next((describe_question(run) for run in runs if used and run.id == used.id), None)
    if len(keys) == 1:
        return runs
    chosen = st.selectbox(
        "Models that predict the same, from the same data", keys,
        index=keys.index(own) if own in questions else 0,
        format_func=lambda key: f"{questions[key][0].name} and alike ({len(questions[key])})",
    )  # fmt: skip
    return questions[chosen]


open_page("Compare", "Which model is better, and is the difference real?")
workspace = state.current().workspace
runs = list_judged(workspace, MOST)
if not runs:
    st.info("No trained model is here yet; two are needed.", icon=":material/model_training:")
    state.link("train", "Train a model", ":material/model_training:")
else:
    alike = rank_runs(choose_question(runs))
    names = name_runs(alike)
    ticked = choose_runs(alike, names)
    if count_runs(workspace) > MOST:
        st.caption(f"The newest {MOST:,} models; older ones are on the Workspace page.")
    if len(alike) > 1:
        st.caption("The best stands first. Tick rows to compare these; otherwise the best are.")
        chosen = ticked if len(ticked) > 1 else alike
        show_pair(chosen, names)
        show_curves(chosen, names)
        show_settings_chart(chosen, names)
    else:
        st.info("Train a second model of the same outcome to compare.", icon=":material/add:")
        state.link("train", "Train another", ":material/model_training:")
    close_page()
