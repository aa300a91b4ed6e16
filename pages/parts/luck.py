"""How much of a result is luck or optimism: asked for, watched, and shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.checks import compare_size
from medcore.errors import MedcoreError
from medcore.evaluate import explain_metric, label_metric, write_metric
from medcore.evaluate.sample_size import explained_by_loss
from medcore.figures import draw_size_curve
from medcore.jobs import Job, list_jobs, start_optimism
from medcore.optimism import (
    EFFORTS,
    count_fits,
    estimate_seconds,
    fit_seconds,
    leading_figure,
    write_findings,
)
from medcore.records import Evaluation, Run
from medcore.store import get_dataset_row, read_columns, read_events, read_json
from medcore.store.folder import COHORT, OPTIMISM
from pages.parts import state
from pages.parts.charts import show_chart
from pages.parts.frame import write_seconds
from pages.parts.strategies import read_metric
from pages.parts.waiting import watch_job

GONE = (
    "The data set of this model was deleted, so it cannot be fitted again on other patients; its "
    "results remain."
)


def show_luck(run: Run, evaluation: Evaluation) -> None:
    """Show what other divisions of the patients say, whether there are enough, or offer to look."""
    st.subheader("How much of this is luck or optimism?", anchor=False)
    sentence = say_size(run, evaluation)
    if sentence:
        st.markdown(sentence)
    if (run.folder / OPTIMISM).is_file():
        _show_found(read_json(run.folder, OPTIMISM), evaluation)
    jobs = list_jobs(state.current().workspace, kind="optimism")
    job = next((job for job in jobs if job.run == run.id), None)
    if job is not None and job.active:
        watch_job(job.id)
        return
    if job is not None and job.state in ("failed", "stopped"):
        _say_ended(job)
    _offer(run)


def say_size(run: Run, evaluation: Evaluation) -> str:
    """Return how many patients there are against those needed, by what this model explains."""
    if not (run.folder / COHORT).is_file():
        return ""
    cohort = read_json(run.folder, COHORT)
    part = evaluation.parts["test"]
    if evaluation.task == "binary" and part.events and part.events < part.n:
        own = cohort["parts"].get("development", cohort["parts"]["all"])["patients"]
        prevalence = part.events / part.n
        explained = explained_by_loss(part.metrics["log_loss"].value, prevalence)
        enough = compare_size(read_columns(run.folder), own, explained, prevalence)
        if enough is not None:
            words = enough.sentence[0].lower() + enough.sentence[1:]
            return f"By what this model explains of its test patients, {words}"
    usual = cohort.get("sample_size")
    return usual["sentence"] if usual else ""


def _say_ended(job: Job) -> None:
    if job.state == "failed":
        st.error(job.error or "The look for luck failed.", icon=":material/error:")
    else:
        st.caption("It was stopped; starting it again with the same effort goes on from there.")


def _offer(run: Run) -> None:
    """Offer to fit the model again on other patients, saying how often and how long."""
    try:
        get_dataset_row(state.current().workspace, run.dataset)
    except MedcoreError:
        st.info(GONE, icon=":material/database_off:")
        return
    one = fit_seconds(read_events(run.folder)[0], run.config.model.name)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    effort = left.radio(
        "Fit the model again on other patients", list(EFFORTS), horizontal=True,
        format_func=lambda key: EFFORTS[key].title, key=f"effort_{run.id}",
        help="Repeated cross-validation, a bootstrap that takes optimism out (Harrell), and a "
        "learning curve. More fits make the figures steadier.",
    )  # fmt: skip
    chosen = EFFORTS[effort]
    if right.button("Fit again", key="start_optimism", icon=":material/casino:", width="stretch"):
        start_optimism(state.current().workspace, run.id, effort)
        st.rerun()
    time = write_seconds(estimate_seconds(chosen, one)) if one is not None else "a while"
    st.caption(
        f"{count_fits(chosen):,} fits, {time}: cross-validation {chosen.repeats} × {chosen.folds}, "
        f"{chosen.resamples} bootstrap draws, {chosen.sizes} sizes of the learning curve. It goes "
        "on in the background and can be stopped."
    )


def _show_found(found: Mapping[str, Any], evaluation: Evaluation) -> None:
    for sentence in write_findings(found, evaluation):
        st.markdown(f"- {sentence}")
    crossed, drawn = found["cross_validation"], found["bootstrap"]
    test = evaluation.parts["test"].metrics
    rows = []
    for name, metric in crossed["metrics"].items():
        values = [value for value in crossed["spread"].get(name, []) if value is not None]
        told = drawn["metrics"].get(name)
        rows.append(
            {
                "Figure": label_metric(name),
                "As judged above": write_metric(test[name]) if name in test else "–",
                "Cross-validation": write_metric(read_metric(metric)),
                "Single test groups": f"{min(values):.2f} to {max(values):.2f}" if values else "–",
                "On its own patients": write_metric(read_metric(told["apparent"])),
                "Corrected for optimism": write_metric(read_metric(told["corrected"])),
                "What it means": explain_metric(name),
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="optimism_table")
    st.caption(
        f"Cross-validation: {crossed['repeats']} × {found['effort']['folds']} folds of "
        f"{found['rows']:,} development rows; optimism: {drawn['resamples']} bootstrap draws "
        "(Harrell 1996), interval moved by the optimism (Noma 2021). The learning curve alone "
        "looks at the test patients."
    )
    for sentence in found["lost"][:3]:
        st.caption(f"Not fitted: {sentence}")
    points = found["learning_curve"]["points"]
    name = leading_figure(evaluation.task)
    if len(points) > 1 and name in points[0]["metrics"]:
        show_chart(*draw_size_curve(points, name), "learning_curve")
