"""Tables with one row a visit, small enough to see through."""

from __future__ import annotations

import pandas as pd

from medcore.config import RunConfig, change_config
from medcore.data import make_dataset
from medcore.records import Dataset

ROLES = {"who": "patient", "month": "visit", "ill": "outcome"}


def visit_dataset(rows: list[tuple], names: str = "who month marker sex ill") -> Dataset:
    """Return rows of visits as they would be read from a file."""
    frame = pd.DataFrame(rows, columns=names.split())
    return make_dataset(frame, "visits", "visits.csv", "0" * 64)


def visit_config(roles: dict | None = None, **changes) -> RunConfig:
    """Return settings with roles; `series__horizon=3` sets `series.horizon`."""
    changed = {name.replace("__", "."): value for name, value in changes.items()}
    return change_config(RunConfig(), {"data.roles": ROLES if roles is None else roles, **changed})


def two_patients() -> list[tuple]:
    """Return seven visits of two patients, in order."""
    return [
        ("a", 0, 1.0, "f", "no"), ("a", 2, None, "f", "no"), ("a", 5, 3.0, "f", "no"),
        ("a", 9, 4.0, "f", "no"), ("b", 1, 7.0, "m", "yes"), ("b", 4, 8.0, "m", "yes"),
        ("b", 6, 9.0, "m", "yes"),
    ]  # fmt: skip
