"""Imputation by chained ridge regressions: each column from all others, round after round.

The estimates are those of scikit-learn's `IterativeImputer` with `BayesianRidge`, computed from
one matrix of cross products that is kept up to date, instead of a singular value decomposition
per column and round. A category's places are never estimated from each other: they sum to one,
so each would only repeat the others' first guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-3
RIDGE_STEPS = 300
PRIOR = 1e-6

Tell = Callable[[int, int, float], bool]


@dataclass(frozen=True, eq=False)
class Ridge:
    """A Bayesian ridge regression of one column on others, all centred.

    `weights` (inputs,); `noise` is the residuals' variance, `prior` the weights' precision and
    `freedom` the effective number of weights; `values` and `vectors` are the eigenvalues and
    eigenvectors of the inputs' cross products, `residual` the sum of squared residuals.
    """

    weights: np.ndarray
    noise: float
    prior: float
    freedom: float
    residual: float
    values: np.ndarray
    vectors: np.ndarray


@dataclass(eq=False)
class Products:
    """The matrix in work: `x` (rows, places) without NaN, its cross products and sums."""

    x: np.ndarray
    gaps: list[np.ndarray]
    blocks: Sequence[slice]
    start: np.ndarray
    cross: np.ndarray
    sums: np.ndarray

    def without(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Return centred cross products, means and count of the other rows."""
        left = self.x[rows]
        count = len(self.x) - len(rows)
        sums = self.sums - left.sum(axis=0)
        cross = self.cross - left.T @ left
        return cross - np.outer(sums, sums) / count, sums / count, count

    def renew(self, block: slice) -> None:
        """Bring the cross products up to date after a change of a block's cells."""
        cross = self.x[:, block].T @ self.x
        self.cross[block], self.cross[:, block] = cross, cross.T
        self.sums[block] = self.x[:, block].sum(axis=0)


def fit_chain(
    matrix: np.ndarray, blocks: Sequence[slice], rounds: int, tell: Tell
) -> dict[str, np.ndarray]:
    """Learn the chain from float64 (rows, places) with NaN.

    Returns `start` (places,), the means; `order`, the blocks from the fewest gaps to the most;
    `weights` (rounds, places, places) and `intercepts` (rounds, places). Rounds end early when no
    cell moves by more than 1/1,000 of the largest value. `tell(round, rounds, change)` is called
    after each round and may say stop.
    """
    work = start_products(matrix, blocks)
    order = np.argsort([len(gaps) for gaps in work.gaps], kind="stable")
    limit = TOLERANCE * np.nanmax(np.abs(matrix))
    weights, intercepts = [], []
    for number in range(1, rounds + 1):
        before = work.x.copy()
        w, b = np.zeros((matrix.shape[1],) * 2), np.zeros(matrix.shape[1])
        for place in order:
            if len(work.gaps[place]):
                _renew_block(work, place, w, b)
        weights.append(w)
        intercepts.append(b)
        change = float(np.abs(work.x - before).max())
        if tell(number, rounds, change) or change < limit:
            break
    # Columns without gaps in training are estimated in new patients only: they never move, so one
    # regression, made once the others have settled, serves all rounds.
    for place in order:
        if not len(work.gaps[place]):
            _renew_block(work, place, weights[-1], intercepts[-1])
            block = blocks[place]
            for w, b in zip(weights[:-1], intercepts[:-1], strict=True):
                w[block], b[block] = weights[-1][block], intercepts[-1][block]
    found = {"start": work.start, "order": np.asarray(order)}
    return found | {"weights": np.stack(weights), "intercepts": np.stack(intercepts)}


def apply_chain(
    fitted: Mapping[str, np.ndarray], blocks: Sequence[slice], matrix: np.ndarray
) -> np.ndarray:
    """Return the matrix with its gaps filled; a row's answer depends on that row alone."""
    x, gaps = fill_gaps(matrix, blocks, fitted["start"])
    for weights, intercepts in zip(fitted["weights"], fitted["intercepts"], strict=True):
        for place in fitted["order"]:
            rows, block = gaps[place], blocks[place]
            if len(rows):
                x[rows, block] = answer(x[rows], weights[block], intercepts[block])
    return x


def fit_ridge(cross: np.ndarray, target: np.ndarray, square: float, count: int) -> Ridge:
    """Return the ridge regression whose strength the data choose (MacKay 1992).

    `cross` (inputs, inputs) and `target` (inputs,) are centred cross products of the inputs with
    each other and with the target, `square` the target's with itself, `count` the rows.
    """
    values, vectors = np.linalg.eigh(cross)
    values = values.clip(0)
    turned = vectors.T @ target
    noise, prior, before = max(square / count, 1e-300), 1.0, None
    for step in range(RIDGE_STEPS):
        weights, residual = _solve(values, turned, square, prior * noise)
        # The rotation keeps lengths, so the turned weights serve for all but the stopping rule.
        freedom = float((values / (values + prior * noise)).sum())
        prior = (freedom + 2 * PRIOR) / (float(weights @ weights) + 2 * PRIOR)
        noise = (residual + 2 * PRIOR) / (count - freedom + 2 * PRIOR)
        plain = vectors @ weights
        if step and np.abs(plain - before).sum() < TOLERANCE:
            break
        before = plain
    weights, residual = _solve(values, turned, square, prior * noise)
    return Ridge(vectors @ weights, noise, prior, freedom, residual, values, vectors)


def _solve(
    values: np.ndarray, turned: np.ndarray, square: float, penalty: float
) -> tuple[np.ndarray, float]:
    weights = turned / (values + penalty)
    residual = square - 2 * float(weights @ turned) + float(values @ weights**2)
    return weights, max(residual, 0.0)


def start_products(matrix: np.ndarray, blocks: Sequence[slice]) -> Products:
    """Return the work at its beginning: every gap holds its column's mean."""
    start = np.nanmean(matrix, axis=0)
    x, gaps = fill_gaps(matrix, blocks, start)
    return Products(x, gaps, blocks, start, x.T @ x, x.sum(axis=0))


def fill_gaps(
    matrix: np.ndarray, blocks: Sequence[slice], start: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the matrix with `start` in its gaps, and each block's rows with gaps."""
    missing = np.isnan(matrix)
    gaps = [np.flatnonzero(missing[:, block.start]) for block in blocks]
    return np.where(missing, start, matrix), gaps


def answer(rows: np.ndarray, weights: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
    """Return (rows, targets) estimates of complete rows.

    Summed row by row, not by a matrix product, which rounds differently for other numbers of rows.
    """
    targets = zip(weights, intercepts, strict=True)
    return np.stack([(rows * w).sum(axis=1) + b for w, b in targets], axis=1)


def others_of(block: slice, places: int) -> np.ndarray:
    """Return the places outside a block."""
    return np.r_[0 : block.start, block.stop : places]


def regress_block(work: Products, place: int) -> tuple[list[Ridge], np.ndarray, np.ndarray, int]:
    """Return a block's regressions, the others' means, the block's own means, and the row count."""
    block = work.blocks[place]
    others = others_of(block, work.x.shape[1])
    centred, means, count = work.without(work.gaps[place])
    cross = centred[np.ix_(others, others)]
    ridges = [
        fit_ridge(cross, centred[others, target], float(centred[target, target]), count)
        for target in range(block.start, block.stop)
    ]
    return ridges, means[others], means[block], count


def _renew_block(work: Products, place: int, weights: np.ndarray, intercepts: np.ndarray) -> None:
    block, rows = work.blocks[place], work.gaps[place]
    others = others_of(block, len(intercepts))
    ridges, means, own, _ = regress_block(work, place)
    for target, ridge, middle in zip(range(block.start, block.stop), ridges, own, strict=True):
        weights[target, others] = ridge.weights
        intercepts[target] = middle - ridge.weights @ means
    if len(rows):
        work.x[rows, block] = answer(work.x[rows], weights[block], intercepts[block])
        work.renew(block)
