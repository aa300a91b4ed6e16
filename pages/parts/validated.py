"""What an external validation found: the whole judgement on the new patients, and the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from medcore.evaluate import explain_metric, label_metric, leading_metrics, write_metric
from medcore.jobs import list_jobs
from medcore.records import Evaluation, Run
from medcore.store import list_validations, read_config, read_json
from medcore.store.folder import VALIDATION
from pages.parts import state
from pages.parts.certainty import show_certainty
from pages.parts.decision import show_decision
from pages.parts.elsewhere import show_sites
from pages.parts.findings import choose_finding, show_findings
from pages.parts.frame import write_time
from pages.parts.groups import show_groups
from pages.parts.judgement import load_evaluation, show_answer, show_metrics
from pages.parts.newcomers import show_drift
from pages.parts.pictures import show_charts
from pages.parts.strategies import read_metric
from pages.parts.threshold import show_threshold

ALSO = {
    "binary": ("auroc", "auprc", "brier", "o_e", "calibration_slope", "calibration_intercept"),
    "multiclass": ("auroc", "log_loss"),
    "multilabel": ("auroc", "auprc", "brier", "subset_accuracy"),
    "regression": ("bias",),
    "survival": ("c_index", "uno_c", "integrated_brier"),
}


# The parts of the results page that speak of judged patients.
SECTIONS = (show_charts, show_threshold, show_decision, show_certainty, show_sites, show_groups)


def choose_validation(run: Run) -> str | None:
    """Return the validation to show; say why the last one failed, if it did."""
    workspace = state.current().workspace
    jobs = [job for job in list_jobs(workspace, kind="validate") if job.run == run.id]
    if jobs and jobs[0].state == "failed":
        st.error(jobs[0].error or "The validation failed.", icon=":material/error:")
    kept = list_validations(run.folder)
    if not kept:
        return None
    st.divider()
    if len(kept) == 1:
        return next(iter(kept))
    return st.selectbox(
        "Validation", list(kept), key=f"validation_{run.id}_{len(kept)}",
        format_func=lambda key: f"{kept[key]['name']}, {write_time(kept[key]['created'])}",
    )  # fmt: skip


def show_validation(run: Run, identity: str) -> None:
    """Show one validation with the parts of the results page."""
    folder = run.folder / "validations" / identity
    told = read_json(folder, VALIDATION)
    evaluation = load_evaluation(str(folder))
    there = replace(
        run, id=identity, folder=folder, dataset=told["dataset"], config=read_config(folder)
    )
    st.subheader(f"On {told['name']}", anchor=False)
    for sentence in told["sentences"]:
        st.caption(sentence)
    show_answer(there, evaluation)
    _show_changes(evaluation, told["changes"])
    if told["drift"]:
        with st.expander("How these patients differ from those of development"):
            show_drift(told["drift"], identity)
    show_findings(there, evaluation)
    chosen = choose_finding(there, evaluation)
    for show in SECTIONS:
        show(there, chosen)
    if told["updated"] is not None:
        _show_updated(evaluation, told["updated"])
    show_metrics(there, evaluation)
    for sentence in evaluation.warnings:
        st.markdown(f"- {sentence}")


def _named(evaluation: Evaluation, told: Mapping[str, Any]) -> list[str]:
    names = (*leading_metrics(evaluation), *ALSO.get(evaluation.task, ()))
    return [name for name in dict.fromkeys(names) if name in told]


def _show_changes(evaluation: Evaluation, changes: Mapping[str, Any]) -> None:
    """Show each leading figure there and here, and whether the change can be told from chance."""
    st.subheader("Does it hold?", anchor=False)
    rows, sentences = [], []
    for name in _named(evaluation, changes):
        change = {side: read_metric(metric) for side, metric in changes[name].items()}
        difference = change["difference"]
        known = difference.low == difference.low
        apart = known and not difference.low <= 0 <= difference.high
        rows.append(
            {
                "Figure": label_metric(name),
                "In development": write_metric(change["development"]),
                "Here": write_metric(change["here"]),
                "Change": write_metric(difference) if known else difference.reason or "–",
                "What it says": "Differs" if apart else "Not distinguishable" if known else "–",
                "What it means": explain_metric(name),
            }
        )
        if apart:
            word = "higher" if difference.value > 0 else "lower"
            sentences.append(f"{label_metric(name)} is {word}")
    words = f"{'; '.join(sentences)} than in development." if sentences else (
        "No leading figure can be told from the one in development."
    )  # fmt: skip
    st.markdown(f"**{words}** Other patients, so that both sides are uncertain.")
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="validation_changes")


def _show_updated(evaluation: Evaluation, told: Mapping[str, Any]) -> None:
    """Show what moving the risks to the new level would bring; it is another model."""
    st.subheader("An updated model, reported apart", anchor=False)
    what = "the predicted number" if evaluation.task == "regression" else "the logit of the risk"
    st.markdown(
        f"Recalibration in the large: {what} moved by {told['move']:+.2f}, so that predictions are "
        "right on average here. Each patient's move was learned from the other patients. The "
        "figures above are those of the model as it was; this would be a new one, to be validated "
        "again before use."
    )
    before = evaluation.parts["test"].metrics
    rows = [
        {
            "Figure": label_metric(name),
            "As it was": write_metric(before[name], 3),
            "Updated": write_metric(read_metric(told["metrics"][name]), 3),
            "Change": write_metric(read_metric(told["differences"][name]), 3)
            if name in told["differences"] else "–",
            "What it means": explain_metric(name),
        }
        for name in _named(evaluation, told["metrics"])
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="updated_model")
