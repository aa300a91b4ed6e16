"""Imputation by chained extremely randomised trees: what bends is followed as well.

As missForest (Stekhoven and Bühlmann 2012) with the trees of Geurts et al. (2006). The trees of
the last round are kept, and applied to new patients for as many rounds as settle there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from medcore.prepare.chain import TOLERANCE, Tell, fill_gaps, others_of

TREES = 40
LEAF_ROWS = 5
APPLIED_ROUNDS = 3
MOST_ROUNDS = 5
FITTED_ROWS = 10_000


def fit_thicket(
    matrix: np.ndarray,
    blocks: Sequence[slice],
    wordy: Sequence[bool],
    rounds: int,
    rng: np.random.Generator,
    tell: Tell,
) -> dict[str, np.ndarray]:
    """Learn from float64 (rows, places) with NaN; at most five rounds, and 10,000 rows a tree.

    Returns `start` (places,), `order` (blocks) and, for each block, its trees' arrays.
    """
    del wordy  # places of words are shares, which a mean of 0 and 1 estimates as well
    start = np.nanmean(matrix, axis=0)
    x, gaps = fill_gaps(matrix, blocks, start)
    order = np.argsort([len(rows) for rows in gaps], kind="stable")
    limit = TOLERANCE * np.nanmax(np.abs(matrix))
    trees: dict[int, dict[str, np.ndarray]] = {}
    count = min(rounds, MOST_ROUNDS)
    for number in range(1, count + 1):
        before = x.copy()
        for place in order:
            if len(gaps[place]):
                trees[place] = _grow(x, gaps[place], blocks[place], rng)
                _fill(x, gaps[place], blocks[place], trees[place])
        change = float(np.abs(x - before).max())
        if tell(number, count, change) or change < limit:
            break
    # Columns without gaps in training are estimated in new patients only.
    for place in order:
        if place not in trees:
            trees[place] = _grow(x, gaps[place], blocks[place], rng)
    found = {f"{place}/{name}": array for place, kept in trees.items() for name, array in
             kept.items()}  # fmt: skip
    return found | {"start": start, "order": np.asarray(order)}


def apply_thicket(
    fitted: Mapping[str, np.ndarray], blocks: Sequence[slice], matrix: np.ndarray
) -> np.ndarray:
    """Return the matrix with its gaps filled; a row's answer depends on that row alone."""
    x, gaps = fill_gaps(matrix, blocks, fitted["start"])
    trees = {}
    for path, array in fitted.items():
        place, _, name = path.partition("/")
        if name:
            trees.setdefault(int(place), {})[name] = array
    for _ in range(APPLIED_ROUNDS):
        for place in fitted["order"].tolist():
            if len(gaps[place]):
                _fill(x, gaps[place], blocks[place], trees[place])
    return x


def _grow(
    x: np.ndarray, gaps: np.ndarray, block: slice, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    from sklearn.ensemble import ExtraTreesRegressor

    from medcore.models.plain import freeze_regression_trees

    known = np.ones(len(x), dtype=bool)
    known[gaps] = False
    rows = np.flatnonzero(known)
    if len(rows) > FITTED_ROWS:
        rows = np.sort(rng.choice(rows, FITTED_ROWS, replace=False))
    others = others_of(block, x.shape[1])
    forest = ExtraTreesRegressor(
        n_estimators=TREES,
        min_samples_leaf=LEAF_ROWS,
        max_features=1 / 3,
        random_state=int(rng.integers(2**31 - 1)),
    )
    target = x[rows, block]
    forest.fit(
        x[rows][:, others].astype(np.float32), target[:, 0] if target.shape[1] == 1 else target
    )
    return freeze_regression_trees(forest)


def _fill(x: np.ndarray, rows: np.ndarray, block: slice, trees: Mapping[str, np.ndarray]) -> None:
    from medcore.models.plain import walk_trees

    others = others_of(block, x.shape[1])
    x[rows, block] = walk_trees(trees, x[rows][:, others].astype(np.float32))
