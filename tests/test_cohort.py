"""Table 1 beside pandas and closed forms."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.cohort import (
    describe_cohort,
    difference_of_categories,
    difference_of_numbers,
    usual_groups,
)
from medcore.config import RunConfig, change_config
from medcore.data import assign_columns, make_dataset
from medcore.records import Split

ROLES = {"died": "outcome", "id": "patient", "ward": "site"}


def a_cohort(rows: int = 90):
    """Return patients with two visits each, gaps, and a day of admission."""
    rng = np.random.default_rng(3)
    age = rng.integers(20, 90, rows).astype(float)
    age[::10] = np.nan
    table = pd.DataFrame(
        {
            "id": [f"p{i // 2}" for i in range(rows)],
            "age": age,
            "sex": rng.choice(["f", "m"], rows),
            "ward": rng.choice(list("abcdefghijklmnop"), rows),
            "day": pd.date_range("2020-01-05", periods=rows),
            "died": rng.choice(["no", "yes"], rows),
        }
    )
    kinds = {"day": "date", "ward": "category", "id": "category"}
    config = change_config(RunConfig(), {"data.roles": ROLES, "data.kinds": kinds})
    return assign_columns(make_dataset(table, "a", "a.csv", "0" * 64), config)


def split_of(rows: int = 90) -> Split:
    parts = {"train": np.arange(50), "validation": np.arange(50, 60), "test": np.arange(60, rows)}
    return Split("holdout", 0, parts)


def test_figures_of_each_part_are_those_of_pandas():
    dataset, told = a_cohort(), describe_cohort(a_cohort(), split_of())
    frame = dataset.frame
    assert told["parts"]["development"] == {
        "rows": 60,
        "patients": 30,
        "complete": int(frame.loc[:59, "age"].notna().sum()),
    }
    columns = {column["name"]: column for column in told["columns"]}
    age = columns["age"]["parts"]["test"]
    known = frame.loc[60:, "age"].dropna()
    assert age["missing"] == 3
    assert (age["mean"], age["sd"], age["median"]) == pytest.approx(
        (known.mean(), known.std(), known.median())
    )
    assert (
        columns["sex"]["parts"]["test"]["counts"] == frame.loc[60:, "sex"].value_counts().to_dict()
    )
    assert columns["day"]["parts"]["all"]["first"] == "2020-01-05"
    assert "difference" not in columns["day"]


def test_many_values_are_counted_together_and_none_is_lost():
    told = describe_cohort(a_cohort(), split_of())
    ward = next(column for column in told["columns"] if column["name"] == "ward")
    for name, part in ward["parts"].items():
        assert sum(part["counts"].values()) == told["parts"][name]["rows"]
    assert len(ward["parts"]["all"]["counts"]) == 13


def test_with_folds_there_is_one_group():
    split = Split("kfold", 0, {"train": np.arange(90)}, folds=())
    told = describe_cohort(a_cohort(), split)
    assert set(told["parts"]) == {"all"}
    assert "difference" not in told["columns"][0]


NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)


@given(NUMBERS, NUMBERS)
def test_the_difference_of_numbers_turns_its_sign_with_the_order(one, other):
    ahead = difference_of_numbers(pd.Series(one), pd.Series(other))
    back = difference_of_numbers(pd.Series(other), pd.Series(one))
    assert ahead == pytest.approx(-back, nan_ok=True)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_with_two_categories_the_difference_is_that_of_proportions(a, b, c, d):
    one, other = pd.Series(["x"] * a + ["y"] * b), pd.Series(["x"] * c + ["y"] * d)
    p, q = a / (a + b), c / (c + d)
    expected = abs(p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert difference_of_categories(one, other) == pytest.approx(expected, abs=1e-9)


def test_a_column_that_is_empty_or_does_not_vary_has_no_difference():
    assert math.isnan(difference_of_numbers(pd.Series([1.0]), pd.Series([1.0, 2.0])))
    assert difference_of_numbers(pd.Series([2.0, 2.0]), pd.Series([2.0, 2.0])) == 0
    assert math.isnan(difference_of_categories(pd.Series([], dtype=object), pd.Series(["a"])))
    assert difference_of_categories(pd.Series(["a"]), pd.Series(["a"])) == 0


def test_sex_age_and_site_are_grouped_without_being_asked():
    groups = usual_groups(a_cohort())
    assert set(groups) == {"age", "sex", "ward"}
    assert set(groups["age"].dropna()) <= {"20–39", "40–59", "60–79", "80–99"}
