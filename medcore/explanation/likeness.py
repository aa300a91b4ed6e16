"""Which training images are most like one, and which test images are most unlike all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.errors import ConfigError
from medcore.explanation.subject import Subject
from medcore.prepare import prepare_rows
from medcore.recipes.embeddings import NEIGHBOURS, embed_column, looking_member, read_embeddings

# A patient has one of the classes.
ONE_OF = ("binary", "multiclass")
UNUSUAL, SHOWN = 0.95, 5


def find_similar(
    subject: Subject,
    folder: Path,
    column: str,
    *,
    row: int | None = None,
    vector: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Return the training images most like a row's, or like a network's `vector`, JSON-ready.

    `nearest`: `row`, `likeness` (the cosine, 1 for the same) and `outcome` of each; `compared`: how
    many training images; `usual`: the share of each class among them; `overlap` and `chance`: the
    share of neighbours that a network which learned nothing finds too, and that anyone finds by
    luck; `network`: who compared. Raises `StoreError` for a model that was kept without vectors,
    `ConfigError` for a row without image.
    """
    member = looking_member(subject.deployed.model, column)
    if member is None:
        raise ConfigError(f"No network of this model looks at '{column}'.")
    kept = read_embeddings(folder, column)
    if vector is None:
        rows = np.array([row])
        vector = embed_column(subject.deployed.model, member, subject.dataset, rows, column)[0]
    point = np.asarray(vector, dtype=np.float32)
    if not np.isfinite(point).all():
        raise ConfigError("This patient has no image to compare.")
    found, cosine = kept.nearest(point, leave=-1 if row is None else row)
    outcomes = subject.dataset.frame.loc[kept.row_id, subject.deployed.model.cohort.outcome]
    outcome = outcomes.loc[found]
    return {
        "nearest": [
            {"row": int(place), "likeness": float(like), "outcome": _plain(happened)}
            for place, like, happened in zip(found, cosine, outcome, strict=True)
        ],
        "compared": len(kept.row_id),
        "usual": _shares(outcomes) if subject.deployed.model.task in ONE_OF else {},
        "overlap": kept.overlap,
        "chance": min(1.0, NEIGHBOURS / max(1, len(kept.row_id) - 1)),
        "network": member.name,
    }


def find_unusual(subject: Subject, column: str) -> dict[str, Any]:
    """Return the judged images most unlike those that the model learned from, JSON-ready.

    `images`: `row` and `share` (of training images that are less unusual) of the first few;
    `looked`: how many were looked at; `beyond`: how many have a share of at least `UNUSUAL`.
    Raises `ConfigError` for a model without an autoencoder of that column.
    """
    from medcore.train.pretraining import unusual_shares

    model = subject.deployed.model
    if column not in model.looked:
        raise ConfigError(f"This model cannot tell how unusual an image in '{column}' is.")
    block = prepare_rows(model.preparations[0], subject.dataset, subject.judged).blocks[column]
    shares = unusual_shares(model.looked[column], block)
    there = np.flatnonzero(~np.isnan(shares))
    order = there[np.argsort(-shares[there], kind="stable")]
    images = [{"row": int(subject.judged[n]), "share": float(shares[n])} for n in order[:SHOWN]]
    beyond = int((shares[there] >= UNUSUAL).sum())
    return {"images": images, "looked": len(there), "beyond": beyond}


def _shares(outcomes: pd.Series) -> dict[str, float]:
    return {str(k): float(v) for k, v in outcomes.value_counts(normalize=True).items()}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
