"""What drives a model, held to enumeration, closed forms, scikit-learn and SciPy."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, spearmanr
from sklearn.inspection import permutation_importance as shuffle_by_sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from medcore.explain import (
    Truth,
    accumulate_effects,
    associate_columns,
    group_columns,
    make_grid,
    mix_frames,
    nearest_rows,
    order_categories,
    permutation_importance,
    shapley_values,
)
from medcore.records import Column


def number(name: str) -> Column:
    return Column(name, "number", "input")


def category(name: str) -> Column:
    return Column(name, "category", "input")


def a_table(rows: int = 60, columns: int = 4, seed: int = 0) -> pd.DataFrame:
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(columns)])


def enumerate_shapley(predict, table: pd.DataFrame, patient: int, background) -> np.ndarray:
    """Return every column's share by its definition, over all subsets of the others."""
    names = list(table)

    def worth(subset) -> float:
        rows = table.iloc[background].copy()
        for name in subset:
            rows[name] = table[name].iloc[patient]
        return float(np.mean(predict(rows)))

    shares = []
    for name in names:
        others = [other for other in names if other != name]
        total = 0.0
        for size in range(len(names)):
            weight = factorial(size) * factorial(len(names) - size - 1) / factorial(len(names))
            for subset in combinations(others, size):
                total += weight * (worth((*subset, name)) - worth(subset))
        shares.append(total)
    return np.array(shares)


@given(st.integers(0, 10**6))
def test_shares_of_a_linear_model_are_its_weights_times_the_distance_from_the_average(seed):
    rng = np.random.default_rng(seed)
    table, weights = a_table(12, 5, seed), rng.normal(size=5)
    found = shapley_values(
        mix_frames(lambda rows: rows.to_numpy() @ weights, table), 0, np.arange(1, 12), rng
    )
    expected = weights * (table.iloc[0] - table.iloc[1:].mean()).to_numpy()
    assert np.allclose(found.value[:, 0], expected, atol=1e-12)
    assert found.base[0] == pytest.approx(float((table.iloc[1:] @ weights).mean()))


@given(st.integers(0, 10**6), st.integers(1, 6))
def test_shares_sum_to_the_difference_from_the_average(seed, columns):
    rng = np.random.default_rng(seed)
    table = a_table(9, columns, seed).round(0)  # equal values occur, whose steps are not asked

    def predict(rows):
        values = rows.to_numpy()
        return np.column_stack([np.sin(values.prod(axis=1)), np.exp(-(values**2).sum(axis=1))])

    found = shapley_values(mix_frames(predict, table), 3, np.array([0, 1, 2, 5]), rng)
    assert np.abs(found.gap).max() < 1e-12
    assert np.allclose(found.said, predict(table.iloc[[3]])[0])
    assert np.allclose(found.base, predict(table.iloc[[0, 1, 2, 5]]).mean(axis=0))


def test_shares_of_pairs_of_columns_are_exact():
    def predict(rows):
        return rows["x0"] * rows["x1"] + 2 * rows["x2"] - rows["x3"] * (rows["x0"] > 0)

    table, background = a_table(), np.arange(10, 40)
    found = shapley_values(mix_frames(predict, table), 2, background, np.random.default_rng(1))
    expected = enumerate_shapley(predict, table, 2, background)
    assert np.allclose(found.value[:, 0], expected, atol=1e-12)


def test_shares_of_a_tree_lie_within_their_interval_of_what_enumeration_says():
    table = a_table(200)
    outcome = table["x0"] * table["x1"] * (table["x2"] > 0) + table["x3"]
    tree = DecisionTreeRegressor(max_depth=6, random_state=0).fit(table.to_numpy(), outcome)

    def predict(rows):
        return tree.predict(rows.to_numpy())

    background = np.arange(50, 90)
    found = shapley_values(
        mix_frames(predict, table), 7, background, np.random.default_rng(2), rounds=40
    )
    expected = enumerate_shapley(predict, table, 7, background)
    assert np.abs(found.value[:, 0] - expected).max() < 0.02 * np.abs(expected).max()
    assert (found.low[:, 0] <= expected).all()
    assert (expected <= found.high[:, 0]).all()


def test_a_column_that_the_model_ignores_has_no_share_and_categories_move_whole():
    table = pd.DataFrame(
        {
            "sex": pd.Series(["f", "m", None, "f"], dtype="string"),
            "age": [50.0, np.nan, 70.0, 60.0],
            "shoes": [1.0, 2.0, 3.0, 4.0],
        }
    )

    def predict(rows):
        assert str(rows["sex"].dtype) == "string"
        male = (rows["sex"] == "m").fillna(False).to_numpy(float)
        return male + 0.25 * rows["age"].isna()

    found = shapley_values(
        mix_frames(predict, table), 1, np.array([0, 2, 3]), np.random.default_rng(0)
    )
    assert found.value[:, 0] == pytest.approx([1.0, 0.25, 0.0])


def shuffled(predict, table, truth, groups, repeats=60, cluster=None, seed=0, resamples=200):
    cluster = np.arange(len(table)) if cluster is None else cluster
    return permutation_importance(
        mix_frames(predict, table), np.arange(len(table)), groups, [truth], cluster,
        repeats=repeats, resamples=resamples, rng=np.random.default_rng(seed),
    )[0]  # fmt: skip


@pytest.fixture(scope="module")
def risky():
    """A table, what happened, and a fitted logistic model."""
    table = a_table(300)
    chance = 1 / (1 + np.exp(-(2 * table["x0"] + table["x1"])))
    event = (np.random.default_rng(5).random(300) < chance).astype(float).to_numpy()
    model = LogisticRegression().fit(table.to_numpy(), event)
    return table, event, model


@pytest.mark.parametrize(("name", "score"), [("auroc", "roc_auc"), ("brier", "neg_brier_score")])
def test_importance_of_risks_is_that_of_scikit_learn(risky, name, score):
    table, event, model = risky
    found = shuffled(
        lambda rows: model.predict_proba(rows.to_numpy())[:, 1],
        table, Truth("yes", 0, "event", event), [(c,) for c in table],
    )[name]  # fmt: skip
    theirs = shuffle_by_sklearn(
        model, table.to_numpy(), event, scoring=score, n_repeats=60, random_state=0
    )
    error = theirs.importances_std * np.sqrt(2 / 60)
    ours = np.array([metric.value for metric in found])
    assert (np.abs(ours - theirs.importances_mean) < 4 * error + 1e-9).all()


def test_importance_for_numbers_is_that_of_scikit_learn(risky):
    table, _, _ = risky
    outcome = (3 * table["x0"] - table["x2"]).to_numpy()
    tree = DecisionTreeRegressor(max_depth=5, random_state=0).fit(table.to_numpy(), outcome)
    found = shuffled(
        lambda rows: tree.predict(rows.to_numpy()),
        table, Truth("stay", 0, "number", outcome), [(c,) for c in table],
    )["mae"]  # fmt: skip
    theirs = shuffle_by_sklearn(
        tree, table.to_numpy(), outcome, scoring="neg_mean_absolute_error", n_repeats=60,
        random_state=0,
    )  # fmt: skip
    error = theirs.importances_std * np.sqrt(2 / 60)
    ours = np.array([metric.value for metric in found])
    assert (np.abs(ours - theirs.importances_mean) < 4 * error + 1e-9).all()


def test_what_the_model_ignores_has_an_importance_of_exactly_zero(risky):
    table, event, _ = risky
    found = shuffled(
        lambda rows: 1 / (1 + np.exp(-rows["x0"])), table, Truth("yes", 0, "event", event),
        [("x1",), ("x2", "x3")], repeats=3,
    )  # fmt: skip
    for metrics in found.values():
        for metric in metrics:
            assert (metric.value, metric.low, metric.high) == (0, 0, 0)


def test_columns_that_go_together_are_worth_more_together_than_apart():
    table = a_table(400, 2)
    table["x1"] = table["x0"] + 0.01 * table["x1"]
    outcome = table["x0"].to_numpy()
    found = shuffled(
        lambda rows: (rows["x0"] + rows["x1"]) / 2, table, Truth("y", 0, "number", outcome),
        [("x0",), ("x1",), ("x0", "x1")],
    )["mae"]  # fmt: skip
    alone, other, together = (metric.value for metric in found)
    # A standard normal and its shuffle differ by 2/√π on average, half of it with half the weight.
    assert together == pytest.approx(2 / np.sqrt(np.pi), rel=0.1)
    assert alone == pytest.approx(together / 2, rel=0.05)
    assert other == pytest.approx(together / 2, rel=0.05)


@pytest.mark.parametrize("name", ["auroc", "brier"])
def test_intervals_of_a_noise_column_hold_zero_as_often_as_they_promise(name):
    held, turns = 0, 300
    for turn in range(turns):
        rng = np.random.default_rng(turn)
        table = pd.DataFrame(rng.normal(size=(150, 2)), columns=["signal", "noise"])
        event = (rng.random(150) < 1 / (1 + np.exp(-1.5 * table["signal"]))).to_numpy(float)
        found = shuffled(
            lambda rows: 1 / (1 + np.exp(-1.5 * rows["signal"] - 0.6 * rows["noise"])),
            table, Truth("yes", 0, "event", event), [("noise",)], repeats=4, seed=turn,
        )[name][0]  # fmt: skip
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / turns <= 0.98


def test_patients_who_repeat_widen_the_interval(risky):
    table, event, model = risky
    twice = pd.concat([table, table], ignore_index=True)
    truth = Truth("yes", 0, "event", np.tile(event, 2))

    def predict(rows):
        return model.predict_proba(rows.to_numpy())[:, 1]

    alone = shuffled(predict, twice, truth, [("x0",)], repeats=40)
    whole = shuffled(predict, twice, truth, [("x0",)], 40, np.tile(np.arange(300), 2))
    for name in ("auroc", "brier"):
        assert whole[name][0].value == pytest.approx(alone[name][0].value)
        width = whole[name][0].high - whole[name][0].low
        assert width > 1.15 * (alone[name][0].high - alone[name][0].low)


def test_one_outcome_alone_leaves_auroc_undefined_with_a_reason(risky):
    table, _, _ = risky
    truth = Truth("yes", 0, "event", np.zeros(len(table)))
    found = shuffled(lambda rows: rows["x0"] * 0 + 0.5, table, truth, [("x0",)], repeats=2)
    assert np.isnan(found["auroc"][0].value)
    assert "with and without" in found["auroc"][0].reason


def test_importance_can_be_stopped(risky):
    table, event, _ = risky
    asked = []
    found = permutation_importance(
        mix_frames(lambda rows: rows["x0"] * 0.0, table), np.arange(300), [("x0",), ("x1",)],
        [Truth("yes", 0, "event", event)], np.arange(300), repeats=1, resamples=100,
        rng=np.random.default_rng(0), tell=lambda done: asked.append(done) or done < 1,
    )  # fmt: skip
    assert found is None
    assert asked == [0, 1]


def effect_of(predict, table, column, columns, resamples=100):
    """Return a column's effect over all rows of a table."""
    grid, steps = make_grid(table, columns)
    mixture = mix_frames(predict, pd.concat([table, grid], ignore_index=True))
    places = len(table) + np.r_[np.arange(steps[column.name]), len(grid) - 1]
    rows = np.arange(len(table))
    return accumulate_effects(
        mixture,
        column,
        rows,
        places,
        mixture.ask(mixture.plain(rows)),
        rows,
        resamples,
        np.random.default_rng(0),
    )


def test_the_effect_of_an_additive_function_is_that_function_less_its_mean():
    table = a_table(400, 3)
    table["x1"] += table["x0"]  # correlation must not leak from one column into another
    columns = [number(name) for name in table]

    def predict(rows):
        return np.column_stack([rows["x0"] ** 2 + 3 * rows["x1"], -rows["x0"]])

    found = effect_of(predict, table, columns[0], columns)
    at = np.array(found.at)
    assert np.allclose(np.diff(found.value[:, 0]), np.diff(at**2))
    assert np.allclose(np.diff(found.value[:, 1]), -np.diff(at))
    middle = (found.value[1:] + found.value[:-1]) / 2
    assert np.allclose(found.counts @ middle, 0, atol=1e-9)
    assert found.counts.sum() == len(table)
    # No patient differs from another, so there is nothing to be unsure of but the centre.
    assert np.allclose(np.diff(found.low[:, 1]), -np.diff(at), atol=0.4)


def test_the_band_of_an_interaction_is_as_wide_as_patients_differ():
    table = a_table(400, 2)
    columns = [number(name) for name in table]
    found = effect_of(lambda rows: rows["x0"] * rows["x1"], table, columns[0], columns, 400)
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
    # Independent columns: no effect on average, and the band says so at most steps.
    assert ((found.low[:, 0] <= 0) & (found.high[:, 0] >= 0)).mean() > 0.8


def test_effects_of_categories_missing_values_and_whole_numbers():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "ward": pd.Series(rng.choice(["a", "b", "c"], 300), dtype="string"),
            "stage": pd.Series(rng.integers(1, 4, 300)),
            "age": rng.normal(60, 10, 300),
        }
    )
    table.loc[::5, "ward"] = pd.NA
    columns = [category("ward"), number("stage"), number("age")]
    worth = {"a": 0.0, "b": 5.0, "c": 1.0}

    def predict(rows):
        return rows["ward"].map(worth).fillna(-2.0).to_numpy(float) + 10 * rows["stage"]

    ward = effect_of(predict, table, columns[0], columns)
    told = dict(zip(ward.at, ward.value[:, 0], strict=True))
    assert told["b"] - told["a"] == pytest.approx(5)
    assert told["c"] - told["a"] == pytest.approx(1)
    known = table["ward"].dropna()
    assert ward.counts @ ward.value[:, 0] == pytest.approx(0, abs=1e-9)
    assert (ward.missing, ward.counts.sum(), ward.others) == (60, 240, 0)
    assert ward.unknown[0, 0] == pytest.approx(-2 - known.map(worth).mean())
    stage = effect_of(predict, table, columns[1], columns)
    assert stage.at == (1, 2, 3)
    assert np.allclose(np.diff(stage.value[:, 0]), 10)


def test_a_column_without_steps_has_no_effect_and_dates_keep_their_kind():
    days = pd.Series(pd.date_range("2020-01-01", periods=50, freq="7D"))
    table = pd.DataFrame({"empty": np.full(50, np.nan), "same": np.ones(50), "seen": days})
    columns = [number("empty"), number("same"), Column("seen", "date", "input")]

    def predict(rows):
        return (rows["seen"] - pd.Timestamp("2020-01-01")).dt.days.to_numpy(float)

    assert effect_of(predict, table, columns[0], columns) is None
    assert effect_of(predict, table, columns[1], columns) is None
    found = effect_of(predict, table, columns[2], columns)
    assert found.at[0] == days[0]
    assert np.allclose(np.diff(found.value[:, 0]), np.diff([d.toordinal() for d in found.at]))


def test_numbers_go_together_as_spearman_says_over_rows_where_both_are_known():
    table = a_table(200, 3)
    table["x1"] = np.exp(-table["x0"]) + 0.1 * table["x1"]
    table.loc[::7, "x1"] = np.nan
    strength = associate_columns(table, [number(name) for name in table])
    both = table[["x0", "x1"]].dropna()
    assert strength[0, 1] == pytest.approx(abs(spearmanr(both["x0"], both["x1"]).statistic))
    assert np.array_equal(strength, strength.T)
    assert (np.diag(strength) == 1).all()


def test_categories_go_together_by_cramers_v_and_chance_counts_for_nothing():
    rng = np.random.default_rng(0)
    words = rng.choice(["a", "b", "c", "d"], 500)
    other = np.where(rng.random(500) < 0.7, words, rng.choice(["a", "b", "c", "d"], 500))
    table = pd.DataFrame(
        {"w": words, "same": words, "other": other, "free": rng.choice([*"ab"], 500)},
        dtype="string",
    ).assign(size=(words == "a") * 5.0 + rng.normal(size=500))
    columns = [category(name) for name in ("w", "same", "other", "free")] + [number("size")]
    strength = associate_columns(table, columns)
    assert strength[0, 1] == pytest.approx(1)
    assert strength[0, 3] < 0.1
    chi = chi2_contingency(pd.crosstab(words, other)).statistic / 500
    phi, side = chi - 9 / 499, 4 - 9 / 499
    assert strength[0, 2] == pytest.approx(np.sqrt(phi / (side - 1)))
    assert 0.5 < strength[0, 4] < 0.95
    groups = group_columns(("w", "same", "other", "free", "size"), strength, 0.9)
    assert groups == [("w", "same"), ("other",), ("free",), ("size",)]


def test_every_two_columns_of_a_group_go_together_and_one_column_is_a_group():
    assert group_columns(("only",), np.eye(1), 0.7) == [("only",)]
    chain = np.array([[1, 0.8, 0.2], [0.8, 1, 0.8], [0.2, 0.8, 1]])
    assert len(group_columns(("a", "b", "c"), chain, 0.7)) == 2
    assert group_columns(("a", "b"), np.array([[1, 0.7], [0.7, 1]]), 0.7) == [("a", "b")]


def test_categories_stand_beside_those_whose_patients_are_alike():
    rng = np.random.default_rng(0)
    place = rng.integers(0, 4, 800)
    table = pd.DataFrame(
        {
            "stage": pd.Series(np.array(["q", "b", "z", "m"])[place], dtype="string"),
            "size": place + rng.normal(0, 0.7, 800),
        }
    )
    found = order_categories(table, "stage", ["b", "m", "q", "z"], [number("size")])
    assert found in (["q", "b", "z", "m"], ["m", "z", "b", "q"])
    assert order_categories(table, "stage", ["10", "9", "2"], []) == ["2", "9", "10"]
    assert order_categories(table, "stage", ["yes", "no"], []) == ["no", "yes"]


def test_the_nearest_rows_count_only_what_has_weight():
    values = np.array([[0.0, 9.0], [1.0, 0.0], [3.0, 0.0]])
    order, distance = nearest_rows(values, np.array([1.0, 0.0]), np.array([0.9, 0.0]), 2)
    assert order.tolist() == [1, 0]
    assert distance == pytest.approx([0.1, 0.9])
