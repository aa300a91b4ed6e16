"""Time to event in a clinician's words: figures, horizons, and the sentence that opens results."""

from __future__ import annotations

import math
import re

from medcore.data import write_horizon
from medcore.records import Evaluation, PartEvaluation

FIGURES = {
    "c_index": ("C-index (Harrell)", "Of two patients, one of whom had the event while the other "
                "was still without it, how often the former was given the higher risk. 0.5 is "
                "chance."),
    "uno_c": ("C-index (Uno)", "Like Harrell's C-index, but it does not depend on when patients "
              "were lost to follow-up; events up to the last horizon count. 0.5 is chance."),
    "integrated_brier": ("Integrated Brier score", "Mean squared distance of predicted risk and "
                         "what happened, averaged over the time of follow-up; smaller is better. "
                         "Compare it with Kaplan–Meier's, which gives everybody the same risk."),
    "auroc": ("AUROC", "Of two patients, one with the event by then and one without, how often "
              "the former gets the higher risk. 0.5 is chance."),
    "brier": ("Brier score", "Mean squared distance of the risk by then and what happened by "
              "then; smaller is better."),
    "o_e": ("Observed / expected", "Patients with the event by then per predicted one; 1 is "
            "right, above 1 the risks are too low."),
    "calibration_slope": ("Calibration slope", "1 is right; below 1 the risks by then are too "
                          "extreme, above 1 too timid."),
    "ici": ("ICI", "How far a patient's predicted risk by then is, on average, from what was "
            "observed among patients of such a risk."),
}  # fmt: skip
AT_HORIZON = re.compile(r"(auroc|brier|o_e|calibration_slope|ici)_(\d.*)")
MODELS = {"prevalence": "Kaplan–Meier only"}


def label_figure(name: str) -> str | None:
    """Return a figure's name for people, or None for one of another task.

    >>> label_figure("auroc_5y"), label_figure("uno_c"), label_figure("recall")
    ('AUROC by 5 years', 'C-index (Uno)', None)
    """
    if name in FIGURES:
        return FIGURES[name][0]
    match = AT_HORIZON.fullmatch(name)
    return f"{FIGURES[match[1]][0]} by {write_horizon(match[2])}" if match else None


def explain_figure(name: str) -> str | None:
    """Return what a figure means for patients, or None for one of another task."""
    match = AT_HORIZON.fullmatch(name)
    found = FIGURES.get(match[1] if match else name)
    return None if found is None else found[1]


def leading_figures(part: PartEvaluation) -> tuple[str, str, str]:
    """Return the figures that lead: C-index, and at the last horizon with figures AUROC and O/E."""
    known = [
        name.removeprefix("o_e_")
        for name, metric in part.metrics.items()
        if name.startswith("o_e_") and math.isfinite(metric.value)
    ]
    if not known:
        return ("c_index", "uno_c", "integrated_brier")
    return ("c_index", f"auroc_{known[-1]}", f"o_e_{known[-1]}")


def write_prognosis(evaluation: Evaluation, outcome: str) -> str:
    """Return the sentence that opens the results of a model of time to event."""
    part = evaluation.parts["test"]
    ranked = part.metrics["c_index"]
    if not math.isfinite(ranked.value):
        return "No test patient had the event while others were followed; this cannot be judged."
    reach = ""
    if math.isfinite(ranked.low):
        reach = f" ({round(100 * ranked.low)}–{round(100 * ranked.high)})"
    sentence = (
        f"Of 100 pairs of patients, one of whom had “{outcome} = {evaluation.positive}” sooner, "
        f"this model gives that one the higher risk in {round(100 * ranked.value)}{reach}."
    )
    horizons = [h for h in evaluation.curves["model"]["horizons"] if h["observed"] is not None]
    if not horizons:
        return sentence
    last = horizons[-1]
    observed, low, high = (round(100 * last[key]) for key in ("observed", "low", "high"))
    return (
        f"{sentence} By {write_horizon(last['label'])} it expects the event in "
        f"{round(100 * last['predicted'])} of 100; it happened in {observed} ({low}–{high})."
    )
