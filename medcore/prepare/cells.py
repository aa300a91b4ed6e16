"""What a reader of a prediction should know of the patient's own values.

Both functions look at the given rows only, and never change a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medcore.prepare.columns import (
    CategoryFit,
    DateFit,
    NumberFit,
    read_days,
    read_numbers,
    read_words,
    write_day,
)
from medcore.prepare.imputing import complete_frame
from medcore.prepare.preparation import Preparation
from medcore.records import Dataset


def imputed_cells(preparation: Preparation, dataset: Dataset) -> pd.DataFrame:
    """Return the missing cells and what stands in for them: row_id, column, used (as text).

    `used` is empty where the model takes the gap as it is.
    """
    frame = dataset.frame
    filled = frame
    if preparation.imputer is not None:
        filled = complete_frame(preparation.imputer, frame)
    parts = []
    for fit in preparation.columns:
        if fit.name in frame.columns:
            gaps = _missing(fit, frame[fit.name])
        else:
            gaps = np.ones(len(frame), dtype=bool)
        if gaps.any():
            values = filled[fit.name][gaps] if fit.name in filled.columns else [None] * gaps.sum()
            used = ["" if preparation.keep_gaps else _used(fit, value) for value in values]
            parts.append(
                pd.DataFrame({"row_id": frame.index[gaps], "column": fit.name, "used": used})
            )
    return _together(parts, ["row_id", "column", "used"])


def completed_rows(preparation: Preparation, dataset: Dataset) -> pd.DataFrame:
    """Return the inputs as the model takes them, gaps filled, and `imputed`: which cells those are.

    Values are in the columns' own units; `imputed` names a row's filled columns, "; " between.
    Where the model takes gaps as they are, they stay.
    """
    cells = imputed_cells(preparation, dataset)
    frame = pd.DataFrame(index=dataset.frame.index)
    for fit in preparation.columns:
        known = fit.name in dataset.frame.columns
        frame[fit.name] = dataset.frame[fit.name].astype("string") if known else pd.NA
    filled = cells[cells["used"] != ""]
    for name, own in filled.groupby("column", sort=False):
        frame.loc[own["row_id"], name] = own["used"].to_numpy()
    names = filled.groupby("row_id", sort=False)["column"].agg("; ".join)
    return frame.assign(imputed=names.reindex(frame.index).fillna(""))


def outside_training_range(preparation: Preparation, dataset: Dataset) -> pd.DataFrame:
    """Return the cells unlike any in training: row_id, column, value, low, high (as text).

    Numbers and dates beyond the smallest and largest training value; categories that no training
    row had (their `low` and `high` are empty).
    """
    frame = dataset.frame
    parts = []
    for fit in preparation.columns:
        if fit.name not in frame.columns:
            continue
        outside, shown, low, high = _outside(fit, frame[fit.name])
        if outside.any():
            cells = {"row_id": frame.index[outside], "column": fit.name, "value": shown}
            parts.append(pd.DataFrame({**cells, "low": low, "high": high}))
    return _together(parts, ["row_id", "column", "value", "low", "high"])


def _missing(fit: NumberFit | CategoryFit | DateFit, values: pd.Series) -> np.ndarray:
    if fit.kind == "number":
        return np.isnan(read_numbers(values))
    if fit.kind == "date":
        return np.isnan(read_days(values, fit.origin))
    return np.array([word is None for word in read_words(values)], dtype=bool)


def _used(fit: NumberFit | CategoryFit | DateFit, value: Any) -> str:
    """Return what stands in for a gap: an imputer's estimate, else the column's own filling."""
    estimated = not pd.isna(value)
    if fit.kind == "number":
        number = float(value) if estimated else fit.fill
        return f"{number:.4g}" if abs(number) < 1e4 else f"{number:.0f}"
    if fit.kind == "date":
        return (
            str(pd.Timestamp(value).date()) if estimated else write_day(fit.origin, fit.days.fill)
        )
    return str(value) if estimated else fit.fill


def _outside(
    fit: NumberFit | CategoryFit | DateFit, values: pd.Series
) -> tuple[np.ndarray, list[str], str, str]:
    if fit.kind == "category":
        words = read_words(values)
        known = {*fit.kept, *fit.rare}
        outside = np.array([w is not None and w not in known for w in words], dtype=bool)
        return outside, list(words[outside]), "", ""
    if fit.kind == "date":
        days = read_days(values, fit.origin)
        outside = (days < fit.days.low) | (days > fit.days.high)
        shown = [write_day(fit.origin, day) for day in days[outside]]
        return (
            outside,
            shown,
            write_day(fit.origin, fit.days.low),
            write_day(fit.origin, fit.days.high),
        )
    numbers = read_numbers(values)
    outside = (numbers < fit.low) | (numbers > fit.high)
    return outside, [f"{v:.10g}" for v in numbers[outside]], f"{fit.low:.10g}", f"{fit.high:.10g}"


def _together(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    return pd.concat(parts, ignore_index=True).sort_values("row_id", kind="stable")
