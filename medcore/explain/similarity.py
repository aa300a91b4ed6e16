"""Which patients, and which categories, are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medcore.records import Column

QUANTILES = np.linspace(0.05, 0.95, 19)


def order_categories(
    frame: pd.DataFrame, name: str, categories: Sequence[str], columns: Sequence[Column]
) -> list[str]:
    """Return categories so that neighbours have patients alike in their other columns.

    Numbers by size. Else classical scaling to one dimension of the distances summed over the other
    columns: Kolmogorov–Smirnov for numbers, total variation for categories (Apley and Zhu 2020,
    appendix). Two keep the order of the alphabet.
    """
    sizes = pd.to_numeric(pd.Series(list(categories), dtype="string"), errors="coerce")
    if sizes.notna().all():
        return [categories[place] for place in np.argsort(sizes.to_numpy(np.float64))]
    ordered = sorted(categories)
    if len(ordered) < 3:
        return ordered
    distance = np.zeros((len(ordered), len(ordered)))
    for column in columns:
        if column.name != name and column.kind in ("number", "category"):
            distance += _distances(frame[column.name], frame[name], ordered, column.kind)
    centre = np.eye(len(ordered)) - 1 / len(ordered)
    size, direction = np.linalg.eigh(-centre @ distance**2 @ centre / 2)
    along = direction[:, -1] * np.sqrt(max(size[-1], 0.0))
    # The sign of an eigenvector is arbitrary: the first of the alphabet stands on the left half.
    along = along if along[0] <= 0 else -along
    return [ordered[place] for place in np.argsort(along.round(12), kind="stable")]


def _distances(
    values: pd.Series, of: pd.Series, categories: Sequence[str], kind: str
) -> np.ndarray:
    """Return the distance of each two categories' distributions of a column."""
    known = values.notna()
    if kind == "number":
        cuts = np.unique(np.quantile(values[known].to_numpy(np.float64), QUANTILES))
        shares = [
            (values[known & (of == name)].to_numpy(np.float64)[:, None] <= cuts).mean(axis=0)
            if (known & (of == name)).any() else np.zeros(len(cuts))
            for name in categories
        ]  # fmt: skip
        return np.abs(np.stack(shares)[:, None] - np.stack(shares)).max(axis=2)
    words = values[known].unique()
    shares = np.array(
        [[float((values[of == name] == word).mean()) for word in words] for name in categories]
    )
    shares = np.nan_to_num(shares)
    return np.abs(shares[:, None] - shares).sum(axis=2) / 2


def nearest_rows(
    values: np.ndarray, weights: np.ndarray, patient: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the nearest rows, the nearest first, and their distances.

    `values` (rows, features) and `patient` (features,) are prepared inputs; `weights` (features,)
    count each feature, 0 leaves it out. The distance is the root of the weighted sum of squares.
    """
    distance = np.sqrt((((values - patient) ** 2) * weights).sum(axis=1))
    order = np.argsort(distance, kind="stable")[:most]
    return order, distance[order]


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (rows, width) of length 1; a vector of zeros stays one.

    >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def nearest_vectors(
    vectors: np.ndarray, vector: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the vectors most alike, the nearest first, and their cosines.

    All vectors have length 1; `vectors` (rows, width), `vector` (width,).
    """
    cosine = (vectors @ vector).clip(-1, 1)
    order = np.argsort(-cosine, kind="stable")[:most]
    return order, cosine[order]


def shared_neighbours(one: np.ndarray, other: np.ndarray, most: int) -> float:
    """Return the mean share of a row's nearest rows that are the same in two embeddings.

    Both are (rows, width) of length 1, the same rows in the same order. NaN for too few rows.
    """
    if len(one) <= most:
        return float("nan")
    found = []
    for vectors in (one, other):
        cosine = vectors @ vectors.T
        np.fill_diagonal(cosine, -np.inf)
        found.append(np.argsort(-cosine, axis=1, kind="stable")[:, :most])
    same = (found[0][:, :, None] == found[1][:, None, :]).any(axis=2)
    return float(same.mean())
