"""Prediction: intervals that hold what they promise, and files that keep all they were given."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.models.plain import PlainModel
from medcore.predict import (
    FittedModel,
    Member,
    Predicted,
    Reference,
    conformal_reach,
    predict_dataset,
    predict_interval,
    predict_rows,
)
from medcore.prepare import fit_preparation
from medcore.recipes import fit_model
from medcore.records import Column, Dataset
from medcore.written import add_predictions, choose_class

CLASSES = ("no", "yes")


def a_table(rows=200, seed=0, numbers=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    y = x + rng.normal(size=rows)
    frame = pd.DataFrame({"x": x, "sex": pd.Series(rng.choice(["f", "m"], rows), dtype="string")})
    frame["y"] = y if numbers else pd.Series(np.where(y > 0, "yes", "no"), dtype="string")
    kind = "number" if numbers else "category"
    columns = (
        Column("x", "number", "input"),
        Column("sex", "category", "input"),
        Column("y", kind, "outcome"),
    )
    return Dataset("a", "a", "0", frame, columns)


def linear(coefficient, task="binary"):
    """Return a linear member that knows x alone."""
    arrays = {
        "coefficients": np.array([[coefficient, 0.0, 0.0]]),
        "intercepts": np.zeros(1),
        "places": np.array([0, 1] if task == "binary" else [], dtype=np.int64),
    }
    link = "logistic" if task == "binary" else "identity"
    return PlainModel({"formula": "linear", "task": task, "classes": 2, "link": link}, arrays)


def a_model(members, weights, classes=CLASSES, reference=None):
    dataset = a_table(numbers=not classes)
    preparation = fit_preparation(dataset, np.arange(200), RunConfig(), classes)
    joined = tuple(
        Member("logistic", 0, weight, fitted)
        for fitted, weight in zip(members, weights, strict=True)
    )
    return FittedModel(
        "m", preparation.task, classes, preparation, (preparation,), joined, reference
    )


def test_members_are_averaged_by_weight():
    dataset = a_table()
    one = predict_rows(a_model([linear(1.0)], [1.0]), dataset)
    two = predict_rows(a_model([linear(-2.0)], [1.0]), dataset)
    both = predict_rows(a_model([linear(1.0), linear(-2.0)], [0.25, 0.75]), dataset)
    np.testing.assert_allclose(both, 0.25 * one + 0.75 * two)


@pytest.fixture(scope="module")
def fitted():
    config = change_config(
        RunConfig(),
        {"train.epochs": 3, "model.ensemble": 2, "model.width": 8},
    )
    parts = {"train": np.arange(0, 140), "validation": np.arange(140, 200)}
    return fit_model(a_table(), parts, config, CLASSES, baselines=())


def test_one_patient_alone_gets_the_same_answer_as_in_a_batch(fitted):
    dataset = a_table(50, seed=1)
    batch = predict_dataset(fitted.model, dataset)
    for row in (0, 49):
        single = Dataset("a", "a", "0", dataset.frame.loc[[row]], dataset.columns)
        alone = predict_dataset(fitted.model, single)
        np.testing.assert_array_equal(alone.value[0], batch.value[row])
        np.testing.assert_array_equal(alone.low[0], batch.low[row])
        assert alone.row_id.tolist() == [row]


def test_a_patient_of_whom_nothing_is_known_gets_an_answer(fitted):
    nobody = Dataset("a", "a", "0", pd.DataFrame(index=[0]), ())
    answer = predict_dataset(fitted.model, nobody)
    assert 0 < answer.value[0, 1] < 1
    assert answer.value.sum() == pytest.approx(1)


def test_intervals_of_risks_hold_the_estimate_and_stay_within_zero_and_one(fitted):
    answer = predict_dataset(fitted.model, a_table(80, seed=2))
    assert (answer.low >= 0).all()
    assert (answer.low <= answer.value).all()
    assert (answer.value <= answer.high).all()
    assert (answer.high <= 1).all()
    assert (answer.high - answer.low).mean() > 0.001


def test_without_reference_patients_there_is_no_interval():
    model = a_model([linear(1.0)], [1.0])
    answer = predict_dataset(model, a_table())
    assert np.isnan(answer.low).all()
    assert np.isnan(answer.high).all()


def test_intervals_of_values_cover_nine_of_ten_new_patients():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        truth = rng.normal(size=300)
        guess = truth + rng.standard_t(3, size=300)
        reference = Reference(truth[:100], guess[:100])
        model = a_model([linear(1.0, "regression")], [1.0], (), reference)
        low, high = predict_interval(model, guess[100:], guess[100:])
        covered.append(((low <= truth[100:]) & (truth[100:] <= high)).mean())
    assert 0.89 < np.mean(covered) < 0.92


def test_too_few_reference_patients_promise_nothing():
    assert conformal_reach(np.ones(5), 0.9) == float("inf")
    assert conformal_reach(np.ones(9), 0.9) == 1


def a_prediction():
    value = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    return Predicted(np.arange(3), CLASSES, value, value, value)


def test_two_classes_are_told_apart_at_the_threshold():
    assert choose_class(a_prediction()).tolist() == ["no", "no", "yes"]
    assert choose_class(a_prediction(), "yes", 0.4).tolist() == ["no", "yes", "yes"]
    assert choose_class(a_prediction(), "no", 0.5).tolist() == ["no", "no", "yes"]


def test_a_file_keeps_its_rows_and_columns_and_gains_the_prediction():
    frame = pd.DataFrame({"name": ["c", "a", "b"], "predicted": [7, 8, 9]}, index=[5, 3, 9])
    out = add_predictions(frame, a_prediction(), "yes", 0.4)
    assert out.columns.tolist() == [
        "name",
        "predicted",
        "predicted_medcore",
        "probability_no",
        "probability_yes",
    ]
    pd.testing.assert_frame_equal(out[frame.columns], frame)
    assert out["predicted_medcore"].tolist() == ["no", "yes", "yes"]
    assert out["probability_yes"].tolist() == [0.1, 0.4, 0.8]
    assert frame.columns.tolist() == ["name", "predicted"]


def test_numbers_come_with_their_bounds():
    predicted = Predicted(
        np.arange(2), (), np.array([1.0, 2]), np.array([0.0, 1]), np.array([3.0, 4])
    )
    out = add_predictions(pd.DataFrame({"a": [1, 2]}), predicted)
    assert out.columns.tolist() == ["a", "predicted", "predicted_low", "predicted_high"]
    assert out["predicted_high"].tolist() == [3, 4]


@given(
    st.lists(
        st.sampled_from(["predicted", "predicted_medcore", "predicted_medcore_medcore", "x"]),
        min_size=1,
        unique=True,
    )
)
def test_no_given_column_is_ever_overwritten(names):
    frame = pd.DataFrame({name: [1, 2, 3] for name in names}, index=range(3))
    out = add_predictions(frame, a_prediction())
    assert out.columns.is_unique
    assert len(out.columns) == len(names) + 3
    pd.testing.assert_frame_equal(out[names], frame[names])
