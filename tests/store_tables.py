"""Tables to keep in a store under test."""

import hashlib

import numpy as np
import pandas as pd

from medcore.records import Column, Dataset, LedgerEntry


def a_table(name: str = "heart", rows: int = 60) -> Dataset:
    """Return patients with a column of each kind, gaps, and a row that was set aside."""
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, rows)
    age[::7] = np.nan
    frame = pd.DataFrame(
        {
            "age": age,
            "visits": rng.integers(0, 9, rows),
            "sex": pd.Series(rng.choice(["f", "m"], rows), dtype="string"),
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), "D"),
            "death": pd.Series(np.where(age > 62, "yes", "no"), dtype="string"),
        }
    ).drop(index=1)
    frame.loc[2, "sex"] = pd.NA
    columns = (
        Column("age", "number", "input", unit="years", note="name"),
        Column("visits", "number", "input"),
        Column("sex", "category", "input", categories=("f", "m")),
        Column("seen", "date", "date"),
        Column("death", "category", "outcome", categories=("no", "yes")),
    )
    ledger = (LedgerEntry("read", "outcome missing", rows, rows - 1, 5, 5, ("death",), {"no": 1}),)
    sha256 = hashlib.sha256(f"{name} {rows}".encode()).hexdigest()
    return Dataset(name, f"{name}.csv", sha256, frame, columns, ledger)
