"""A fitted model as an answer to mixtures of rows.

Rows are prepared once; after that a column moves as the features it became, so that an answer
costs the model's own time and nothing else. Where gaps are filled from a row's other columns, a
mixture is prepared anew each time, since moving one column may change what fills another.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.explain import Mixture, mix_frames
from medcore.predict import FittedModel, predict_prepared, predict_rows
from medcore.prepare import prepare_rows
from medcore.records import Block, Dataset, Prepared


def mix_model(model: FittedModel, dataset: Dataset, frame: pd.DataFrame) -> Mixture:
    """Return the mixture of source rows `frame`: input columns of `dataset`, numbered from 0."""
    source = replace(dataset, frame=frame)
    if any(preparation.imputer is not None for preparation in model.preparations):
        return mix_frames(lambda rows: predict_rows(model, replace(source, frame=rows)), frame)
    used = sorted({member.preparation for member in model.members})
    prepared = {place: prepare_rows(model.preparations[place], source) for place in used}

    names = tuple(map(str, frame.columns))

    def answer(picks: np.ndarray) -> np.ndarray:
        said, _ = predict_prepared(model, lambda place: mix_prepared(prepared[place], names, picks))
        return said.reshape(len(picks), -1)

    return Mixture(frame, answer)


def mix_prepared(rows: Prepared, columns: tuple[str, ...], picks: np.ndarray) -> Prepared:
    """Return made-up rows whose column c is that of the source row picks[:, c], (rows, columns).

    A table's column is all features it became; a column of another kind moves as it is.
    """
    place_of = {name: place for place, name in enumerate(columns)}
    blocks = {
        name: _mix_table(block, picks[:, [place_of[source] for source in block.sources]])
        if block.kind == "table"
        else block.take(picks[:, place_of[name]])
        for name, block in rows.blocks.items()
    }
    nobody = np.zeros(len(picks), dtype=np.int64)
    return replace(rows, row_id=nobody, blocks=blocks, outcome=nobody, group=nobody)


def _mix_table(block: Block, picks: np.ndarray) -> Block:
    """Return a table whose feature f is that of the source row picks[:, f], (rows, features)."""
    features = np.arange(picks.shape[1])
    return replace(
        block,
        values=block.values[picks, features],
        gaps=None if block.gaps is None else block.gaps[picks, features],
        present=np.ones(len(picks), dtype=bool),
    )
