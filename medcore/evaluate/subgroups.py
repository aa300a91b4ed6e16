"""For whom a model is good: the same figures for each group of patients, and against the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.evaluate.bootstrap import Measure, bootstrap_metrics
from medcore.evaluate.judge import judge_rows
from medcore.evaluate.judged import Judged
from medcore.evaluate.probability import score_metrics
from medcore.evaluate.tasks import TASKS
from medcore.records import Metric, Predictions

FEWEST = 10
MOST_GROUPS = 12
UNKNOWN = "unknown"
FIGURES = {task: rules.subgroup for task, rules in TASKS.items()}


@dataclass(frozen=True)
class Subgroup:
    """One group's figures at the frozen threshold, and their difference to everybody else's.

    `few` says that there are too few patients with or without the outcome to tell anything.
    """

    name: str
    n: int
    events: int | None
    few: bool
    metrics: Mapping[str, Metric]
    differences: Mapping[str, Metric]


def judge_subgroups(
    predictions: Predictions, config: RunConfig, groups: pd.Series
) -> tuple[Subgroup, ...]:
    """Judge the model on each group of test rows, the largest first, at most twelve.

    `groups`: a name for each row id (index); rows without one are the group "unknown". Intervals
    are bootstrapped, patients drawn whole; group and rest come from the same draw.
    """
    rows = judge_rows(predictions, "model", config)
    labels = groups.astype("string").reindex(rows.frame["row_id"]).fillna(UNKNOWN).to_numpy(object)
    names = pd.Series(labels).value_counts().index[:MOST_GROUPS]
    return tuple(_judge_group(str(name), labels == name, rows, config) for name in names)


def judge_groupings(
    predictions: Predictions, config: RunConfig, groupings: Mapping[str, pd.Series]
) -> dict[str, list[dict[str, Any]]]:
    """Return the groups of several columns, ready for JSON; empty for tasks without figures."""
    if predictions.task not in FIGURES:
        return {}
    return {
        column: [asdict(group) for group in judge_subgroups(predictions, config, groups)]
        for column, groups in groupings.items()
    }


def _judge_group(name: str, inside: np.ndarray, rows: Judged, config: RunConfig) -> Subgroup:
    own = rows.take(inside)
    binary = rows.predictions.task == "binary"
    events = int(own.event.sum()) if binary else None
    patients = len(np.unique(own.cluster))
    few = min(events, len(own.frame) - events) < FEWEST if binary else patients < FEWEST
    figures = FIGURES[rows.predictions.task]
    rng = generator(config.seed, "subgroup", name)
    measure = _measure_both(rows, inside, figures)
    found = bootstrap_metrics(measure, rows.cluster, config.evaluate.resamples, rng)
    return Subgroup(
        name,
        patients,
        events,
        few,
        {figure: replace(found[figure], n=patients) for figure in figures},
        {figure: found[f"{figure} less rest"] for figure in figures},
    )


def _measure_both(rows: Judged, inside: np.ndarray, figures: tuple[str, ...]) -> Measure:
    """Return the function from weights of all rows to the group's figures and differences."""
    own = _measure_figures(rows.take(inside))
    rest = None if inside.all() else _measure_figures(rows.take(~inside))

    @np.errstate(divide="ignore", invalid="ignore")  # a resample may miss a small group whole
    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        ours = own(weights[:, inside])
        values = {figure: ours[figure] for figure in figures}
        if rest is None:
            return values | {f"{figure} less rest": ours[figure] * np.nan for figure in figures}
        others = rest(weights[:, ~inside])
        return values | {f"{figure} less rest": ours[figure] - others[figure] for figure in figures}

    return measure


def _measure_figures(rows: Judged) -> Measure:
    measure = TASKS[rows.predictions.task].pair(rows)
    if rows.predictions.task != "binary":
        return measure
    event, risk = rows.event.astype(np.float64), rows.risk
    return lambda weights: {
        **measure(weights),
        "o_e": score_metrics(event, risk, weights)["o_e"],
    }


def band_numbers(values: pd.Series, name: str) -> pd.Series:
    """Return number values as words for groups: ages in bands of twenty years, else thirds.

    A column of at most five different values keeps them.

    >>> ages = pd.Series([34.0, 71.0, None, 19, 35, 58, 80])
    >>> band_numbers(ages, "age").tolist()
    ['20–39', '60–79', None, '0–19', '20–39', '40–59', '80–99']
    """
    known = values.dropna()
    if known.nunique() <= 5:
        words = [None if pd.isna(value) else f"{value:g}" for value in values]
        return pd.Series(words, index=values.index, dtype=object)
    if name.strip().lower() in ("age", "age_years", "alter") and known.between(0, 130).all():
        edges = np.arange(0, 141, 20)
        labels = [f"{low}–{low + 19}" for low in edges[:-1]]
    else:
        edges = np.unique(np.quantile(known, [0, 1 / 3, 2 / 3, 1]))
        labels = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
        edges = edges.copy()
        edges[-1] = np.nextafter(edges[-1], np.inf)
    place = np.searchsorted(edges, values.to_numpy(np.float64), side="right") - 1
    return pd.Series(
        [None if pd.isna(v) else labels[p] for v, p in zip(values, place, strict=True)],
        index=values.index,
        dtype=object,
    )
