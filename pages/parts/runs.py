"""A run as lists show it, and what may be asked of one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from medcore.errors import MedcoreError
from medcore.evaluate import label_metric
from medcore.evaluate.words import write_metric
from medcore.jobs import ask
from medcore.records import Metric, Run
from medcore.store import get_dataset_row
from pages.parts import state

STATES = {
    "queued": "Waiting",
    "running": "Training",
    "stopping": "Stopping",
    "failed": "Failed",
    "stopped": "Stopped; not judged yet",
}


def write_figures(run: Run, names: tuple[str, ...] = ("auroc", "recall", "accuracy", "r2")) -> str:
    """Return a run's leading figures with their intervals, or its state, as one line."""
    if run.state != "finished":
        return STATES[run.state]
    metrics = run.summary.get("metrics", {})
    shown = [f"{label_metric(name)} {_write(metrics[name])}" for name in names if name in metrics]
    return " · ".join(shown[:3]) or "Finished"


def _write(values: dict) -> str:
    numbers = {
        side: float("nan") if values[side] is None else values[side]
        for side in ("value", "low", "high")
    }
    return write_metric(Metric(**numbers, n=0, method="none"))


def show_figures(run: Run) -> None:
    """Show a run's leading figures, or its state."""
    st.markdown(write_figures(run))


def has_table(run: Run) -> bool:
    """Tell whether the table that a run was trained on is still in the workspace."""
    try:
        get_dataset_row(state.current().workspace, run.dataset)
    except MedcoreError:
        return False
    return True


def question(run: Run, do: str, **more: Any) -> dict[str, Any]:
    """Return the warm process's answer about a run."""
    told = {"do": do, "run_folder": str(run.folder), **more}
    return ask(state.current().workspace.home, told)
