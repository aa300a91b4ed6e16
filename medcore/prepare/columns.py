"""One fit per kind of column: what was learned from training rows, and how it makes features.

Each fit is a frozen record of plain numbers and words (JSON), made by a `fit_…` function that
returns None with a sentence where a column has nothing to tell, and applied by `features`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from medcore.config import MissingConfig, PrepareConfig
from medcore.prepare.scaling import Curve, apply_curve, fit_curve

DAY = np.timedelta64(1, "D")
YEAR = 365.2425
MISSING = "(missing)"


@dataclass(frozen=True)
class NumberFit:
    """A number: `curve` scales it, `fill` stands in for what is missing (in the column's unit).

    `indicator` adds a 0/1 feature "was missing"; `curve` is None where only that can inform.
    `numeric` tells that there were more than two values, so that a learned curve makes sense;
    `whole` that all training values were whole numbers.
    """

    name: str
    curve: Curve | None
    fill: float
    low: float
    high: float
    indicator: bool
    numeric: bool
    whole: bool
    kind: Literal["number"] = "number"


@dataclass(frozen=True)
class CategoryFit:
    """A category: one 0/1 place for each of `kept`, in the order of frequency.

    `other` adds a place that the rarer training categories share; unseen categories go there too,
    and are all zero where it does not exist, because a place without training rows would only add
    the noise of its untrained weight. `fill` stands in for what is missing.
    """

    name: str
    kept: tuple[str, ...]
    rare: tuple[str, ...]
    fill: str
    indicator: bool
    kind: Literal["category"] = "category"


@dataclass(frozen=True)
class DateFit:
    """A date: days since `origin`, the earliest training date, scaled like a number.

    Beside it stand the sine and cosine of the day in the year, for what comes with the seasons.
    """

    name: str
    origin: str
    days: NumberFit
    kind: Literal["date"] = "date"


ColumnFit = NumberFit | CategoryFit | DateFit


@dataclass(frozen=True)
class Feature:
    """One prepared column: float (rows,), finite; `numeric` ones take number embeddings.

    `gaps` says where the value only stands in for a missing one.
    """

    name: str
    source: str
    values: np.ndarray
    numeric: bool = False
    gaps: np.ndarray | None = None


def read_numbers(values: pd.Series) -> np.ndarray:
    """Return a number column as float64 with NaN for missing; infinite counts as missing."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def read_words(values: pd.Series) -> np.ndarray:
    """Return a category column as an object array of str and None."""
    words = values.astype("string").to_numpy(object, na_value=None)
    return words


def read_days(values: pd.Series, origin: str) -> np.ndarray:
    """Return a date column as float64 days since `origin`, NaN for missing."""
    dates = pd.to_datetime(values, errors="coerce").to_numpy("datetime64[s]")
    days = (dates - np.datetime64(origin, "s")) / DAY
    return np.asarray(days, dtype=np.float64)


def write_day(origin: str, days: float) -> str:
    """Return the date that lies `days` after `origin`, as text.

    >>> write_day("2020-02-28T00:00:00", 2.0)
    '2020-03-01'
    """
    seconds = np.timedelta64(round(days * 86400), "s")
    return str((np.datetime64(origin, "s") + seconds).astype("datetime64[D]"))


def fit_number(
    name: str, numbers: np.ndarray, missing: MissingConfig, prepare: PrepareConfig
) -> NumberFit | str:
    """Learn a number column, float64 (rows,) with NaN; a sentence where it has nothing to tell."""
    gaps = np.isnan(numbers)
    known = numbers[~gaps]
    if not len(known):
        return f"Column '{name}' is empty in all training rows and is left out."
    fill = _fill_number(known, missing)
    indicator = missing.indicator and bool(gaps.any())
    low, high = float(known.min()), float(known.max())
    if low == high and not indicator:
        return f"Column '{name}' has one value only in the training rows and is left out."
    numeric = not np.isin(known, (low, high)).all()
    curve: Curve | None = None
    if numeric:
        # A constant may lie beyond what was measured, and must stay apart from it.
        beyond = numbers.copy() if missing.strategy == "constant" else known
        beyond[np.isnan(beyond)] = fill
        curve = fit_curve(beyond, prepare.scaling)
    elif low < high:
        # A yes/no number keeps 0 and 1: scaling it would only hide what it says.
        curve = ((low, high), (0.0, 1.0))
    whole = bool((known == np.round(known)).all())
    return NumberFit(name, curve, fill, low, high, indicator, bool(numeric), whole)


def fit_category(
    name: str, words: np.ndarray, missing: MissingConfig, prepare: PrepareConfig
) -> CategoryFit | str:
    """Learn a category column (str or None); a sentence where it has nothing to tell."""
    gaps = np.array([word is None for word in words], dtype=bool)
    if gaps.all():
        return f"Column '{name}' is empty in all training rows and is left out."
    own = missing.strategy == "constant" and bool(gaps.any())
    told = np.where(gaps, MISSING, words) if own else words[~gaps]
    known, counts = np.unique(told.astype(str), return_counts=True)
    indicator = missing.indicator and bool(gaps.any()) and not own
    if len(known) == 1 and not indicator:
        return f"Column '{name}' has one value only in the training rows and is left out."
    order = np.lexsort((known, -counts))
    ranked = [str(word) for word in known[order]]
    kept = tuple(ranked[: prepare.max_categories])
    fill = MISSING if own else ranked[0]
    return CategoryFit(name, kept, tuple(ranked[len(kept) :]), fill, indicator)


def fit_date(
    name: str, values: pd.Series, missing: MissingConfig, prepare: PrepareConfig
) -> DateFit | str:
    """Learn a date column; a sentence where it has nothing to tell."""
    dates = pd.to_datetime(values, errors="coerce")
    if dates.isna().all():
        return f"Column '{name}' is empty in all training rows and is left out."
    origin = str(dates.min().to_datetime64().astype("datetime64[s]"))
    days = fit_number(name, read_days(values, origin), missing, prepare)
    return days if isinstance(days, str) else DateFit(name, origin, days)


def features(fit: ColumnFit, values: pd.Series, filled: pd.Series | None = None) -> list[Feature]:
    """Return the features of a column's values; nothing in them is missing or infinite.

    `filled` holds the same rows after imputation; gaps that it leaves take the fit's own value.
    """
    filled = values if filled is None else filled
    if fit.kind == "number":
        return _number_features(fit, read_numbers(values), read_numbers(filled))
    if fit.kind == "date":
        days, whole = read_days(values, fit.origin), read_days(filled, fit.origin)
        return [*_number_features(fit.days, days, whole), *_season_features(fit, whole)]
    return _category_features(fit, read_words(values), read_words(filled))


def _fill_number(known: np.ndarray, missing: MissingConfig) -> float:
    if missing.strategy == "constant":
        return missing.constant
    if missing.strategy == "mean":
        return float(known.mean())
    if missing.strategy != "most_frequent":
        return float(np.median(known))
    distinct, counts = np.unique(known, return_counts=True)
    return float(distinct[counts.argmax()])


def _number_features(fit: NumberFit, numbers: np.ndarray, filled: np.ndarray) -> list[Feature]:
    gaps = np.isnan(numbers)
    made = []
    if fit.curve is not None:
        scaled = apply_curve(fit.curve, np.where(np.isnan(filled), fit.fill, filled))
        made.append(Feature(fit.name, fit.name, scaled, fit.numeric, gaps))
    if fit.indicator:
        made.append(Feature(f"{fit.name}: missing", fit.name, gaps))
    return made


def _season_features(fit: DateFit, days: np.ndarray) -> list[Feature]:
    origin = np.datetime64(fit.origin, "s")
    new_year = (origin - origin.astype("datetime64[Y]").astype("datetime64[s]")) / DAY
    filled = np.where(np.isnan(days), fit.days.fill, days)
    angle = 2 * np.pi * (filled + new_year) / YEAR
    return [
        Feature(f"{fit.name}: season (sine)", fit.name, np.sin(angle)),
        Feature(f"{fit.name}: season (cosine)", fit.name, np.cos(angle)),
    ]


def _category_features(fit: CategoryFit, words: np.ndarray, filled: np.ndarray) -> list[Feature]:
    gaps = np.array([word is None for word in words], dtype=bool)
    open_still = np.array([word is None for word in filled], dtype=bool)
    words = np.where(open_still, fit.fill, filled)
    made = []
    if len(fit.kept) > 1:
        codes = pd.Index(fit.kept, dtype=object).get_indexer(words)
        made = [
            Feature(f"{fit.name} = {word}", fit.name, codes == place, gaps=gaps)
            for place, word in enumerate(fit.kept)
        ]
        if fit.rare:
            other = f"{fit.name}: another value"
            made.append(Feature(other, fit.name, codes == -1, gaps=gaps))
    if fit.indicator:
        made.append(Feature(f"{fit.name}: missing", fit.name, gaps))
    return made
