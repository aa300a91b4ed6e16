"""The repairs a user agreed to, applied alike to training rows and new patients."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import Repair
from medcore.data.kinds import infer_kind, list_categories
from medcore.errors import ConfigError
from medcore.records import Dataset, LedgerEntry

UNIT = re.compile(r"^\s*[<>≤≥~]?\s*([-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?)\s*([^\d\s].*)?$")


def apply_repairs(dataset: Dataset, repairs: Iterable[Repair], *, training: bool) -> Dataset:
    """Return the data set with the repairs carried out, one ledger entry each.

    Repairs that remove rows are carried out in training only; a column that new patients lack is
    passed over. Raises `ConfigError` for a column that training rows lack.
    """
    for repair in repairs:
        if repair.action == "drop_duplicates":
            dataset = _drop_duplicates(dataset) if training else dataset
        elif repair.column in dataset.frame.columns:
            dataset = ACTIONS[repair.action](dataset, repair)
        elif training:
            raise ConfigError(
                f"A repair names the column '{repair.column}', which is not in the table."
            )
    return dataset


def _drop_duplicates(dataset: Dataset) -> Dataset:
    kept = dataset.frame[~dataset.frame.duplicated()]
    return _with_frame(dataset, kept, "duplicates", "Equal rows are kept once.", ())


def _replace_values(dataset: Dataset, name: str, values: pd.Series, reason: str) -> Dataset:
    frame = dataset.frame.copy(deep=False)
    changed = int((values.isna() != frame[name].isna()).sum()) if reason else 0
    frame[name] = values
    return _with_frame(dataset, frame, "repair", reason.format(n=f"{changed:,}"), (name,))


def _with_frame(
    dataset: Dataset, frame: pd.DataFrame, step: str, reason: str, names: tuple[str, ...]
) -> Dataset:
    count = len(dataset.columns)
    entry = LedgerEntry(step, reason, len(dataset.frame), len(frame), count, count, names)
    columns = tuple(
        replace(c, categories=list_categories(frame[c.name]))
        if c.name in names and c.kind == "category"
        else c
        for c in dataset.columns
    )
    return replace(dataset, frame=frame, columns=columns, ledger=(*dataset.ledger, entry))


def _missing_values(dataset: Dataset, repair: Repair) -> Dataset:
    values = dataset.frame[repair.column]
    if pd.api.types.is_numeric_dtype(values):
        wanted = pd.to_numeric(pd.Series(repair.values), errors="coerce").dropna()
        found = values.isin(wanted)
        values = values.astype("float64")
    else:
        found = values.astype("string").str.strip().str.lower().isin(
            [word.strip().lower() for word in repair.values]
        )  # fmt: skip
    listed = ", ".join(repair.values)
    reason = f"{{n}} values '{listed}' of {repair.column} are read as missing."
    return _replace_values(dataset, repair.column, values.mask(found), reason)


def _missing_beyond(above: bool) -> Callable[[Dataset, Repair], Dataset]:
    def apply(dataset: Dataset, repair: Repair) -> Dataset:
        values = dataset.frame[repair.column].astype("float64")
        limit = float(repair.values[0])
        beyond = values > limit if above else values < limit
        word = "above" if above else "below"
        reason = f"{{n}} values of {repair.column} {word} {limit:g} are read as missing."
        return _replace_values(dataset, repair.column, values.mask(beyond), reason)

    return apply


def _merge_spellings(dataset: Dataset, repair: Repair) -> Dataset:
    words = dataset.frame[repair.column].astype("string")
    merged = words.replace(dict(repair.mapping))
    reason = f"Spellings of {repair.column} are merged: " + ", ".join(
        f"'{found}' → '{kept}'" for found, kept in repair.mapping.items()
    )
    return _replace_values(dataset, repair.column, merged, reason + ".")


def _parse_numbers(dataset: Dataset, repair: Repair) -> Dataset:
    words = dataset.frame[repair.column].astype("string")
    numbers = parse_measured(words)
    frame = dataset.frame.copy(deep=False)
    lost = int((numbers.isna() & words.notna()).sum())
    frame[repair.column] = numbers
    reason = f"{repair.column} is read as a number; {lost:,} values that are none became missing."
    columns = tuple(
        replace(c, kind="number", categories=(), unit=c.unit or repair.mapping.get("unit"))
        if c.name == repair.column
        else c
        for c in dataset.columns
    )
    changed = replace(dataset, columns=columns)
    return _with_frame(changed, frame, "repair", reason, (repair.column,))


def parse_measured(words: pd.Series) -> pd.Series:
    """Return the numbers in texts like "5.2 mmol/L"; NaN where there is none.

    >>> parse_measured(pd.Series(["5.2 mmol/L", "7,1", "high"], dtype="string")).tolist()
    [5.2, 7.1, nan]
    """
    found = words.str.extract(UNIT)[0].str.replace(",", ".")
    return pd.to_numeric(found, errors="coerce").astype("float64")


def _ignore_column(dataset: Dataset, repair: Repair) -> Dataset:
    columns = tuple(
        replace(c, role="ignored") if c.name == repair.column else c for c in dataset.columns
    )
    return replace(dataset, columns=columns)


ACTIONS = {
    "missing_values": _missing_values,
    "missing_above": _missing_beyond(True),
    "missing_below": _missing_beyond(False),
    "merge_spellings": _merge_spellings,
    "parse_numbers": _parse_numbers,
    "ignore_column": _ignore_column,
}


def convert_kind(values: pd.Series, kind: str, name: str) -> pd.Series:
    """Return a column as the kind the user gave it; raises `ConfigError` where it cannot be."""
    if kind == infer_kind(values) or kind in ("image", "audio", "series"):
        return values
    if kind == "number":
        numbers = parse_measured(values.astype("string"))
        if not numbers.notna().any():
            raise ConfigError(f"The column '{name}' holds no number; choose another kind for it.")
        return numbers
    if kind == "date":
        dates = pd.to_datetime(values.astype("string"), errors="coerce", format="mixed")
        if not dates.notna().any():
            raise ConfigError(f"The column '{name}' holds no date; choose another kind for it.")
        return dates
    if pd.api.types.is_float_dtype(values):
        whole = values.dropna() % 1 == 0
        if whole.all() and np.isfinite(values.dropna()).all():
            return values.astype("Int64").astype("string")
    return values.astype("string")
