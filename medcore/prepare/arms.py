"""Rows of two arms as the models of treatment, of outcome and of effect take them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medcore.records import Block, Prepared

NO, YES = "no", "yes"
# The feature that tells an outcome model with both arms which one a row is in.
ARM = "treated"


def read_arms(prepared: Prepared) -> np.ndarray:
    """Return 1 for the treated and 0 for the others, float64 (rows,)."""
    return prepared.outcome[:, 1]


def treatment_rows(prepared: Prepared) -> Prepared:
    """Return rows whose outcome is the arm."""
    return replace(
        prepared, task="binary", classes=(NO, YES), outcome=read_arms(prepared).astype(np.int64)
    )


def outcome_rows(prepared: Prepared, arm: int | None = None) -> Prepared:
    """Return rows, or one arm's, whose outcome is the outcome alone."""
    if arm is not None:
        prepared = prepared.take(np.flatnonzero(read_arms(prepared) == arm))
    values = prepared.outcome[:, 0]
    if prepared.classes:
        return replace(prepared, task="binary", classes=(NO, YES), outcome=values.astype(np.int64))
    return value_rows(prepared, values)


def value_rows(prepared: Prepared, values: np.ndarray) -> Prepared:
    """Return rows whose outcome is a number given for each."""
    return replace(prepared, task="regression", classes=(), outcome=values)


def with_feature(prepared: Prepared, name: str, values: np.ndarray) -> Prepared:
    """Return rows with one more plain feature, float64 (rows,), among the table's."""
    column = np.asarray(values, dtype=np.float32)[:, None]
    table = prepared.blocks.get("table")
    if table is None:
        there = np.ones(len(column), dtype=bool)
        grown = Block("table", (name,), (name,), column, there)
    else:
        grown = replace(
            table,
            names=(*table.names, name),
            sources=(*table.sources, name),
            values=np.concatenate([table.values, column], axis=1),
        )
    return replace(prepared, blocks={**prepared.blocks, "table": grown})
