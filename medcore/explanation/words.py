"""What an explanation says, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from medcore.data import read_labels
from medcore.evaluate import label_model, write_metric
from medcore.records import Metric

REMARK = (
    "This explains the model, not the disease: a column may matter because it goes with a cause, "
    "and changing it in a patient need not change what happens to them."
)
# Measure → what its loss or rise is called on an axis, and what it means for patients.
MEASURES = {
    "auroc": ("Loss of AUROC", "Of two patients, one with and one without the outcome, how much "
              "less often the former gets the higher risk once the column tells nothing."),
    "brier": ("Rise of the Brier score", "By how much the squared distance of predicted risk and "
              "outcome grows once the column tells nothing."),
    "mae": ("Rise of the mean error", "By how much predictions are further off, in the outcome's "
            "unit, once the column tells nothing."),
    "shift": ("Mean change of predictions", "How far predictions move, up or down, once the column "
              "tells nothing; it asks nothing about whether they were right."),
}  # fmt: skip


FALLS = {
    "auroc": "AUROC falls",
    "brier": "the Brier score grows",
    "mae": "the mean error grows",
    "shift": "predictions move on average",
}


def name_target(task: str, outcome: str, target: str) -> str:
    """Return what a target is, in words.

    >>> name_target("survival", "death", "5y"), name_target("binary", "death", "yes")
    ('Risk of death by 5y', 'Risk of death = yes')
    """
    if task == "regression":
        return f"Predicted {outcome}"
    return f"Risk of {outcome} {'by' if task == 'survival' else '='} {target}"


def leading_measure(result: Mapping[str, Any], target: str) -> str:
    """Return the measure that leads for a target."""
    return next(iter(result["importance"][target]))


def name_group(columns: list[str], most: int = 4) -> str:
    """Return a group of columns as one name.

    >>> name_group(["height", "weight"])
    'height + weight'
    """
    more = f" + {len(columns) - most} more" if len(columns) > most else ""
    return " + ".join(columns[:most]) + more


def read_figure(values: Mapping[str, Any]) -> Metric:
    """Return the record of a figure read from JSON."""
    numbers = {
        side: math.nan if values[side] is None else values[side]
        for side in ("value", "low", "high")
    }
    return Metric(**{**values, **numbers})


def ranked_groups(
    result: Mapping[str, Any], target: str, measure: str
) -> list[tuple[str, Metric, Mapping[str, Any]]]:
    """Return name, figure and description of each group, the most important first."""
    figures = [read_figure(values) for values in result["importance"][target][measure]]
    groups = [
        (name_group(group["columns"]), figure, group)
        for group, figure in zip(result["groups"], figures, strict=True)
    ]

    def order(entry: tuple[str, Metric, Mapping[str, Any]]) -> float:
        return -entry[1].value if math.isfinite(entry[1].value) else math.inf

    return sorted(groups, key=order)


def write_drivers(result: Mapping[str, Any], target: str) -> list[str]:
    """Return what drives the model's answer for a target, in sentences."""
    measure = leading_measure(result, target)
    ranked = ranked_groups(result, target, measure)
    clear = [name for name, figure, _ in ranked if figure.low > 0]
    of = f" for “{target}”" if len(result["targets"]) > 1 else ""
    first, figure, _ = ranked[0]
    sentences = []
    if not math.isfinite(figure.value):
        sentences.append(f"Importance{of} cannot be measured here: it {figure.reason}.")
    elif not clear:
        sentences.append(
            f"No column's importance{of} can be told from zero on these {result['rows']:,} rows: "
            "either none matters by itself, or there are too few patients to see it."
        )
    else:
        word = FALLS[measure]
        sentences.append(
            f"The model leans most on {first}{of}: without it, {word} by {write_metric(figure, 3)}."
        )
        others = f"{len(clear)} of {len(ranked)} can be told from zero"
        sentences.append(
            f"{others}: {', '.join(clear[:8])}{' and others' if len(clear) > 8 else ''}."
        )
    together = [name for name, _, group in ranked if group["association"] is not None]
    if together:
        sentences.append(
            "Shuffled together, because they say much the same: " + "; ".join(together[:5]) + "."
        )
    return sentences + list(result["notes"])


def write_checks(result: Mapping[str, Any]) -> list[str]:
    """Return what the sanity checks found, in sentences; empty where none were made."""
    checks = result["checks"]
    if checks is None:
        return []
    if checks["reason"]:
        return [f"The checks could not be made: {checks['reason']}"]
    model = label_model(checks["model"], result["task"])
    shuffled, noise = checks["shuffled"], checks["noise"]
    names = name_group(shuffled["columns"])
    return [
        f"A small model of the same kind, {model}, was trained on shuffled outcomes, where no "
        f"column can matter. Its largest importance, of {shuffled['of']}, is "
        f"{_write(shuffled)} ({names}): "
        + ("no more than chance gives." if shuffled["held"] else
           "more than chance gives, so the figures here deserve doubt."),
        "The same kind of model was trained with a column of random numbers beside the others. Its "
        f"importance is {_write(noise)}, place {noise['rank']} of {noise['of']}: "
        + ("not distinguishable from zero, as it must be." if noise["held"] else
           "above zero, which chance alone does to 1 column in 20; small figures deserve doubt."),
    ]  # fmt: skip


def _write(values: Mapping[str, Any]) -> str:
    figures = {side: values[side] for side in ("value", "low", "high")}
    return write_metric(Metric(**figures, n=0, method="none"), 3)


def write_nearest(nearest: list[Mapping[str, Any]], outcome: str, target: str, task: str) -> str:
    """Return what happened to the training patients most like one; `target` is a class or event."""
    if not nearest:
        return "Nothing is known of this patient, so nobody is nearest."
    if task == "regression":
        values = sorted(float(row["outcome"]) for row in nearest)
        middle = values[len(values) // 2]
        return (
            f"{outcome} of the {len(nearest)} training patients most like this one ran from "
            f"{values[0]:g} to {values[-1]:g}, around {middle:g}."
        )
    if task == "multilabel":
        return _write_nearest_finding(nearest, target)
    hit = sum(str(row["outcome"]) == target for row in nearest)
    return (
        f"Of the {len(nearest)} training patients most like this one, {hit} had "
        f"{outcome} = {target}" + (" during follow-up." if task == "survival" else ".")
    )


def _write_nearest_finding(nearest: list[Mapping[str, Any]], finding: str) -> str:
    has = read_labels([row["outcome"] for row in nearest], (finding,))[:, 0]
    known, hit = int(np.isfinite(has).sum()), int((has == 1).sum())
    rest = "" if known == len(has) else f"; of the other {len(has) - known} it is not known"
    return f"Of the {len(nearest)} training patients most like this one, {hit} had {finding}{rest}."
