"""An effect of treatment in a clinician's words: figures, verdicts, and what can be claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from medcore.evaluate.overlap import BALANCED

Effect = Mapping[str, Any]
FIGURES = {
    "ate": ("Average effect", "By how much the outcome would differ, on average, if everybody were "
            "treated instead of nobody; adjusted by models of both treatment and outcome, one of "
            "which may be wrong (doubly robust, AIPW)."),
    "ate_crude": ("Crude difference", "The mean outcome of the treated less that of the others, as "
                  "it is; it also holds whatever else sets the two groups apart."),
    "ate_ipw": ("By weighting", "As the average effect, but each patient only weighted by the "
                "inverse chance of the own arm (IPW)."),
    "ate_g_formula": ("By outcome models", "As the average effect, but from the expected outcomes "
                      "alone (g-formula)."),
    "att": ("Effect in the treated", "By how much the outcome of those who were treated differs "
            "from what it would have been without."),
    "mean_treated": ("Mean if everybody is treated", "The outcome to be expected on average if "
                     "everybody were treated."),
    "mean_control": ("Mean if nobody is treated", "The outcome to be expected on average if nobody "
                     "were treated."),
    "risk_ratio": ("Risk ratio", "How many times as many patients would have the outcome if "
                   "everybody were treated instead of nobody; 1 is no effect."),
    "risk_ratio_crude": ("Crude risk ratio", "The risk of the treated over that of the others, as "
                         "it is."),
    "ate_placebo": ("Placebo test", "The average effect found when treatment is dealt to patients "
                    "at random: it should not be distinguishable from none."),
    "ate_random_confounder": ("Random confounder", "The average effect when a column of random "
                              "numbers is adjusted for too: it should hardly change."),
    "qini": ("Qini", "What treating those first who are predicted to benefit most gains over "
             "treating as many at random, per patient; 0 is no better than random."),
    "auuc": ("Area under the uplift curve", "What treating patients in the order of predicted "
             "benefit gains, averaged over how many are treated."),
    "effect_slope": ("Calibration slope of effects", "1: predicted effects differ as much as they "
                     "should; 0: who is predicted to benefit more does not; below 0 the reverse."),
    "policy_value": ("Outcome if treated by the model", "The mean outcome if exactly those were "
                     "treated who are predicted to benefit."),
    "policy_all": ("Outcome if all are treated", "The mean outcome if everybody were treated."),
    "policy_none": ("Outcome if none is treated", "The mean outcome if nobody were treated."),
    "policy_over_all": ("Gain over treating all", "How much better the mean outcome is if treated "
                        "by the model than if everybody were; above 0 is better for patients."),
    "policy_over_none": ("Gain over treating none", "How much better the mean outcome is if "
                         "treated by the model than if nobody were; above 0 is better."),
    "ate_causal_forest": ("Average effect, causal forest", "As the average effect, but with the "
                          "effects in single patients taken from econml's causal forest."),
    "qini_causal_forest": ("Qini, causal forest", "What treating those first in whom the causal "
                           "forest expects most benefit gains over treating as many at random."),
    "effect_slope_causal_forest": ("Calibration slope, causal forest", "1: the effects that the "
                                   "causal forest predicts differ as much as they should."),
    "qini_over_causal_forest": ("Qini over the causal forest", "How much more is gained by the "
                                "model's order of patients than by the causal forest's, on the "
                                "same patients; above 0 the model is better."),
}  # fmt: skip
# Differences of the outcome, which for yes/no are told per 100 patients.
RATIOS = ("risk_ratio", "risk_ratio_crude", "effect_slope", "effect_slope_causal_forest")
OBSERVATIONAL, RANDOMISED = "observational", "randomised"


def label_effect(name: str) -> str | None:
    """Return a figure's name for people, or None for one of another task."""
    return FIGURES[name][0] if name in FIGURES else None


def explain_effect(name: str) -> str | None:
    """Return what a figure means for patients, or None for one of another task."""
    return FIGURES[name][1] if name in FIGURES else None


def write_amount(value: float | None, binary: bool, signed: bool = False) -> str:
    """Return a difference in the outcome; per 100 patients where it is yes or no.

    >>> write_amount(-0.123, True), write_amount(3.325, False, signed=True)
    ('−12.3', '+3.33')
    """
    if value is None or not math.isfinite(value):
        return "–"
    amount = 100 * value if binary else value
    digits = 1 if binary else 2 if abs(amount) < 100 else 0
    return f"{amount:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def write_interval(metric: Mapping[str, Any], binary: bool) -> str:
    """Return "3.33 (2.32 to 4.33)", per 100 patients where the outcome is yes or no."""
    value = write_amount(metric["value"], binary)
    if metric["low"] is None or not math.isfinite(metric["low"]):
        return value
    low, high = (write_amount(metric[side], binary) for side in ("low", "high"))
    return f"{value} ({low} to {high})"


def is_binary(effect: Effect) -> bool:
    """Tell whether the outcome is yes or no, so that it has a ratio."""
    return "risk_ratio" in effect


def name_outcome(effect: Effect, positive: str | None) -> str:
    """Return what is counted or measured: "death = yes", or "weight (kg)"."""
    if positive is not None:
        return f"{effect['outcome']} = {positive}"
    return effect["outcome"] + (f" ({effect['unit']})" if effect["unit"] else "")


def write_question(effect: Effect, positive: str | None) -> str:
    """Return who is asked about, what is compared with what, for which outcome, and from when."""
    start = f"from {effect['index']} on" if effect["index"] else "from the start of treatment on"
    origin = (
        "Chance decided who was treated (randomised)"
        if effect["design"] == RANDOMISED
        else "Doctors and patients decided who was treated (observational)"
    )
    return (
        f"In **{effect['patients']:,} patients** like these: what does "
        f"**{effect['treatment']} = {effect['treated']}** ({effect['n_treated']:,}) do to "
        f"**{name_outcome(effect, positive)}**, against {effect['treatment']} = "
        f"{effect['control']} ({effect['n_control']:,}), {start}? {origin}. Adjusted for "
        f"{len(effect['inputs'])} inputs, which must all be known before treatment: "
        f"{_listed(effect['inputs'])}."
    )


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def write_overlap(effect: Effect) -> str:
    """Return whether patients of either arm have others like them in the other arm."""
    low, high = effect["least_chance"], effect["most_chance"]
    size = f"{effect['ess_treated']:,.0f} of {effect['n_treated']:,} treated and " \
           f"{effect['ess_control']:,.0f} of {effect['n_control']:,} others"  # fmt: skip
    if effect["design"] == RANDOMISED:
        return f"Chance decided, so that everybody could have had either arm ({low:.0%} treated)."
    bounded = (
        f"; for {effect['bounded']:,} patients it is too small to compare them well"
        if effect["bounded"]
        else ", so that everybody has patients to be compared with"
    )
    return (
        f"Given their inputs, patients had a chance of treatment between {low:.0%} and "
        f"{high:.0%}{bounded}. Weighted so that the arms are alike, they tell as much as {size} "
        "would unweighted (effective sample size)."
    )


def write_balance(balance: Sequence[Mapping[str, Any]]) -> str:
    """Return how unlike the arms were before weighting, and after."""
    if not balance:
        return "No input can be compared between the arms."
    before, after = (
        [row for row in balance if abs(row[side]) > BALANCED] for side in ("before", "after")
    )
    worst = max(balance, key=lambda row: abs(row["before"]))
    rest = max(abs(row["after"]) for row in balance)
    left = "none does" if not after else f"{len(after)} still do"
    return (
        f"Before weighting, {len(before)} of {len(balance)} inputs and their levels differ between "
        f"the arms by more than {BALANCED} standard deviations (most of all {name_row(worst)}, "
        f"{abs(worst['before']):.2f}); after it, {left} (at most {rest:.2f})."
    )


def name_row(row: Mapping[str, Any]) -> str:
    """Return "age" or "sex = female"."""
    return f"{row['column']} = {row['level']}" if row["level"] else str(row["column"])


def write_effect(effect: Effect, positive: str | None) -> str:
    """Return the sentence that tells the effect."""
    binary, ate = is_binary(effect), effect["ate"]
    crude = write_interval(effect["ate_crude"], binary)
    what = name_outcome(effect, positive)
    arms = f"{effect['treatment']} = {effect['treated']} instead of {effect['control']}"
    if ate["low"] <= 0 <= ate["high"]:
        unit = " per 100 patients" if binary else ""
        return (
            f"With {arms}, no effect on {what} can be told from chance: "
            f"{write_interval(ate, binary)}{unit} on average; unadjusted {crude}."
        )
    way = "more" if ate["value"] > 0 else "fewer"
    if not binary:
        way = "higher" if ate["value"] > 0 else "lower"
        return (
            f"With {arms}, {what} is {_absolute(ate, binary)} {way} on average; unadjusted, the "
            f"arms differ by {crude}."
        )
    given, without = (100 * effect[name]["value"] for name in ("mean_treated", "mean_control"))
    return (
        f"Of 100 patients, {_absolute(ate, binary)} {way} have {what} with {arms}: {given:.0f} "
        f"instead of {without:.0f}. Unadjusted, the arms differ by {crude}."
    )


def _absolute(metric: Mapping[str, Any], binary: bool) -> str:
    ends = sorted(abs(metric[side]) for side in ("low", "high"))
    value, low, high = (write_amount(end, binary) for end in (abs(metric["value"]), *ends))
    return f"{value} ({low}–{high})"


def write_benefit(effect: Effect) -> str:
    """Return whether the model can tell who benefits more."""
    qini, slope = effect["qini"], effect["effect_slope"]
    if slope["value"] is None or not math.isfinite(slope["value"]):
        return (
            "The model expects the same effect in everybody: these data show no difference between "
            "patients that it could learn."
        )
    if qini["low"] > 0:
        told = (
            "Patients who are predicted to benefit more do benefit more, by more than chance "
            "would explain."
        )
        if slope["low"] > 1 or slope["high"] < 1:
            told += f" Predicted differences should be read times {slope['value']:.1f}."
        return told
    if qini["high"] < 0:
        return "The predictions point the wrong way: do not choose patients by them."
    return (
        "Whether some patients benefit more than others cannot be told: choosing patients by the "
        "predicted effect is not distinguishable from choosing them at random."
    )


def write_better(effect: Effect, positive: str | None) -> str:
    """Return what counts as a benefit."""
    lower = effect["better"] == "lower"
    if positive is None:
        return f"A {effect['better']} {effect['outcome']} counts as a benefit."
    return f"{'Less' if lower else 'More'} often {name_outcome(effect, positive)} is a benefit."


def write_policy(effect: Effect) -> str:
    """Return what treating only those with a predicted benefit would gain."""
    binary = is_binary(effect)
    unit = " per 100 patients" if binary else f" {effect['unit']}" if effect["unit"] else ""
    parts = []
    for name, other in (("policy_over_all", "everybody"), ("policy_over_none", "nobody")):
        metric = effect[name]
        if metric["value"] == 0 and metric["low"] == metric["high"]:
            parts.append(f"is the same as treating {other}")
        elif metric["low"] <= 0 <= metric["high"]:
            parts.append(f"is not distinguishable from treating {other}")
        else:
            way = "gains" if metric["value"] > 0 else "loses"
            parts.append(f"{way} {_absolute(metric, binary)}{unit} over treating {other}")
    return f"Treating those, and only those, with a predicted benefit {parts[0]}, and {parts[1]}."


def write_forest(effect: Effect) -> list[str]:
    """Return how the model does beside a causal forest, a sentence, or none without one."""
    apart = effect.get("qini_over_causal_forest")
    if apart is None:
        return []
    told = "is neither better nor worse, beyond chance, than that of"
    if apart["low"] > 0:
        told = "is better than that of"
    if apart["high"] < 0:
        told = "is worse than that of"
    unit = " per 100 patients" if is_binary(effect) else ""
    return [
        f"The model's order of patients by benefit {told} econml's causal forest, cross-fitted on "
        f"the same folds; the difference in Qini is {write_interval(apart, is_binary(effect))}"
        f"{unit}. That forest stands here for comparison only and is not applied to new patients."
    ]


def write_robustness(effect: Effect, positive: str | None) -> list[str]:
    """Return what the tests of robustness found, a sentence each."""
    binary, told = is_binary(effect), []
    placebo, noise = effect.get("ate_placebo"), effect.get("ate_random_confounder")
    if placebo:
        inside = placebo["low"] <= 0 <= placebo["high"]
        verdict = "as it should be, none is found" if inside else "an effect is found all the same"
        told.append(
            f"Placebo test: with treatment dealt at random, {verdict} "
            f"({write_interval(placebo, binary)})."
        )
    if noise:
        told.append(
            f"A random confounder beside the inputs leaves the effect at "
            f"{write_interval(noise, binary)}, from {write_interval(effect['ate'], binary)}."
        )
    value, limit = effect["e_value"]["value"], effect["e_value"]["limit"]
    if value is not None and math.isfinite(value) and effect["design"] == OBSERVATIONAL:
        told.append(
            f"E-value: something unmeasured would have to go with both treatment and "
            f"{name_outcome(effect, positive)} by a risk ratio of {value:.1f} each, beyond all "
            f"inputs, to explain the effect away; {limit:.1f} would make it indistinguishable from "
            "none." + ("" if binary else " (Approximate, as the outcome is a number.)")
        )
    return told


def write_claims(effect: Effect) -> list[str]:
    """Return what can be claimed of such data and what cannot, a sentence each."""
    told = (
        [
            "Chance decided who was treated, so the average effect is that of having been assigned "
            "to the treatment in patients like these.",
            "It says nothing of patients who would not have been taken into the study, nor of what "
            "happens when treatment is not taken as assigned.",
        ]
        if effect["design"] == RANDOMISED
        else [
            "What is told is an association, and the effect of treatment only if nothing "
            "unmeasured decided on treatment and matters for the outcome too. No figure here can "
            "show that; it must be argued from how patients came to be treated.",
            "Every input must have been known before treatment. One that treatment changed takes "
            "part of the effect away, or invents one.",
        ]
    )
    return [
        *told,
        "The effect in one patient can never be seen. What is told of a patient is the average in "
        "patients like them, and a wrong model of differences goes unnoticed more easily than a "
        "wrong average.",
        "Before patients are chosen by such a model, a trial should show that this helps.",
    ]
