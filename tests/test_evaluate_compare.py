"""Decision curves and paired differences, against closed forms and brute force."""

import numpy as np
import pandas as pd
import pytest

from medcore.config import RunConfig, change_config
from medcore.errors import DataError
from medcore.evaluate import compare_predictions, evaluate_predictions, paired_p
from medcore.evaluate.decision import THRESHOLDS, decision_curve, net_benefit, treat_all
from medcore.records import Predictions

CONFIG = change_config(RunConfig(), {"evaluate.resamples": 200})


def predict(seed=0, rows=400, quality=2.0, patients=None, shift=0.0):
    """Return predictions of one made-up cohort; `seed` decides the model's noise alone."""
    cohort = np.random.default_rng(1)
    event = cohort.random(2 * rows) < 0.3
    score = quality * event + np.random.default_rng(seed).normal(0, 1, 2 * rows) + shift
    risk = 1 / (1 + np.exp(-(score - 1.5)))
    patient = np.arange(2 * rows) if patients is None else np.arange(2 * rows) % patients
    frame = pd.DataFrame(
        {
            "row_id": np.arange(2 * rows),
            "patient": pd.Series(patient.astype(str), dtype="string"),
            "site": pd.Series([None] * 2 * rows, dtype="string"),
            "part": np.repeat(["test", "validation"], rows),
            "fold": -1,
            "model": "model",
            "outcome": np.where(event, "yes", "no"),
            "p_no": 1 - risk,
            "p_yes": risk,
        }
    )
    return Predictions("binary", ("no", "yes"), "yes", frame)


def compare(first, second):
    return compare_predictions(first, second, (CONFIG, CONFIG))


def test_net_benefit_is_the_formula_counted_by_hand():
    rng = np.random.default_rng(0)
    risk = rng.random(300).round(2)
    event = rng.random(300) < risk
    thresholds = np.array([0.05, 0.1, 0.5, 0.77])
    weights = rng.integers(0, 4, (5, 300)).astype(float)
    found = net_benefit(event, risk, thresholds, weights)
    for row, weight in enumerate(weights):
        for column, t in enumerate(thresholds):
            alarm = risk >= t
            right, wrong = weight[alarm & event].sum(), weight[alarm & ~event].sum()
            wanted = (right - wrong * t / (1 - t)) / weight.sum()
            assert found[row, column] == pytest.approx(wanted, abs=1e-12)


def test_alarming_for_everybody_is_treat_all_and_for_nobody_is_zero():
    event = np.random.default_rng(0).random(200) < 0.2
    everybody = net_benefit(event, np.ones(200), THRESHOLDS)[0]
    np.testing.assert_allclose(everybody, treat_all(event, THRESHOLDS), atol=1e-12)
    assert net_benefit(event, np.zeros(200), THRESHOLDS).any() == np.False_


def test_the_published_example_of_a_perfect_test_is_the_prevalence():
    event = np.arange(100) < 30
    found = net_benefit(event, event.astype(float), THRESHOLDS)[0]
    np.testing.assert_allclose(found, 0.3, atol=1e-12)


def test_the_band_holds_the_curve_and_interventions_avoided_follow_from_it():
    rng = np.random.default_rng(0)
    risk = rng.random(300)
    event = rng.random(300) < risk
    curve = {k: np.array(v) for k, v in
             decision_curve(event, risk, np.arange(300), 200, rng).items()}  # fmt: skip
    assert (curve["low"] <= curve["net_benefit"]).all()
    assert (curve["net_benefit"] <= curve["high"]).all()
    assert (curve["high"] - curve["low"] > 0)[10:80].all()
    t = curve["threshold"]
    wanted = (curve["net_benefit"] - curve["treat_all"]) / (t / (1 - t)) * 100
    np.testing.assert_allclose(curve["avoided"], wanted, atol=1e-9)


def test_a_binary_evaluation_carries_the_curve():
    evaluation = evaluate_predictions(predict(), CONFIG)
    assert len(evaluation.curves["model"]["decision"]["net_benefit"]) == len(THRESHOLDS)


def test_a_model_does_not_differ_from_itself():
    for metric in compare(predict(), predict()).values():
        assert (metric.value, metric.low, metric.high) == (0, 0, 0)


def test_swapping_the_models_turns_every_sign():
    forward, back = compare(predict(1), predict(2)), compare(predict(2), predict(1))
    for name, metric in forward.items():
        assert metric.value == pytest.approx(-back[name].value, abs=1e-12)
        assert metric.low == pytest.approx(-back[name].high, abs=1e-12)


def test_the_difference_of_the_areas_is_that_of_each_and_by_delong():
    first, second = predict(1, quality=2.5), predict(2, quality=1.0)
    areas = [evaluate_predictions(p, CONFIG).parts["test"].metrics["auroc"].value
             for p in (first, second)]  # fmt: skip
    metric = compare(first, second)["auroc"]
    assert metric.value == pytest.approx(areas[0] - areas[1], abs=1e-12)
    assert metric.method == "delong"
    assert metric.low > 0


def test_repeated_patients_take_the_bootstrap():
    metric = compare(predict(1, patients=40), predict(2, patients=40))["auroc"]
    assert metric.method == "bootstrap"


def test_the_order_of_rows_changes_nothing():
    second = predict(2)
    shuffled = Predictions(
        "binary", second.classes, "yes", second.frame.sample(frac=1, random_state=0)
    )
    ours, theirs = compare(predict(1), second), compare(predict(1), shuffled)
    for name, metric in ours.items():
        assert metric.value == pytest.approx(theirs[name].value, abs=1e-12)
        assert metric.low == pytest.approx(theirs[name].low, abs=1e-12)


def test_models_of_different_patients_or_outcomes_are_not_compared():
    other = predict(2, rows=300)
    with pytest.raises(DataError, match="different test patients"):
        compare(predict(1), other)
    swapped = Predictions("binary", ("no", "yes"), "no", predict(2).frame)
    with pytest.raises(DataError, match="different outcomes"):
        compare(predict(1), swapped)


def test_intervals_of_no_difference_hold_zero_about_nineteen_times_in_twenty():
    held = 0
    for seed in range(60):
        cohort = predict(2 * seed + 10), predict(2 * seed + 11)
        metric = compare_predictions(*cohort, (CONFIG, CONFIG))["auroc"]
        held += metric.low <= 0 <= metric.high
    assert 52 <= held <= 60


def test_the_paired_p_and_the_interval_of_the_areas_agree():
    for seeds in ((1, 2), (1, 3), (2, 5)):
        pair = [predict(seed) for seed in seeds]
        metric = compare(*pair)["auroc"]
        p = paired_p(*pair, (CONFIG, CONFIG))
        assert 0 <= p <= 1
        assert (p < 0.05) == (metric.low > 0 or metric.high < 0)
        assert p == pytest.approx(paired_p(*pair[::-1], (CONFIG, CONFIG)))
    assert paired_p(predict(), predict(), (CONFIG, CONFIG)) == 1
    assert paired_p(predict(1, patients=40), predict(2, patients=40), (CONFIG, CONFIG)) is None
