"""Cells ↔ numbers: the one matrix in which every many-column imputer works.

Numbers and dates become normal scores, which tames the tails of laboratory values and brings
estimates back inside the training range; categories become 0/1 places. A gap is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import Kind
from medcore.errors import FitError
from medcore.prepare.columns import read_days, read_numbers, read_words
from medcore.prepare.scaling import Curve, apply_curve, fit_curve
from medcore.records import Column

MAX_WORDS = 50


@dataclass(frozen=True)
class Coded:
    """How one column becomes places of the matrix, learned from training rows.

    Numbers and dates have a `curve` (a date's is of days since `origin`), categories their `words`
    in the order of frequency. `gaps` is the share of training rows in which it was missing.
    """

    name: str
    kind: Kind
    gaps: float
    curve: Curve | None = None
    words: tuple[str, ...] = ()
    origin: str = ""

    @property
    def width(self) -> int:
        """How many places of the matrix belong to the column."""
        return len(self.words) or 1


@dataclass(frozen=True)
class Coding:
    """The columns of the matrix in their order; `left_out` says what could not take part."""

    columns: tuple[Coded, ...]
    left_out: tuple[str, ...] = ()

    @property
    def blocks(self) -> tuple[slice, ...]:
        """The places of each column."""
        ends = np.cumsum([column.width for column in self.columns]).tolist()
        return tuple(slice(end - c.width, end) for end, c in zip(ends, self.columns, strict=True))

    @property
    def wordy(self) -> tuple[bool, ...]:
        """Which columns hold words."""
        return tuple(bool(column.words) for column in self.columns)


def fit_coding(frame: pd.DataFrame, columns: Sequence[Column]) -> Coding:
    """Learn the coding of the columns that hold numbers, categories or dates from training rows.

    Raises `FitError` when none of them has a value.
    """
    coded, left_out = [], []
    for column in columns:
        if column.kind not in ("number", "category", "date"):
            continue
        if frame[column.name].isna().all():
            left_out.append(
                f"Column '{column.name}' is missing in every training row, so there is nothing to "
                "learn its values from; it is left out."
            )
        else:
            coded.append(_fit_column(column, frame[column.name]))
    if not coded:
        raise FitError(
            "Every input is missing in every training row; choose other inputs or other rows."
        )
    return Coding(tuple(coded), tuple(left_out))


def encode(coding: Coding, frame: pd.DataFrame) -> np.ndarray:
    """Return rows as float64 (rows, places), NaN where missing.

    A column that the frame lacks is missing in all rows. Words that no training row had, or that
    are not among the 50 most frequent, are known and equal to none: zero in all places.
    """
    pieces = [_encode_column(column, frame) for column in coding.columns]
    return np.concatenate(pieces, axis=1)


def decode(coding: Coding, filled: np.ndarray, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of `frame` whose gaps hold what the matrix `filled` says of them.

    Numbers in their own unit and within the training range, categories as the most likely word;
    what was known is not touched. A gap that is NaN in `filled` stays one.
    """
    done = frame.copy(deep=False)
    for column, block in zip(coding.columns, coding.blocks, strict=True):
        values = frame[column.name] if column.name in frame.columns else None
        gaps = _gaps(column, frame)
        gaps = gaps & ~np.isnan(filled[:, block]).any(axis=1)
        if gaps.any():
            done[column.name] = _fill(column, values, gaps, filled[gaps, block])
    return done


def read_coding(values: dict[str, Any]) -> Coding:
    """Return the coding that `coding_json` described."""
    columns = []
    for column in values["columns"]:
        curve = column["curve"]
        knots = None if curve is None else (tuple(curve[0]), tuple(curve[1]))
        columns.append(Coded(**{**column, "curve": knots, "words": tuple(column["words"])}))
    return Coding(tuple(columns), tuple(values["left_out"]))


def coding_json(coding: Coding) -> dict[str, Any]:
    """Return a coding as plain values; numbers survive to the last bit."""
    return asdict(coding)


def _fit_column(column: Column, values: pd.Series) -> Coded:
    gaps = float(values.isna().mean())
    if column.kind == "category":
        words = read_words(values)
        known, counts = np.unique([word for word in words if word is not None], return_counts=True)
        order = np.lexsort((known, -counts))[:MAX_WORDS]
        return Coded(column.name, "category", gaps, words=tuple(known[order].tolist()))
    if column.kind == "date":
        origin = str(pd.to_datetime(values).min().to_datetime64().astype("datetime64[s]"))
        return Coded(column.name, "date", gaps, _curve(read_days(values, origin)), origin=origin)
    return Coded(column.name, "number", gaps, _curve(read_numbers(values)))


def _curve(numbers: np.ndarray) -> Curve:
    known = numbers[~np.isnan(numbers)]
    low, high = float(known.min()), float(known.max())
    return fit_curve(known, "quantile") if low < high else ((low,), (0.0,))


def _encode_column(column: Coded, frame: pd.DataFrame) -> np.ndarray:
    if column.name not in frame.columns:
        return np.full((len(frame), column.width), np.nan)
    values = frame[column.name]
    if column.words:
        words = read_words(values)
        codes = pd.Index(column.words, dtype=object).get_indexer(words)
        places = (codes[:, None] == np.arange(column.width)).astype(np.float64)
        places[[word is None for word in words]] = np.nan
        return places
    numbers = read_days(values, column.origin) if column.origin else read_numbers(values)
    return apply_curve(column.curve, numbers)[:, None]


def _gaps(column: Coded, frame: pd.DataFrame) -> np.ndarray:
    if column.name not in frame.columns:
        return np.ones(len(frame), dtype=bool)
    values = frame[column.name]
    if column.kind == "number":
        return np.isnan(read_numbers(values))
    return values.isna().to_numpy(bool)


def _fill(
    column: Coded, values: pd.Series | None, gaps: np.ndarray, codes: np.ndarray
) -> pd.Series | np.ndarray:
    if column.words:
        found = np.array(column.words, dtype=object)[codes.argmax(axis=1)]
        words = np.full(len(gaps), None, dtype=object) if values is None else read_words(values)
        words[gaps] = found
        return pd.array(words, dtype="string")
    scores, knots = column.curve[1], column.curve[0]
    found = np.interp(codes[:, 0], scores, knots)
    if column.origin:
        seconds = np.round(found * 86400).astype("timedelta64[s]")
        dates = np.full(len(gaps), np.datetime64("NaT"), dtype="datetime64[s]")
        if values is not None:
            dates = pd.to_datetime(values, errors="coerce").to_numpy("datetime64[s]").copy()
        dates[gaps] = np.datetime64(column.origin, "s") + seconds
        return dates
    numbers = np.full(len(gaps), np.nan) if values is None else read_numbers(values)
    numbers[gaps] = found
    return numbers
