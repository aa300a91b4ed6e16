"""The charts of a judged run, by task; the most telling come first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from medcore.config import Task
from medcore.figures import calibration, decision, effect, judgement, prognosis
from medcore.figures.judgement import Drawn
from medcore.records import Evaluation

Charts = dict[str, Drawn]


def draw_judgement(evaluation: Evaluation, outcome: str, unit: str = "") -> Charts:
    """Return a judged run's charts by name; `outcome` is the predicted column."""
    return DRAW[evaluation.task](evaluation, outcome, unit)


def _draw_regression(evaluation: Evaluation, outcome: str, unit: str) -> Charts:
    model = evaluation.curves["model"]
    return {
        "observed": judgement.draw_scatter(model["scatter"], outcome, unit),
        "residuals": judgement.draw_residuals(model["residuals"], unit),
        "agreement": calibration.draw_agreement(model["agreement"], unit),
    }


def _draw_multiclass(evaluation: Evaluation, _: str, __: str) -> Charts:
    model = evaluation.curves["model"]
    roc, curve = judgement.draw_by_class(model["roc_by_class"], model["precision_recall_by_class"])
    return {
        "confusion": judgement.draw_confusion(**model["confusion"]),
        "roc": roc,
        "precision_recall": curve,
        "calibration": calibration.draw_calibration(model["calibration"], top=True),
        "calibration_by_class": calibration.draw_class_calibration(model["calibration_by_class"]),
    }


def _draw_multilabel(evaluation: Evaluation, _: str, __: str) -> Charts:
    model = evaluation.curves["model"]
    if not model["roc_by_class"]:
        return {}
    roc, curve = judgement.draw_by_class(
        model["roc_by_class"], model["precision_recall_by_class"], each="finding"
    )
    calibrated = calibration.draw_class_calibration(model["calibration_by_class"], each="finding")
    return {
        "roc_by_class": roc, "precision_recall_by_class": curve, "calibration_by_class": calibrated,
    }  # fmt: skip


def _draw_binary(evaluation: Evaluation, _: str, __: str) -> Charts:
    model, threshold = evaluation.curves["model"], evaluation.parts["test"].threshold
    drawn = {
        "roc": judgement.draw_roc(evaluation.curves),
        "calibration": calibration.draw_calibration(
            model["calibration"], model.get("calibration_smooth"), model["histogram"]
        ),
        "precision_recall": judgement.draw_precision_recall(evaluation.curves),
    }
    # Risks that were left distorted have none.
    if "decision" in model:
        drawn["decision"] = decision.draw_decision(evaluation.curves)
    return drawn | {
        "risks": judgement.draw_histogram(model["histogram"], evaluation.positive, threshold),
        "confusion": judgement.draw_confusion(**model["confusion"]),
    }


def _draw_survival(evaluation: Evaluation, _: str, unit: str) -> Charts:
    drawn = {"groups": prognosis.draw_groups(evaluation, unit)}
    if evaluation.curves["model"]["calibration"]:
        drawn["calibration"] = prognosis.draw_horizon_calibration(evaluation)
        drawn["net_benefit"] = prognosis.draw_horizon_decision(evaluation)
    return drawn


def _draw_effect(evaluation: Evaluation, _: str, __: str) -> Charts:
    curves, told = evaluation.curves["model"], evaluation.effect
    return {
        "averages": effect.draw_averages(told),
        "balance": effect.draw_balance(curves["balance"]),
        "overlap": effect.draw_overlap(curves["propensity"], told),
        "effect_calibration": effect.draw_effect_calibration(curves["calibration"], told),
        "qini": effect.draw_qini(curves["uplift"], told),
        "uplift": effect.draw_uplift(curves["uplift"], told),
        "effects": effect.draw_effects(curves["effects"], told),
    }


DRAW: Mapping[Task, Callable[[Evaluation, str, str], Charts]] = {
    "binary": _draw_binary,
    "multiclass": _draw_multiclass,
    "multilabel": _draw_multilabel,
    "regression": _draw_regression,
    "survival": _draw_survival,
    "effect": _draw_effect,
}
