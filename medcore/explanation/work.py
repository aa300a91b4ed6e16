"""What drives a run's model, from its folder and its table to `explanation.json`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import generator
from medcore.explain import (
    Effect,
    Mixture,
    Truth,
    accumulate_effects,
    associate_columns,
    group_columns,
    make_grid,
    permutation_importance,
)
from medcore.explanation.answers import mix_model
from medcore.explanation.checks import check_importance
from medcore.explanation.plan import MOST_EFFECTS, VERSION, ExplainChoice
from medcore.explanation.subject import (
    Subject,
    input_rows,
    list_patients,
    list_truths,
    open_subject,
)
from medcore.records import Column, Dataset, Event, Watch
from medcore.store.folder import EXPLANATION, read_json, write_json

Tell = Callable[[str, float], None]
Measures = list[dict[str, list]]
HELD = {
    "calibration": "on the calibration patients",
    "validation": "on the validation patients, which decided when learning stopped",
    "train": "on patients it learned from, so it may look larger than it is",
}


def explain_run(
    folder: Path, dataset: Dataset, choice: ExplainChoice, watch: Watch
) -> dict[str, Any] | None:
    """Write `explanation.json` into a run's folder and return it; None when stopped.

    For errors see `open_subject`.
    """

    def tell(message: str, share: float) -> None:
        watch.emit(Event(time.time(), "explain", message, share))

    tell("Opening the model", 0.0)
    subject = open_subject(folder, dataset)
    inputs = subject.inputs
    frame = input_rows(subject.dataset, np.r_[subject.judged, subject.background])
    behind = frame.iloc[len(subject.judged) :]
    grid, steps = make_grid(behind, inputs)
    mixture = mix_model(
        subject.deployed.model, subject.dataset, pd.concat([frame, grid], ignore_index=True)
    )
    strength = associate_columns(behind, inputs)
    groups = group_columns(mixture.columns, strength, choice.together)
    truths = list_truths(subject, subject.judged)
    measures = _measure(subject, mixture, groups, truths, choice, tell, watch)
    if measures is None:
        return None
    leading = _leading_columns(inputs, groups, measures)
    lines = {name: len(frame) + np.r_[np.arange(n), len(grid) - 1] for name, n in steps.items()}
    own = mixture.ask(mixture.plain(len(subject.judged) + np.arange(len(behind))))
    effects = _follow(subject, mixture, leading, lines, own, tell, watch)
    checks = None
    if choice.checks and not watch.stopping():
        checks = check_importance(subject, groups, choice.repeats, tell, watch)
    if watch.stopping():
        return None
    result = {
        **_describe(subject, choice, truths),
        "average": {truth.name: own[:, truth.place].mean() for truth in truths},
        "groups": [_describe_group(group, inputs, strength) for group in groups],
        "importance": {
            truth.name: {name: [asdict(m) for m in metrics] for name, metrics in found.items()}
            for truth, found in zip(truths, measures, strict=True)
        },
        "effects": [_describe_effect(effect, truths) for effect in effects],
        "checks": checks,
    }
    write_json(folder, EXPLANATION, result)
    return read_json(folder, EXPLANATION)


def _measure(
    subject: Subject,
    mixture: Mixture,
    groups: list[tuple[str, ...]],
    truths: list[Truth],
    choice: ExplainChoice,
    tell: Tell,
    watch: Watch,
) -> Measures | None:
    def go_on(done: int) -> bool:
        tell(f"Shuffling {' and '.join(groups[done][:3])}", 0.05 + 0.5 * done / len(groups))
        return not watch.stopping()

    return permutation_importance(
        mixture, np.arange(len(subject.judged)), groups, truths,
        list_patients(subject, subject.judged), repeats=choice.repeats,
        resamples=subject.config.evaluate.resamples,
        rng=generator(subject.config.seed, "explain", "shuffles"), tell=go_on,
    )  # fmt: skip


def _leading_columns(
    inputs: tuple[Column, ...], groups: list[tuple[str, ...]], measures: Measures
) -> list[Column]:
    """Return the columns of the groups that move predictions most, for any target."""
    shifts = np.max([[m.value for m in found["shift"]] for found in measures], axis=0)
    worth = {name: shifts[place] for place, group in enumerate(groups) for name in group}
    ordered = sorted(inputs, key=lambda column: -worth[column.name])
    return [column for column in ordered if worth[column.name] > 0][:MOST_EFFECTS]


def _follow(
    subject: Subject,
    mixture: Mixture,
    columns: list[Column],
    lines: dict[str, np.ndarray],
    own: np.ndarray,
    tell: Tell,
    watch: Watch,
) -> list[Effect]:
    effects = []
    rows = len(subject.judged) + np.arange(len(subject.background))
    cluster = list_patients(subject, subject.background)
    for place, column in enumerate(columns):
        if watch.stopping():
            return []
        tell(f"Moving along {column.name}", 0.55 + 0.2 * place / len(columns))
        rng = generator(subject.config.seed, "explain", "effect", column.name)
        resamples = subject.config.evaluate.resamples
        effect = accumulate_effects(
            mixture, column, rows, lines[column.name], own, cluster, resamples, rng
        )
        if effect is not None:
            effects.append(effect)
    return effects


def _describe(subject: Subject, choice: ExplainChoice, truths: list[Truth]) -> dict[str, Any]:
    notes = []
    if subject.part != "test":
        notes.append(
            "This model has no test patients of its own, since everyone was tested once in folds; "
            f"importance is measured {HELD[subject.part]}."
        )
    whole = len(subject.split.parts[subject.part])
    if whole > len(subject.judged):
        notes.append(f"Measured on {len(subject.judged):,} of {whole:,} rows, drawn at random.")
    return {
        "version": VERSION,
        "choice": choice.values(),
        "task": subject.deployed.model.task,
        "targets": [truth.name for truth in truths],
        "part": subject.part,
        "rows": len(subject.judged),
        "background": len(subject.background),
        "notes": notes,
    }


def _describe_group(
    group: tuple[str, ...], inputs: tuple[Column, ...], strength: np.ndarray
) -> dict[str, Any]:
    """Return a group's columns, and the weakest association within it."""
    names = [column.name for column in inputs]
    places = [names.index(name) for name in group]
    weakest = float(strength[np.ix_(places, places)].min()) if len(places) > 1 else None
    return {"columns": list(group), "association": weakest}


def _describe_effect(effect: Effect, truths: list[Truth]) -> dict[str, Any]:
    sides = {"value": effect.value, "low": effect.low, "high": effect.high}
    unknown = dict(zip(sides, effect.unknown, strict=True))
    return {
        "column": effect.column,
        "kind": effect.kind,
        "at": [_write_step(step) for step in effect.at],
        "counts": effect.counts,
        "missing": effect.missing,
        "others": effect.others,
        "curves": {
            truth.name: {side: values[:, truth.place] for side, values in sides.items()}
            for truth in truths
        },
        "unknown": {
            truth.name: {side: values[truth.place] for side, values in unknown.items()}
            for truth in truths
        },
    }


def _write_step(step: Any) -> Any:
    """Return a step's value as JSON has it; dates as YYYY-MM-DD."""
    if isinstance(step, pd.Timestamp):
        return str(step.date())
    return step.item() if hasattr(step, "item") else step
