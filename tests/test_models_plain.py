"""Fitted baselines as arrays answer as scikit-learn's own estimators do."""

import numpy as np
import pytest

from medcore.models import fit_baseline, predict_baseline
from medcore.models.plain import freeze_baseline, predict_plain

NAMES = ("prevalence", "logistic", "random_forest", "gradient_boosting")
TASKS = {"binary": 2, "multiclass": 4, "regression": 0}


def some_rows(task, rows=300, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 6)).astype(np.float32)
    values[:, 4] = values[:, 4] > 0
    values[:, 5] = np.round(values[:, 5])
    score = values @ np.array([1, -2, 0.5, 0, 1, 0.3]) + rng.normal(size=rows)
    if task == "regression":
        return values, score
    codes = np.digitize(score, np.quantile(score, np.linspace(0, 1, TASKS[task] + 1)[1:-1]))
    return values, codes.astype(np.int64)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_arrays_answer_as_the_estimator_does(name, task):
    values, outcome = some_rows(task)
    estimator = fit_baseline(name, task, values, outcome, 0)
    plain = freeze_baseline(estimator, task, TASKS[task])
    new, _ = some_rows(task, rows=200, seed=1)
    expected = predict_baseline(estimator, new, task, TASKS[task])
    np.testing.assert_allclose(predict_plain(plain, new), expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_patients_answer_does_not_depend_on_who_else_is_asked_about(name):
    values, outcome = some_rows("multiclass")
    estimator = fit_baseline(name, "multiclass", values, outcome, 0)
    plain = freeze_baseline(estimator, "multiclass", 4)
    together = predict_plain(plain, values)
    for row in (0, 7, 299):
        alone = predict_plain(plain, values[row : row + 1])
        np.testing.assert_array_equal(alone[0], together[row])
    np.testing.assert_array_equal(predict_plain(plain, values[100:]), together[100:])


@pytest.mark.parametrize("name", NAMES)
def test_a_class_without_training_rows_gets_probability_zero(name):
    values, outcome = some_rows("multiclass")
    seen = outcome != 2
    estimator = fit_baseline(name, "multiclass", values[seen], outcome[seen], 0)
    found = predict_plain(freeze_baseline(estimator, "multiclass", 4), values)
    assert (found[:, 2] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


@pytest.mark.parametrize("steps", [0, 1])
def test_values_on_a_cut_go_the_way_they_went_in_training(steps):
    # Neighbouring float32 values: the midpoint between them is no float32, and is rounded up for
    # every other pair.
    low = np.float32(1000)
    for _ in range(steps):
        low = np.nextafter(low, np.float32(2000))
    high = np.nextafter(low, np.float32(2000))
    values = np.array([[low], [high]] * 50, dtype=np.float32)
    outcome = np.array([0, 1] * 50)
    estimator = fit_baseline("random_forest", "binary", values, outcome, 0)
    plain = freeze_baseline(estimator, "binary", 2)
    np.testing.assert_allclose(
        predict_plain(plain, values), estimator.predict_proba(values), atol=1e-6
    )


def test_large_margins_do_not_overflow():
    values, outcome = some_rows("binary")
    estimator = fit_baseline("logistic", "binary", values, outcome, 0)
    plain = freeze_baseline(estimator, "binary", 2)
    found = predict_plain(plain, np.array([[1e30] * 6, [-1e30] * 6], dtype=np.float32))
    assert np.isfinite(found).all()
