"""Shapley values: how a patient's columns lead from the average answer to this patient's.

Starting from a background patient, the patient's own values are put in one after the other, in
random order; a column's share is its mean step (Shapley 1953; Strumbelj and Kononenko 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medcore.explain.mixing import Mixture

NORMAL = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Shares:
    """How one patient's answer comes about; each array ends in an axis of targets.

    `base` is the mean answer of the background patients, `said` the patient's own; `value`
    (columns, targets) sums to their difference, and `low` and `high` are its 95 % interval over the
    walks from different background patients.
    the walks. `gap` is what is missing from that sum: nothing but rounding.
    """

    columns: tuple[str, ...]
    base: np.ndarray
    said: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """What the shares leave of the difference they explain: rounding, nothing else."""
        return self.said - self.base - self.value.sum(axis=0)


def shapley_values(
    mixture: Mixture,
    patient: int,
    background: np.ndarray,
    rng: np.random.Generator,
    *,
    rounds: int = 1,
) -> Shares:
    """Return the shares of a source row's columns, against the source rows in `background`.

    Every background patient starts `rounds` pairs of walks, an order and its reverse (Castro et
    al. 2017's antithetic sampling), so the shares sum to the difference whatever the orders were.
    """
    orders = np.concatenate(
        [_orders(rng, len(mixture.columns), len(background)) for _ in range(rounds)]
    )
    starts = np.tile(np.repeat(background, 2), rounds)
    steps, ends = _walk(mixture, patient, starts, orders)
    # The two walks of a pair belong together, and so do the pairs of one background patient.
    shares = steps.reshape(rounds, len(background), 2, *steps.shape[1:]).mean(axis=(0, 2))
    value = shares.mean(axis=0)
    reach = np.full_like(value, np.nan)
    if len(background) > 1:
        reach = NORMAL * shares.std(axis=0, ddof=1) / np.sqrt(len(background))
    said = mixture.ask(mixture.plain(np.array([patient])))[0]
    base = ends.reshape(rounds, len(background), 2, -1)[0, :, 0].mean(axis=0)
    return Shares(mixture.columns, base, said, value, value - reach, value + reach)


def _orders(rng: np.random.Generator, columns: int, pairs: int) -> np.ndarray:
    """Return random orders, each followed by its reverse, int (2 · pairs, columns)."""
    drawn = rng.permuted(np.tile(np.arange(columns), (pairs, 1)), axis=1)
    return np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(-1, columns)


def _walk(
    mixture: Mixture, patient: int, starts: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return each walk's step by column, (walks, columns, targets), and where it began."""
    walks, columns = orders.shape
    own = np.zeros((walks, columns + 1, columns), dtype=bool)
    for step in range(columns):
        own[:, step + 1] = own[:, step]
        own[np.arange(walks), step + 1, orders[:, step]] = True
    picks = np.where(own, patient, starts[:, None, None])
    # A value that both have changes nothing: such a step needs no answer.
    same = mixture.codes[starts] == mixture.codes[patient]
    moved = ~np.take_along_axis(same, orders, axis=1)
    asked = np.column_stack([np.ones(walks, dtype=bool), moved])
    said = mixture.ask(picks[asked])
    told = np.empty((walks, columns + 1, said.shape[1]))
    told[asked] = said
    last = np.maximum.accumulate(np.where(asked, np.arange(columns + 1), 0), axis=1)
    told = np.take_along_axis(told, last[:, :, None], axis=1)
    steps = np.empty((walks, columns, said.shape[1]))
    np.put_along_axis(steps, orders[:, :, None], np.diff(told, axis=1), axis=1)
    return steps, told[:, 0]
