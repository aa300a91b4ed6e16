"""Accumulated local effects: how the model's answer changes along one column.

Each patient is moved by one small step along the column, all else kept, so that nobody is asked
about at values that do not go with their others (Apley and Zhu 2020). Effects are relative to the
average patient of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medcore.evaluate.bootstrap import resample_measure
from medcore.explain.mixing import Mixture
from medcore.explain.similarity import order_categories
from medcore.records import Column

BINS = 20
MOST_CATEGORIES = 12


@dataclass(frozen=True, eq=False)
class Effect:
    """The answer along one column, relative to the average, for every target.

    `at`: the steps' values as the table has them, or categories in their order; `value`, `low`
    and `high`: (steps, targets); `counts`: patients between two steps (numbers, one fewer) or in
    each category. `missing` patients lack the value; `unknown` is the mean change when those who
    have it lose it, (3, targets): value, low, high. `others` have a category that is not shown.
    """

    column: str
    kind: str
    at: tuple
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    missing: int
    unknown: np.ndarray
    others: int = 0


def make_grid(
    frame: pd.DataFrame, columns: Sequence[Column], bins: int = BINS
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return rows that hold each column's steps, and how many steps each column has.

    Row g holds the g-th step of every column, and is missing where there are no more; the last
    row is missing in all. Steps of numbers and dates are quantiles that occur in the data; those
    of categories the most frequent ones, neighbours alike in their patients' other columns.
    """
    steps = {column.name: _steps(frame, column, columns, bins) for column in columns}
    height = max(len(values) for values in steps.values()) + 1
    grid = {
        name: pd.Series(values, dtype=frame[name].dtype).reindex(range(height))
        for name, values in steps.items()
    }
    return pd.DataFrame(grid), {name: len(values) for name, values in steps.items()}


def _steps(frame: pd.DataFrame, column: Column, columns: Sequence[Column], bins: int) -> list:
    known = frame[column.name].dropna()
    if column.kind in ("number", "date"):
        places = np.linspace(0, max(len(known) - 1, 0), bins + 1).round().astype(int)
        return list(known.sort_values().iloc[places].unique()) if len(known) else []
    if column.kind != "category":
        return []
    frequent = list(known.value_counts().index[:MOST_CATEGORIES])
    return order_categories(frame, column.name, frequent, columns)


def accumulate_effects(
    mixture: Mixture,
    column: Column,
    rows: np.ndarray,
    grid: np.ndarray,
    own: np.ndarray,
    cluster: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> Effect | None:
    """Return a column's effect from the patients in `rows`; None where it has fewer than 2 steps.

    `grid` are the source rows of `make_grid` that hold this column's steps, and, last, the one
    where it is missing; `own` (rows, targets) is the answer to the patients as they are. The band
    is a 95 % bootstrap over patients (`cluster`, one code a row).
    """
    place, steps = mixture.columns.index(column.name), grid[:-1]
    known = mixture.codes[rows, place] >= 0
    if len(steps) < 2 or not known.any():
        return None
    ranked = column.kind in ("number", "date")
    pairs, counts = (_between if ranked else _within)(mixture, place, rows, steps)
    change, step_of, row_of = _local_changes(mixture, place, rows, steps, pairs)
    shares = counts / max(counts.sum(), 1)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        return _accumulate(weights, change, step_of, row_of, len(steps), shares, ranked)

    shape = (len(steps), change.shape[1])
    point = np.array(list(measure(np.ones((1, len(rows)))).values())).reshape(shape)
    drawn = resample_measure(measure, cluster, resamples, rng)
    low, high = np.quantile(np.stack(list(drawn.values())), (0.025, 0.975), axis=1)
    return Effect(
        column=column.name,
        kind=column.kind,
        at=tuple(mixture.frame[column.name].iloc[steps]),
        value=point,
        low=np.minimum(low.reshape(shape), point),
        high=np.maximum(high.reshape(shape), point),
        counts=counts,
        missing=int((~known).sum()),
        unknown=_unknown(mixture, place, rows[known], grid[-1], own[known]),
        others=int(known.sum() - counts.sum()),
    )


Pairs = tuple[list[np.ndarray], np.ndarray]


def _between(mixture: Mixture, place: int, rows: np.ndarray, steps: np.ndarray) -> Pairs:
    """Return who lies between each two steps of a number or date, and how many those are."""
    values = mixture.frame.iloc[:, place].to_numpy()
    known = mixture.codes[rows, place] >= 0
    interval = np.searchsorted(values[steps], values[rows], side="left") - 1
    # The smallest value belongs to the first interval, and a value beyond to the last.
    interval = np.clip(interval, 0, len(steps) - 2)
    pairs = [np.flatnonzero(known & (interval == k)) for k in range(len(steps) - 1)]
    return pairs, np.array([len(pair) for pair in pairs])


def _within(mixture: Mixture, place: int, rows: np.ndarray, steps: np.ndarray) -> Pairs:
    """Return who has one of each two neighbouring categories, and how many have each category."""
    codes = mixture.codes[:, place]
    member = [codes[rows] == code for code in codes[steps]]
    pairs = [np.flatnonzero(member[k] | member[k + 1]) for k in range(len(steps) - 1)]
    return pairs, np.array([int(mask.sum()) for mask in member])


def _local_changes(
    mixture: Mixture, place: int, rows: np.ndarray, steps: np.ndarray, pairs: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each patient's change over a step, (moves, targets), with its step and position."""
    step_of = np.repeat(np.arange(len(pairs)), [len(pair) for pair in pairs])
    row_of = np.concatenate(pairs)
    picks = mixture.plain(rows[row_of])
    upper, lower = picks.copy(), picks
    upper[:, place], lower[:, place] = steps[step_of + 1], steps[step_of]
    return mixture.ask(upper) - mixture.ask(lower), step_of, row_of


def _accumulate(
    weights: np.ndarray,
    change: np.ndarray,
    step_of: np.ndarray,
    row_of: np.ndarray,
    steps: int,
    shares: np.ndarray,
    ranked: bool,
) -> dict[str, np.ndarray]:
    """Return the centred sums of mean steps, one entry for each step and target."""
    targets = change.shape[1]
    curve = np.zeros((len(weights), steps, targets))
    for step in range(steps - 1):
        mine = step_of == step
        own = weights[:, row_of[mine]]
        total = own.sum(axis=1, keepdims=True)
        # Nobody drawn on a step: it is taken as flat, as where nobody is at all.
        mean = own @ change[mine] / np.maximum(total, 1)
        curve[:, step + 1] = curve[:, step] + mean
    middle = (curve[:, 1:] + curve[:, :-1]) / 2 if ranked else curve
    curve = curve - np.einsum("bkt,k->bt", middle, shares)[:, None]
    flat = curve.reshape(len(weights), -1)
    return {str(cell): flat[:, cell] for cell in range(flat.shape[1])}


def _unknown(
    mixture: Mixture, place: int, rows: np.ndarray, blank: int, own: np.ndarray
) -> np.ndarray:
    """Return the mean change when the column's value is lost, with its normal interval."""
    lost = mixture.plain(rows)
    lost[:, place] = blank
    change = mixture.ask(lost) - own
    mean = change.mean(axis=0)
    reach = 1.96 * change.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.nan
    return np.stack([mean, mean - reach, mean + reach])
