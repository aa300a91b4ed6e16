"""Sanity checks: does the measure of importance find nothing where there is nothing?

Two small models of the same kind are trained on the spot: one on shuffled outcomes, where no
column can matter, and one on the true outcomes with a column of random numbers beside the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, change_config, generator
from medcore.errors import MedcoreError
from medcore.explain import permutation_importance
from medcore.explanation.answers import mix_model
from medcore.explanation.subject import Subject, input_rows, list_patients, list_truths, sample_rows
from medcore.predict import FittedModel
from medcore.recipes import fit_model
from medcore.records import Column, Dataset, Metric, Parts, Watch

MOST_ROWS, MOST_EPOCHS, MOST_MEMBERS, MOST_REPEATS = 1_000, 15, 4, 3
# Filling gaps by a network takes longer than all the rest, and changes nothing in what is checked.
SLOW_IMPUTERS = ("denoising_autoencoder", "miwae", "iterative_trees", "multiple")
NOISE = "random numbers"


def check_importance(
    subject: Subject,
    groups: list[tuple[str, ...]],
    repeats: int,
    tell: Callable[[str, float], None],
    watch: Watch,
) -> dict[str, Any] | None:
    """Return what both checks found, JSON-ready; None when stopped.

    `shuffled`: the largest importance in a model trained on shuffled outcomes, and whether any is
    larger than chance; `noise`: that of the planted column, its place among all, and the same.
    `reason` stands where no model could be trained.
    """
    if subject.deployed.model.task == "survival":
        return {"reason": "they need a measure of error, which time to event has not here."}
    parts = _small_parts(subject)
    config = small_config(subject.config)
    found: dict[str, Any] = {"model": config.model.name, "measure": None, "reason": None}
    try:
        for name, plant in (("shuffled", _shuffle_outcomes), ("noise", _plant_noise)):
            tell(f"Checking with {'shuffled outcomes' if name == 'shuffled' else NOISE}",
                 0.76 if name == "shuffled" else 0.88)  # fmt: skip
            twin = replace(subject, dataset=plant(subject))
            model = _fit(twin, parts, config, watch)
            if model is None or watch.stopping():
                return None
            grouped = groups if name == "shuffled" else [(NOISE,), *groups]
            measure, metrics = _measure(twin, model, parts["test"], grouped, repeats)
            found["measure"] = measure
            found[name] = _judge(metrics, grouped, NOISE if name == "noise" else None)
    except MedcoreError as error:
        return found | {"reason": str(error)}
    return found


def small_config(config: RunConfig) -> RunConfig:
    """Return the settings of a quick model of the same kind."""
    name = "random_forest" if config.model.name == "recommended" else config.model.name
    changes: dict[str, Any] = {
        "model.name": name,
        "train.epochs": min(config.train.epochs, MOST_EPOCHS),
        "model.ensemble": min(config.model.ensemble, MOST_MEMBERS),
    }
    if config.missing.strategy in SLOW_IMPUTERS:
        changes["missing.strategy"] = "median"
    if name == "random_forest":
        changes |= {"balance.strategy": "none"} | {f"augment.{n}": 0 for n, _ in config.augment}
    return change_config(config, changes)


def _small_parts(subject: Subject) -> Parts:
    """Return parts with test rows: the run's own, or those of its first fold."""
    split = subject.split
    parts = split.parts if split.folds is None else split.folds[0]
    rng = generator(subject.config.seed, "explain", "small")
    small = {name: sample_rows(rows, MOST_ROWS, rng) for name, rows in parts.items()}
    return {name: rows for name, rows in small.items() if name != "calibration"}


def _shuffle_outcomes(subject: Subject) -> Dataset:
    """Return the data set with the outcomes dealt out anew.

    Those of the test rows too: a model that leans on a column by chance would otherwise be right
    by chance where the column does go with the outcome.
    """
    outcome = subject.deployed.model.cohort.outcome
    frame = subject.dataset.frame.copy(deep=False)
    rng = generator(subject.config.seed, "explain", "shuffled")
    frame[outcome] = pd.Series(frame[outcome].array[rng.permutation(len(frame))], frame.index)
    return replace(subject.dataset, frame=frame)


def _plant_noise(subject: Subject) -> Dataset:
    frame = subject.dataset.frame.copy(deep=False)
    rng = generator(subject.config.seed, "explain", "noise")
    frame[NOISE] = rng.normal(size=len(frame))
    columns = (*subject.dataset.columns, Column(NOISE, "number", "input"))
    return replace(subject.dataset, frame=frame, columns=columns)


def _fit(twin: Subject, parts: Parts, config: RunConfig, watch: Watch) -> FittedModel | None:
    quiet, classes = Watch(stopping=watch.stopping), twin.deployed.model.classes
    fitted = fit_model(twin.dataset, parts, config, classes, watch=quiet, baselines=())
    return None if fitted is None else fitted.model


def _measure(
    twin: Subject,
    model: FittedModel,
    row_ids: np.ndarray,
    groups: list[tuple[str, ...]],
    repeats: int,
) -> tuple[str, list[Metric]]:
    """Return the leading measure's name and its figure for each group, on the test rows."""
    frame = input_rows(twin.dataset, row_ids)
    found = permutation_importance(
        mix_model(model, twin.dataset, frame), np.arange(len(frame)), groups,
        list_truths(twin, row_ids)[:1], list_patients(twin, row_ids),
        repeats=min(repeats, MOST_REPEATS), resamples=twin.config.evaluate.resamples,
        rng=generator(twin.config.seed, "explain", "check"),
    )[0]  # fmt: skip
    name = next(iter(found))
    return name, found[name]


def _judge(
    metrics: list[Metric], groups: list[tuple[str, ...]], planted: str | None
) -> dict[str, Any]:
    """Return the largest importance, or the planted column's, and whether chance explains it.

    Chance does where no figure is further from zero than the largest of as many pure chances
    would be in 19 of 20 cases (Bonferroni).
    """
    values = np.array([metric.value for metric in metrics])
    place = int(np.nanargmax(values)) if planted is None else 0
    looked = len(groups) if planted is None else 1
    bound = NormalDist().inv_cdf(1 - 0.05 / looked)
    asked = metrics if planted is None else metrics[:1]
    return {
        "columns": list(groups[place]),
        "value": float(values[place]),
        "low": metrics[place].low,
        "high": metrics[place].high,
        "rank": int((values > values[place]).sum()) + 1,
        "of": len(groups),
        "held": all(_score(metric) <= bound for metric in asked),
    }


def _score(metric: Metric) -> float:
    """Return how many standard errors a figure lies above zero."""
    error = (metric.high - metric.low) / (2 * 1.959963984540054)
    return metric.value / error if error > 0 else 0.0
