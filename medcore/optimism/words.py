"""What a look for luck and optimism found, in words that its intervals hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medcore.evaluate import label_metric
from medcore.records import Evaluation

LEADING = {
    "binary": "auroc",
    "multilabel": "auroc",
    "multiclass": "auroc",
    "regression": "mae",
    "survival": "c_index",
}
SMALLER_IS_BETTER = ("mae", "rmse", "brier", "log_loss", "integrated_brier")
# What a change must exceed to be called one.
NOTABLE = 0.01


def leading_figure(task: str) -> str:
    """Return the figure in which luck and optimism are told."""
    return LEADING.get(task, "auroc")


def write_findings(found: Mapping[str, Any], evaluation: Evaluation) -> list[str]:
    """Return sentences on luck, optimism and more patients."""
    name = leading_figure(evaluation.task)
    return [
        sentence
        for sentence in (
            _say_luck(found, evaluation, name),
            _say_optimism(found, name),
            _say_curve(found, name),
        )
        if sentence
    ]


def _say_luck(found: Mapping[str, Any], evaluation: Evaluation, name: str) -> str:
    told = found["cross_validation"]
    values = sorted(value for value in told["spread"].get(name, []) if value is not None)
    metric = told["metrics"].get(name)
    if not values or metric is None or metric["value"] is None:
        return ""
    held = evaluation.parts["test"].metrics[name].value
    words = (
        f"Luck: divided into {len(values)} other test groups, development patients gave "
        f"{label_metric(name)} from {values[0]:.2f} to {values[-1]:.2f}, on average "
        f"{metric['value']:.2f} ({metric['low']:.2f}–{metric['high']:.2f})"
    )
    if held != held:
        return words + "."
    side = "among these"
    if not values[0] <= held <= values[-1]:
        better = (held > values[-1]) != (name in SMALLER_IS_BETTER)
        words_for = ("better", "good") if better else ("worse", "bad")
        side = f"{words_for[0]} than all of these: probably {words_for[1]} luck"
    return f"{words}; the figure above, {held:.2f}, is {side}."


def _say_optimism(found: Mapping[str, Any], name: str) -> str:
    told = found["bootstrap"]["metrics"].get(name)
    if told is None or told["optimism"] is None:
        return ""
    corrected = told["corrected"]["value"]
    words = (
        f"Optimism: on the very patients it learned from, the model reaches {label_metric(name)} "
        f"{told['apparent']['value']:.2f}; {abs(told['optimism']):.2f} of that is optimism, which "
        f"leaves {corrected:.2f}."
    )
    crossed = found["cross_validation"]["metrics"].get(name)
    if crossed and crossed["low"] is not None:
        too_good = corrected < crossed["low"] if name in SMALLER_IS_BETTER else (
            corrected > crossed["high"]
        )  # fmt: skip
        if too_good:
            words += (
                " That is still better than in cross-validation: this model learns patients by "
                "heart, which a bootstrap, where they come twice, cannot take out wholly. Believe "
                "the cross-validation."
            )
    return words


def _say_curve(found: Mapping[str, Any], name: str) -> str:
    points = [
        (point["patients"], point["metrics"][name]["value"])
        for point in found["learning_curve"]["points"]
        if point["metrics"].get(name, {}).get("value") is not None
    ]
    if len(points) < 3:
        return ""
    half = next((p for p in points if p[0] >= points[-1][0] / 2), points[-2])
    gain = points[-1][1] - half[1]
    gain = -gain if name in SMALLER_IS_BETTER else gain
    scale = abs(half[1]) if name in ("mae", "rmse") else 1.0
    words = (
        f"More patients: from {half[0]:,} to {points[-1][0]:,} patients, {label_metric(name)} on "
        f"the same test patients went from {half[1]:.2f} to {points[-1][1]:.2f}; "
    )
    if gain > NOTABLE * scale:
        return words + "the curve still rises, so that more patients would probably help."
    return words + "the curve has levelled off, so that more of the same would help little."
