"""Cox's model and the losses of networks for time to event equal independent software."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split

from medcore.evaluate.followup import read_followup
from medcore.evaluate.prognosis import concordance, draw, plan_ranking
from medcore.models.cox import baseline_hazard, fit_cox, schoenfeld_test
from medcore.train.hazards import Hazards, cox_loss, draw_cuts, masses, place_of
from tests.cohorts import rotterdam, tied_cohort

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lifelines
    from lifelines.datasets import load_rossi
    from lifelines.statistics import proportional_hazard_test
    from sksurv.datasets import load_gbsg2, load_veterans_lung_cancer
    from sksurv.metrics import concordance_index_censored


@pytest.fixture(scope="module")
def rossi():
    table = load_rossi()
    values = table.drop(columns=["week", "arrest"]).to_numpy(np.float64)
    return table, values, table["week"].to_numpy(np.float64), table["arrest"].eq(1).to_numpy()


def test_cox_on_rossi_has_the_published_likelihood_and_lifelines_errors(rossi):
    table, values, weeks, arrest = rossi
    fitted = fit_cox(values, weeks, arrest)
    assert fitted.settled
    assert fitted.log_likelihood == pytest.approx(-658.75, abs=5e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        there = lifelines.CoxPHFitter().fit(table, "week", "arrest")
    assert fitted.coefficients == pytest.approx(there.params_.to_numpy(), abs=1e-6)
    errors = np.sqrt(np.diag(fitted.covariance))
    assert errors == pytest.approx(there.standard_errors_.to_numpy(), abs=1e-6)


def test_cox_on_rotterdam_has_the_published_coefficients():
    cohort = rotterdam()
    assert cohort.cause.sum() == 1275
    fitted = fit_cox(cohort.values, cohort.duration, cohort.cause == 1)
    published = [0.34184, 0.57355, 0.30397, -0.81117, 0.36171]
    assert fitted.coefficients == pytest.approx(published, abs=6e-6)


def test_cox_on_the_veterans_ranks_them_as_published():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, outcome = load_veterans_lung_cancer()
    import pandas as pd

    values = pd.get_dummies(table, drop_first=True).to_numpy(np.float64)
    event, days = outcome["Status"], outcome["Survival_in_days"].astype(np.float64)
    fitted = fit_cox(values, days, event, efron=False)  # as scikit-survival's default has it
    score = concordance_index_censored(event, days, values @ fitted.coefficients)[0]
    assert score == pytest.approx(0.73626, abs=5e-6)


def test_cox_on_gbsg2_ranks_women_as_measured_elsewhere():
    """Apparent 0.6918; learned from three quarters of the women (seed 1) 0.662 on the others."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, outcome = load_gbsg2()
    values = pd.get_dummies(table, drop_first=True).to_numpy(np.float64)
    event, days = outcome["cens"], outcome["time"].astype(np.float64)
    rows = np.arange(len(values))
    learn, judge = train_test_split(rows, test_size=0.25, stratify=event, random_state=1)
    for learned, judged, published in ((rows, rows, 0.6918), (learn, judge, 0.662)):
        fitted = fit_cox(values[learned], days[learned], event[learned])
        followup = read_followup(days[judged], event[judged].astype(int))
        drawn = draw(followup, np.ones((1, len(judged))))
        ranking = plan_ranking(followup, values[judged] @ fitted.coefficients)
        found = concordance(ranking, drawn, 1, np.inf)["c_index"][0]
        assert found == pytest.approx(published, abs=5e-4)


def test_schoenfelds_test_equals_lifelines_without_ties(rossi):
    table, values, weeks, arrest = rossi
    apart = weeks + np.random.default_rng(0).uniform(0, 1e-3, len(weeks))
    fitted = fit_cox(values, apart, arrest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moved = table.assign(week=apart)
        there = lifelines.CoxPHFitter().fit(moved, "week", "arrest")
        p = proportional_hazard_test(there, moved, time_transform="rank").p_value
    assert schoenfeld_test(fitted, values, apart, arrest) == pytest.approx(p, abs=1e-4)


def test_schoenfelds_test_finds_an_effect_that_fades():
    rng = np.random.default_rng(0)
    treated = rng.random(1500) < 0.5
    early = rng.exponential(np.where(treated, 3.0, 1.0))
    time = np.where(early < 1, early, 1 + rng.exponential(1, 1500))
    values = np.column_stack([treated, rng.normal(size=1500)]).astype(float)
    event = np.ones(1500, bool)
    p = schoenfeld_test(fit_cox(values, time, event), values, time, event)
    assert p[0] < 1e-4 < 0.01 < p[1]


def test_expected_events_by_the_baseline_hazard_are_the_observed_ones():
    """The sum of each patient's cumulative hazard equals the events, as a martingale must."""
    cohort = rotterdam()
    event = cohort.cause == 1
    fitted = fit_cox(cohort.values, cohort.duration, event)
    linear = (cohort.values - cohort.values.mean(axis=0)) @ fitted.coefficients
    hazard = baseline_hazard(linear, cohort.duration, event, cohort.duration)
    assert (hazard * np.exp(linear)).sum() == pytest.approx(event.sum(), rel=1e-3)
    assert baseline_hazard(linear, cohort.duration, event, np.array([0.0]))[0] == 0


def test_ridge_keeps_a_perfect_predictor_finite_and_shrinks():
    values = np.repeat([0.0, 1.0], 20)[:, None]
    time = np.r_[np.arange(20) + 100.0, np.arange(20) + 1.0]
    event = np.repeat([False, True], 20)
    assert 0 < fit_cox(values, time, event, ridge=1.0).coefficients[0] < 5


def test_columns_that_say_the_same_twice_are_shared_between_them():
    cohort = tied_cohort(0)
    event = cohort.cause == 1
    twin = np.column_stack([cohort.values[:, 0]] * 2)
    both = fit_cox(twin, cohort.duration, event)
    alone = fit_cox(twin[:, :1], cohort.duration, event)
    assert both.coefficients.sum() == pytest.approx(alone.coefficients[0], rel=1e-6)


def test_the_networks_partial_likelihood_is_coxs(rossi):
    _, values, weeks, arrest = rossi
    fitted = fit_cox(values, weeks, arrest)
    linear = torch.from_numpy(values @ fitted.coefficients).reshape(-1, 1, 1)
    loss = cox_loss(linear, torch.from_numpy(weeks), torch.from_numpy(arrest.astype(np.int64)))
    assert float(loss) * arrest.sum() == pytest.approx(658.7477, abs=1e-3)


def test_the_partial_likelihood_does_not_depend_on_the_order_of_rows():
    cohort = tied_cohort(1, causes=2)
    output = torch.randn(150, 3, 2, generator=torch.Generator().manual_seed(0)).double()
    outcome = torch.from_numpy(np.column_stack([cohort.duration, cohort.cause]))
    order = torch.randperm(150, generator=torch.Generator().manual_seed(1))
    hazards = Hazards("deepsurv", 2)
    first, second = hazards.loss(output, outcome), hazards.loss(output[order], outcome[order])
    assert float(first) == pytest.approx(float(second), abs=1e-6)


def test_a_batch_without_events_teaches_nothing():
    output = torch.randn(5, 1, 1, requires_grad=True)
    outcome = torch.tensor([[1.0, 0.0]] * 5)
    loss = Hazards("deepsurv", 1).loss(output, outcome)
    loss.backward()
    assert loss.item() == 0
    assert not output.grad.any()


def test_events_and_censorings_fall_into_the_right_intervals():
    cuts = torch.tensor([0.0, 1.0, 2.0, 4.0])
    duration = torch.tensor([0.5, 1.0, 1.5, 4.0, 9.0, 0.5, 1.0, 1.5, 4.0, 9.0])
    cause = torch.tensor([1] * 5 + [0] * 5)
    assert place_of(duration, cause, cuts).tolist() == [0, 0, 1, 2, 2, 0, 1, 1, 3, 3]


def test_the_logistic_hazard_learns_the_life_table_of_patients_without_inputs():
    """Its likelihood is largest where each hazard is events / at risk (Brown 1975)."""
    duration = np.array([0.5, 0.7, 1.0, 1.5, 1.6, 2.0, 3.0, 3.5, 4.0, 4.0])
    cause = np.array([1, 0, 1, 1, 1, 0, 1, 0, 1, 0])
    hazards = Hazards("logistic_hazard", 1, (0.0, 1.0, 2.0, 4.0))
    outcome = torch.from_numpy(np.column_stack([duration, cause]).astype(np.float32))
    logits = torch.zeros(1, 1, 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        loss = hazards.loss(logits.expand(10, 1, 3), outcome)
        loss.backward()
        return loss

    optimizer.step(step)
    # At risk leave out who is censored within the interval: 9, 7 and 3 come through or fail.
    expected = [2 / 9, 2 / 7, 2 / 3]
    assert logits.detach().sigmoid().flatten().tolist() == pytest.approx(expected, abs=1e-4)


def test_deephits_chances_sum_to_one_and_its_gradient_reaches_every_cause():
    hazards = Hazards("deephit", 2, (0.0, 1.0, 2.0, 4.0))
    output = torch.randn(40, 2, hazards.outputs, requires_grad=True)
    assert masses(output).sum(dim=2).allclose(torch.ones(40, 2))
    rng = np.random.default_rng(0)
    outcome = np.column_stack([rng.uniform(0.1, 5, 40), rng.integers(0, 3, 40)])
    hazards.loss(output, torch.from_numpy(outcome.astype(np.float32))).backward()
    assert (output.grad.abs().sum(dim=(0, 1)) > 0).all()


def test_deephit_ranks_those_with_an_earlier_event_higher():
    hazards = Hazards("deephit", 1, (0.0, 1.0, 2.0))
    outcome = torch.tensor([[0.5, 1.0], [1.5, 1.0]])
    right = torch.tensor([[[3.0, 0.0, 0.0]], [[0.0, 3.0, 0.0]]])
    assert hazards.loss(right, outcome) < hazards.loss(right.flip(0), outcome)


def test_intervals_begin_at_zero_and_rise_even_where_all_events_fall_on_few_days():
    cuts = draw_cuts(np.repeat([3.0, 5.0], 50), np.ones(100), 10)
    assert cuts == (0.0, 3.0, 5.0)
