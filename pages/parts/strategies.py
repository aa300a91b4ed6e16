"""What the strategies for rare classes and missing values did to this model's risks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.evaluate import explain_metric, label_metric, write_metric
from medcore.figures import draw_recalibration
from medcore.records import Evaluation, Metric, Run
from medcore.strategies import BALANCE_TITLES, RECALIBRATION_TITLES
from pages.parts.charts import show_chart

NAN = float("nan")


def read_metric(values: Mapping[str, Any]) -> Metric:
    """Return the record of a figure read from JSON; other keys are passed over."""
    numbers = {
        name: NAN if values[name] is None else float(values[name])
        for name in ("value", "low", "high")
    }
    return Metric(**numbers, n=values["n"], method=values["method"], reason=values["reason"])


def show_strategies(run: Run, evaluation: Evaluation) -> None:
    """Show the risks before and after they were put right, and what gaps add to uncertainty."""
    recalibration = evaluation.curves.get("recalibration")
    if recalibration is not None:
        _show_recalibration(run, recalibration)
    imputations = evaluation.curves.get("imputations")
    if imputations is not None:
        _show_imputations(imputations)


def _show_recalibration(run: Run, found: Mapping[str, Any]) -> None:
    balanced = run.config.balance.strategy != "none"
    what = "balancing" if balanced else "recalibration"
    st.subheader(f"What {what} did to the risks", anchor=False)
    before, after = found["before"], found["after"]
    words = ""
    if "prevalence" in found:
        words = (
            f" {found['prevalence']:.1%} of test patients have the outcome; the mean predicted "
            f"risk was {before['mean_risk']['value']:.1%} and is {after['mean_risk']['value']:.1%}."
        )
    if balanced:
        title = BALANCE_TITLES[run.config.balance.strategy].lower()
        words = (
            f"Training with {title} changes how large risks are; they were put right on patients "
            f"outside the fit.{words} Re-sampling or weighting does not usually find more patients "
            "(van den Goorbergh et al. 2022): compare with a model trained without."
        )
    else:
        title = RECALIBRATION_TITLES[run.config.model.recalibration]
        words = f"{title}, learned on patients outside the fit and never on test patients.{words}"
    st.markdown(words)
    show_chart(*draw_recalibration(**found["curve"]), "recalibration")
    rows = [
        {
            "Figure": label_metric(name),
            "Before": write_metric(read_metric(before[name]), 3),
            "After": write_metric(read_metric(after[name]), 3),
            "What it means": explain_metric(name),
        }
        for name in after
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="recalibration")


def _show_imputations(found: Mapping[str, Any]) -> None:
    st.subheader("What the gaps add to uncertainty", anchor=False)
    st.markdown(
        f"Missing values were filled in {found['draws']} plausible ways, each with models of its "
        "own. Below, each figure is joined over them by Rubin's rules; the last column is the "
        "share of its uncertainty that comes from missing values. A patient's risk is the mean "
        "over all."
    )
    rows = [
        {
            "Figure": label_metric(name),
            "Joined": write_metric(read_metric(values), 3),
            "Missing information": "–" if values["fmi"] is None else f"{values['fmi']:.0%}",
            "What it means": explain_metric(name),
        }
        for name, values in found["metrics"].items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="imputations")
