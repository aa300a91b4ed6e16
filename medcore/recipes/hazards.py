"""Hazard ratios of the inputs, and whether they stay the same over time.

A Cox regression of the rows that were learned from, on plain columns, so that its figures read as
in a paper. It describes; the model's own members are fitted elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medcore.data import read_causes
from medcore.models.cox import fit_cox, schoenfeld_test
from medcore.records import Dataset

MOST_TERMS, MOST_LEVELS, FEWEST_ROWS = 60, 8, 5
MOST_ROWS = 20_000
# Just enough to hold a term finite that tells the events apart without exception.
RIDGE = 1e-3
Z95 = 1.959963984540054
Term = tuple[str, str, np.ndarray]


def describe_hazards(
    dataset: Dataset, row_ids: np.ndarray, causes: tuple[str, ...], positive: str
) -> dict[str, Any]:
    """Return each term's hazard ratio with its 95 % interval and Schoenfeld's p, JSON-ready.

    `rows`: column, contrast, ratio, low, high, constant_p (small where the ratio changes over
    time). Numbers count per standard deviation, categories against their most frequent value; a
    missing number counts as the median. `left_out`: columns beyond the most terms that are shown.
    """
    frame = dataset.frame.loc[row_ids[:: max(1, -(-len(row_ids) // MOST_ROWS))]]
    duration = frame[dataset.with_role("duration")[0].name].to_numpy(np.float64)
    cause = read_causes(frame[dataset.predicted_column().name], causes)
    event = cause == causes.index(positive) + 1
    terms, left_out = _list_terms(dataset, frame)
    found: dict[str, Any] = {"rows": [], "left_out": left_out, "n": len(frame)}
    found["events"] = int(event.sum())
    if not terms or event.sum() < 2:
        return found
    values = np.column_stack([term[2] for term in terms])
    fitted = fit_cox(values, duration, event, RIDGE)
    spread = np.sqrt(np.diag(fitted.covariance))
    drift = schoenfeld_test(fitted, values, duration, event)
    for (column, contrast, _), beta, error, p in zip(
        terms, fitted.coefficients, spread, drift, strict=True
    ):
        ends = np.exp(np.clip([beta, beta - Z95 * error, beta + Z95 * error], -30, 30))
        named = dict(zip(("ratio", "low", "high"), map(float, ends), strict=True))
        found["rows"].append({"column": column, "contrast": contrast, **named, "constant_p": p})
    return found


def _list_terms(dataset: Dataset, frame: pd.DataFrame) -> tuple[list[Term], list[str]]:
    terms: list[Term] = []
    left_out = []
    for column in dataset.with_role("input"):
        values = frame[column.name]
        if column.kind == "number":
            own = _number_term(column.name, values, column.unit or "")
        elif column.kind == "category":
            own = _category_terms(column.name, values)
        else:
            continue
        if len(terms) + len(own) > MOST_TERMS:
            left_out.append(column.name)
        else:
            terms += own
    return terms, left_out


def _number_term(name: str, values: pd.Series, unit: str) -> list[Term]:
    numbers = values.astype(np.float64)
    filled = numbers.fillna(numbers.median()).to_numpy()
    spread = float(filled.std())
    if not np.isfinite(spread) or spread == 0:
        return []
    contrast = f"per {spread:.3g}{' ' + unit if unit else ''} more"
    return [(name, contrast, (filled - filled.mean()) / spread)]


def _category_terms(name: str, values: pd.Series) -> list[Term]:
    words = values.astype(object).where(values.notna(), "unknown").astype(str)
    counts = words.value_counts()
    usual = str(counts.index[0])
    kept = [str(word) for word in counts.index[1:MOST_LEVELS] if counts[word] >= FEWEST_ROWS]
    return [
        (name, f"{word} against {usual}", (words == word).to_numpy(np.float64)) for word in kept
    ]
