"""Riley's sample sizes: the published figures, what must hold, and a simulation as the oracle."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from medcore.evaluate.sample_size import (
    explained_by_auroc,
    explained_by_loss,
    largest_explained,
    size_for_classes,
    size_for_number,
    size_for_survival,
)

SHARES = st.floats(0.01, 0.7)
PREVALENCES = st.floats(0.02, 0.98)
PARAMETERS = st.integers(1, 80)


def test_the_published_sizes_are_met():
    chagas = size_for_classes(0.288, 24, 0.174)
    assert chagas.patients == 662
    assert chagas.criteria == {"shrinkage": 623, "optimism": 662, "precision": 221}
    assert size_for_survival(0.051, 30, 0.065, 2, 2.07).patients == 5143
    assert size_for_survival(0.05, 30, 0.08, 5, 4.2).patients == 5249
    assert size_for_classes(0.158, 30, 0.2).patients == 1555
    assert size_for_number(0.2, 25).patients == 918


def test_the_share_explained_that_goes_with_an_auroc_is_that_of_a_simulated_cohort():
    rng = np.random.default_rng(0)
    event = rng.random(1_000_000) < 0.2
    said = rng.normal(0, 1, len(event)) + event * np.sqrt(2) * 0.7721932141886848
    assert roc_auc_score(event, said) == pytest.approx(0.78, abs=0.002)
    fit = LogisticRegression(C=1e6).fit(said[:, None], event)
    risk = fit.predict_proba(said[:, None])[:, 1]
    loss = -np.mean(np.where(event, np.log(risk), np.log(1 - risk)))
    simulated = explained_by_loss(loss, event.mean())
    assert explained_by_auroc(0.78, 0.2) == pytest.approx(simulated, abs=0.003)
    # Published with 1556 patients, from a simulation of its own.
    assert size_for_classes(explained_by_auroc(0.78, 0.2), 30, 0.2).patients == pytest.approx(
        1556, rel=0.01
    )


def test_chance_explains_nothing_and_the_prevalence_itself_neither():
    assert explained_by_auroc(0.5, 0.3) == pytest.approx(0, abs=1e-9)
    entropy = -0.3 * np.log(0.3) - 0.7 * np.log(0.7)
    assert explained_by_loss(entropy, 0.3) == pytest.approx(0, abs=1e-12)
    assert explained_by_loss(0, 0.3) == pytest.approx(largest_explained(0.3))


@given(SHARES, PARAMETERS, PREVALENCES)
def test_more_parameters_need_more_patients(explained, parameters, prevalence):
    few = size_for_classes(explained, parameters, prevalence)
    many = size_for_classes(explained, parameters + 1, prevalence)
    assert many.patients >= few.patients
    assert few.patients == max(few.criteria.values())


@given(SHARES, PARAMETERS, PREVALENCES)
def test_the_first_criterion_is_the_least_number_that_reaches_the_shrinkage(
    explained, parameters, prevalence
):
    patients = size_for_classes(explained, parameters, prevalence).criteria["shrinkage"]

    def shrinkage(n):
        # Riley's equation 11 solved for the shrinkage by bisection.
        low, high = explained + 1e-12, 1 - 1e-12
        for _ in range(200):
            middle = (low + high) / 2
            needed = parameters / ((middle - 1) * np.log(1 - explained / middle))
            low, high = (middle, high) if needed < n else (low, middle)
        return low

    assert shrinkage(patients) >= 0.9 - 1e-6
    if patients > 1:
        assert shrinkage(patients - 1) < 0.9 + 1e-6


@given(st.floats(0.001, 0.5), st.floats(0.5, 10), st.floats(0.5, 10))
def test_with_that_many_patients_the_risk_at_the_horizon_is_known_within_the_margin(
    rate, horizon, follow_up
):
    assume(rate * follow_up < 0.95)
    size = size_for_survival(0.04, 10, rate, horizon, follow_up).criteria["precision"]
    error = 1.959963984540054 * np.sqrt(rate / (size * follow_up))
    risk = 1 - np.exp(-rate * horizon)
    for bound in (rate - error, rate + error):
        assert abs(1 - np.exp(-bound * horizon) - risk) <= 0.05 + 1e-9


@pytest.mark.parametrize("explained", [0.0, -0.1, 0.9])
def test_a_share_that_cannot_be_planned_with_is_refused(explained):
    with pytest.raises(ValueError, match="share explained"):
        size_for_classes(explained, 10, 0.3)
