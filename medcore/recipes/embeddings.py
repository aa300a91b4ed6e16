"""Where the training images lie in what the model's network makes of them, kept with the run.

Images near each other are alike to the network, whatever they are to a person.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medcore.config import generator
from medcore.errors import StoreError
from medcore.explain import nearest_vectors, shared_neighbours, unit_vectors
from medcore.predict import FittedModel, Member
from medcore.prepare import prepare_rows
from medcore.records import Dataset
from medcore.store.folder import EMBEDDINGS

# Rows that are kept, those that the check is made with, and how many neighbours are told.
MOST_ROWS, MOST_CHECKED, NEIGHBOURS = 10_000, 1_000, 5


@dataclass(frozen=True, eq=False)
class Embedded:
    """The training rows that have an image in one column, and where a network puts them.

    `vectors` (rows, width) are the directions from the `centre` (width,), of length 1. `overlap`
    is the share of a row's nearest neighbours that a network which has learned nothing finds too:
    near 1, likeness tells of the images alone and not of what was learned.
    """

    row_id: np.ndarray
    vectors: np.ndarray
    centre: np.ndarray
    overlap: float

    def nearest(self, vector: np.ndarray, leave: int = -1) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of the rows nearest to a network's vector, and their cosines.

        The row `leave` is not among them.
        """
        others = np.flatnonzero(self.row_id != leave)
        direction = unit_vectors(vector[None] - self.centre)[0]
        order, cosine = nearest_vectors(self.vectors[others], direction, NEIGHBOURS)
        return self.row_id[others][order], cosine


def looking_member(model: FittedModel, column: str) -> Member | None:
    """Return the network with the largest weight of those that look at a column."""
    seeing = [
        member
        for member in model.members
        if column in member.fitted.spec.get("network", {}).get("blocks", ())
    ]
    return max(seeing, key=lambda member: member.weight, default=None)


def embed_column(
    model: FittedModel, member: Member, dataset: Dataset, rows: np.ndarray, column: str
) -> np.ndarray:
    """Return what a member's network makes of a column's images, float32 (rows, width).

    NaN where there is none.
    """
    from medcore.train.embedding import embed_rows

    prepared = prepare_rows(model.preparations[member.preparation], dataset, rows)
    return embed_rows(member.fitted, prepared, column)


def keep_embeddings(folder: Path, model: FittedModel, dataset: Dataset, rows: np.ndarray) -> None:
    """Write where the images of the training `rows` lie, if the model looks at images.

    Of very many rows, some drawn at random.
    """
    arrays: dict[str, np.ndarray] = {}
    for column in dataset.with_role("input"):
        member = looking_member(model, column.name) if column.kind == "image" else None
        if member is None:
            continue
        found = _embed_training(model, member, dataset, rows, column.name)
        arrays |= {f"{part}/{column.name}": array for part, array in found.items()}
    if not arrays:
        return
    from safetensors.numpy import save_file

    save_file(arrays, folder / f"{EMBEDDINGS}.tmp")
    os.replace(folder / f"{EMBEDDINGS}.tmp", folder / EMBEDDINGS)


def read_embeddings(folder: Path, column: str) -> Embedded:
    """Read back where a column's training images lie; raises `StoreError` if that is unknown."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(folder / EMBEDDINGS)
        parts = (arrays[f"{part}/{column}"] for part in ("rows", "vectors", "centre", "overlap"))
        rows, vectors, centre, overlap = parts
    except (OSError, SafetensorError, KeyError):
        raise StoreError(
            "This model was kept without a comparison of its training images; train it again."
        ) from None
    return Embedded(rows, vectors.astype(np.float32), centre, float(overlap[0]))


def _embed_training(
    model: FittedModel, member: Member, dataset: Dataset, rows: np.ndarray, column: str
) -> dict[str, np.ndarray]:
    from medcore.train.embedding import embed_rows, untaught

    rng = generator(member.fitted.spec["seed"], "embeddings", column)
    rows = rows[dataset.frame.loc[rows, column].notna().to_numpy()]
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    prepared = prepare_rows(model.preparations[member.preparation], dataset, rows)
    vectors = embed_rows(member.fitted, prepared, column)
    centre = vectors.mean(axis=0)
    some = np.sort(rng.permutation(len(rows))[:MOST_CHECKED])
    checked = prepare_rows(model.preparations[member.preparation], dataset, rows[some])
    blank = embed_rows(untaught(member.fitted, member.fitted.spec["seed"]), checked, column)
    directions = unit_vectors(vectors - centre)
    overlap = shared_neighbours(
        directions[some], unit_vectors(blank - blank.mean(axis=0)), NEIGHBOURS
    )
    return {
        "rows": rows.astype(np.int64),
        "vectors": directions.astype(np.float16),
        "centre": centre,
        "overlap": np.array([overlap]),
    }
