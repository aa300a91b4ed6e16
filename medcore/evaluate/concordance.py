"""Concordance of risks with time to event, in n log n, for many resamples at once.

Two patients can be compared when one had the event while the other was still under observation.
Those with another cause's event can never have it: they stay comparable (Wolbers et al. 2009).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medcore.evaluate.followup import Followup


@dataclass(frozen=True, eq=False)
class Level:
    """One step of a merge: `later` are the rows compared with, `cases` those that had the event.

    `low`, `high` and `first` are places in the running sum over `later`: below a case's risk,
    up to it, and where the case's pair of blocks begins.
    """

    later: np.ndarray
    cases: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray


@dataclass(frozen=True, eq=False)
class Pairs:
    """All comparisons of a cohort: earlier cases with whoever comes later in `rows`.

    `rows` are places in the cohort's order of time, `same` groups of cases that are equal in time
    and risk, `ends` where those of a case's time that cannot be compared with it end.
    """

    rows: np.ndarray
    levels: tuple[Level, ...]
    case: np.ndarray
    same: np.ndarray
    ends: np.ndarray


def plan_pairs(followup: Followup, score: np.ndarray, cause: int = 1) -> Pairs:
    """Return the comparisons of each case with those followed for longer; scores in row order."""
    ordered, case = followup.rows(score), followup.event == cause
    # Cases of the same time rise in risk, so that none is counted as concordant with another.
    rows = np.lexsort((ordered, ~case, followup.place))
    ends = np.searchsorted(
        followup.place[rows] * 2 + ~case[rows], followup.place[rows] * 2, "right"
    )
    return _plan(rows, ordered[rows], case[rows], followup.place[rows], ends)


def plan_never(followup: Followup, score: np.ndarray, cause: int = 1) -> Pairs | None:
    """Return the comparisons of each case with those who had another event earlier; or None."""
    other = (followup.event > 0) & (followup.event != cause)
    if not other.any():
        return None
    ordered, case = followup.rows(score), followup.event == cause
    rows = np.lexsort((~other, -followup.place))
    place = followup.place[rows]
    ends = np.arange(1, len(rows) + 1)
    return _plan(rows, ordered[rows], case[rows], -place, ends)


def _plan(
    rows: np.ndarray, score: np.ndarray, case: np.ndarray, place: np.ndarray, ends: np.ndarray
) -> Pairs:
    levels = tuple(_levels(score, case))
    change = np.r_[True, (np.diff(score) != 0) | (np.diff(place) != 0) | (np.diff(case) != 0)]
    return Pairs(rows, levels, case, np.flatnonzero(change), ends)


def _levels(score: np.ndarray, case: np.ndarray) -> Iterator[Level]:
    count = len(score)
    ranked = np.argsort(score, kind="stable")
    for bit in range(max(1, count - 1).bit_length()):
        # Sixteen bits, where they do, are sorted by counting.
        small = np.uint16 if count >> (bit + 1) < 2**16 else np.int64
        block = (ranked >> (bit + 1)).astype(small)
        places = ranked[np.argsort(block, kind="stable")]
        right = (places >> bit & 1).astype(bool)
        asked = ~right & case[places]
        if not asked.any() or not right.any():
            continue
        pair, value = places >> (bit + 1), score[places]
        tie = np.r_[True, (np.diff(pair) != 0) | (np.diff(value) != 0)]
        starts, run = np.flatnonzero(tie), np.cumsum(tie) - 1
        seen = np.r_[0, np.cumsum(right)]
        head = np.flatnonzero(np.r_[True, np.diff(pair) != 0])
        blocks = np.cumsum(np.r_[True, np.diff(pair) != 0]) - 1
        stops = np.r_[starts[1:], count]
        yield Level(
            later=places[right],
            cases=places[asked],
            low=seen[starts[run[asked]]],
            high=seen[stops[run[asked]]],
            first=seen[head[blocks[asked]]],
        )


def count_pairs(pairs: Pairs, case: np.ndarray, later: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of concordant pairs (ties count half), and of all, each (resamples,).

    `case` and `later` (resamples, rows in the order of time) weigh a row as the earlier and as the
    later of a pair.
    """
    case, later = case[:, pairs.rows] * pairs.case, later[:, pairs.rows]
    right = np.zeros(len(case))
    for level in pairs.levels:
        running = np.cumsum(later[:, level.later], axis=1)
        running = np.concatenate([np.zeros((len(case), 1)), running], axis=1)
        value = (running[:, level.low] + running[:, level.high]) / 2 - running[:, level.first]
        right += np.einsum("ij,ij->i", case[:, level.cases], value)
    behind = np.cumsum(later[:, ::-1], axis=1)[:, ::-1]
    behind = np.concatenate([behind, np.zeros((len(case), 1))], axis=1)
    every = np.einsum("ij,ij->i", case, behind[:, pairs.ends])
    return right - _never_compared(pairs, case, later), every


def _never_compared(pairs: Pairs, case: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Return half the weight of pairs of cases that are equal in time and risk."""
    own = later * pairs.case
    before = np.cumsum(own, axis=1)
    sums = np.add.reduceat(own, pairs.same, axis=1)
    total = np.repeat(np.cumsum(sums, axis=1), np.diff(np.r_[pairs.same, own.shape[1]]), axis=1)
    return np.einsum("ij,ij->i", case, total - before) / 2
