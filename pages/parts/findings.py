"""Several findings a patient on pages: a table of them, one chosen for the rest, one patient's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from medcore.evaluate import explain_metric, label_metric, write_headline, write_metric
from medcore.evaluate.multilabel import read_findings, view_finding
from medcore.records import Evaluation, Predictions, Run
from medcore.store import read_columns, read_predictions
from pages.parts.judgement import load_evaluation, show_baselines
from pages.parts.pictures import show_charts

FIGURES = ("recall", "precision", "auroc", "auprc", "brier", "calibration_slope")


def show_findings(run: Run, evaluation: Evaluation) -> None:
    """Show a table of the findings: patients, how often each is called, and every figure."""
    if evaluation.task != "multilabel":
        return
    st.subheader("Finding by finding", anchor=False)
    metrics, counts = evaluation.parts["test"].metrics, evaluation.curves["model"]["counts"]
    thresholds = {name: one.parts["test"].threshold for name, one in _judged(run).items()}
    rows = []
    for name in evaluation.classes:
        told = counts[name]
        row: dict[str, Any] = {
            "Finding": name,
            "Known of": told["known"],
            "Have it": told["with"],
            "Called": told["called"],
            "Alarm from": thresholds.get(name),
        }
        for figure in FIGURES:
            if f"{figure}_{name}" in metrics:
                row[label_metric(figure)] = write_metric(metrics[f"{figure}_{name}"])
        rows.append(row)
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, key="findings",
        column_config={
            "Finding": st.column_config.TextColumn(pinned=True),
            "Known of": st.column_config.NumberColumn(
                help="Test patients of whom it is known whether they have it; the others count "
                "nowhere."
            ),
            "Alarm from": st.column_config.NumberColumn(
                format="%.3f", help="Each finding's own threshold, chosen on validation patients."
            ),
        } | {
            label_metric(figure): st.column_config.TextColumn(help=explain_metric(figure))
            for figure in FIGURES
        },
    )  # fmt: skip


def choose_finding(run: Run, evaluation: Evaluation) -> Evaluation:
    """Show which finding the rest of the page is about; return its judgement, or all of one."""
    if evaluation.task != "multilabel":
        return evaluation
    judged = _judged(run)
    if not judged:
        return evaluation
    name = st.selectbox(
        "Look closely at", list(judged), key=f"finding_{run.id}",
        help="Each finding is judged as a question of its own: what follows is about this one, on "
        "the patients of whom it is known.",
    )  # fmt: skip
    st.markdown(f"#### {write_headline(judged[name], _outcome(run))}")
    return judged[name]


def show_together(run: Run, evaluation: Evaluation) -> None:
    """Show all findings at once: the model beside simple ones, and a curve for each."""
    st.subheader("All findings together", anchor=False)
    show_baselines(run, evaluation, title=None)
    show_charts(run, evaluation)


def _outcome(run: Run) -> str:
    return next(c.name for c in read_columns(run.folder) if c.role == "outcome")


@st.cache_data(scope="session", max_entries=4, show_spinner="Opening the findings …")
def _read(folder: str) -> dict[str, Evaluation]:
    return read_findings(load_evaluation(folder))


def _judged(run: Run) -> dict[str, Evaluation]:
    return _read(str(run.folder))


def finding_of(run: Run, evaluation: Evaluation) -> str:
    """Return the finding that a judgement is about; empty where it is about the whole run."""
    several = run.summary.get("task") == "multilabel"
    return str(evaluation.positive) if several and evaluation.task == "binary" else ""


def load_predictions(folder: str | Path, finding: str = "") -> Predictions:
    """Return a run's predictions; those of one finding as a yes/no question."""
    predictions = read_predictions(Path(folder))
    return view_finding(predictions, finding) if finding else predictions


def show_patient_findings(said: Mapping[str, Any]) -> None:
    """Show one patient's findings: those that alarm in words, each with risk and interval."""
    limits = said["threshold"]
    order = sorted(range(len(said["classes"])), key=lambda place: -said["value"][place])
    names = [said["classes"][place] for place in order]
    values = [said["value"][place] for place in order]
    alarms = [v >= limits[n] for n, v in zip(names, values, strict=True)]
    called = [name for name, alarm in zip(names, alarms, strict=True) if alarm]
    st.markdown(f"#### {', '.join(called) if called else 'None of the findings alarms'}")
    st.dataframe(
        {
            "Finding": names,
            "Risk": [round(value, 2) for value in values],
            "From": [_round(said["low"][place]) for place in order],
            "To": [_round(said["high"][place]) for place in order],
            "Alarm from": [round(limits[name], 2) for name in names],
            "Alarms": ["yes" if alarm else "" for alarm in alarms],
        },
        column_config={
            "Risk": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "From": st.column_config.NumberColumn(format="percent"),
            "To": st.column_config.NumberColumn(format="percent"),
            "Alarm from": st.column_config.NumberColumn(format="percent"),
        },
        hide_index=True,
        key="patient_findings",
    )
    st.caption(
        "Each finding has its own threshold, chosen on validation patients"
        + "".join(f"; {name}: {words}" for name, words in said["needs"].items())
        + ". From–to: among "
        "patients the model did not learn from and gave such a risk, between so many had it "
        "(Venn–Abers interval)."
    )


def _round(share: float | None) -> float | None:
    return None if share is None else round(share, 2)
