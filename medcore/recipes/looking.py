"""Pre-training on images: whose images may be looked at, and the autoencoder kept for a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.prepare import Preparation
from medcore.prepare.kinds import WAYS
from medcore.recipes.units import FileCheckpoint
from medcore.records import Block, Dataset, Epoch
from medcore.train.pretraining import TrainedAutoencoder, train_autoencoder


def unlabelled_rows(dataset: Dataset, learn: np.ndarray, config: RunConfig) -> pd.DataFrame:
    """Return the rows without an outcome that may be looked at beside the rows `learn`.

    Not those of patients outside `learn`, of other sites where sites are tested, of later times
    where times are, nor those that the file itself gives to another part.
    """
    rows = dataset.aside
    if rows is None:
        return dataset.frame.iloc[:0]
    inside = dataset.frame.index.isin(learn)
    allowed = np.ones(len(rows), dtype=bool)
    for column in dataset.with_role("patient"):
        others = dataset.frame.loc[~inside, column.name].dropna()
        allowed &= ~rows[column.name].isin(others).to_numpy(bool)
    if config.split.kind == "site":
        for column in dataset.with_role("site"):
            own = dataset.frame.loc[inside, column.name].dropna()
            allowed &= rows[column.name].isin(own).to_numpy(bool)
    if config.split.kind == "temporal":
        for column in dataset.with_role("date"):
            last = dataset.frame.loc[inside, column.name].max()
            allowed &= rows[column.name].le(last).to_numpy(bool)
    for column in dataset.columns:
        if column.name.strip().lower() == "split":
            words = rows[column.name].astype("string").str.strip().str.lower()
            allowed &= words.str.startswith("train").fillna(True).to_numpy(bool)
    return rows[allowed]


def unlabelled_blocks(
    preparation: Preparation, dataset: Dataset, rows: pd.DataFrame, column: str
) -> list[Block]:
    """Return the images of rows without an outcome as a block, or nothing where there are none."""
    if not len(rows) or not rows[column].notna().any():
        return []
    fit = next(fit for fit in preparation.kinds if fit.name == column)
    return [WAYS[fit.kind].block(fit, rows, replace(dataset, frame=rows))]


def keep_autoencoder(
    blocks: Sequence[Block],
    config: RunConfig,
    label: str,
    folder: Path | None,
    emit: Callable[[Epoch], None],
    stopping: Callable[[], bool],
) -> TrainedAutoencoder:
    """Train an autoencoder, or take it from `folder`, where it and its checkpoint are kept."""
    kept = running = None
    if folder is not None:
        name = label.replace(" ", "-").replace("/", "-").replace(",", "")
        kept = FileCheckpoint(folder / f"{name}.safetensors")
        running = FileCheckpoint(folder / f"{name}.running")
        found = kept.read()
        if found is not None:
            return TrainedAutoencoder(found[1]["spec"], found[0])
    epochs = train_autoencoder(blocks, config, fit=label, checkpoint=running, stopping=stopping)
    while True:
        try:
            emit(next(epochs))
        except StopIteration as end:
            trained = end.value
            break
    if kept is not None and not trained.spec["stopped"]:
        kept.write(trained.arrays, {"spec": trained.spec})
        running.clear()
    return trained
