"""The rows that an export is compared on: the run's own where they can be found, else made up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pandas as pd

from medcore.config import generator
from medcore.data import configure_dataset, load_sample
from medcore.errors import MedcoreError
from medcore.records import Column, Dataset
from medcore.report.facts import Facts
from medcore.store import get_workspace, list_datasets, load_dataset, local_workspace, open_home

MADE_UP = 64
GAPS = 0.1


def find_dataset(facts: Facts) -> Dataset | None:
    """Return the table that a run learned from, as it was read, or None where it is gone.

    Looked for among the samples, then in the workspace that the folder lies in or the local one;
    only a table with the run's SHA-256 counts.
    """
    for look in (_find_sample, _find_kept):
        with contextlib.suppress(MedcoreError):
            found = look(facts)
            if found is not None and found.sha256 == facts.dataset["sha256"]:
                return found
    return None


def _find_sample(facts: Facts) -> Dataset | None:
    scheme, _, name = facts.dataset["source"].partition(":")
    return load_sample(name) if scheme == "sample" else None


def _find_kept(facts: Facts) -> Dataset | None:
    home, folder = open_home(), facts.folder.resolve()
    inside = folder.parent.parent.parent == (home.folder / "workspaces").resolve()
    workspace = get_workspace(home, folder.parent.parent.name) if inside else local_workspace(home)
    wanted = facts.dataset["sha256"]
    same = [row for row in list_datasets(workspace) if row.sha256 == wanted]
    return load_dataset(workspace, same[0].id) if same else None


def comparison_rows(
    facts: Facts, dataset: Dataset | None
) -> tuple[Dataset, np.ndarray | None, bool]:
    """Return a table, the row ids to compare an export on, and whether they are real patients'.

    Test rows; with folds everyone was tested. Without a table, rows are drawn by the columns'
    means, spreads and categories.
    """
    if dataset is not None:
        with contextlib.suppress(MedcoreError, KeyError):
            ready = configure_dataset(dataset, facts.config)
            test = facts.split.parts.get("test")
            rows = ready.frame.index.to_numpy() if test is None or not len(test) else test
            ready.frame.loc[rows]
            return ready, rows, True
    return make_up_rows(facts), None, False


def make_up_rows(facts: Facts) -> Dataset:
    """Return a table of nobody: each input drawn by itself, a tenth of its values missing."""
    rng = generator(facts.config.seed, "made-up rows")
    told = {c["name"]: c["parts"]["all"] for c in (facts.cohort or {}).get("columns", ())}
    frame = pd.DataFrame(index=pd.RangeIndex(MADE_UP))
    for column in facts.inputs:
        draw = DRAWS.get(column.kind)
        if draw is not None:
            values = pd.Series(draw(column, told.get(column.name, {}), rng), index=frame.index)
            frame[column.name] = values.mask(rng.random(MADE_UP) < GAPS)
    return Dataset("made up", "made up", "", frame, facts.columns)


def _draw_numbers(_: Column, told: dict, rng: np.random.Generator) -> np.ndarray:
    mean, spread = told.get("mean") or 0.0, told.get("sd") or 1.0
    return rng.normal(mean, spread, MADE_UP)


def _draw_words(column: Column, _: dict, rng: np.random.Generator) -> pd.Series:
    return pd.Series(rng.choice(list(column.categories or ("a",)), MADE_UP), dtype="string")


def _draw_dates(_: Column, told: dict, rng: np.random.Generator) -> pd.Series:
    first = pd.Timestamp(told.get("first", "2020-01-01"))
    days = max(1, (pd.Timestamp(told.get("last", "2020-12-31")) - first).days)
    return pd.Series(first + pd.to_timedelta(rng.integers(0, days, MADE_UP), unit="D"))


DRAWS: dict[str, Callable[[Column, dict, np.random.Generator], object]] = {
    "number": _draw_numbers,
    "category": _draw_words,
    "date": _draw_dates,
}
