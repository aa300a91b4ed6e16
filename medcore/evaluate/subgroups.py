"""For whom a model is good: the same figures for each group of patients, and against the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.evaluate.bootstrap import Measure, bootstrap_metrics
from medcore.evaluate.judge import judge_rows
from medcore.evaluate.judged import Judged
from medcore.evaluate.tasks import TASKS
from medcore.records import Metric, Predictions

FEWEST = 10
MOST_GROUPS = 12
MOST_VALUES = 50
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
    """Judge the model on each group of test rows, the largest first.

    `groups`: a name for each row id (index); rows without one are the group "unknown". Of more
    than twelve groups the smallest are joined. Intervals are bootstrapped, patients drawn whole;
    group and rest come from the same draw. Raises `DataError` for more than fifty groups.
    """
    rows = judge_rows(predictions, "model", config)
    labels = groups.astype("string").reindex(rows.frame["row_id"]).fillna(UNKNOWN).to_numpy(object)
    counts = pd.Series(labels).value_counts()
    if len(counts) > MOST_VALUES:
        raise DataError(
            f"These test patients have {len(counts):,} different values here, too few patients "
            "each to be judged; join them to larger groups, or choose another column."
        )
    names = list(counts.index)
    if len(names) > MOST_GROUPS:
        joined = f"{len(names) - MOST_GROUPS + 1} smaller groups"
        labels = np.where(np.isin(labels, names[: MOST_GROUPS - 1]), labels, joined)
        names = [*names[: MOST_GROUPS - 1], joined]
    return tuple(_judge_group(str(name), labels == name, rows, config) for name in names)


def judge_groupings(
    predictions: Predictions, config: RunConfig, groupings: Mapping[str, pd.Series]
) -> dict[str, list[dict[str, Any]]]:
    """Return the groups of several columns, ready for JSON; empty for tasks without figures.

    Columns with too many groups are left out.
    """
    if predictions.task not in FIGURES:
        return {}
    found = {}
    for column, groups in groupings.items():
        with contextlib.suppress(DataError):
            judged = judge_subgroups(predictions, config, groups)
            found[column] = [asdict(group) for group in judged]
    return found


def _judge_group(name: str, inside: np.ndarray, rows: Judged, config: RunConfig) -> Subgroup:
    own = rows.take(inside)
    events, patients = TASKS[rows.predictions.task].events(own), len(np.unique(own.cluster))
    few = (patients if events is None else min(events, len(own.frame) - events)) < FEWEST
    figures = FIGURES[rows.predictions.task]
    rng = generator(config.seed, "subgroup", name)
    measure = _measure_both(rows, inside, figures)
    resamples = TASKS[rows.predictions.task].resamples(rows, config)
    found = bootstrap_metrics(measure, rows.cluster, resamples, rng)
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
    group = TASKS[rows.predictions.task].group
    own = group(rows.take(inside))
    rest = None if inside.all() else group(rows.take(~inside))

    @np.errstate(divide="ignore", invalid="ignore")  # a resample may miss a small group whole
    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        ours = own(weights[:, inside])
        values = {figure: ours[figure] for figure in figures}
        if rest is None:
            return values | {f"{figure} less rest": ours[figure] * np.nan for figure in figures}
        others = rest(weights[:, ~inside])
        return values | {f"{figure} less rest": ours[figure] - others[figure] for figure in figures}

    return measure


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


def band_dates(values: pd.Series) -> pd.Series:
    """Return dates as words for groups: years, or quarters or months where they span little.

    >>> days = pd.Series(pd.to_datetime(["2020-01-15", "2021-05-01", None, "2023-12-31"]))
    >>> band_dates(days).tolist()
    ['2020', '2021', None, '2023']
    """
    days = pd.to_datetime(values, errors="coerce")
    known = days.dropna()
    span = (known.max() - known.min()).days if len(known) else 0
    if span > 730:
        words = days.dt.strftime("%Y")
    elif span > 180:
        words = (
            days.dt.year.astype("Int64").astype("string")
            + " Q"
            + (days.dt.quarter.astype("Int64").astype("string"))
        )
    else:
        words = days.dt.strftime("%Y-%m")
    return words.astype(object).where(days.notna(), None)
