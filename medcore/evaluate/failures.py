"""The rows that a model was most wrong about, and what they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medcore.evaluate.classification import wilson
from medcore.records import Column

# Groups smaller than this tell nothing; numbers are cut into so many groups of equal size.
FEWEST, MOST_GROUPS, PIECES = 10, 12, 3
TOLD = ("outcome", "event")


def worst_cases(called: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `called_rows` called wrongly, those the model was surest of first."""
    wrong = called[called["called"] != called["outcome"]]
    return wrong.sort_values("surest", ascending=False, ignore_index=True, kind="stable").drop(
        columns="surest"
    )


def called_rows(
    frame: pd.DataFrame,
    classes: Sequence[str],
    positive: str | None = None,
    threshold: float | None = None,
) -> pd.DataFrame:
    """Return what each test row is and was called: row_id, outcome, called, probability, surest.

    `frame`, `classes` and `positive` are those of `Predictions`. Of two classes a row is called
    what it is judged as, at the `threshold`; without one, by the likeliest class. `probability` is
    that of the class called, `surest` from 0 at the border between classes to 1.
    """
    own = frame[(frame["model"] == "model") & (frame["part"] == "test")]
    risks = own[[f"p_{name}" for name in classes]].to_numpy(np.float64)
    place, surest = risks.argmax(axis=1), risks.max(axis=1)
    if threshold is not None and positive is not None and len(classes) == 2:
        one = list(classes).index(positive)
        alarm = risks[:, one] >= threshold
        place = np.where(alarm, one, 1 - one)
        room = np.where(alarm, 1 - threshold, threshold)
        surest = np.abs(risks[:, one] - threshold) / np.maximum(room, 1e-9)
    return pd.DataFrame(
        {
            "row_id": own["row_id"].to_numpy(),
            "outcome": own["outcome"].astype(str).to_numpy(),
            "called": np.array(classes, dtype=object)[place],
            "probability": np.take_along_axis(risks, place[:, None], axis=1)[:, 0],
            "surest": surest,
        }
    )


def shared_traits(
    called: pd.DataFrame, table: pd.DataFrame, columns: Sequence[Column]
) -> pd.DataFrame:
    """Return the groups of test rows that are called wrongly more often than the others.

    `called` as of `called_rows`, `table` the data set's rows. Columns: column, group, rows, wrong,
    share with low and high (Wilson), and others, the share among the rest. A group stands there
    where its interval lies above that of the rest; the largest difference first.
    """
    wrong = (called["called"] != called["outcome"]).to_numpy()
    named = [column.name for column in columns if column.role in TOLD]
    groups = {(named or ["outcome"])[0]: called["outcome"].reset_index(drop=True)}
    for column in columns:
        if column.name in named:
            continue
        values = table[column.name].reindex(called["row_id"]).reset_index(drop=True)
        if column.kind in ("number", "category"):
            groups[column.name] = _words(values, column)
    found = []
    for name, words in groups.items():
        for group in words.value_counts().index[:MOST_GROUPS]:
            own = words.eq(group).fillna(False).to_numpy(bool)
            if min(own.sum(), (~own).sum()) < FEWEST:
                continue
            low, high = wilson(int(wrong[own].sum()), int(own.sum()))
            _, rest = wilson(int(wrong[~own].sum()), int((~own).sum()))
            if low > rest:
                found.append(
                    {"column": name, "group": str(group), "rows": int(own.sum()),
                     "wrong": int(wrong[own].sum()), "share": wrong[own].mean(), "low": low,
                     "high": high, "others": wrong[~own].mean()}
                )  # fmt: skip
    names = ["column", "group", "rows", "wrong", "share", "low", "high", "others"]
    made = pd.DataFrame(found, columns=names)
    order = (made["others"] - made["share"]).sort_values(kind="stable").index
    return made.loc[order].reset_index(drop=True)


def _words(values: pd.Series, column: Column) -> pd.Series:
    """Return a column's groups; of many numbers, thirds."""
    if column.kind == "category" or values.nunique() <= PIECES:
        return values.astype("string")
    cut = pd.qcut(values.astype("float64"), PIECES, duplicates="drop")
    spans = cut.map(lambda span: f"{span.left:.4g} to {span.right:.4g}", na_action="ignore")
    return spans.astype("string")
