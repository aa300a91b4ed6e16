"""Imputation by nearest neighbours: a gap becomes the mean of the nearest patients who know it.

Neighbours and values are those of scikit-learn's `KNNImputer`: the squared distance over the
columns that both know, scaled up to all columns. There all distances are sorted once per column
with gaps; here each row's candidates are found once, by one matrix product in float32, and only
they are measured exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

BLOCK = 256
SPARE = 16


def fit_neighbours(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is kept: the training `rows` themselves and the columns' means, `start`."""
    return {"rows": matrix.copy(), "start": np.nanmean(matrix, axis=0)}


def apply_neighbours(
    fitted: Mapping[str, np.ndarray],
    blocks: Sequence[slice],
    matrix: np.ndarray,
    neighbours: int,
) -> np.ndarray:
    """Return the matrix with its gaps filled; a row's answer depends on that row alone.

    With fewer patients who know a column than `neighbours`, all of them serve; where none shares a
    known column with the row, the training mean does.
    """
    donors = _Donors(fitted["rows"], blocks, neighbours)
    out = matrix.copy()
    needy = np.flatnonzero(np.isnan(matrix).any(axis=1))
    for start in range(0, len(needy), BLOCK):
        rows = needy[start : start + BLOCK]
        out[rows] = _fill_rows(donors, matrix[rows], fitted["start"])
    return out


class _Donors:
    """The training rows, laid out for the distances."""

    def __init__(self, rows: np.ndarray, blocks: Sequence[slice], neighbours: int) -> None:
        self.rows, self.blocks, self.neighbours = rows, blocks, neighbours
        self.known = ~np.isnan(rows)
        self.filled = np.where(self.known, rows, 0.0)
        # A category counts as one column, however many places it has.
        self.share = np.concatenate([np.full(b.stop - b.start, 1 / (b.stop - b.start))
                                     for b in blocks])  # fmt: skip
        filled = self.filled.astype(np.float32)
        self.factors = np.concatenate([self.known, filled**2, -2 * filled], axis=1).T
        self.factors = np.ascontiguousarray(self.factors, dtype=np.float32)
        self.counts = np.ascontiguousarray((self.known * self.share).T, dtype=np.float32)
        knowing = min(1.0, max(float(self.known.mean(axis=0).min()), 0.05))
        self.candidates = min(len(rows), int(2 * neighbours / knowing) + SPARE)

    def rough(self, rows: np.ndarray) -> np.ndarray:
        """Return float32 squared distances (rows, donors), infinite where nothing is shared."""
        # Always as many rows, so that each row's distances round alike in any company.
        padded = np.full((BLOCK, rows.shape[1]), np.nan)
        padded[: len(rows)] = rows
        known = ~np.isnan(padded)
        filled = np.where(known, padded, 0.0).astype(np.float32)
        factors = np.concatenate([filled**2, known, filled], axis=1).astype(np.float32)
        squares = (factors @ self.factors)[: len(rows)]
        counts = (known.astype(np.float32) @ self.counts)[: len(rows)]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(counts > 0, squares / counts, np.inf)

    def exact(self, rows: np.ndarray, donors: np.ndarray) -> np.ndarray:
        """Return float64 squared distances (rows, k) to each row's own `donors` (rows, k)."""
        away = rows[:, None, :] - self.rows[donors]
        shared = ~np.isnan(away)
        squares = np.where(shared, away, 0.0) ** 2
        counts = (shared * self.share).sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(counts > 0, squares.sum(axis=2) / counts, np.inf)


def _fill_rows(donors: _Donors, rows: np.ndarray, start: np.ndarray) -> np.ndarray:
    rough = donors.rough(rows)
    near = _nearest(donors, rows, rough, donors.candidates)
    out = rows.copy()
    missing = np.isnan(rows)
    for block in donors.blocks:
        needy = np.flatnonzero(missing[:, block.start])
        if len(needy):
            found, enough = _mean(donors, near[0][needy], near[1][needy], block)
            out[needy, block] = found
            for row in needy[~enough]:
                # Too few of the near ones know this column: look at everyone who does.
                out[row, block] = _search(donors, rows[row], rough[row], block, start)
    return out


def _nearest(
    donors: _Donors, rows: np.ndarray, rough: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's `count` nearest donors and their exact distances, the nearest first."""
    if count < rough.shape[1]:
        found = np.argpartition(rough, count - 1, axis=1)[:, :count]
        # Ties go to the earlier donor, as the sorting below is stable.
        found.sort(axis=1)
    else:
        found = np.broadcast_to(np.arange(rough.shape[1]), rough.shape)
    distance = donors.exact(rows, found)
    order = np.argsort(distance, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(distance, order, axis=1)


def _mean(
    donors: _Donors, found: np.ndarray, distance: np.ndarray, block: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first knowing donors' mean for each row, and whether there were enough."""
    knows = donors.known[found, block.start] & np.isfinite(distance)
    rank = np.cumsum(knows, axis=1)
    used = knows & (rank <= donors.neighbours)
    values = np.where(used[:, :, None], donors.filled[found, block], 0.0).sum(axis=1)
    count = used.sum(axis=1)
    return values / np.maximum(count, 1)[:, None], count == donors.neighbours


def _search(
    donors: _Donors, row: np.ndarray, rough: np.ndarray, block: slice, start: np.ndarray
) -> np.ndarray:
    knowing = np.flatnonzero(donors.known[:, block.start] & np.isfinite(rough))
    if not len(knowing):
        return start[block]
    if len(knowing) > donors.candidates:
        knowing = knowing[np.argpartition(rough[knowing], donors.candidates)[: donors.candidates]]
        knowing.sort()
    distance = donors.exact(row[None], knowing[None])[0]
    best = knowing[np.argsort(distance, kind="stable")[: donors.neighbours]]
    return donors.filled[best, block].mean(axis=0)
