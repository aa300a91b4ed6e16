"""Measures of prognosis equal independent software, published figures and closed forms."""

import warnings

import numpy as np
import pytest

from medcore.evaluate.agreement import calibrate_at
from medcore.evaluate.decision import THRESHOLDS, net_benefit, treat_all
from medcore.evaluate.followup import (
    count_patients,
    incidence,
    incidence_curve,
    kaplan_meier,
    log_rank,
    read_followup,
    risk_table,
)
from medcore.evaluate.prognosis import (
    auroc_at,
    brier_at,
    concordance,
    draw,
    integrated_brier,
    net_benefit_at,
    observed_expected,
    plan_ranking,
)
from medcore.models.cox import baseline_hazard, fit_cox
from tests.cohorts import gbsg, rotterdam, tied_cohort

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lifelines
    import sksurv.metrics
    from lifelines.statistics import multivariate_logrank_test
    from sksurv.util import Surv

SEEDS = range(8)
LAST = np.array([4.99])


def _all_once(cohort):
    followup = read_followup(cohort.duration, cohort.cause)
    return followup, draw(followup, np.ones((1, len(cohort.duration))))


def _moments(cohort):
    moments = np.unique(np.quantile(cohort.duration, [0.2, 0.4, 0.6, 0.75]))
    return moments[moments < cohort.duration.max()]


def _risks(cohort, moments):
    return 1 - np.exp(-np.outer(np.exp(cohort.values[:, 0]), moments) / 6)


@pytest.mark.parametrize("seed", SEEDS)
def test_concordance_equals_scikit_survival_where_times_and_risks_tie(seed):
    cohort = tied_cohort(seed)
    followup, drawn = _all_once(cohort)
    score, limit = cohort.values[:, 0], float(np.quantile(cohort.duration, 0.8))
    found = concordance(plan_ranking(followup, score), drawn, 1, limit)
    event = cohort.cause == 1
    outcome = Surv.from_arrays(event, cohort.duration)
    harrell = sksurv.metrics.concordance_index_censored(event, cohort.duration, score)[0]
    uno = sksurv.metrics.concordance_index_ipcw(outcome, outcome, score, limit)[0]
    assert found["c_index"][0] == pytest.approx(harrell, abs=1e-12)
    assert found["uno_c"][0] == pytest.approx(uno, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_auroc_and_brier_over_time_equal_scikit_survival(seed):
    cohort = tied_cohort(seed)
    _, drawn = _all_once(cohort)
    moments = _moments(cohort)
    risks = _risks(cohort, moments)
    outcome = Surv.from_arrays(cohort.cause == 1, cohort.duration)
    areas, _ = sksurv.metrics.cumulative_dynamic_auc(outcome, outcome, risks, moments)
    ours = [auroc_at(drawn, risks[:, k], 1, moments[k])[0] for k in range(len(moments))]
    assert ours == pytest.approx(areas, abs=1e-10)
    _, brier = sksurv.metrics.brier_score(outcome, outcome, 1 - risks, moments)
    scores = brier_at(drawn, risks, 1, moments)
    assert scores[0] == pytest.approx(brier, abs=1e-12)
    theirs = sksurv.metrics.integrated_brier_score(outcome, outcome, 1 - risks, moments)
    assert integrated_brier(scores, moments)[0] == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("causes", [1, 2])
def test_drawing_a_patient_twice_counts_as_two_equal_patients(causes):
    cohort = tied_cohort(3, causes=causes)
    rows = len(cohort.duration)
    weights = np.random.default_rng(0).multinomial(rows, np.full(rows, 1 / rows)).astype(float)
    again = np.repeat(np.arange(rows), weights.astype(int))
    moments = _moments(cohort)
    risks = _risks(cohort, moments)

    def measure(duration, cause, risks, weights):
        followup = read_followup(duration, cause)
        drawn = draw(followup, weights[None])
        ranking = plan_ranking(followup, risks[:, 1])
        return np.concatenate([
            *concordance(ranking, drawn, 1, float(moments[-1])).values(),
            auroc_at(drawn, risks[:, 1], 1, moments[1]),
            brier_at(drawn, risks, 1, moments)[0],
            observed_expected(drawn, risks, 1, moments)[0],
            net_benefit_at(drawn, risks[:, 1], 1, moments[1])[0],
            # The distance keeps the cohort's own knots in every resample.
            calibrate_at(drawn, risks[:, 1], 1, moments[1])[0],
        ])  # fmt: skip

    once = measure(cohort.duration, cohort.cause, risks, weights)
    twice = measure(cohort.duration[again], cohort.cause[again], risks[again], np.ones(rows))
    assert np.isfinite(once).all()
    assert once == pytest.approx(twice, abs=1e-8)


def test_concordance_with_other_causes_equals_counting_every_pair():
    cohort = tied_cohort(1, rows=80, causes=2)
    followup, drawn = _all_once(cohort)
    score = cohort.values[:, 0]
    right = every = 0.0
    for i in np.flatnonzero(cohort.cause == 1):
        time, cause = cohort.duration, cohort.cause
        longer = (time > time[i]) | ((time == time[i]) & (cause != 1))
        never = (cause == 2) & (time < time[i])
        beside = longer | never
        every += beside.sum()
        right += (score[i] > score[beside]).sum() + (score[i] == score[beside]).sum() / 2
    found = concordance(plan_ranking(followup, score), drawn, 1, np.inf)
    assert found["c_index"][0] == pytest.approx(right / every, abs=1e-12)


def test_without_censoring_the_measures_are_those_of_a_yes_or_no_outcome():
    cohort = tied_cohort(2)
    cohort = type(cohort)(cohort.values, cohort.duration, np.ones_like(cohort.cause))
    _, drawn = _all_once(cohort)
    moment = float(np.median(cohort.duration))
    risk = _risks(cohort, np.array([moment]))
    event = cohort.duration <= moment
    found = net_benefit_at(drawn, risk[:, 0], 1, moment)[0]
    assert found[:-1] == pytest.approx(net_benefit(event, risk[:, 0], THRESHOLDS)[0], abs=1e-12)
    assert found[-1] == pytest.approx(event.mean())
    assert brier_at(drawn, risk, 1, np.array([moment]))[0, 0] == pytest.approx(
        np.mean((event - risk[:, 0]) ** 2)
    )
    ratio = observed_expected(drawn, risk, 1, np.array([moment]))[0, 0]
    assert ratio == pytest.approx(event.mean() / risk.mean())


def test_treating_all_is_worth_what_kaplan_meier_says_of_everybody():
    cohort = tied_cohort(4)
    followup, drawn = _all_once(cohort)
    moment = float(np.median(cohort.duration))
    share = net_benefit_at(drawn, np.ones(len(cohort.duration)), 1, moment)[0]
    curve = 1 - kaplan_meier(count_patients(followup, drawn.weights))[0]
    observed = curve[np.searchsorted(followup.times, moment, side="right") - 1]
    assert share[-1] == pytest.approx(observed, abs=1e-12)
    odds = THRESHOLDS / (1 - THRESHOLDS)
    assert share[:-1] == pytest.approx(observed - (1 - observed) * odds, abs=1e-9)
    assert treat_all(np.array([1, 0]), THRESHOLDS)[0] == pytest.approx(0.5 - 0.5 * odds[0])


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_kaplan_meier_with_its_interval_equals_lifelines(seed):
    cohort = tied_cohort(seed)
    curve = incidence_curve(cohort.duration, cohort.cause)
    fitter = lifelines.KaplanMeierFitter().fit(cohort.duration, cohort.cause)
    there = fitter.survival_function_at_times(curve["time"]).to_numpy()
    assert 1 - np.array(curve["risk"]) == pytest.approx(there, abs=1e-12)
    bounds = fitter.confidence_interval_survival_function_.reindex(curve["time"]).to_numpy()
    inside = (there > 0) & (there < 1)
    assert (1 - np.array(curve["high"]))[inside] == pytest.approx(bounds[inside, 0], abs=1e-9)
    assert (1 - np.array(curve["low"]))[inside] == pytest.approx(bounds[inside, 1], abs=1e-9)


def test_aalen_johansen_equals_lifelines_and_causes_share_what_kaplan_meier_loses():
    cohort = tied_cohort(5, causes=2)
    cohort.duration[:] += np.random.default_rng(0).uniform(0, 1e-3, len(cohort.duration))
    followup, drawn = _all_once(cohort)
    counts = count_patients(followup, drawn.weights)
    both = [incidence(followup, drawn.weights, counts, cause)[0] for cause in (1, 2)]
    assert sum(both) == pytest.approx(1 - kaplan_meier(counts)[0], abs=1e-12)
    fitter = lifelines.AalenJohansenFitter(calculate_variance=True)
    fitter.fit(cohort.duration, cohort.cause, event_of_interest=1)
    curve = incidence_curve(cohort.duration, cohort.cause, 1)
    there = fitter.cumulative_density_.iloc[:, 0].reindex(curve["time"]).to_numpy()
    assert curve["risk"] == pytest.approx(there, abs=1e-9)
    naive = incidence_curve(cohort.duration, np.where(cohort.cause == 1, 1, 0))
    assert naive["risk"][-1] > curve["risk"][-1] + 0.05


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_the_log_rank_test_equals_lifelines(seed):
    cohort = tied_cohort(seed)
    group = np.random.default_rng(seed).choice(["a", "b", "c"][: 2 + seed % 2], 150)
    chi, p = log_rank(cohort.duration, cohort.cause, group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = multivariate_logrank_test(cohort.duration, group, cohort.cause)
    assert chi == pytest.approx(there.test_statistic, rel=1e-9)
    assert p == pytest.approx(there.p_value, rel=1e-9)


def test_a_log_rank_test_of_one_group_has_no_answer():
    assert np.isnan(log_rank(np.array([1.0, 2]), np.array([1, 1]), np.array(["a", "a"]))[1])


def test_the_risk_table_counts_those_still_followed():
    assert risk_table(np.array([1.0, 2, 2, 5]), np.array([0, 2, 3, 9])) == [4, 3, 1, 0]


def _external_risk():
    old, new = rotterdam(), gbsg()
    fitted = fit_cox(old.values, old.duration, old.cause == 1)
    linear = (np.vstack([old.values, new.values]) - old.values.mean(axis=0)) @ fitted.coefficients
    ours, theirs = linear[: len(old.values)], linear[len(old.values) :]
    hazard = baseline_hazard(ours, old.duration, old.cause == 1, LAST)
    return theirs, -np.expm1(-hazard * np.exp(theirs))


def test_the_published_validation_in_another_country_is_reproduced():
    """McLernon et al. 2023: Rotterdam's model judged in the German trial, just before 5 years."""
    new = gbsg()
    theirs, risk = _external_risk()
    followup, drawn = _all_once(new)
    found = concordance(plan_ranking(followup, theirs), drawn, 1, 5.0)
    assert found["c_index"][0] == pytest.approx(0.652, abs=5e-4)
    assert found["uno_c"][0] == pytest.approx(0.635, abs=5e-4)
    assert auroc_at(drawn, risk, 1, LAST[0])[0] == pytest.approx(0.677, abs=5e-4)
    assert brier_at(drawn, risk[:, None], 1, LAST)[0, 0] == pytest.approx(0.2249, abs=5e-5)
    ratio = observed_expected(drawn, risk[:, None], 1, LAST)[0, 0]
    assert ratio == pytest.approx(1.0175, abs=1e-3)
    slope, ici = calibrate_at(drawn, risk, 1, LAST[0])
    assert slope[0] == pytest.approx(1.056, abs=5e-4)
    assert ici[0] == pytest.approx(0.0302, abs=2e-4)


def test_the_weights_for_censoring_come_from_the_judged_patients():
    """With the training cohort's weights the same score would read 0.137 instead of 0.2249."""
    old, new = (Surv.from_arrays(c.cause == 1, c.duration) for c in (rotterdam(), gbsg()))
    _, risk = _external_risk()
    _, wrong = sksurv.metrics.brier_score(old, new, 1 - risk[:, None], LAST)
    _, right = sksurv.metrics.brier_score(new, new, 1 - risk[:, None], LAST)
    assert wrong[0] == pytest.approx(0.137, abs=5e-4)
    ours = brier_at(_all_once(gbsg())[1], risk[:, None], 1, LAST)[0, 0]
    assert ours == pytest.approx(right[0], abs=1e-12)


def test_perfectly_calibrated_risks_have_slope_one_and_no_distance():
    rng = np.random.default_rng(0)
    linear = rng.normal(size=6000)
    event, censored = rng.exponential(np.exp(-linear)), rng.exponential(1.5, 6000)
    drawn = draw(
        read_followup(np.minimum(event, censored), (event <= censored).astype(int)),
        np.ones((1, 6000)),
    )
    risk = -np.expm1(-0.7 * np.exp(linear))
    slope, ici = calibrate_at(drawn, risk, 1, 0.7)
    assert slope[0] == pytest.approx(1, abs=0.05)
    assert ici[0] < 0.01
    extreme = -np.expm1(-0.7 * np.exp(2 * linear))
    assert calibrate_at(drawn, extreme, 1, 0.7)[0][0] == pytest.approx(0.5, abs=0.05)


def test_the_slope_with_one_cause_equals_a_cox_regression_on_the_linear_predictor():
    cohort = tied_cohort(6)
    cohort.duration[:] += np.random.default_rng(1).uniform(0, 1e-3, len(cohort.duration))
    _, drawn = _all_once(cohort)
    risk = _risks(cohort, np.array([3.0]))[:, 0]
    event = (cohort.cause == 1) & (cohort.duration <= 3)
    link = np.log(-np.log1p(-risk))[:, None]
    there = fit_cox(link, np.minimum(cohort.duration, 3.0), event).coefficients[0]
    assert calibrate_at(drawn, risk, 1, 3.0)[0][0] == pytest.approx(there, rel=1e-6)


def test_one_risk_for_all_has_no_slope():
    cohort = tied_cohort(0)
    _, drawn = _all_once(cohort)
    slope, ici = calibrate_at(drawn, np.full(len(cohort.duration), 0.3), 1, 3.0)
    assert np.isnan(slope[0]) and np.isnan(ici[0])
