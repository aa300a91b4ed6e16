"""Rows that are visits, in the order of patient and time; each moment of a patient once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits by patient and time.

    `frame` keeps the table's columns and, as its index, the row ids; `time` float64 is each
    visit's, `first` and `end` are the positions where the visits of its patient begin and end.
    `place` gives the position of each row id, also of rows that were joined with another.
    `sentences` say what was done, with a word for each step.
    """

    frame: pd.DataFrame
    time: np.ndarray
    first: np.ndarray
    end: np.ndarray
    place: pd.Series
    sentences: tuple[tuple[str, str], ...]

    @property
    def starts(self) -> np.ndarray:
        """The positions of each patient's first visit."""
        return np.flatnonzero(self.first == np.arange(len(self.first)))


def order_visits(dataset: Dataset, *, training: bool) -> Visits:
    """Return the rows of a table as visits.

    Where training, rows without a patient or a time are left out; else a row without a patient is
    a patient of its own, and one without a time is refused. Raises `DataError` for times that
    cannot be read and for two visits of one time that disagree, `ConfigError` without a patient.
    """
    patient, visit = find_roles(dataset)
    frame = dataset.frame
    time = read_times(frame[visit.name], visit.name)
    codes, known = pd.factorize(frame[patient.name])
    lost = codes < 0
    codes[lost] = len(known) + np.arange(lost.sum())
    sentences = []
    if training:
        bad = lost | np.isnan(time)
        if bad.any():
            sentences.append(
                ("visit without patient or time", _say_lost(frame, bad, patient, visit))
            )
        frame, time, codes = frame[~bad], time[~bad], codes[~bad]
    elif np.isnan(time).any():
        row = int(np.flatnonzero(np.isnan(time))[0]) + 1
        raise DataError(f"Row {row} has no '{visit.name}'; every visit needs its time.")
    if not len(frame):
        raise DataError(f"No row has a patient and a '{visit.name}'; choose other columns.")
    order = np.lexsort((time, codes))
    back = int(((np.diff(time) < 0) & (np.diff(codes) == 0)).sum())
    if back:
        ordering = f"{back:,} visits stood after a later one of the same patient; "
        sentences.append(("visits ordered", f"{ordering}all are put in the order of time."))
    frame, time, codes = frame.iloc[order], time[order], codes[order]
    same = np.r_[False, (np.diff(time) == 0) & (np.diff(codes) == 0)]
    group = np.cumsum(~same) - 1
    place = pd.Series(group, index=frame.index)
    if same.any():
        told = (c.name for c in dataset.columns if c.role != "ignored")
        names = [name for name in told if name in frame.columns]
        joined = _join_same(frame, group, names, visit.name)
        joining = (
            f"{int(same.sum()):,} rows have patient and time of another row and nothing that "
            "contradicts it; they are read as one visit."
        )
        sentences.append(("visits joined", joining))
        frame, time, codes = joined, time[~same], codes[~same]
    starts = np.r_[0, np.flatnonzero(np.diff(codes)) + 1]
    sizes = np.diff(np.r_[starts, len(codes)])
    first, end = np.repeat(starts, sizes), np.repeat(starts + sizes, sizes)
    return Visits(frame, time, first, end, place, tuple(sentences))


def find_roles(dataset: Dataset) -> tuple[Column, Column]:
    """Return the columns of patient and visit time; raises `ConfigError` where they are not one."""
    visits, patients = dataset.with_role("visit"), dataset.with_role("patient")
    if len(visits) > 1:
        raise ConfigError(
            f"'{visits[0].name}' and '{visits[1].name}' both hold the time of the visit; keep one."
        )
    if not patients:
        raise ConfigError(
            f"'{visits[0].name}' holds the time of each visit, but no column says whose visit it "
            "is; give one the role patient."
        )
    return patients[0], visits[0]


def read_times(values: pd.Series, name: str) -> np.ndarray:
    """Return times as float64: numbers as they are, dates as days since 1970; NaN is unknown.

    Raises `DataError` naming the first row whose time cannot be read.

    >>> read_times(pd.Series(["2024-01-02", None, "2024-01-03"]), "day").tolist()
    [19724.0, nan, 19725.0]
    """
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(np.float64, na_value=np.nan)
    if not pd.api.types.is_datetime64_any_dtype(values):
        numbers = pd.to_numeric(values, errors="coerce")
        dates = pd.to_datetime(values, errors="coerce", format="ISO8601")
        values, raw = max(numbers, dates, key=lambda found: int(found.notna().sum())), values
        wrong = (values.isna() & raw.notna()).to_numpy(bool)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"The time '{raw.iloc[row]}' in row {raw.index[row] + 1} of '{name}' cannot be "
                "read; write numbers, or dates as year-month-day."
            )
        if pd.api.types.is_numeric_dtype(values):
            return values.to_numpy(np.float64, na_value=np.nan)
    days = (values - pd.Timestamp(0)) / DAY
    return days.to_numpy(np.float64)


def last_known(frame: pd.DataFrame, first: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Return the columns with each patient's last known value up to each visit."""
    return frame[list(names)].groupby(first).ffill()


def _say_lost(frame: pd.DataFrame, bad: np.ndarray, patient: Column, visit: Column) -> str:
    row = int(frame.index[np.flatnonzero(bad)[0]]) + 1
    return (
        f"{int(bad.sum()):,} visits without '{patient.name}' or '{visit.name}' are set aside "
        f"(first: row {row})."
    )


def _join_same(
    frame: pd.DataFrame, group: np.ndarray, names: Sequence[str], visit: str
) -> pd.DataFrame:
    """Return one row a group, with each column's only known value.

    Raises `DataError` where a group has two.
    """
    sizes = np.bincount(group)
    doubled = sizes[group] > 1
    told = frame.loc[doubled, list(names)].groupby(group[doubled])
    differ = told.nunique() > 1
    if differ.to_numpy().any():
        where = differ.index[differ.any(axis=1)][0]
        column = differ.columns[differ.loc[where]][0]
        rows = [int(row) + 1 for row in frame.index[group == where]][:2]
        raise DataError(
            f"Rows {rows[0]} and {rows[1]} are visits of the same patient at the same "
            f"'{visit}', but differ in '{column}'; keep one, or give the times more exactly."
        )
    first = np.r_[0, np.cumsum(sizes)[:-1]]
    joined, known = frame.iloc[first].copy(), told.first()
    for name in known.columns:
        values = joined[name].to_numpy(dtype=object, copy=True)
        values[known.index] = known[name].to_numpy(dtype=object)
        joined[name] = pd.Series(values, index=joined.index).astype(joined[name].dtype)
    return joined
