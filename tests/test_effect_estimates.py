"""The average effect and its companions, held against closed forms and known truths."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.errors import DataError
from medcore.evaluate.benefit import (
    calibrate_effects,
    group_effects,
    measure_benefit,
    tell_apart,
    uplift_curves,
)
from medcore.evaluate.bootstrap import bootstrap_metrics
from medcore.evaluate.causal import Compared, e_value, estimate_effects, influence_metric
from medcore.evaluate.effect import check_overlap
from medcore.evaluate.overlap import describe_balance, effective_size, propensity_histogram
from medcore.evaluate.similar import similar_effect
from medcore.records import Column, Metric


def _confounded(rows: int, seed: int):
    """Return x, t, y, the chance of treatment and both expected outcomes; the mean effect is 2."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    chance = 1 / (1 + np.exp(-0.8 * x))
    t = (rng.random(rows) < chance).astype(float)
    without, given_ = 1 + 1.5 * x, 3 + 2.0 * x
    y = np.where(t == 1, given_, without) + rng.normal(size=rows)
    return x, t, y, chance, without, given_


def _saturated(y, t, stratum):
    """Return rows whose models are the plain means of each stratum and arm."""
    chance, without, with_ = (np.empty(len(y)) for _ in range(3))
    for value in np.unique(stratum):
        inside = stratum == value
        chance[inside] = t[inside].mean()
        without[inside] = y[inside & (t == 0)].mean()
        with_[inside] = y[inside & (t == 1)].mean()
    return Compared(y, t, chance, without, with_, np.arange(len(y)))


def test_with_saturated_models_the_effect_is_the_difference_standardised_over_the_strata():
    rng = np.random.default_rng(1)
    stratum = rng.integers(3, size=600)
    t = (rng.random(600) < 0.2 + 0.2 * stratum).astype(float)
    y = (rng.random(600) < 0.1 + 0.2 * stratum + 0.1 * t).astype(float)
    found = estimate_effects(_saturated(y, t, stratum), binary=True)
    differences = [
        y[(stratum == s) & (t == 1)].mean() - y[(stratum == s) & (t == 0)].mean() for s in range(3)
    ]
    by_hand = np.bincount(stratum) / 600 @ differences
    assert found["ate"].value == pytest.approx(by_hand, abs=1e-12)
    assert found["ate_g_formula"].value == pytest.approx(by_hand, abs=1e-12)
    assert found["ate_ipw"].value == pytest.approx(by_hand, abs=1e-12)
    ratio = found["mean_treated"].value / found["mean_control"].value
    assert found["risk_ratio"].value == pytest.approx(ratio, abs=1e-12)
    att = np.bincount(stratum[t == 1]) / t.sum() @ differences
    assert found["att"].value == pytest.approx(att, abs=1e-12)


def test_the_crude_difference_and_its_interval_are_those_of_a_robust_regression():
    _, t, y, *_ = _confounded(400, 2)
    cluster = np.repeat(np.arange(200), 2)
    rows = Compared(y, t, np.full(400, t.mean()), np.zeros(400), np.zeros(400), cluster)
    found = estimate_effects(rows, binary=False)["ate_crude"]
    fit = sm.OLS(y, sm.add_constant(t)).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False}
    )
    error = (found.high - found.low) / 2 / 1.959963984540054
    assert found.value == pytest.approx(fit.params[1], abs=1e-10)
    # Ours corrects for the number of patients, C / (C − 1).
    assert error == pytest.approx(fit.bse[1] * math.sqrt(200 / 199), rel=1e-8)


@pytest.mark.parametrize("wrong", ["none", "outcome", "treatment"])
def test_one_wrong_model_of_the_two_leaves_the_effect_right(wrong):
    x, t, y, chance, without, given_ = _confounded(40_000, 3)
    if wrong == "outcome":
        without, given_ = np.zeros_like(y), np.zeros_like(y)
    if wrong == "treatment":
        chance = np.full_like(y, 0.5)
    rows = Compared(y, t, chance, without, given_, np.arange(len(y)))
    found = estimate_effects(rows, binary=False)
    assert found["ate"].value == pytest.approx(2 + 0.5 * x.mean(), abs=0.06)
    assert found["ate_crude"].value > 2.8


def test_with_both_models_wrong_the_effect_is_wrong_too():
    _, t, y, *_ = _confounded(40_000, 3)
    rows = Compared(y, t, np.full_like(y, 0.5), 0 * y, 0 * y, np.arange(len(y)))
    assert estimate_effects(rows, binary=False)["ate"].value > 2.5


def test_repeated_visits_widen_the_interval_as_if_each_patient_were_seen_once():
    _, t, y, chance, without, given_ = _confounded(500, 4)
    once = estimate_effects(Compared(y, t, chance, without, given_, np.arange(500)), binary=False)
    copies = [np.tile(values, 3) for values in (y, t, chance, without, given_, np.arange(500))]
    thrice = estimate_effects(Compared(*copies), binary=False)
    for name in ("ate", "att", "ate_crude", "ate_ipw"):
        assert thrice[name].low == pytest.approx(once[name].low, abs=1e-10)


def test_an_arm_without_events_has_a_difference_and_a_reason_for_no_ratio():
    t = np.repeat([0.0, 1.0], 50)
    y = np.r_[np.zeros(50), np.tile([0.0, 1.0], 25)]
    found = estimate_effects(_saturated(y, t, np.zeros(100)), binary=True)
    assert found["ate"].value == pytest.approx(0.5)
    assert math.isnan(found["risk_ratio"].value) and "no event" in found["risk_ratio"].reason


def test_the_e_value_is_that_of_the_published_example():
    # VanderWeele and Ding 2017: risk ratio 3.9 (1.8–8.7) has the E-values 7.26 and 3.0.
    found = e_value(Metric(3.9, 1.8, 8.7, 0, "none"), True, 1.0)
    assert found["value"] == pytest.approx(7.26, abs=0.005)
    assert found["limit"] == pytest.approx(3.0, abs=0.005)
    protective = e_value(Metric(1 / 3.9, 1 / 8.7, 1 / 1.8, 0, "none"), True, 1.0)
    assert protective == pytest.approx(found)


def test_an_interval_that_holds_no_effect_has_the_e_value_one():
    assert e_value(Metric(1.2, 0.9, 1.6, 0, "none"), True, 1.0)["limit"] == 1
    assert e_value(Metric(-0.4, -1.0, 0.2, 0, "none"), False, 2.0)["limit"] == 1


def test_standardised_differences_are_those_of_the_formula_before_and_after_weighting():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "age": np.r_[rng.normal(60, 8, 200), rng.normal(64, 10, 300)],
            "sex": pd.Series(rng.choice(["f", "m"], 500), dtype="string"),
        }
    )
    frame.loc[:9, "age"] = np.nan
    t, weights = np.repeat([0.0, 1.0], [200, 300]), rng.random(500) + 0.5
    columns = (Column("age", "number", "input"), Column("sex", "category", "input"))
    found = {
        (row["column"], row["level"]): row for row in describe_balance(frame, columns, t, weights)
    }
    age, known = frame["age"], frame["age"].notna()
    spread = math.sqrt((age[known & (t == 0)].var() + age[known & (t == 1)].var()) / 2)
    by_hand = (age[t == 1].mean() - age[t == 0].mean()) / spread
    assert found["age", ""]["before"] == pytest.approx(by_hand)
    weighted = [
        sm.stats.DescrStatsW(age[known & (t == arm)], weights[known & (t == arm)]).mean
        for arm in (0, 1)
    ]
    assert found["age", ""]["after"] == pytest.approx((weighted[1] - weighted[0]) / spread)
    assert ("age", "unknown") in found
    assert len([key for key in found if key[0] == "sex"]) == 1


def test_right_weights_bring_the_arms_together():
    x, t, _, chance, *_ = _confounded(20_000, 6)
    frame = pd.DataFrame({"x": x})
    weights = t / chance + (1 - t) / (1 - chance)
    (row,) = describe_balance(frame, (Column("x", "number", "input"),), t, weights)
    assert abs(row["before"]) > 0.5 and abs(row["after"]) < 0.05


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30))
def test_an_effective_size_lies_between_one_and_the_patients(weights):
    size = effective_size(np.array(weights))
    assert 1 - 1e-9 <= size <= len(weights) + 1e-9


def test_the_histogram_of_chances_counts_everybody_in_their_own_arm():
    _, t, _, chance, *_ = _confounded(300, 7)
    found = propensity_histogram(chance, t)
    assert sum(found["treated"]) == t.sum() and sum(found["control"]) == 300 - t.sum()


def test_no_overlap_is_refused_with_share_limits_and_what_to_do():
    chance = np.r_[np.full(30, 0.001), np.full(70, 0.5)]
    arm = np.tile([0.0, 1.0], 50)
    told = r"30% of patients .* below 0.01.*5% are allowed.*effect.trim"
    with pytest.raises(DataError, match=told):
        check_overlap(chance, arm, RunConfig())
    check_overlap(chance, arm, change_config(RunConfig(), {"effect.beyond": 0.3}))
    with pytest.raises(DataError, match="After trimming"):
        check_overlap(chance[:12], arm[:12], RunConfig())


def _ranked(seed: int, ranks_by: str, rows: int = 3000):
    rng = np.random.default_rng(seed)
    true = rng.normal(1, 1, rows)
    score = true + rng.normal(0, 2, rows)
    given_ = score + 1
    known = {"truth": true, "nothing": rng.normal(size=rows), "reverse": -true}[ranks_by]
    measure = measure_benefit(known, score, np.ones(rows), given_)
    drawn = bootstrap_metrics(measure, np.arange(rows), 300, np.random.default_rng(0))
    return true, score, known, drawn


def test_effects_drawn_at_random_rank_nobody():
    *_, found = _ranked(1, "nothing")
    assert found["qini"].low < 0 < found["qini"].high
    assert found["effect_slope"].low < 0.1


def test_true_effects_rank_best_and_are_calibrated():
    *_, best = _ranked(1, "truth")
    *_, noise = _ranked(1, "nothing")
    *_, worst = _ranked(1, "reverse")
    assert best["qini"].value > noise["qini"].value > worst["qini"].value
    assert best["qini"].low > 0 > worst["qini"].high
    assert best["effect_slope"].low < 1 < best["effect_slope"].high
    assert best["policy_over_all"].low > 0 and best["policy_over_none"].low > 0


def test_the_qini_figure_is_the_area_between_the_two_curves():
    _, score, known, found = _ranked(2, "truth")
    order = np.argsort(-known)
    gain = np.r_[0, np.cumsum(score[order])] / len(score)
    share = np.linspace(0, 1, len(gain))
    area = np.trapezoid(gain - share * score.mean(), share)
    assert found["qini"].value == pytest.approx(area, abs=1e-9)
    curve = uplift_curves(known, score, np.arange(len(score)))
    assert curve["gain"][-1] == pytest.approx(score.mean())
    assert curve["uplift"][0] > curve["uplift"][-1]


def test_the_value_of_a_policy_is_the_mean_outcome_under_it():
    rng = np.random.default_rng(3)
    without, given_ = rng.normal(size=200), rng.normal(1, 1, 200)
    benefit = rng.normal(size=200)
    found = measure_benefit(benefit, given_ - without, without, given_)(np.ones((1, 200)))
    assert found["policy_value"][0] == pytest.approx(np.where(benefit > 0, given_, without).mean())
    assert found["policy_over_all"][0] == pytest.approx(
        (np.where(benefit > 0, given_, without) - given_).mean()
    )


def test_the_same_effect_for_all_has_no_slope():
    found = measure_benefit(np.full(50, 0.3), np.arange(50.0), np.zeros(50), np.arange(50.0))
    assert math.isnan(found(np.ones((1, 50)))["effect_slope"][0])


def test_groups_of_predicted_effect_hold_everybody_once_in_rising_order():
    _, score, known, _ = _ranked(4, "truth", 500)
    groups = calibrate_effects(known, score, np.arange(500))
    assert sum(group["n"] for group in groups) == 500
    predicted = [group["predicted"] for group in groups]
    assert predicted == sorted(predicted)
    assert all(group["low"] <= group["observed"] <= group["high"] for group in groups)


def test_the_difference_of_a_group_to_the_rest_is_that_of_their_means():
    rng = np.random.default_rng(5)
    score, labels = rng.normal(size=200), np.array(["a", "b"] * 100, dtype=object)
    found = group_effects(labels, score, np.tile([0, 0, 1, 1], 50), np.arange(200))
    a, b = (score[labels == name] for name in "ab")
    error = math.sqrt(a.var(ddof=0) / 100 + b.var(ddof=0) / 100) * math.sqrt(200 / 199)
    own = next(group for group in found if group["name"] == "a")
    assert own["difference"] == pytest.approx(a.mean() - b.mean())
    assert own["difference_high"] - own["difference"] == pytest.approx(1.959964 * error, rel=1e-5)
    assert not own["few"]


def test_what_sets_those_who_benefit_most_apart_stands_first():
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"age": rng.normal(size=300), "noise": rng.normal(size=300)})
    columns = tuple(Column(name, "number", "input") for name in frame)
    first = tell_apart(frame, columns, frame["age"].to_numpy())[0]
    assert first["column"] == "age" and first["difference"] > 1.5


def test_the_interval_beside_a_patient_is_that_of_the_patients_most_like_them():
    rng = np.random.default_rng(7)
    known = np.sort(rng.normal(size=1000))
    score = known + rng.normal(size=1000)
    low, high = similar_effect(known, score, np.array([known[500]]))
    near = score[450:550]
    error = 1.959964 * near.std(ddof=0) / math.sqrt(99)
    assert low[0] == pytest.approx(near.mean() - error, abs=1e-5)
    assert high[0] == pytest.approx(near.mean() + error, abs=1e-5)


def test_an_interval_from_influences_shrinks_with_the_root_of_the_patients():
    values = np.tile([1.0, -1.0], 200)
    wide = influence_metric(0.0, values[:100], np.arange(100))
    narrow = influence_metric(0.0, values, np.arange(400))
    assert wide.high / narrow.high == pytest.approx(2, rel=0.01)


def _cross_fitted(seed: int, rows: int = 300) -> Compared:
    """Return a confounded cohort whose mean effect is 2, least squares left out by halves."""
    x, t, y, chance, *_ = _confounded(rows, seed)
    design, half = np.column_stack([np.ones(rows), x]), np.arange(rows) % 2
    means = np.empty((2, rows))
    for fold in (0, 1):
        for arm in (0, 1):
            learn = (half != fold) & (t == arm)
            told = np.linalg.lstsq(design[learn], y[learn], rcond=None)[0]
            means[arm, half == fold] = design[half == fold] @ told
    return Compared(y, t, chance, means[0], means[1], np.arange(rows))


def test_nineteen_in_twenty_intervals_hold_the_truth():
    cohorts = 600
    held = 0
    for seed in range(cohorts):
        found = estimate_effects(_cross_fitted(1000 + seed), binary=False)["ate"]
        held += found.low <= 2 <= found.high
    # What 600 intervals of 95 % hold in 999 of 1,000 cases.
    low, high = scipy.stats.binom.ppf([0.0005, 0.9995], cohorts, 0.95)
    assert low <= held <= high
