"""How sure the model is of one patient: sets of answers with a promise, and not answering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.evaluate import write_metric
from medcore.figures import draw_abstention
from medcore.records import Column, Evaluation, Run
from pages.parts.charts import show_chart
from pages.parts.judgement import outcome_unit
from pages.parts.strategies import read_metric

SHIFT = (
    "The promise holds for patients drawn as those of this study; at another place, or later, it "
    "may fail."
)
COVERAGES = (0.8, 0.9, 0.95, 0.99)


def show_certainty(run: Run, evaluation: Evaluation) -> None:
    """Show what came of the promised coverage on test patients, and of abstaining."""
    found = evaluation.curves.get("uncertainty")
    if found is None:
        return
    st.subheader("How sure is it of one patient?", anchor=False)
    if "refused" in found:
        st.info(found["refused"], icon=":material/block:")
    elif "intervals" in found:
        held, width = (read_metric(found["intervals"][name]) for name in ("coverage", "width"))
        st.markdown(
            f"Each prediction comes with an interval that was promised to hold the outcome of "
            f"{found['coverage']:.0%} of new patients; it held that of {_percent(held)} of the "
            f"test patients. It is {width.value:.3g} {outcome_unit(run)[1]} wide."
        )
        st.caption(SHIFT)
    else:
        _show_sets(evaluation, found)
    if "abstention" in found:
        _show_abstention(found["abstention"])


def _percent(metric: Any) -> str:
    if metric.low != metric.low:
        return "–" if metric.value != metric.value else f"{metric.value:.0%}"
    return f"{metric.value:.0%} ({100 * metric.low:.0f}–{100 * metric.high:.0f})"


def _show_sets(evaluation: Evaluation, found: Mapping[str, Any]) -> None:
    sets = found["sets"]
    answers = sets["answers"]
    total = sum(answers)
    several = sum(answers[2:])
    st.markdown(
        f"Instead of one answer the model can give a set of them that holds what happens for at "
        f"least {found['coverage']:.0%} of patients. On the test patients it did so for "
        f"{_percent(read_metric(sets['coverage']))}. Of 100 patients, "
        f"{100 * answers[1] / total:.0f} get a single answer "
        f"(right for {_percent(read_metric(sets['single_right']))} of them), "
        f"{100 * several / total:.0f} several, because the model cannot tell{_say_empty(sets)}."
    )
    rows = []
    for title, kind in (("All patients alike", "sets"), ("Each class by itself", "sets_by_class")):
        values = found[kind]
        row = {"Promise made for": title, "Kept for": _percent(read_metric(values["coverage"]))}
        row["Answers in a set"] = write_metric(read_metric(values["size"]))
        for name in evaluation.classes:
            row[f"Kept for {name}"] = _percent(read_metric(values[f"coverage_{name}"]))
        rows.append(row)
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="sets")
    st.caption(
        f"Split conformal prediction, by {found['references']:,} patients outside the fit. A rare "
        "class may be covered less unless the promise is made for each class by itself, which "
        f"makes sets larger. {SHIFT}"
    )


def _say_empty(sets: Mapping[str, Any]) -> str:
    empty, total = sets["answers"][0], sum(sets["answers"])
    if not empty:
        return ""
    return f", and {100 * empty / total:.0f} none, because they resemble nobody it was tried on"


def _show_abstention(curve: Mapping[str, Any]) -> None:
    share, error = curve["share"], curve["error"]
    place = min(range(len(share)), key=lambda i: abs(share[i] - 0.8))
    st.markdown(
        f"If it leaves the {1 - share[place]:.0%} of patients it is least sure of to a doctor, "
        f"{error[place]:.1%} of its calls on the others are wrong, instead of {error[-1]:.1%} on "
        "all."
    )
    show_chart(*draw_abstention(curve), "abstention")


def show_answers(outcome: Column, said: Mapping[str, Any]) -> None:
    """Show the set of answers for one patient at a coverage that the visitor chooses."""
    known = said["plausible"]
    if known is None:
        return
    left, right = st.columns(2, vertical_alignment="bottom")
    apart = right.toggle(
        "Promise for each class by itself", key="set_by_class",
        help="The share of patients whose set holds what happens is then promised among those with "
        "each outcome, not only on average; sets get larger.",
    )  # fmt: skip
    patients = min(known["patients_by_class"]) if apart else known["patients"]
    usual = {*COVERAGES, said["coverage"]}
    offered = sorted(value for value in usual if 1 - value >= 1 / (patients + 1) - 1e-12)
    if not offered:
        st.caption("Too few patients outside the fit to promise anything for a set of answers.")
        return
    with left:
        coverage = st.select_slider(
            "Set of answers that holds what happens for at least", offered,
            min(offered, key=lambda value: abs(value - said["coverage"])), key="set_coverage",
            format_func=lambda value: f"{value:.0%} of patients",
        )  # fmt: skip
    values = known["by_class" if apart else "overall"]
    inside = [
        name for name, value in zip(said["classes"], values, strict=True) if value > 1 - coverage
    ]
    if len(inside) == 1:
        st.markdown(f"**{outcome.name} = {inside[0]}** is the only answer in the set.")
    elif inside:
        st.markdown(
            f"**{' or '.join(inside)}**: at this promise the model cannot tell, and leaves the "
            "answer to you."
        )
    else:
        st.markdown("**None**: this patient resembles nobody the model was tried on.")
    if (best := 1 - 1 / (patients + 1)) < max(usual):
        st.caption(
            f"With {patients:,} patients outside the fit, at most {best:.1%} can be promised."
        )
    st.caption(SHIFT)
