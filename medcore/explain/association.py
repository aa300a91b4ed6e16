"""Which columns say much the same, so that they are judged together.

Shuffling one of two columns that go together costs a model nothing: it reads the other. Strobl et
al. 2008 call that out; permuting such columns together gives their joint importance.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from medcore.records import Column

MOST_ROWS = 2_000
FEWEST = 10


def associate_columns(frame: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Return how strongly each two columns go together, from 0 to 1; float64 (columns, columns).

    Numbers and dates: Spearman's correlation, without sign. Categories: Cramér's V, corrected for
    bias (Bergsma 2013). A number and a category: the correlation ratio of ranks, corrected alike
    (Kelley 1935). From rows where both are known; 0 where fewer than 10 are, and for
    columns of other kinds.
    """
    frame = frame.iloc[:MOST_ROWS]
    plain = [i for i, c in enumerate(columns) if c.kind in ("number", "date", "category")]
    told = {i: _values(frame[columns[i].name], columns[i]) for i in plain}
    strength = np.eye(len(columns))
    for i, j in combinations(plain, 2):
        strength[i, j] = strength[j, i] = _associate(told[i], told[j])
    return strength


def group_columns(
    names: Sequence[str], strength: np.ndarray, threshold: float
) -> list[tuple[str, ...]]:
    """Return the columns in groups within which each two go together at least this strongly.

    Complete linkage on 1 − strength, cut at 1 − threshold; in the order of each group's first
    column.

    >>> group_columns(("a", "b", "c"), np.array([[1, .9, 0], [.9, 1, 0], [0, 0, 1]]), 0.7)
    [('a', 'b'), ('c',)]
    """
    if len(names) < 2:
        return [(name,) for name in names]
    from scipy.cluster.hierarchy import fcluster, linkage

    above = np.triu_indices(len(names), 1)
    tree = linkage(1 - np.clip(strength[above], 0, 1), "complete")
    # A hair more than the cut, so that a strength that equals the threshold is in.
    labels = fcluster(tree, 1 - threshold + 1e-12, "distance")
    groups: dict[int, list[str]] = {}
    for name, label in zip(names, labels, strict=True):
        groups.setdefault(int(label), []).append(name)
    return [tuple(group) for group in groups.values()]


def _values(values: pd.Series, column: Column) -> tuple[bool, np.ndarray]:
    """Return whether a column is ranked, and its numbers (NaN missing) or codes (-1 missing)."""
    if column.kind == "number":
        return True, pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if column.kind == "date":
        days = values.to_numpy("datetime64[s]")
        return True, np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(np.float64))
    return False, pd.factorize(values)[0]


def _associate(first: tuple[bool, np.ndarray], second: tuple[bool, np.ndarray]) -> float:
    known = np.ones(len(first[1]), dtype=bool)
    for ranked, values in (first, second):
        known &= np.isfinite(values) if ranked else values >= 0
    if known.sum() < FEWEST:
        return 0.0
    (a_ranked, a), (b_ranked, b) = ((ranked, values[known]) for ranked, values in (first, second))
    if a_ranked and b_ranked:
        return abs(_correlate(_rank(a), _rank(b)))
    if a_ranked or b_ranked:
        return _ratio(_rank(a), b) if a_ranked else _ratio(_rank(b), a)
    return _cramer(a, b)


def _rank(values: np.ndarray) -> np.ndarray:
    return pd.Series(values).rank().to_numpy(np.float64)


def _correlate(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / spread) if spread else 0.0


def _ratio(ranks: np.ndarray, codes: np.ndarray) -> float:
    """Return the square root of epsilon², the share of the ranks' variance between categories."""
    _, codes = np.unique(codes, return_inverse=True)
    counts = np.bincount(codes)
    n, k = len(codes), len(counts)
    total = ((ranks - ranks.mean()) ** 2).sum()
    if k < 2 or k >= n or not total:
        return 0.0
    means = np.bincount(codes, ranks) / counts
    within = ((ranks - means[codes]) ** 2).sum()
    return float(np.sqrt(max(0.0, 1 - within / total * (n - 1) / (n - k))))


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    (_, a), (_, b) = (np.unique(codes, return_inverse=True) for codes in (a, b))
    rows, columns, n = a.max() + 1, b.max() + 1, len(a)
    if rows < 2 or columns < 2:
        return 0.0
    seen = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns)
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / n
    phi = ((seen - expected) ** 2 / expected).sum() / n
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else 0.0
