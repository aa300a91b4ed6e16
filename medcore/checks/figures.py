"""What the Checks page draws: gaps by column, outcome and pattern, and the outcome's classes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medcore.evaluate.classification import wilson
from medcore.records import Dataset

MOST_PATTERNS = 20


def missing_by_column(dataset: Dataset) -> pd.DataFrame:
    """Return column, missing and share for the inputs with gaps, the most first."""
    names = [column.name for column in dataset.with_role("input")]
    missing = dataset.frame[names].isna().sum()
    table = pd.DataFrame({"column": names, "missing": missing.to_numpy()})
    table["share"] = table["missing"] / max(len(dataset.frame), 1)
    return table[table["missing"] > 0].sort_values("missing", ascending=False, ignore_index=True)


def missing_by_outcome(dataset: Dataset, positive: str) -> pd.DataFrame:
    """Return per column the share missing with and without the outcome, and their difference.

    The interval is Newcombe's (1998, method 10), from Wilson intervals of both shares.
    """
    outcome = dataset.frame[dataset.with_role("outcome")[0].name].astype("string")
    yes, no = (outcome == positive).fillna(False), (outcome != positive).fillna(False)
    rows = []
    for name in missing_by_column(dataset)["column"]:
        gaps = dataset.frame[name].isna()
        a, b = int((gaps & yes).sum()), int((gaps & no).sum())
        m, n = int(yes.sum()), int(no.sum())
        p, q = a / m, b / n
        (pl, ph), (ql, qh) = wilson(a, m), wilson(b, n)
        low = p - q - float(np.hypot(p - pl, qh - q))
        high = p - q + float(np.hypot(ph - p, q - ql))
        rows.append((name, p, q, p - q, low, high))
    names = ["column", "with", "without", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def missing_patterns(dataset: Dataset) -> pd.DataFrame:
    """Return the most frequent sets of columns missing together: columns, rows, share."""
    names = missing_by_column(dataset)["column"].tolist()
    if not names:
        return pd.DataFrame({"columns": [], "rows": [], "share": []})
    gaps = dataset.frame[names].isna()
    counts = gaps.value_counts().head(MOST_PATTERNS)
    listed = [
        tuple(name for name, missing in zip(names, np.atleast_1d(key), strict=True) if missing)
        for key in counts.index
    ]
    share = counts.to_numpy() / len(gaps)
    return pd.DataFrame({"columns": listed, "rows": counts.to_numpy(), "share": share})


def class_balance(dataset: Dataset) -> pd.DataFrame:
    """Return class, rows and share of the outcome, missing among them."""
    outcome = dataset.frame[dataset.with_role("outcome")[0].name].astype("string")
    counts = outcome.fillna("(missing)").value_counts()
    table = pd.DataFrame({"class": counts.index.astype(str), "rows": counts.to_numpy()})
    return table.assign(share=table["rows"] / len(outcome))
