"""Risks of a whole model put right: on the calibration part only, and kept with the model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from medcore.config import change_config
from medcore.errors import ConfigError, FitError
from medcore.predict import predict_both, predict_dataset, predict_rows, without_recalibration
from medcore.recipes import fit_model, load_model, save_model
from medcore.strategies import check_strategies, is_distorted
from tests.test_recipes import CLASSES, SMALL, a_table

ROWS = 400
PARTS = {
    "train": np.arange(0, 160),
    "validation": np.arange(160, 200),
    "calibration": np.arange(200, 300),
    "test": np.arange(300, ROWS),
}
TEST = PARTS["test"]


def fitted(method: str, parts=PARTS, dataset=None, name="logistic", classes=CLASSES, **changes):
    config = change_config(SMALL, {"model.name": name, "model.recalibration": method, **changes})
    return fit_model(dataset or a_table(ROWS), parts, config, classes, baselines=())


def happened(dataset, rows=TEST):
    return dataset.frame.loc[rows, "y"].eq("yes").to_numpy()


def scrambled(dataset, rows):
    frame = dataset.frame.copy()
    rng = np.random.default_rng(3)
    frame.loc[rows, "y"] = pd.Series(rng.choice(CLASSES, len(rows)), rows, dtype="string")
    return replace(dataset, frame=frame)


@pytest.mark.parametrize("method", ["logistic", "temperature"])
@pytest.mark.parametrize("parts", ["calibration part", "held-out rows"])
def test_platt_and_temperature_leave_the_auroc_unchanged(method, parts):
    dataset = a_table(ROWS)
    some = {n: r for n, r in PARTS.items() if parts == "calibration part" or n != "calibration"}
    model = fitted(method, some, dataset).model
    after, before = predict_both(model, dataset, TEST)
    event = happened(dataset)
    assert not np.allclose(after, before, atol=1e-3)
    assert roc_auc_score(event, after[:, 1]) == roc_auc_score(event, before[:, 1])


def test_the_outcomes_of_test_patients_change_no_calibrator_and_those_of_its_part_do():
    dataset = a_table(ROWS)
    told = fitted("logistic", dataset=dataset).model.recalibration
    assert fitted("logistic", dataset=scrambled(dataset, TEST)).model.recalibration == told
    other = scrambled(dataset, PARTS["calibration"])
    assert fitted("logistic", dataset=other).model.recalibration != told


def test_a_calibrator_improves_the_likelihood_of_its_own_patients():
    dataset, rows = a_table(ROWS), PARTS["calibration"]
    for method in ("logistic", "temperature"):
        after, before = predict_both(fitted(method, dataset=dataset).model, dataset, rows)
        event = happened(dataset, rows)
        assert log_loss(event, after[:, 1]) < log_loss(event, before[:, 1])


def test_the_calibrator_is_part_of_the_saved_model(tmp_path):
    dataset = a_table(ROWS)
    model = fitted("logistic", dataset=dataset).model
    save_model(tmp_path, model)
    again = load_model(tmp_path)
    np.testing.assert_array_equal(
        predict_rows(again, dataset, TEST), predict_rows(model, dataset, TEST)
    )
    assert any("put right (Logistic (Platt)) on 100 patients" in note for note in again.notes)


def test_held_out_risks_are_put_right_too_and_kept_as_they_were():
    found = fitted("logistic")
    raw, mended = found.held_out["uncalibrated"], found.held_out["model"]
    assert not np.allclose(raw, mended, atol=1e-3)
    np.testing.assert_array_equal(np.argsort(raw[:, 1]), np.argsort(mended[:, 1]))
    plain = fitted("none")
    np.testing.assert_allclose(plain.held_out["model"], raw)
    assert "uncalibrated" not in plain.held_out


def test_intervals_rest_on_risks_as_they_were_before_so_that_nobody_vouches_for_himself():
    dataset = a_table(ROWS)
    model = fitted("logistic", dataset=dataset).model
    plain = predict_rows(without_recalibration(model), dataset, PARTS["calibration"])
    np.testing.assert_allclose(model.reference.predicted, plain)
    said = predict_dataset(model, dataset, TEST)
    assert (said.low <= said.value).all()
    assert (said.value <= said.high).all()


def test_several_classes_are_put_right_as_a_whole():
    dataset = a_table(ROWS, "multiclass")
    model = fitted("temperature", dataset=dataset, classes=("a", "b", "c")).model
    after, before = predict_both(model, dataset, TEST)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))


@pytest.mark.parametrize("setting", ["model.recalibration", "balance.recalibration"])
def test_isotonic_is_refused_before_anything_is_fitted_where_patients_are_few(setting):
    config = {"balance.strategy": "class_weight", setting: "isotonic"}
    with pytest.raises(FitError, match=r"needs 1,000 patients outside the fit, and there are 100"):
        fitted("none", **config)


def test_isotonic_works_with_a_thousand_patients():
    dataset = a_table(2200)
    parts = {
        "train": np.arange(0, 800), "validation": np.arange(800, 1000),
        "calibration": np.arange(1000, 2000), "test": np.arange(2000, 2200),
    }  # fmt: skip
    model = fitted("isotonic", parts, dataset).model
    after, before = (answer[:, 1] for answer in predict_both(model, dataset, parts["test"]))
    order = np.argsort(before, kind="stable")
    assert (np.diff(after[order]) >= -1e-12).all()


def test_a_number_cannot_be_recalibrated():
    config = change_config(SMALL, {"model.recalibration": "logistic"})
    with pytest.raises(ConfigError, match="needs an outcome with classes"):
        check_strategies(config, "regression")


def test_weighted_risks_that_nobody_put_right_are_known_as_distorted():
    weighted = {"model.name": "logistic", "balance.strategy": "class_weight"}
    left = change_config(SMALL, weighted | {"balance.recalibration": "none"})
    assert is_distorted("model", left)
    assert is_distorted("logistic", left)
    assert not is_distorted("prevalence", left)
    assert not is_distorted("model", change_config(left, {"model.recalibration": "logistic"}))
    assert not is_distorted("model", change_config(SMALL, weighted))
    assert not is_distorted("model", SMALL)


def test_leaving_risks_distorted_is_possible_and_shows():
    weighted = {"balance.strategy": "class_weight", "balance.recalibration": "none"}
    found = fitted("none", **weighted)
    assert all(member.recalibration is None for member in found.model.members)
    mended = fitted("none", **weighted | {"balance.recalibration": "logistic"})
    assert all(member.recalibration is not None for member in mended.model.members)


def test_a_model_whose_members_were_put_right_is_put_right_from_where_they_stand():
    dataset, rows = a_table(ROWS), PARTS["calibration"]
    weighted = {"balance.strategy": "class_weight", "balance.recalibration": "prior"}
    model = fitted("logistic", dataset=dataset, **weighted).model
    assert model.recalibration is not None
    assert model.members[0].recalibration is not None
    # What makes a logistic correction likeliest makes its mean the share of patients with it.
    mean = predict_rows(model, dataset, rows)[:, 1].mean()
    assert mean == pytest.approx(happened(dataset, rows).mean(), abs=0.003)
