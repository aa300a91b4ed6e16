"""Recipes: plan, fit, weights, stop and resume, files; test rows are never looked at."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medcore.config import RunConfig, change_config, preset_config
from medcore.errors import FitError, StoreError
from medcore.predict import predict_dataset, predict_rows
from medcore.recipes import fit_model, load_model, save_model
from medcore.recipes.plan import make_plan
from medcore.recipes.units import FileCheckpoint, interruptible
from medcore.recipes.weights import choose_weights
from medcore.records import Column, Dataset, Watch

SMALL = change_config(
    RunConfig(),
    {"train.epochs": 4, "model.ensemble": 2, "model.width": 8, "model.bins": 4},
)
CLASSES = ("no", "yes")


def a_table(rows: int = 150, task: str = "binary", seed: int = 0) -> Dataset:
    """Return patients whose outcome depends on two columns, with gaps and a patient column."""
    rng = np.random.default_rng(seed)
    age, pressure = rng.normal(60, 10, rows), rng.normal(130, 15, rows)
    score = (age - 60) / 10 + (pressure - 130) / 15 + rng.normal(0, 0.7, rows)
    outcome = {
        "binary": np.where(score > 0.5, "yes", "no"),
        "multiclass": np.array(["a", "b", "c"])[np.digitize(score, [-0.5, 0.8])],
        "regression": 10 * score,
    }[task]
    age[rng.random(rows) < 0.1] = np.nan
    frame = pd.DataFrame({"age": age, "pressure": pressure, "sex": rng.choice(["f", "m"], rows)})
    frame["sex"] = frame["sex"].astype("string")
    frame["y"] = outcome if task == "regression" else pd.Series(outcome, dtype="string")
    frame["patient"] = pd.Series([f"p{i // 2}" for i in range(rows)], dtype="string")
    columns = (
        Column("age", "number", "input"),
        Column("pressure", "number", "input"),
        Column("sex", "category", "input"),
        Column("y", "number" if task == "regression" else "category", "outcome"),
        Column("patient", "category", "patient"),
    )
    return Dataset("a", "a", "0", frame, columns)


def set_model(name: str, config: RunConfig = SMALL) -> RunConfig:
    return change_config(config, {"model.name": name})


PARTS = {
    "train": np.arange(0, 90),
    "validation": np.arange(90, 120),
    "test": np.arange(120, 150),
}


@pytest.fixture(scope="module")
def recommended():
    return fit_model(a_table(), PARTS, SMALL, CLASSES)


def test_the_recommended_model_joins_its_members_with_shares_that_sum_to_one(recommended):
    weights = recommended.model.weights
    assert set(weights) == {"tabm", "logistic", "random_forest"}
    assert sum(weights.values()) == pytest.approx(1)
    assert min(weights.values()) > 0
    assert any("Shares in the model" in note for note in recommended.model.notes)


def test_held_out_predictions_cover_every_development_row_once(recommended):
    assert sorted(recommended.row_id.tolist()) == list(range(120))
    assert set(recommended.fold.tolist()) == {0, 1, 2, 3, 4}
    names = {"model", "prevalence", "logistic", "random_forest", "gradient_boosting"}
    assert set(recommended.held_out) == names
    for answers in recommended.held_out.values():
        assert answers.shape == (120, 2)
        np.testing.assert_allclose(answers.sum(axis=1), 1)


def test_held_out_predictions_come_from_fits_without_the_patient():
    # With a column that names each patient's outcome only by heart, held-out answers know nothing.
    dataset = a_table(120)
    rng = np.random.default_rng(1)
    frame = dataset.frame.assign(
        age=rng.normal(size=120), pressure=np.repeat(rng.normal(size=60), 2),
        y=pd.Series(np.repeat(rng.choice(CLASSES, 60), 2), dtype="string"),
    )  # fmt: skip
    blind = Dataset("a", "a", "0", frame, dataset.columns)
    config = set_model("random_forest")
    fitted = fit_model(blind, {"train": np.arange(120)}, config, CLASSES, baselines=())
    truth = (fitted.outcome == 1).astype(float)
    held = np.corrcoef(fitted.held_out["model"][:, 1], truth)[0, 1]
    seen = np.corrcoef(predict_rows(fitted.model, blind)[:, 1], (frame["y"] == "yes"))[0, 1]
    assert seen > 0.7
    assert held < 0.3


def test_a_patients_rows_stay_in_one_fold(recommended):
    patient = pd.Series(recommended.row_id // 2)
    assert pd.Series(recommended.fold).groupby(patient).nunique().max() == 1


def test_test_rows_change_nothing(recommended):
    dataset = a_table()
    frame = dataset.frame.copy()
    frame.loc[120:, ["age", "pressure"]] = 1e6
    frame.loc[120:, "sex"] = "x"
    frame.loc[120:, "y"] = "no"
    scrambled = Dataset("a", "a", "0", frame, dataset.columns)
    again = fit_model(scrambled, PARTS, SMALL, CLASSES)
    assert again.model.weights == recommended.model.weights
    for name, answers in recommended.held_out.items():
        np.testing.assert_array_equal(again.held_out[name], answers)


def test_the_model_finds_what_there_is_to_find(recommended):
    dataset = a_table()
    risk = predict_rows(recommended.model, dataset, PARTS["test"])[:, 1]
    truth = (dataset.frame.loc[PARTS["test"], "y"] == "yes").to_numpy()
    above = (risk[truth][:, None] > risk[~truth][None]).mean()
    assert above > 0.75


@pytest.mark.parametrize("name", ["logistic", "mlp", "tabm", "gradient_boosting", "random_forest"])
def test_one_model_is_fitted_on_train_and_judged_on_validation(name):
    fitted = fit_model(a_table(), PARTS, set_model(name), CLASSES, baselines=("prevalence",))
    assert fitted.row_id.tolist() == list(range(90, 120))
    assert set(fitted.fold.tolist()) == {-1}
    assert list(fitted.model.weights) == [name]
    assert set(fitted.baselines) == {"prevalence"}


@pytest.mark.parametrize("name", ["recommended", "mlp"])
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_outcomes_go_the_same_way(task, name, tmp_path):
    dataset = a_table(task=task)
    classes = ("a", "b", "c") if task == "multiclass" else ()
    fitted = fit_model(dataset, PARTS, set_model(name), classes)
    answer = predict_dataset(fitted.model, dataset, PARTS["test"])
    assert answer.value.shape == ((30, 3) if classes else (30,))
    assert (answer.low <= answer.value).all()
    assert (answer.value <= answer.high).all()
    save_model(tmp_path, fitted.model)
    again = predict_dataset(load_model(tmp_path), dataset, PARTS["test"])
    np.testing.assert_array_equal(answer.value, again.value)
    np.testing.assert_array_equal(answer.low, again.low)


def test_a_model_without_validation_part_is_cross_fitted():
    parts = {"train": np.arange(120), "test": np.arange(120, 150)}
    fitted = fit_model(a_table(), parts, set_model("logistic"), CLASSES, baselines=())
    assert set(fitted.fold.tolist()) == {0, 1, 2, 3, 4}
    assert len(fitted.model.members) == 5


def test_large_tables_use_one_validation_part():
    rows = 20_500
    dataset = a_table(rows)
    parts = {"train": np.arange(16_000), "validation": np.arange(16_000, rows)}
    assert len(make_plan(dataset, parts, RunConfig(), CLASSES).folds) == 1
    fewer = {"train": np.arange(5000), "validation": np.arange(5000, 6000)}
    assert len(make_plan(dataset, fewer, RunConfig(), CLASSES).folds) == 3


def test_intervals_rest_on_calibration_rows_where_there_are_any():
    parts = {**PARTS, "train": np.arange(0, 70), "calibration": np.arange(70, 90)}
    dataset = a_table()
    fitted = fit_model(dataset, parts, set_model("logistic"), CLASSES, baselines=())
    reference = fitted.model.reference
    expected = predict_rows(fitted.model, dataset, parts["calibration"])
    np.testing.assert_array_equal(reference.predicted, expected)
    known = (dataset.frame.loc[parts["calibration"], "y"] == "yes").to_numpy()
    np.testing.assert_array_equal(reference.outcome, known)


def test_progress_rises_to_one_and_carries_every_epoch():
    events = []
    fit_model(a_table(), PARTS, SMALL, CLASSES, watch=Watch(events.append), name="test fold 1")
    shares = [event.fraction for event in events]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(1)
    epochs = [event.epoch for event in events if event.epoch]
    assert len(epochs) >= 5
    assert epochs[0].fit == "test fold 1: tabm, fold 1 of 5"


def test_the_same_seed_gives_the_same_model_and_another_seed_another():
    config = set_model("mlp")
    one, two, other = (
        fit_model(a_table(), PARTS, c, CLASSES, baselines=()).held_out["model"]
        for c in (config, config, change_config(config, {"seed": 1}))
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_stopped_at_once_there_is_no_model():
    assert fit_model(a_table(), PARTS, SMALL, CLASSES, watch=Watch(stopping=lambda: True)) is None


def test_stopped_in_a_later_fold_the_finished_folds_make_the_model():
    seen = []

    def stopping() -> bool:
        return any("fold 3" in event.message for event in seen)

    watch = Watch(seen.append, stopping)
    fitted = fit_model(a_table(), PARTS, SMALL, CLASSES, watch=watch)
    assert fitted.stopped
    assert set(fitted.fold.tolist()) == {0, 1}
    assert sum(fitted.model.weights.values()) == pytest.approx(1)
    assert any("stopped" in note for note in fitted.model.notes)
    assert np.isfinite(predict_rows(fitted.model, a_table())).all()


def test_stopped_in_the_first_network_its_best_epoch_so_far_is_the_model():
    seen = []
    config = change_config(SMALL, {"train.epochs": 2000, "train.patience": 1000})
    watch = Watch(seen.append, lambda: sum(e.epoch is not None for e in seen) > 2)
    fitted = fit_model(a_table(), PARTS, config, CLASSES, watch=watch)
    assert fitted.stopped
    assert set(fitted.model.weights) == {"tabm"}
    assert np.isfinite(predict_rows(fitted.model, a_table())).all()


def test_finished_units_are_not_fitted_again(tmp_path):
    first, second = [], []
    one = fit_model(a_table(), PARTS, SMALL, CLASSES, watch=Watch(first.append), folder=tmp_path)
    two = fit_model(a_table(), PARTS, SMALL, CLASSES, watch=Watch(second.append), folder=tmp_path)
    assert not any(event.epoch for event in second)
    for name, answers in one.held_out.items():
        np.testing.assert_array_equal(two.held_out[name], answers)
    other = change_config(SMALL, {"train.learning_rate": 1e-3})
    third = []
    fit_model(a_table(), PARTS, other, CLASSES, watch=Watch(third.append), folder=tmp_path)
    assert any(event.epoch for event in third)


KILLED = """
import sys, os, signal
from pathlib import Path
from medcore.config import change_config
from medcore.recipes import fit_model
from medcore.records import Watch
from tests.test_recipes import CLASSES, LONG, PARTS, a_table

def emit(event):
    if event.epoch and event.epoch.epoch == 30 and "fold 2" in event.message:
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
fit_model(a_table(), PARTS, LONG, CLASSES, watch=Watch(emit), folder=folder, baselines=())
"""
LONG = change_config(SMALL, {"train.epochs": 60, "train.patience": 60})


def test_a_killed_worker_resumes_to_the_model_of_an_uninterrupted_one(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    ended = subprocess.run(
        command, cwd=Path(__file__).parents[1], env=dict(os.environ), check=False
    )
    assert ended.returncode == -signal.SIGKILL
    seen = []
    resumed = fit_model(
        a_table(), PARTS, LONG, CLASSES, watch=Watch(seen.append), folder=tmp_path, baselines=()
    )
    assert not any("fold 1" in event.epoch.fit for event in seen if event.epoch)
    whole = fit_model(a_table(), PARTS, LONG, CLASSES, baselines=())
    np.testing.assert_array_equal(resumed.held_out["model"], whole.held_out["model"])
    a, b = predict_rows(resumed.model, a_table()), predict_rows(whole.model, a_table())
    np.testing.assert_array_equal(a, b)


def test_a_saved_model_predicts_the_same_to_the_last_bit(recommended, tmp_path):
    save_model(tmp_path, recommended.model)
    again = load_model(tmp_path)
    dataset = a_table()
    np.testing.assert_array_equal(
        predict_rows(again, dataset), predict_rows(recommended.model, dataset)
    )
    assert again.notes == recommended.model.notes
    assert again.weights == recommended.model.weights
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"weights.safetensors", "model.json", "prepare"}


def break_model(folder: Path) -> Iterator[str]:
    (folder / "weights.safetensors").write_bytes(b"rubbish")
    yield "damaged"
    (folder / "model.json").write_text("{")
    yield "damaged"
    (folder / "model.json").write_text('{"version": 99}')
    yield "damaged"
    (folder / "model.json").unlink()
    yield "no finished model"


def test_a_damaged_model_is_refused_in_words(recommended, tmp_path):
    save_model(tmp_path, recommended.model)
    for words in break_model(tmp_path):
        with pytest.raises(StoreError, match=words):
            load_model(tmp_path)


@pytest.mark.parametrize("name", ["recommended", "logistic"])
def test_an_outcome_with_one_class_in_training_is_refused_in_words(name):
    dataset = a_table()
    frame = dataset.frame.assign(y=pd.Series(["no"] * 150, dtype="string"))
    one_class = Dataset("a", "a", "0", frame, dataset.columns)
    with pytest.raises(FitError, match="nothing to tell apart"):
        fit_model(one_class, PARTS, set_model(name), CLASSES)


def test_a_class_that_one_patient_has_is_learned_in_every_fold():
    dataset = a_table()
    words = dataset.frame["y"].copy()
    words.loc[[10, 11]] = "rare"
    frame = dataset.frame.assign(y=words)
    rare = Dataset("a", "a", "0", frame, dataset.columns)
    classes = ("no", "rare", "yes")
    plan = make_plan(rare, PARTS, SMALL, classes)
    assert all({10, 11} <= set(fold.learn.tolist()) for fold in plan.folds)
    judged = np.concatenate([fold.judge for fold in plan.folds])
    assert sorted(judged.tolist()) == sorted(set(range(120)) - {10, 11})
    fitted = fit_model(rare, PARTS, set_model("logistic"), classes, baselines=())
    assert np.isfinite(fitted.held_out["model"]).all()


def test_errors_of_interrupted_work_are_raised_and_stops_do_not_wait():
    def wrong():
        raise FitError("This went wrong.")

    with pytest.raises(FitError, match="went wrong"):
        interruptible(wrong, lambda: False)
    assert interruptible(lambda: 3, lambda: True) == 3
    waiting = threading.Event()
    assert interruptible(lambda: waiting.wait(60), lambda: True) is None
    waiting.set()


def test_an_unreadable_checkpoint_counts_as_none(tmp_path):
    kept = FileCheckpoint(tmp_path / "deep" / "a.safetensors")
    assert kept.read() is None
    kept.write({"x": np.arange(3.0), "y": np.array(2)}, {"step": 1})
    arrays, meta = kept.read()
    assert meta == {"step": 1}
    np.testing.assert_array_equal(arrays["x"], np.arange(3.0))
    assert arrays["y"].shape == ()
    kept.path.write_bytes(b"rubbish")
    assert kept.read() is None
    kept.clear()
    kept.clear()
    assert kept.read() is None


def test_weights_prefer_the_better_member_as_rows_grow():
    rng = np.random.default_rng(0)
    shares = []
    for rows in (20, 2000):
        outcome = rng.integers(0, 2, rows)
        good = np.where(outcome == 1, 0.8, 0.2)
        poor = np.full(rows, 0.5)
        predicted = np.stack([np.column_stack([1 - p, p]) for p in (good, poor)])
        shares.append(choose_weights(predicted, outcome)[0])
    assert 0.5 < shares[0] < shares[1]
    assert shares[1] > 0.9


def test_regression_weights_agree_with_non_negative_least_squares():
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    outcome = rng.normal(size=5000)
    predicted = np.stack([outcome + rng.normal(0, spread, 5000) for spread in (0.5, 1, 2)])
    found = choose_weights(predicted, outcome)
    expected = minimize(
        lambda w: ((w @ predicted - outcome) ** 2).mean(),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    ).x
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_presets_differ_in_effort():
    assert preset_config("quick").train.epochs < RunConfig().train.epochs
