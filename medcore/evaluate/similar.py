"""What became of similar patients: the interval beside one patient's curve, or effect."""

from __future__ import annotations

import numpy as np

from medcore.evaluate.followup import (
    count_patients,
    incidence_interval,
    read_at,
    read_followup,
)
from medcore.evaluate.judged import NORMAL

FEWEST, SHARE, MOST = 50, 0.1, 2_000
BLOCK = 2_000_000


def similar_effect(
    known: np.ndarray, score: np.ndarray, asked: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of the average effect among similar patients: (low, high), (rows,).

    `known` (patients,) are the predicted effects of those with the doubly robust `score`, `asked`
    (rows,) those of new ones. Similar are the tenth nearest in predicted effect, 50 at least.
    """
    order = np.argsort(known, kind="stable")
    wide = min(len(known), max(FEWEST, round(SHARE * len(known))))
    first = np.searchsorted(known[order], asked) - wide // 2
    first = np.clip(first, 0, len(known) - wide)
    # Sums over a window are differences of running sums, about the mean so that they stay exact.
    middle = float(score.mean())
    told = score[order] - middle
    sums, squares = (np.concatenate([[0.0], np.cumsum(told**power)]) for power in (1, 2))
    mean = (sums[first + wide] - sums[first]) / wide
    square = (squares[first + wide] - squares[first]) / wide
    spread = np.sqrt(np.maximum(square - mean**2, 0) / max(1, wide - 1))
    return middle + mean - NORMAL * spread, middle + mean + NORMAL * spread


def similar_incidence(
    duration: np.ndarray,
    cause: np.ndarray,
    known: np.ndarray,
    asked: np.ndarray,
    number: int,
    times: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval of the incidence of a cause among similar patients: (low, high).

    `known` (patients,) are the scores of those with `duration` and `cause`, `asked` (rows,) those
    of new ones; results (rows, times). Similar are the tenth nearest in score, 50 at least.
    """
    if len(known) > MOST:
        kept = np.argsort(known, kind="stable")[np.linspace(0, len(known) - 1, MOST).astype(int)]
        duration, cause, known = duration[kept], cause[kept], known[kept]
    followup = read_followup(duration, cause)
    ranked = np.argsort(known[followup.order], kind="stable")
    scores = known[followup.order][ranked]
    wide = min(len(known), max(FEWEST, round(SHARE * len(known))))
    first = np.searchsorted(scores, asked) - wide // 2
    first = np.clip(first, 0, len(known) - wide)
    low, high = np.empty((len(asked), len(times))), np.empty((len(asked), len(times)))
    size = max(1, BLOCK // len(known))
    for start in range(0, len(asked), size):
        piece = slice(start, start + size)
        places = ranked[first[piece, None] + np.arange(wide)]
        drawn = np.zeros((len(places), len(known)))
        np.put_along_axis(drawn, places, 1.0, axis=1)
        bounds = incidence_interval(followup, drawn, count_patients(followup, drawn), number)
        low[piece], high[piece] = (
            np.maximum.accumulate(read_at(followup, bound, times, first=0.0), axis=1)
            for bound in bounds
        )
    return low, high
