"""Whether two arms can be compared: overlap of the chances of treatment, balance, sample sizes.

The rule: nobody can be compared whose chance of one arm is nearly nil (positivity). With more than
a set share of patients below a set chance of either arm, no effect is told; bounds of 0.01 and
shares of some per cent are usual (Petersen et al. 2012, Diagnosing and responding to violations in
the positivity assumption). Crump et al. (2009) set patients beyond 0.1 and 0.9 aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from medcore.records import Column

BARS = 20
MOST_LEVELS = 8
# A difference beyond this is usually called imbalance (Austin 2009).
BALANCED = 0.1


def share_beyond(propensity: np.ndarray, least: float) -> float:
    """Return the share of patients whose chance of either arm is below `least`.

    >>> share_beyond(np.array([0.005, 0.5, 0.995, 0.3]), 0.01)
    0.5
    """
    return float(np.mean((propensity < least) | (propensity > 1 - least)))


def propensity_histogram(propensity: np.ndarray, treated: np.ndarray) -> dict[str, list[float]]:
    """Return how many of each arm have a chance of treatment in each of 20 equal bands."""
    edges = np.linspace(0, 1, BARS + 1)
    counts = {
        name: np.histogram(propensity[treated == arm], edges)[0].tolist()
        for name, arm in (("control", 0), ("treated", 1))
    }
    return {"edges": edges.round(4).tolist(), **counts}


def effective_size(weights: np.ndarray) -> float:
    """Return how many equally weighted patients tell as much (Kish 1965).

    >>> effective_size(np.array([1.0, 1.0, 2.0])).__round__(2)
    2.67
    """
    total = float(weights @ weights)
    return float(weights.sum()) ** 2 / total if total else 0.0


def describe_balance(
    frame: pd.DataFrame, columns: Sequence[Column], treated: np.ndarray, weights: np.ndarray
) -> list[dict[str, Any]]:
    """Return each input's standardised mean difference between the arms before and after weighting.

    Rows of column, level, control and treated (means, or shares of patients), before and after.
    Treated less control, in the arms' pooled standard deviation before weighting; categories by
    level, missing values as a level of their own. Rows are in the order of the arrays.
    """
    found = []
    for column in columns:
        values = frame[column.name]
        for level, numbers in _list_levels(column, values):
            known = np.isfinite(numbers)
            arms = [known & (treated == arm) for arm in (0, 1)]
            if min(arm.sum() for arm in arms) < 2:
                continue
            plain = [float(numbers[arm].mean()) for arm in arms]
            spread = np.sqrt(np.mean([numbers[arm].var(ddof=1) for arm in arms]))
            if not spread > 0:
                continue
            after = [float(np.average(numbers[arm], weights=weights[arm])) for arm in arms]
            found.append(
                {
                    "column": column.name, "level": level, "control": plain[0],
                    "treated": plain[1], "before": float((plain[1] - plain[0]) / spread),
                    "after": float((after[1] - after[0]) / spread),
                }
            )  # fmt: skip
    return found


def _list_levels(column: Column, values: pd.Series) -> list[tuple[str, np.ndarray]]:
    """Return a column's numbers, or 0/1 for each of its levels; gaps are a level too."""
    gaps = values.isna().to_numpy(bool)
    found: list[tuple[str, np.ndarray]] = []
    if column.kind == "number":
        found.append(("", values.to_numpy(np.float64, na_value=np.nan)))
    elif column.kind == "date":
        days = pd.to_datetime(values).astype("int64") / 86_400e6
        found.append(("", np.where(gaps, np.nan, days.to_numpy(np.float64))))
    elif column.kind == "category":
        words = values.astype(object)
        levels = words.value_counts().index[:MOST_LEVELS]
        # Of two levels one says it all.
        levels = levels[:1] if len(words.value_counts()) == 2 and not gaps.any() else levels
        found += [(str(name), (words == name).to_numpy(np.float64)) for name in levels]
    if gaps.any():
        found.append(("unknown", gaps.astype(np.float64)))
    return found
