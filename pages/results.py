"""Results: is this model any good, for whom, and at which threshold?"""

import streamlit as st

from medcore.records import Evaluation, Run
from medcore.store import read_events, read_json
from medcore.store.folder import DATASET
from pages.parts import figures, state
from pages.parts.charts import show_chart
from pages.parts.form import batched
from pages.parts.frame import close_page, need_finished_run, open_page
from pages.parts.groups import show_groups
from pages.parts.judgement import (
    load_evaluation,
    outcome_unit,
    show_answer,
    show_baselines,
    show_limits,
    show_metrics,
)
from pages.parts.rows import show_ledger
from pages.parts.strategies import show_strategies
from pages.parts.threshold import show_threshold


def draw(evaluation: Evaluation, name: str, unit: str) -> dict[str, figures.Drawn]:
    """Return this task's charts by name, the most telling first."""
    model = evaluation.curves["model"]
    if evaluation.task == "regression":
        return {
            "observed": figures.draw_scatter(model["scatter"], name, unit),
            "residuals": figures.draw_residuals(model["residuals"], unit),
        }
    confusion = figures.draw_confusion(model["confusion"]["labels"], model["confusion"]["counts"])
    if evaluation.task == "multiclass":
        roc, curve = figures.draw_by_class(
            model["roc_by_class"], model["precision_recall_by_class"]
        )
        calibration = figures.draw_calibration(model["calibration"])
        return {
            "confusion": confusion,
            "roc": roc,
            "precision_recall": curve,
            "calibration": calibration,
        }
    threshold = evaluation.parts["test"].threshold
    return {
        "roc": figures.draw_roc(evaluation.curves),
        "calibration": figures.draw_calibration(model["calibration"]),
        "precision_recall": figures.draw_precision_recall(evaluation.curves),
        "decision": figures.draw_decision(evaluation.curves),
        "risks": figures.draw_histogram(model["histogram"], evaluation.positive, threshold),
        "confusion": confusion,
    }


def show_charts(drawn: dict[str, figures.Drawn], classes: int) -> None:
    """Show charts two abreast, with many classes one; on a narrow screen they follow each other."""
    abreast = 2 if classes <= 4 else 1
    for pair in batched(list(drawn.items()), abreast):
        for column, (name, (figure, table)) in zip(st.columns(abreast), pair, strict=False):
            with column:
                show_chart(figure, table, name)


def present(on: bool) -> None:
    """Turn the clean view for stakeholders on or off."""
    st.session_state["present"] = on


def show_all(run: Run, evaluation: Evaluation, name: str, unit: str) -> None:
    """Show the whole judgement."""
    with st.container(horizontal=True, vertical_alignment="center"):
        state.link("predict", "Use it for a patient", ":material/person_search:")
        state.link("train", "Change and train again", ":material/model_training:")
        st.button(
            "Present", icon=":material/slideshow:", on_click=present, args=(True,),
            key="present_on", help="A clean view for a meeting, which prints well.",
        )  # fmt: skip
    show_answer(evaluation, name, unit)
    show_baselines(evaluation)
    show_charts(draw(evaluation, name, unit), len(evaluation.classes))
    if evaluation.task == "binary":
        show_threshold(run, evaluation)
    show_groups(run, evaluation)
    show_strategies(run, evaluation)
    show_metrics(evaluation)
    show_limits(evaluation)
    with st.expander("How it learned"):
        learning = figures.draw_learning(read_events(run.folder)[0])
        if learning is not None:
            show_chart(*learning, "learning")
        else:
            st.markdown("This model has no epochs; it is fitted in one go.")
    with st.expander("What became of the rows and columns"):
        show_ledger(read_json(run.folder, DATASET)["ledger"], run)


QUESTION = "Is this model any good, for whom, and at which threshold?"
run = state.current().run
if run is None or run.state != "finished":
    open_page("Results", QUESTION)
    need_finished_run()
    st.stop()
evaluation = load_evaluation(str(run.folder))
name, unit = outcome_unit(run)
if st.session_state.get("present"):
    st.title(run.name, anchor=False)
    show_answer(evaluation, name, unit)
    charts = dict(list(draw(evaluation, name, unit).items())[:4])
    show_charts(charts, len(evaluation.classes))
    show_limits(evaluation, present=True)
    st.button("End the presentation", on_click=present, args=(False,), key="present_off")
else:
    open_page(run.name, QUESTION)
    show_all(run, evaluation, name, unit)
close_page()
