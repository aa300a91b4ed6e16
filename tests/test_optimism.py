"""Luck and optimism: what is known to be noise is found out, and fits see whom they may."""

import numpy as np
import pandas as pd
import pytest

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, make_dataset
from medcore.evaluate import evaluate_predictions
from medcore.optimism import (
    EFFORTS,
    Effort,
    count_fits,
    estimate_seconds,
    fit_seconds,
    write_findings,
)
from medcore.optimism import work as desk
from medcore.optimism.fits import DRAWN, draw_patients
from medcore.optimism.work import find_optimism
from medcore.pipeline import run
from medcore.records import Watch
from medcore.split import make_split, read_split
from medcore.store import read_events, read_json, read_predictions

SMALL = Effort("Small", repeats=2, resamples=5, sizes=3, draws=2, folds=2)
FEW = Effort("Few", repeats=1, resamples=5, sizes=2, draws=1, folds=3)
FAST = {"model.name": "logistic", "evaluate.resamples": 100, "data.roles": {"ill": "outcome"}}


def noise(rows: int = 150, inputs: int = 25, signal: float = 0.0) -> pd.DataFrame:
    """Return a table whose inputs tell nothing but, with `signal`, the first."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(rows, inputs)), columns=[f"x{i}" for i in range(inputs)])
    event = rng.random(rows) < 1 / (1 + np.exp(-signal * table["x0"]))
    return table.assign(ill=np.where(event, "yes", "no"))


def look(table: pd.DataFrame, folder, watch=Watch(), effort=SMALL, **changes):  # noqa: B008
    config = change_config(RunConfig(), FAST | changes)
    dataset = make_dataset(table, "t", "t.csv", "0")
    split = make_split(configure_dataset(dataset, config), config)
    return find_optimism(dataset, config, split, effort, folder, watch), split


@pytest.fixture(scope="module")
def a_run(tmp_path_factory):
    """A run's folder on noise, and its evaluation."""
    folder, config = tmp_path_factory.mktemp("run"), change_config(RunConfig(), FAST)
    run(config, make_dataset(noise(), "t", "t.csv", "0"), folder=folder)
    return folder, evaluate_predictions(read_predictions(folder), config)


@pytest.fixture(scope="module")
def of_noise(tmp_path_factory):
    return look(noise(), tmp_path_factory.mktemp("noise"))[0]


def test_noise_that_was_learned_by_heart_is_found_out(of_noise):
    told = of_noise["bootstrap"]["metrics"]["auroc"]
    assert told["apparent"]["value"] > 0.65
    assert told["optimism"] > 0.1
    assert told["corrected"]["value"] == pytest.approx(0.5, abs=0.13)
    crossed = of_noise["cross_validation"]["metrics"]["auroc"]
    assert crossed["low"] <= 0.5 <= crossed["high"]


def test_a_real_signal_is_left_by_the_correction(tmp_path):
    found, _ = look(noise(400, 5, 2.0), tmp_path, effort=FEW)
    told = found["bootstrap"]["metrics"]["auroc"]
    assert 0 <= told["optimism"] < 0.05
    assert told["corrected"]["value"] == pytest.approx(
        found["cross_validation"]["metrics"]["auroc"]["value"], abs=0.03
    )
    assert told["corrected"]["low"] - told["apparent"]["low"] == pytest.approx(-told["optimism"])


def test_the_figures_are_as_many_as_the_effort_says(of_noise):
    assert of_noise["fits"] == count_fits(SMALL) == 2 * 2 + 5 + 1 + 2 * 2 + 1
    assert len(of_noise["cross_validation"]["spread"]["auroc"]) == 4
    assert of_noise["bootstrap"]["resamples"] == 5
    assert of_noise["lost"] == []


def test_the_learning_curve_grows_and_judges_on_the_same_patients(of_noise):
    points = of_noise["learning_curve"]["points"]
    sizes = [point["patients"] for point in points]
    assert sizes == sorted(sizes)
    assert sizes[-1] == of_noise["rows"]
    assert sizes[0] == pytest.approx(0.2 * sizes[-1], abs=1)
    judged = {point["metrics"]["auroc"]["n"] for point in points}
    assert judged == {of_noise["learning_curve"]["test"]}


def test_no_fit_sees_a_test_patient(tmp_path, monkeypatch):
    seen = []
    honest = desk.Recipe.fit

    def watch(self, dataset, parts, name):
        fitted = honest(self, dataset, parts, name)
        # A drawn patient is known by the values.
        values = dataset.frame.loc[
            np.concatenate(
                list(parts.values())
                if "test" not in parts
                else [r for p, r in parts.items() if p != "test"]
            )
        ]
        seen.append(set(values["x0"]))
        return fitted

    monkeypatch.setattr(desk.Recipe, "fit", watch)
    table = noise(100, 3, 1.0)
    found, split = look(table, tmp_path, effort=Effort("e", 1, 2, 2, 1, 2))
    test = set(table.loc[split.parts["test"], "x0"])
    assert len(seen) == found["fits"]
    assert all(not test & values for values in seen)


def test_a_restart_repeats_no_fit(tmp_path, monkeypatch):
    effort, table = Effort("e", 1, 2, 2, 1, 2), noise(100, 3, 1.0)
    stops = iter([False] * 12 + [True] * 1000)
    stopped, _ = look(table, tmp_path, Watch(stopping=lambda: next(stops)), effort)
    assert stopped is None
    kept = len(list(tmp_path.glob("*.parquet")))
    assert kept
    fits = []
    honest = desk.Recipe.fit
    monkeypatch.setattr(
        desk.Recipe, "fit", lambda self, *a: (fits.append(a[-1]), honest(self, *a))[1]
    )
    again, _ = look(table, tmp_path, effort=effort)
    assert len(fits) == again["fits"] - kept
    monkeypatch.undo()
    fresh, _ = look(table, tmp_path / "fresh", effort=effort)
    for name in ("cross_validation", "bootstrap", "learning_curve"):
        assert again[name] == fresh[name]


def test_patients_are_drawn_whole_and_stay_one_patient_when_drawn_twice():
    table = noise(120, 2).assign(patient_id=np.arange(120) // 3)
    config = change_config(RunConfig(), FAST)
    dataset = configure_dataset(make_dataset(table, "t", "t.csv", "0"), config)
    drawn = draw_patients(dataset, np.random.default_rng(0))
    assert drawn.frame.index.is_unique
    sizes = drawn.frame.groupby(DRAWN).size()
    assert (sizes % 3 == 0).all()
    assert sizes.max() > 3
    assert sizes.sum() == 120
    assert (drawn.frame.groupby(DRAWN)["patient_id"].nunique() == 1).all()
    parts = make_split(drawn, change_config(config, {"split.kind": "kfold"})).folds[0]
    who = {part: set(drawn.frame.loc[rows, DRAWN]) for part, rows in parts.items()}
    assert not who["train"] & who["test"]


@pytest.mark.parametrize("task", ["regression", "multiclass", "kfold", "survival"])
def test_every_task_and_division_has_its_figures(task, tmp_path):
    table, changes = noise(120, 3, 1.0), {}
    if task == "regression":
        table["ill"] = table["x0"] + np.random.default_rng(0).normal(0, 0.5, len(table))
    elif task == "multiclass":
        table["ill"] = np.select([table["x0"] < -0.5, table["x0"] < 0.5], ["a", "b"], "c")
    elif task == "survival":
        table["months"] = np.random.default_rng(0).exponential(np.exp(-table["x0"])) + 0.01
        changes = {
            "model.name": "cox", "data.roles": {"ill": "event", "months": "duration"},
        }  # fmt: skip
    else:
        changes = {"split.kind": "kfold", "split.folds": 3}
    effort = Effort("e", 1, 2, 2, 1, 2)
    found, split = look(table, tmp_path, effort=effort, **changes)
    name = {"regression": "mae", "survival": "c_index"}.get(task, "auroc")
    assert found["cross_validation"]["metrics"][name]["value"] is not None
    assert found["bootstrap"]["metrics"][name]["corrected"]["value"] is not None
    assert len(found["learning_curve"]["points"]) == 2
    if task == "kfold":
        assert found["rows"] == 120
        assert found["learning_curve"]["test"] == len(split.folds[0]["test"])


def test_a_draw_without_a_class_is_counted_not_hidden(tmp_path):
    table = noise(60, 2)
    table["ill"] = ["yes"] * 4 + ["no"] * 56
    found, _ = look(table, tmp_path, effort=Effort("e", 1, 12, 2, 1, 2))
    lost = [sentence for sentence in found["lost"] if "Bootstrap" in sentence]
    assert lost
    assert found["bootstrap"]["resamples"] == 12 - len(lost)


def test_the_words_say_luck_optimism_and_whether_more_patients_would_help(a_run, of_noise):
    _, evaluation = a_run
    luck, optimism, more = write_findings(of_noise, evaluation)
    assert luck.startswith("Luck: divided into 4 other test groups")
    assert f"{evaluation.parts['test'].metrics['auroc'].value:.2f}" in luck
    assert "of that is optimism" in optimism
    assert more.startswith("More patients: from")


def test_the_time_of_a_fit_is_that_of_the_run(a_run):
    folder, _ = a_run
    assert set(read_split(read_json(folder, "split.json")).parts) >= {"train", "test"}
    seconds = fit_seconds(read_events(folder)[0], "logistic")
    assert 0 < seconds < 30
    quick, thorough = (estimate_seconds(EFFORTS[name], seconds) for name in ("quick", "thorough"))
    assert quick < thorough


def test_a_model_better_than_cross_validation_after_correction_is_not_believed(of_noise, a_run):
    def metric(value):
        return {"value": value, "low": value - 0.03, "high": value + 0.03, "n": 9,
                "method": "bootstrap", "reason": None}  # fmt: skip

    forest = {
        **of_noise,
        "cross_validation": {**of_noise["cross_validation"], "metrics": {"auroc": metric(0.78)}},
        "bootstrap": {"metrics": {"auroc": {"apparent": metric(0.98), "optimism": 0.06,
                                            "error": 0.0, "corrected": metric(0.92)}}},
    }  # fmt: skip
    told = write_findings(forest, a_run[1])
    assert any("Believe the cross-validation" in sentence for sentence in told)


def test_seconds_of_a_fit_leave_out_baselines_that_are_no_part_of_the_model():
    def tell(time, message):
        return {"time": time, "message": message}

    events = [
        tell(0, "Fitting TabM, fold 1 of 2"), tell(4, "Fitted TabM, fold 1 of 2"),
        tell(4, "Fitting gradient boosting, fold 1 of 2"),
        tell(9, "Fitted gradient boosting, fold 1 of 2"),
        tell(9, "Fitting random forest, fold 1 of 2"),
        tell(10, "Fitted random forest, fold 1 of 2"),
    ]  # fmt: skip
    assert fit_seconds(events, "recommended") == 5
    assert fit_seconds(events, "tabm") == 4
    assert fit_seconds(events, "gradient_boosting") == 9
    assert fit_seconds([], "tabm") is None
