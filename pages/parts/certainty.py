"""How sure the model is of one patient: sets of answers with a promise, and not answering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from medcore.evaluate import write_metric
from medcore.evaluate.multilabel import read_findings
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
# What a set says of a finding, by whether it holds no and yes; what is sure stands first.
FINDING_SETS = {
    (False, True): "yes",
    (True, True): "yes or no: the model cannot tell",
    (False, False): "neither: like nobody the model was tried on",
    (True, False): "no",
}


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


def show_finding_sets(run: Run, evaluation: Evaluation) -> None:  # noqa: ARG001
    """Show what came of the promise for each of several findings, side by side."""
    rows = []
    for name, judged in read_findings(evaluation).items():
        found = judged.curves["uncertainty"]
        if "refused" in found:
            rows.append({"Finding": name, "Kept for": "too few patients outside the fit"})
            continue
        apart, absent = found["sets_by_class"], judged.classes[0]
        rows.append({
            "Finding": name,
            "Kept for": _percent(read_metric(apart["coverage"])),
            "Of those with it": _percent(read_metric(apart[f"coverage_{name}"])),
            "Of those without": _percent(read_metric(apart[f"coverage_{absent}"])),
            "Single answer for": _percent(read_metric(apart["single"])),
        })  # fmt: skip
    if not rows:
        return
    st.subheader("How sure is it of each finding?", anchor=False)
    promised = next(iter(read_findings(evaluation).values())).curves["uncertainty"]["coverage"]
    st.markdown(
        f"For each finding the model can answer yes, no, or that it cannot tell, such that what is "
        f"true is among its answers for at least {promised:.0%} of those with the finding, and of "
        "those without. What came of that promise on test patients:"
    )
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="finding_sets")
    st.caption(
        "Single answer: yes or no alone, not both. The promise is for each finding by itself, not "
        f"for all of a patient's findings at once. {SHIFT}"
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
    """Show the set of answers for one patient at a coverage that the visitor chooses.

    Several findings: a set for each of them.
    """
    known = said["plausible"]
    if known is None:
        return
    several = said["task"] == "multilabel"
    promise = _choose_promise(list(known.values()) if several else [known], said, apart=several)
    if promise is None:
        st.caption("Too few patients outside the fit to promise anything for a set of answers.")
        return
    if several:
        _show_finding_sets(known, *promise)
    else:
        _show_set(outcome, said["classes"], known, *promise)
    st.caption(SHIFT)


def _choose_promise(
    questions: Sequence[Mapping[str, Any]], said: Mapping[str, Any], *, apart: bool
) -> tuple[float, str] | None:
    """Show for whom the promise is made, and how much; None where nothing can be promised.

    Returns the coverage, and "by_class" or "overall". With several questions as much is offered as
    one of them allows: a set of the others then holds every answer.
    """
    left, right = st.columns(2, vertical_alignment="bottom")
    words = "with and without a finding" if apart else "with each outcome"
    apart = right.toggle(
        "Promise for each class by itself", value=apart, key=f"set_by_class_{apart}",
        help="The share of patients whose set holds what happens is then promised among those "
        f"{words}, not only on average; sets get larger.",
    )  # fmt: skip
    patients = max(min(q["patients_by_class"]) if apart else q["patients"] for q in questions)
    usual = {*COVERAGES, said["coverage"]}
    offered = sorted(value for value in usual if 1 - value >= 1 / (patients + 1) - 1e-12)
    if not offered:
        return None
    with left:
        coverage = st.select_slider(
            "Set of answers that holds what happens for at least", offered,
            min(offered, key=lambda value: abs(value - said["coverage"])), key="set_coverage",
            format_func=lambda value: f"{value:.0%} of patients",
        )  # fmt: skip
    if (best := 1 - 1 / (patients + 1)) < max(usual):
        st.caption(
            f"With {patients:,} patients outside the fit, at most {best:.1%} can be promised."
        )
    return coverage, "by_class" if apart else "overall"


def _show_set(
    outcome: Column, classes: Sequence[str], known: Mapping[str, Any], coverage: float, kind: str
) -> None:
    inside = [name for name, p in zip(classes, known[kind], strict=True) if p > 1 - coverage]
    if len(inside) == 1:
        st.markdown(f"**{outcome.name} = {inside[0]}** is the only answer in the set.")
    elif inside:
        st.markdown(
            f"**{' or '.join(inside)}**: at this promise the model cannot tell, and leaves the "
            "answer to you."
        )
    else:
        st.markdown("**None**: this patient resembles nobody the model was tried on.")


def _show_finding_sets(known: Mapping[str, Mapping[str, Any]], coverage: float, kind: str) -> None:
    answers = {
        name: FINDING_SETS[tuple(value > 1 - coverage for value in told[kind])]
        for name, told in known.items()
    }
    listed = list(FINDING_SETS.values())
    answers = dict(sorted(answers.items(), key=lambda item: listed.index(item[1])))
    st.dataframe(
        {"Finding": list(answers), "Does the patient have it?": list(answers.values())},
        hide_index=True, key="finding_sets",
    )  # fmt: skip
    st.caption(
        f"Each set holds what is true for at least {coverage:.0%} of patients, for each finding by "
        "itself: that all sets of a patient are right at once is not promised."
    )
