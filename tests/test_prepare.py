"""Preparation: fitted on training rows alone, finite for everyone, the same to the last bit."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.errors import FitError, StoreError
from medcore.prepare import (
    fit_preparation,
    imputed_cells,
    load_preparation,
    outside_training_range,
    prepare_rows,
    save_preparation,
)
from medcore.prepare.scaling import apply_curve, fit_curve
from medcore.records import Column, Dataset

CONFIG = RunConfig()
CLASSES = ("no", "yes")


def a_table(rows: int = 60, seed: int = 0) -> Dataset:
    """Return patients with every kind of column that tables know, gaps in most of them."""
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, rows).round()
    age[rng.random(rows) < 0.2] = np.nan
    chest = rng.choice(["typical", "atypical", "none"], rows).astype(object)
    chest[rng.random(rows) < 0.2] = None
    seen = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D")
    seen = pd.Series(seen).where(rng.random(rows) > 0.1)
    frame = pd.DataFrame(
        {
            "age": age,
            "smoker": rng.integers(0, 2, rows),
            "chest": pd.Series(chest, dtype="string"),
            "seen": seen,
            "empty": np.nan,
            "same": 4.0,
            "disease": pd.Series(rng.choice(CLASSES, rows), dtype="string"),
        }
    )
    kinds = {"chest": "category", "seen": "date", "disease": "category"}
    columns = tuple(
        Column(name, kinds.get(name, "number"), "outcome" if name == "disease" else "input")
        for name in frame.columns
    )
    return Dataset("a", "a.csv", "0", frame, columns)


def with_frame(dataset: Dataset, frame: pd.DataFrame) -> Dataset:
    return Dataset(dataset.name, dataset.source, dataset.sha256, frame, dataset.columns)


def table(prepared):
    return prepared.blocks["table"]


def test_prepared_values_are_finite_float32_and_named():
    dataset = a_table()
    block = table(prepare_rows(fit_preparation(dataset, np.arange(40), CONFIG, CLASSES), dataset))
    assert block.values.dtype == np.float32
    assert np.isfinite(block.values).all()
    assert block.values.shape == (60, len(block.names)) == (60, len(block.sources))
    assert set(block.sources) == {"age", "smoker", "chest", "seen"}
    assert [block.names[i] for i in block.numeric] == ["age", "seen"]
    assert len(block.bins) == 2
    for edges in block.bins:
        assert edges.dtype == np.float32
        assert (np.diff(edges) > 0).all()


def test_nothing_fitted_changes_when_other_rows_are_scrambled():
    dataset = a_table()
    training = np.arange(0, 60, 2)
    frame = dataset.frame.copy()
    other = np.setdiff1d(np.arange(60), training)
    frame.loc[other, "age"] = 1e6
    frame.loc[other, "chest"] = "nonsense"
    frame.loc[other, "seen"] = pd.Timestamp("1800-01-01")
    frame.loc[other, "same"] = 7.0
    frame.loc[other, "disease"] = None
    scrambled = with_frame(dataset, frame)
    before = fit_preparation(dataset, training, CONFIG, CLASSES)
    assert fit_preparation(scrambled, training, CONFIG, CLASSES) == before


def test_the_order_of_training_rows_does_not_matter():
    dataset = a_table()
    ids = np.arange(50)
    shuffled = np.random.default_rng(1).permutation(ids)
    one = fit_preparation(dataset, ids, CONFIG, CLASSES)
    other = fit_preparation(dataset, shuffled, CONFIG, CLASSES)
    a, b = table(prepare_rows(one, dataset)), table(prepare_rows(other, dataset))
    assert a.names == b.names
    np.testing.assert_allclose(a.values, b.values, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "robust", "quantile"])
def test_one_patient_alone_equals_the_same_patient_in_a_batch(scaling):
    dataset = a_table()
    config = change_config(CONFIG, {"prepare.scaling": scaling})
    preparation = fit_preparation(dataset, np.arange(40), config, CLASSES)
    batch = table(prepare_rows(preparation, dataset)).values
    for row in (0, 41, 59):
        alone = with_frame(dataset, dataset.frame.loc[[row]])
        prepared = prepare_rows(preparation, alone)
        np.testing.assert_array_equal(table(prepared).values[0], batch[row])
        assert prepared.row_id.tolist() == [row]


def test_a_patient_of_whom_nothing_is_known_can_be_prepared():
    dataset = a_table()
    preparation = fit_preparation(dataset, np.arange(40), CONFIG, CLASSES)
    nobody = with_frame(dataset, pd.DataFrame(index=[0]))
    prepared = prepare_rows(preparation, nobody)
    block = table(prepared)
    assert np.isfinite(block.values).all()
    assert prepared.outcome.tolist() == [-1]
    missing = [name for name in block.names if name.endswith(": missing")]
    assert missing == ["age: missing", "chest: missing", "seen: missing"]
    assert all(block.values[0, block.names.index(name)] == 1 for name in missing)
    cells = imputed_cells(preparation, nobody)
    assert cells["column"].tolist() == ["age", "smoker", "chest", "seen"]


def test_missing_values_take_the_training_median_mean_or_mode():
    frame = pd.DataFrame({"x": [1.0, 2, 2, 9, np.nan, 100], "y": pd.Series(list("ababab"))})
    columns = (Column("x", "number", "input"), Column("y", "category", "outcome"))
    dataset = Dataset("a", "a", "0", frame, columns)
    found = {}
    for strategy in ("median", "mean", "most_frequent"):
        config = change_config(CONFIG, {"missing.strategy": strategy})
        preparation = fit_preparation(dataset, np.arange(5), config, ("a", "b"))
        found[strategy] = imputed_cells(preparation, dataset)["used"].tolist()
    assert found == {"median": ["2"], "mean": ["3.5"], "most_frequent": ["2"]}


@pytest.mark.parametrize("scaling", ["standard", "robust", "quantile"])
def test_a_missing_number_is_prepared_as_the_median_patient_is(scaling):
    frame = pd.DataFrame({"x": [50.0, 60, 61, 70, 99, np.nan], "y": list("ababab")})
    columns = (Column("x", "number", "input"), Column("y", "category", "outcome"))
    dataset = Dataset("a", "a", "0", frame, columns)
    config = change_config(CONFIG, {"prepare.scaling": scaling})
    values = table(
        prepare_rows(fit_preparation(dataset, np.arange(6), config, ("a", "b")), dataset)
    ).values
    assert values[5, 0] == values[2, 0] != values[1, 0]


def test_indicators_can_be_left_out():
    dataset = a_table()
    config = change_config(CONFIG, {"missing.indicator": False})
    preparation = fit_preparation(dataset, np.arange(40), config, CLASSES)
    assert not any("missing" in name for name in table(prepare_rows(preparation, dataset)).names)


def test_columns_without_information_are_left_out_and_said_so():
    preparation = fit_preparation(a_table(), np.arange(40), CONFIG, CLASSES)
    assert len(preparation.left_out) == 2
    assert "'empty' is empty" in preparation.left_out[0]
    assert "'same' has one value" in preparation.left_out[1]


def test_a_table_without_any_information_is_refused_in_words():
    dataset = a_table()
    columns = tuple(
        c for c in dataset.columns if c.name in ("empty", "same") or c.role == "outcome"
    )
    poor = Dataset("a", "a", "0", dataset.frame, columns)
    with pytest.raises(FitError, match="No input column"):
        fit_preparation(poor, np.arange(40), CONFIG, CLASSES)


def test_an_unseen_category_is_prepared_and_reported():
    dataset = a_table()
    preparation = fit_preparation(dataset, np.arange(60), CONFIG, CLASSES)
    frame = dataset.frame.copy()
    frame.loc[3, "chest"] = "exotic"
    frame.loc[5, "age"] = 140
    frame.loc[7, "seen"] = pd.Timestamp("2031-05-06")
    cells = outside_training_range(preparation, with_frame(dataset, frame))
    found = cells[["row_id", "column", "value"]].to_numpy().tolist()
    assert found == [[3, "chest", "exotic"], [5, "age", "140"], [7, "seen", "2031-05-06"]]
    block = table(prepare_rows(preparation, with_frame(dataset, frame)))
    places = [i for i, name in enumerate(block.names) if name.startswith("chest = ")]
    assert not block.values[3, places].any()
    # Beyond the range a value counts as the largest training value.
    age = block.names.index("age")
    assert block.values[5, age] == block.values[:, age].max()


def test_categories_beyond_the_limit_share_a_place_with_unseen_ones():
    words = ["a"] * 5 + ["b"] * 4 + ["c"] * 2 + ["d"]
    frame = pd.DataFrame({"x": pd.Series(words, dtype="string"), "y": list("01") * 6})
    columns = (Column("x", "category", "input"), Column("y", "category", "outcome"))
    dataset = Dataset("a", "a", "0", frame, columns)
    config = change_config(CONFIG, {"prepare.max_categories": 2})
    preparation = fit_preparation(dataset, np.arange(12), config, ("0", "1"))
    new = pd.DataFrame({"x": pd.Series(["a", "d", "never"], dtype="string")})
    block = table(prepare_rows(preparation, with_frame(dataset, new)))
    assert block.names == ("x = a", "x = b", "x: another value")
    assert block.values.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert outside_training_range(preparation, with_frame(dataset, new))["value"].tolist() == [
        "never"
    ]


def test_ten_thousand_categories_are_bounded():
    words = [f"code {i}" for i in range(10_000)]
    frame = pd.DataFrame({"x": pd.Series(words, dtype="string"), "y": ["0", "1"] * 5000})
    columns = (Column("x", "category", "input"), Column("y", "category", "outcome"))
    dataset = Dataset("a", "a", "0", frame, columns)
    preparation = fit_preparation(dataset, np.arange(10_000), CONFIG, ("0", "1"))
    assert table(prepare_rows(preparation, dataset)).values.shape == (10_000, 51)


def test_infinite_numbers_count_as_missing():
    dataset = a_table()
    frame = dataset.frame.copy()
    frame.loc[0, "age"] = np.inf
    frame.loc[1, "age"] = -np.inf
    preparation = fit_preparation(with_frame(dataset, frame), np.arange(40), CONFIG, CLASSES)
    assert np.isfinite(table(prepare_rows(preparation, with_frame(dataset, frame))).values).all()
    assert {0, 1} <= set(imputed_cells(preparation, with_frame(dataset, frame))["row_id"])


def test_dates_become_days_and_seasons_even_in_the_year_one():
    days = [dt.datetime(1, 1, 1), dt.datetime(2020, 3, 1), dt.datetime(2021, 3, 1), None]
    frame = pd.DataFrame({"d": pd.Series(days, dtype="datetime64[us]"), "y": ["0", "1", "0", "1"]})
    columns = (Column("d", "date", "input"), Column("y", "category", "outcome"))
    dataset = Dataset("a", "a", "0", frame, columns)
    preparation = fit_preparation(dataset, np.array([1, 2, 3]), CONFIG, ("0", "1"))
    block = table(prepare_rows(preparation, dataset))
    assert block.names[-2:] == ("d: season (sine)", "d: season (cosine)")
    assert np.isfinite(block.values).all()
    spring = block.values[1, -2:], block.values[2, -2:]
    np.testing.assert_allclose(*spring, atol=0.02)
    expected = 2 * np.pi * 60 / 365.2425
    np.testing.assert_allclose(spring[0], [np.sin(expected), np.cos(expected)], atol=0.01)
    cells = outside_training_range(preparation, dataset)
    assert cells[["value", "low", "high"]].to_numpy().tolist() == [
        ["0001-01-01", "2020-03-01", "2021-03-01"]
    ]


def test_rows_of_one_patient_share_a_group_and_unnamed_rows_stand_alone():
    frame = pd.DataFrame(
        {"id": ["p", "q", None, "p", None], "x": [1.0, 2, 3, 4, 5], "y": list("01010")}
    )
    columns = (
        Column("id", "category", "patient"),
        Column("x", "number", "input"),
        Column("y", "category", "outcome"),
    )
    dataset = Dataset("a", "a", "0", frame, columns)
    preparation = fit_preparation(dataset, np.arange(5), CONFIG, ("0", "1"))
    group = prepare_rows(preparation, dataset).group
    assert group[0] == group[3]
    assert len(set(group.tolist())) == 4


@pytest.mark.parametrize("values", [[0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0], ["0", "1", "0", "1"]])
def test_outcome_codes_follow_the_classes_whatever_the_column_holds(values):
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4], "y": values})
    columns = (Column("x", "number", "input"), Column("y", "number", "outcome"))
    dataset = Dataset("a", "a", "0", frame, columns)
    preparation = fit_preparation(dataset, np.arange(4), CONFIG, ("1", "0"))
    assert prepare_rows(preparation, dataset).outcome.tolist() == [1, 0, 1, 0]


def test_a_number_outcome_is_kept_with_unknown_as_nan():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "y": [5.5, np.nan, 7]})
    columns = (Column("x", "number", "input"), Column("y", "number", "outcome"))
    dataset = Dataset("a", "a", "0", frame, columns)
    preparation = fit_preparation(dataset, np.arange(3), CONFIG, ())
    assert preparation.task == "regression"
    np.testing.assert_array_equal(prepare_rows(preparation, dataset).outcome, [5.5, np.nan, 7])


def test_a_saved_preparation_is_equal_to_the_last_bit(tmp_path):
    dataset = a_table()
    preparation = fit_preparation(dataset, np.arange(40), CONFIG, CLASSES)
    save_preparation(preparation, tmp_path / "prepare")
    again = load_preparation(tmp_path / "prepare")
    assert again == preparation
    a, b = table(prepare_rows(preparation, dataset)), table(prepare_rows(again, dataset))
    np.testing.assert_array_equal(a.values, b.values)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 99}', '{"version": 1}'])
def test_a_damaged_preparation_is_refused_in_words(tmp_path, text):
    (tmp_path / "preparation.json").write_text(text)
    with pytest.raises(StoreError, match="train again"):
        load_preparation(tmp_path)


numbers = st.lists(st.floats(-1e9, 1e9).map(lambda v: round(v, 3)), min_size=3, max_size=80).filter(
    lambda v: len(set(v)) > 2
)


@settings(deadline=None)
@given(numbers, st.sampled_from(["standard", "robust", "quantile"]))
def test_every_scale_keeps_order_and_stays_in_the_training_range(values, scaling):
    values = np.array(values)
    curve = fit_curve(values, scaling)
    scaled = apply_curve(curve, values)
    order = np.argsort(values, kind="stable")
    assert (np.diff(scaled[order]) >= -1e-12).all()
    beyond = apply_curve(curve, np.array([-1e12, 1e12]))
    assert beyond.tolist() == [scaled.min(), scaled.max()]
    if scaling != "robust":
        assert abs(scaled.mean()) < 1e-6
        assert abs(scaled.std() - 1) < 1e-6


def test_the_quantile_scale_agrees_with_scikit_learn_on_continuous_values():
    from sklearn.preprocessing import QuantileTransformer

    values = np.random.default_rng(0).lognormal(0, 1, 5000)
    theirs = QuantileTransformer(n_quantiles=1000, output_distribution="normal")
    expected = theirs.fit_transform(values[:, None])[:, 0]
    found = apply_curve(fit_curve(values, "quantile"), values)
    inner = np.abs(expected) < 2.5
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.02)


def test_tied_values_share_the_normal_score_of_their_mean_rank():
    from scipy.stats import norm, rankdata

    values = np.array([0.0] * 7 + [1, 1, 2, 5, 5, 5, 9])
    scores = norm.ppf((rankdata(values) - 0.5) / len(values))
    expected = (scores - scores.mean()) / scores.std()
    found = apply_curve(fit_curve(values, "quantile"), values)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_standard_and_robust_agree_with_scikit_learn():
    from sklearn.preprocessing import RobustScaler, StandardScaler

    values = np.random.default_rng(0).lognormal(0, 1, 500)
    standard = StandardScaler().fit_transform(values[:, None])[:, 0]
    robust = RobustScaler(unit_variance=True).fit_transform(values[:, None])[:, 0]
    np.testing.assert_allclose(apply_curve(fit_curve(values, "standard"), values), standard)
    np.testing.assert_allclose(
        apply_curve(fit_curve(values, "robust"), values), robust, rtol=1e-3, atol=1e-3
    )
