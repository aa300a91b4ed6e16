"""How new patients differ from those a model was developed on: Table 1, column by column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medcore.cohort import OTHERS, difference_of_categories
from medcore.records import Dataset
from medcore.validation.newcomers import development_part

# Above a tenth of a standard deviation groups are usually called different (Austin 2009).
NOTABLE = 0.1


def compare_cohorts(cohort: Mapping[str, Any], new: Dataset) -> list[dict[str, Any]]:
    """Return column, role, development, here, difference, and the same for what is missing.

    `cohort`: a run's `cohort.json`. Differences are standardised: of means in pooled standard
    deviations (here − development), of categories as by Yang and Dalton (2012), of shares missing
    in standard deviations of a share. None where they are undefined.
    """
    part = development_part(cohort)
    rows = cohort["parts"][part]["rows"]
    found = []
    for column in cohort["columns"]:
        name, kind = column["name"], column["kind"]
        if name not in new.frame.columns or kind not in ("number", "category"):
            continue
        told, values = column["parts"][part], new.frame[name]
        compare = _compare_numbers if kind == "number" else _compare_categories
        before, here = told["missing"] / max(rows, 1), float(values.isna().mean())
        found.append(
            {
                "column": name,
                "role": column["role"],
                "unit": column["unit"],
                **compare(told, values.dropna()),
                "missing in development": before,
                "missing here": here,
                "difference in missing": _finite(difference_of_shares(here, before)),
            }
        )
    return found


def _compare_numbers(told: Mapping[str, Any], known: pd.Series) -> dict[str, Any]:
    here = known.astype("float64")
    mean, spread = float(here.mean()), float(here.std())
    away = math.nan
    if told.get("sd") is not None:
        pooled = math.sqrt((spread**2 + told["sd"] ** 2) / 2)
        gap = mean - told["mean"]
        away = gap / pooled if pooled > 0 else 0.0 if gap == 0 else math.nan
    return {
        "development": _write_number(told.get("mean"), told.get("sd")),
        "here": _write_number(mean, spread),
        "difference": _finite(away),
    }


def _write_number(mean: float | None, spread: float | None) -> str:
    if mean is None or not math.isfinite(mean):
        return "–"
    return f"{mean:.4g}" + (f" ({spread:.3g})" if spread and math.isfinite(spread) else "")


def _compare_categories(told: Mapping[str, Any], known: pd.Series) -> dict[str, Any]:
    counts = told["counts"]
    words = known.astype("string").astype(object)
    # The run tells rare categories apart no more; new ones are among those others.
    words = words.where(words.isin(list(counts)), OTHERS)
    before = pd.Series(np.repeat(list(counts), list(counts.values())), dtype=object)
    return {
        "development": _write_shares(before),
        "here": _write_shares(words),
        "difference": _finite(difference_of_categories(words, before)),
    }


def _write_shares(values: pd.Series) -> str:
    if values.empty:
        return "–"
    shares = values.value_counts(normalize=True).head(3)
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def difference_of_shares(one: float, other: float) -> float:
    """Return the standardised difference of two shares.

    >>> round(difference_of_shares(0.3, 0.1), 3)
    0.516
    """
    spread = math.sqrt((one * (1 - one) + other * (1 - other)) / 2)
    if spread == 0:
        return 0.0 if one == other else math.nan
    return (one - other) / spread


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
