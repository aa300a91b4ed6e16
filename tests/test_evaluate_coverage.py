"""Cohorts whose truth is known: 95 % intervals hold it in 93.5 to 96.5 of 100 replications."""

from statistics import NormalDist

import numpy as np
import pytest

from medcore.evaluate.bootstrap import bootstrap_metrics
from medcore.evaluate.calibration import calibration_metrics
from medcore.evaluate.classification import decision_metrics, wilson
from medcore.evaluate.probability import score_metrics
from medcore.evaluate.ranking import compare_areas, delong, ranking_metrics

REPLICATIONS, RESAMPLES, ROWS = 2_000, 300, 200
NORMAL = NormalDist()
REACH = NORMAL.inv_cdf(0.975)
pytestmark = pytest.mark.slow


def two_normals(rng, rows=ROWS, apart=1.2):
    """Return events and scores whose true AUROC is Φ(apart / √2)."""
    event = (rng.random(rows) < 0.35).astype(np.float64)
    return event, rng.normal(apart * event, 1.0)


def test_delong_holds_the_true_area():
    rng, truth = np.random.default_rng(1), NORMAL.cdf(1.2 / np.sqrt(2))
    held = []
    for _ in range(REPLICATIONS):
        areas, covariance = delong(*two_normals(rng))
        held.append(abs(areas[0] - truth) <= REACH * np.sqrt(covariance[0, 0]))
    assert 0.935 <= np.mean(held) <= 0.965


def test_delong_holds_the_true_difference_of_two_models():
    rng = np.random.default_rng(2)
    truth = NORMAL.cdf(1.2 / np.sqrt(2)) - NORMAL.cdf(0.8 / np.sqrt(2))
    held, false = [], []
    for _ in range(REPLICATIONS):
        event, noise = (rng.random(ROWS) < 0.35).astype(np.float64), rng.normal(size=ROWS)
        # Two models that err alike in part, as two models of the same patients do.
        first, second, third = (
            apart * event + np.sqrt(0.5) * noise + np.sqrt(0.5) * rng.normal(size=ROWS)
            for apart in (1.2, 0.8, 0.8)
        )
        _, low, high, _ = compare_areas(event, first, second)
        held.append(low <= truth <= high)
        false.append(compare_areas(event, second, third)[3] < 0.05)
    assert 0.935 <= np.mean(held) <= 0.965
    assert 0.035 <= np.mean(false) <= 0.065


def test_wilson_holds_the_true_proportion():
    rng = np.random.default_rng(3)
    bounds = np.array([wilson(hits, 150) for hits in rng.binomial(150, 0.83, REPLICATIONS)])
    assert 0.935 <= ((bounds[:, 0] <= 0.83) & (bounds[:, 1] >= 0.83)).mean() <= 0.965


def test_the_bootstrap_holds_the_true_area_brier_score_and_accuracy():
    rng = np.random.default_rng(4)
    # Risks 1/(1 + e^-x) that come true: the truths are means over x, by simulation.
    many = 1 / (1 + np.exp(-rng.normal(-0.5, 1.5, 2_000_000)))
    weight = np.sort(many)
    below = np.cumsum(1 - weight) - (1 - weight)
    truth = {
        "auroc": (weight * below).sum() / (weight.sum() * (1 - weight).sum()),
        "brier": (many * (1 - many)).mean(),
        "accuracy": np.maximum(many, 1 - many).mean(),
    }
    held = dict.fromkeys(truth, 0)
    for _ in range(REPLICATIONS):
        risk = 1 / (1 + np.exp(-rng.normal(-0.5, 1.5, ROWS)))
        event = (rng.random(ROWS) < risk).astype(np.float64)

        def measure(weights, event=event, risk=risk):
            return {
                "auroc": ranking_metrics(event, risk, weights)["auroc"],
                "brier": score_metrics(event, risk, weights)["brier"],
                "accuracy": decision_metrics(event == 1, risk >= 0.5, weights)["accuracy"],
            }

        for name, metric in bootstrap_metrics(measure, np.arange(ROWS), RESAMPLES, rng).items():
            held[name] += metric.low <= truth[name] <= metric.high
    for name, count in held.items():
        assert 0.935 <= count / REPLICATIONS <= 0.965, name


def test_risks_that_come_true_have_intercept_0_and_slope_1_within_their_intervals():
    rng = np.random.default_rng(5)
    held = []
    for _ in range(150):
        risk = 1 / (1 + np.exp(-rng.normal(-0.5, 1.5, ROWS)))
        event = (rng.random(ROWS) < risk).astype(np.float64)
        found = bootstrap_metrics(
            lambda weights, event=event, risk=risk: calibration_metrics(event, risk, weights),
            np.arange(ROWS), 200, rng,
        )  # fmt: skip
        intercept, slope = found["calibration_intercept"], found["calibration_slope"]
        held.append((intercept.low <= 0 <= intercept.high, slope.low <= 1 <= slope.high))
    assert (np.mean(held, axis=0) > 0.91).all()
    assert (np.mean(held, axis=0) < 0.99).all()


def test_risks_that_are_twice_too_extreme_have_a_slope_of_one_half():
    rng = np.random.default_rng(6)
    logit = rng.normal(-0.5, 1.0, 40_000)
    event = (rng.random(40_000) < 1 / (1 + np.exp(-logit))).astype(np.float64)
    found = calibration_metrics(event, 1 / (1 + np.exp(-2 * logit)), np.ones((1, 40_000)))
    assert found["calibration_slope"][0] == pytest.approx(0.5, abs=0.02)
