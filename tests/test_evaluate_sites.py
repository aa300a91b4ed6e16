"""Figures by site are those of its patients, and are pooled as statsmodels and the formulas say."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from medcore.config import change_config
from medcore.evaluate import evaluate_predictions
from medcore.evaluate.meta import pool_places
from medcore.records import Predictions
from tests.judged_rows import CONFIG, binary_rows, frame_of


@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
@pytest.mark.parametrize("seed", range(12))
def test_pooling_is_that_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    places = int(rng.integers(2, 12))
    variance = rng.uniform(0.01, 0.2, places)
    estimate = rng.normal(1, rng.choice([0.0, 0.1, 1.0]), places) + rng.normal(0, variance**0.5)
    found = pool_places(estimate, variance)
    expected = combine_effects(estimate, variance, method_re="chi2")
    # statsmodels lets the variance between places fall below zero; ours stops there.
    assert found.tau2 == pytest.approx(max(0, expected.tau2), abs=1e-10)
    assert found.i2 == pytest.approx(max(0, expected.i2), abs=1e-10)
    plain, robust, mean = (
        (expected.var_eff_w_re, expected.var_hksj_re, expected.mean_effect_re)
        if expected.tau2 > 0
        else (expected.var_eff_w_fe, expected.var_hksj_fe, expected.mean_effect_fe)
    )
    assert found.value == pytest.approx(mean, abs=1e-10)
    spread = max(plain, robust)
    reach = student.ppf(0.975, places - 1) * np.sqrt(spread)
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=1e-9)
    if places > 2:
        ahead = student.ppf(0.975, places - 2) * np.sqrt(found.tau2 + spread)
        assert found.predict_high - found.value == pytest.approx(ahead, rel=1e-9)


def test_places_that_agree_have_no_heterogeneity_and_two_have_no_forecast():
    found = pool_places([0.5, 0.5], [0.1, 0.1])
    assert (found.value, found.tau2, found.i2) == (0.5, 0, 0)
    assert np.isnan(found.predict_low)


def test_the_interval_over_places_holds_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    held, ahead = [], []
    for _ in range(600):
        variance = rng.uniform(0.01, 0.1, 8)
        truth = rng.normal(1, 1, 9)
        found = pool_places(truth[:8] + rng.normal(0, variance**0.5), variance)
        held.append(found.low <= 1 <= found.high)
        ahead.append(found.predict_low <= truth[8] <= found.predict_high)
    assert 0.93 <= np.mean(held) <= 0.98
    assert 0.92 <= np.mean(ahead) <= 0.98


def by_site(skills, rows=150):
    frames = [binary_rows("validation", 80, 1, 0.4, first=5000, site=None)]
    for number, (site, skill) in enumerate(skills.items()):
        count = 12 if site == "tiny" else rows
        frames.append(binary_rows("test", count, 2 + number, skill, first=200 * number, site=site))
    frame = pd.concat(frames, ignore_index=True)
    frame["site"] = frame["site"].astype("string")
    return Predictions("binary", ("no", "yes"), "yes", frame)


def judge(predictions, **changes):
    config = change_config(CONFIG, changes)
    return evaluate_predictions(predictions, config).curves["sites"]


def test_each_sites_figures_are_those_of_its_patients_alone():
    predictions = by_site({"north": 0.4, "south": 0.1, "west": 0.4})
    found = judge(predictions)
    assert [site["site"] for site in found["sites"]] == ["north", "south", "west"]
    for place, site in enumerate(["north", "south", "west"]):
        frame = predictions.frame
        alone = frame[(frame["site"] == site) | (frame["part"] == "validation")]
        metrics = (
            evaluate_predictions(Predictions("binary", ("no", "yes"), "yes", alone), CONFIG)
            .parts["test"]
            .metrics
        )
        for figure in ("auroc", "o_e", "calibration_slope"):
            value = found["figures"][figure]["metrics"][place]["value"]
            assert value == pytest.approx(metrics[figure].value, rel=1e-9)


def test_sites_that_differ_show_it_and_sites_alike_do_not():
    differ, alike = (
        judge(by_site(dict(zip("abcd", skills, strict=True))))["figures"]["auroc"]["pooled"]
        for skills in ((0.35, 0.05, 0.35, 0.05), (0.3, 0.3, 0.3, 0.3))
    )
    assert differ["i2"] > 0.8 > alike["i2"]
    assert differ["high"] - differ["low"] > alike["high"] - alike["low"]
    assert differ["places"] == 4
    assert 0 < differ["predict_low"] < differ["low"] < differ["high"] < differ["predict_high"] < 1


def test_a_site_with_few_patients_is_shown_and_not_pooled():
    found = judge(by_site({"north": 0.4, "south": 0.3, "tiny": 0.4}))
    assert [site["few"] for site in found["sites"]] == [False, False, True]
    assert found["figures"]["auroc"]["pooled"]["places"] == 2
    alone = judge(by_site({"north": 0.4, "tiny": 0.4}))["figures"]["auroc"]
    assert alone["pooled"] is None
    assert "fewer than two sites" in alone["reason"]


def test_it_is_told_whether_the_model_knew_the_sites():
    predictions = by_site({"north": 0.4, "south": 0.3})
    assert not judge(predictions)["unseen"]
    assert judge(predictions, **{"split.kind": "site"})["unseen"]


def test_without_two_sites_there_is_nothing_to_pool():
    one = by_site({"north": 0.4})
    assert "sites" not in evaluate_predictions(one, CONFIG).curves
    none = Predictions("binary", ("no", "yes"), "yes", one.frame.drop(columns="site"))
    assert "sites" not in evaluate_predictions(none, CONFIG).curves


def test_sites_of_numbers_are_pooled_on_the_scale_of_logarithms():
    rng = np.random.default_rng(0)
    outcome = rng.normal(50, 5, 300)
    said = outcome + rng.normal(0, 1, 300) * np.repeat([1, 1, 3], 100)
    frame = frame_of("test", outcome=outcome, predicted=said, low=said - 2, high=said + 2)
    frame["site"] = pd.Series(np.repeat(["a", "b", "c"], 100), dtype="string")
    found = judge(Predictions("regression", (), None, frame))["figures"]["mae"]
    values = [metric["value"] for metric in found["metrics"]]
    assert min(values) < found["pooled"]["value"] < max(values)
    assert found["pooled"]["i2"] > 0.9
