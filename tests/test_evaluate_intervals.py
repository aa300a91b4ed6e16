"""Intervals: each against another way to the same figure, and by how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.isotonic import IsotonicRegression

from medcore.evaluate import venn_abers
from medcore.evaluate.bootstrap import bootstrap_differences, bootstrap_metrics
from medcore.evaluate.classification import wilson
from medcore.evaluate.ranking import delong, ranking_metrics


def mean_of(values: np.ndarray):
    """Return a measure: the weighted mean of the rows' values."""
    return lambda weights: {"mean": weights @ values / weights.sum(axis=1)}


def auroc_of(event: np.ndarray, risk: np.ndarray):
    return lambda weights: ranking_metrics(event.astype(float), risk, weights)


def resample(measure, cluster, resamples=1000, seed=0):
    return bootstrap_metrics(measure, cluster, resamples, np.random.default_rng(seed))


counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(counts)
def test_wilson_is_scipys_interval(pair):
    hits, of = pair
    expected = binomtest(hits, of).proportion_ci(method="wilson")
    low, high = wilson(hits, of)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= hits / of <= high <= 1


@settings(deadline=None)
@given(counts)
def test_wilsons_bounds_solve_its_equation(pair):
    hits, of = pair
    for bound in wilson(hits, of):
        if 0 < bound < 1:
            distance = abs(hits / of - bound)
            assert distance == pytest.approx(1.959964 * np.sqrt(bound * (1 - bound) / of), rel=1e-5)


def test_wilson_of_nobody_is_not_a_number():
    assert np.isnan(wilson(0, 0)).all()


def draw_risks(seed: int):
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([8, 60, 200]))
    event = rng.random(rows) < 0.4
    event[:4] = False, True, False, True
    risks = [(rng.random(rows) + event * rng.choice([0, 0.7])).round(1) for _ in range(3)]
    return event, risks


def placement_values(event: np.ndarray, risk: np.ndarray):
    """Return, of each patient, the share of the other group that is on the right side."""
    case, control = risk[event][:, None], risk[~event]
    won = (case > control) + 0.5 * (case == control)
    return won.mean(axis=1), won.mean(axis=0)


@pytest.mark.parametrize("seed", range(20))
def test_delong_equals_the_covariance_of_placement_values(seed):
    event, risks = draw_risks(seed)
    areas, covariance = delong(event.astype(float), *risks)
    by_case, by_control = zip(*(placement_values(event, risk) for risk in risks), strict=True)
    expected = np.cov(by_case) / event.sum() + np.cov(by_control) / (~event).sum()
    np.testing.assert_allclose(areas, [v.mean() for v in by_case], rtol=0, atol=1e-12)
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(delong(event.astype(float), risks[0])[1], expected[:1, :1])


@pytest.mark.parametrize("events", range(5))
def test_delong_needs_two_patients_of_each_outcome(events):
    event, risk = np.arange(4) < events, np.array([0.8, 0.35, 0.4, 0.1])
    areas, covariance = delong(event.astype(float), risk)
    assert np.isnan(covariance[0, 0]) == (events != 2)
    assert areas[0] == pytest.approx({1: 1.0, 2: 0.75, 3: 1.0}.get(events, np.nan), nan_ok=True)


def held_by_bootstrap(draw, truth: float, name: str, cluster=None) -> float:
    rng, held = np.random.default_rng(1), 0
    for seed in range(300):
        measure, rows = draw(rng)
        found = resample(measure, rows if cluster is None else cluster, 300, seed)[name]
        held += found.low <= truth <= found.high
    return held / 300


def test_the_bootstrap_holds_a_known_proportion_about_95_times_in_100():
    def draw(rng):
        return mean_of((rng.random(80) < 0.3).astype(float)), np.arange(80)

    assert 0.90 <= held_by_bootstrap(draw, 0.3, "mean") <= 0.985


def test_patients_with_several_rows_need_the_clustered_bootstrap():
    patient = np.repeat(np.arange(40), 5)

    def draw(rng):
        chance = (rng.random(40) < 0.3).astype(float)
        return mean_of(chance[patient]), patient

    assert 0.90 <= held_by_bootstrap(draw, 0.3, "mean") <= 0.985
    alone = np.arange(len(patient))
    assert held_by_bootstrap(draw, 0.3, "mean", cluster=alone) < 0.75


def test_repeated_rows_of_patients_leave_the_interval_as_it_was():
    rng = np.random.default_rng(3)
    event, risk = rng.random(60) < 0.4, rng.random(60)
    once = resample(auroc_of(event, risk), np.arange(60))
    rows = np.tile(np.arange(60), 3)
    thrice = resample(auroc_of(event[rows], risk[rows]), rows)
    for name in ("auroc", "auprc"):
        first, second = once[name], thrice[name]
        assert (second.value, second.low, second.high) == pytest.approx(
            (first.value, first.low, first.high), abs=1e-12
        )
        assert (first.n, second.n) == (60, 180)


def test_all_rows_of_a_patient_are_drawn_together_and_every_row_as_often():
    patient = np.array([7, 3, 3, 7, 9, 9, 9, 1])
    seen = []

    def watch(weights):
        seen.append(weights)
        return {"rows": weights.sum(axis=1)}

    resample(watch, patient, 4000)
    weights = np.concatenate(seen[1:])
    assert weights.shape == (4000, 8)
    for number in np.unique(patient):
        mine = weights[:, patient == number]
        assert (mine == mine[:, :1]).all()
    assert (weights[:, [0, 1, 4, 7]].sum(axis=1) == 4).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.06)


def test_blocks_of_resamples_are_the_same_as_one(monkeypatch):
    event, risk = np.arange(50) % 3 == 0, np.random.default_rng(0).random(50)
    whole = resample(auroc_of(event, risk), np.arange(50))
    monkeypatch.setattr("medcore.evaluate.bootstrap.BLOCK_CELLS", 50 * 7)
    assert resample(auroc_of(event, risk), np.arange(50)) == whole


def test_the_difference_of_a_model_with_itself_is_nothing():
    rng = np.random.default_rng(4)
    event, risk, other = rng.random(70) < 0.4, rng.random(70), rng.random(70)
    pair = auroc_of(event, risk), auroc_of(event, risk)
    same = bootstrap_differences(pair, np.arange(70), 200, np.random.default_rng(0))["auroc"]
    assert (same.value, same.low, same.high) == (0, 0, 0)
    pair = auroc_of(event, risk), auroc_of(event, other)
    found = bootstrap_differences(pair, np.arange(70), 2000, np.random.default_rng(0))["auroc"]
    areas, covariance = delong(event.astype(float), risk, other)
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert found.value == pytest.approx(areas[0] - areas[1], abs=1e-12)
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.15)


def sometimes(undefined: float):
    """Return a measure that is undefined in a share of the resamples."""

    def measure(weights):
        values = weights @ np.arange(10.0)
        if len(weights) > 1:
            values[: round(undefined * len(weights))] = np.nan
        return {"it": values}

    return measure


def test_resamples_without_a_value_are_counted_in_the_reason():
    few = resample(sometimes(0.3), np.arange(10))["it"]
    assert (few.method, few.low < few.value < few.high) == ("bootstrap", True)
    assert "300 of 1000" in few.reason
    many = resample(sometimes(0.6), np.arange(10))["it"]
    assert np.isfinite(many.value)
    assert np.isnan([many.low, many.high]).all()
    assert (many.method, "600 of 1000" in many.reason) == ("none", True)


def test_a_value_that_is_undefined_has_a_reason_and_no_interval():
    found = resample(lambda w: {"it": np.full(len(w), np.inf)}, np.arange(10))["it"]
    assert np.isnan([found.value, found.low, found.high]).all()
    assert (found.method, bool(found.reason)) == ("none", True)


def test_an_interval_always_holds_its_value():
    found = resample(lambda w: {"it": w.max(axis=1) - 50.0 * (len(w) == 1)}, np.arange(5))["it"]
    assert found.low <= found.value <= found.high


def refit(happened, reference, risk):
    """Fit an isotonic curve twice for each new patient, without and with the event."""
    bounds = []
    for value in risk:
        pair = []
        for label in (0, 1):
            curve = IsotonicRegression(out_of_bounds="clip")
            curve.fit(np.r_[reference, value], np.r_[happened, label])
            pair.append(curve.predict([value])[0])
        bounds.append(pair)
    return np.array(bounds).T


@pytest.mark.parametrize("seed", range(12))
def test_venn_abers_equals_a_refit_for_each_patient(seed):
    rng = np.random.default_rng(seed)
    rows, digits = int(rng.choice([1, 5, 40, 150])), int(rng.choice([1, 9]))
    reference = rng.random(rows).round(digits)
    happened = (rng.random(rows) < reference).astype(int)
    risk = np.r_[0.0, 1.0, reference[:5], rng.random(15).round(digits)]
    low, high = venn_abers(happened, reference, risk)
    np.testing.assert_allclose((low, high), refit(happened, reference, risk), atol=1e-9)
    assert (low <= high).all()


def test_venn_abers_of_many_patients_stays_near_the_refit():
    rng = np.random.default_rng(5)
    reference = rng.random(3000)
    happened = (rng.random(3000) < reference**2).astype(int)
    risk = np.linspace(0.01, 0.99, 25)
    low, high = venn_abers(happened, reference, risk)
    distance = np.abs(np.stack([low, high]) - refit(happened, reference, risk))
    assert distance.mean() < 0.01
    assert distance.max() < 0.06
    assert (np.abs((low + high) / 2 - risk**2) < 0.15).all()
