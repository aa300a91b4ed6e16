"""A causal forest judged beside the model of an effect; another forest stands for econml's."""

import json
import sys
from dataclasses import replace
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest

from medcore.apply import open_run, predict_patient
from medcore.config import RunConfig, change_config
from medcore.data import make_dataset
from medcore.data.trial import draw_trial
from medcore.errors import ConfigError, FitError
from medcore.evaluate.causal import Compared
from medcore.evaluate.effect import judge_effect
from medcore.evaluate.effect_words import FIGURES, write_forest
from medcore.pipeline import run
from medcore.recipes import learners, nuisance
from medcore.report import write_report
from medcore.store import read_predictions

ASKED = {
    "data.roles": {"patient": "patient", "programme": "treatment", "readmitted": "outcome",
                   "true_effect": "ignored"},
    "split.folds": 3, "evaluate.resamples": 100, "effect.robustness": False,
    "effect.causal_forest": True,
}  # fmt: skip
TOLD = ("ate_causal_forest", "qini_causal_forest", "effect_slope_causal_forest",
        "qini_over_causal_forest")  # fmt: skip


class StandIn:
    """Grows nothing, and tells an effect along the first input; keeps what it was given."""

    grown: ClassVar[list] = []

    def __init__(self, **settings):
        self.settings = settings

    def fit(self, outcome, arm, *, X, groups):
        self.given = (outcome, arm, X, groups)
        return self

    def effect(self, X):
        self.grown.append((self, X))
        return -0.05 - 0.02 * X[:, :1]


def stand_in(patch, forest=StandIn):
    """Let `from econml.dml import CausalForestDML` find another forest."""
    package, dml = ModuleType("econml"), ModuleType("econml.dml")
    dml.CausalForestDML = forest
    patch.setitem(sys.modules, "econml", package)
    patch.setitem(sys.modules, "econml.dml", dml)


@pytest.fixture
def linear(monkeypatch):
    monkeypatch.setattr(nuisance, "MEMBERS", ("logistic",))
    monkeypatch.setattr(learners, "EFFECT_MEMBERS", ("prevalence", "logistic"))


def a_trial(**changes):
    dataset = make_dataset(draw_trial(240, 3), "Programme", "programme.csv", "0" * 64)
    return dataset, change_config(RunConfig(), ASKED | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forest")
    dataset, config = a_trial()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nuisance, "MEMBERS", ("logistic",))
        patch.setattr(learners, "EFFECT_MEMBERS", ("prevalence", "logistic"))
        patch.setattr(StandIn, "grown", [])
        stand_in(patch)
        evaluation = run(config, dataset, folder=folder)
        grown = StandIn.grown
    return folder, dataset, config, evaluation, grown


def test_without_the_package_a_run_is_refused_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "econml", None)
    monkeypatch.setattr(nuisance, "fit_unit", lambda *_, **__: pytest.fail("something trained"))
    dataset, config = a_trial()
    with pytest.raises(ConfigError, match=r"pip install econml.*effect.causal_forest to false"):
        run(config, dataset, folder=tmp_path)


@pytest.mark.usefixtures("linear")
def test_without_the_setting_the_package_is_never_looked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "econml", None)
    dataset, config = a_trial(**{"effect.causal_forest": False})
    evaluation = run(config, dataset, folder=tmp_path)
    assert not set(TOLD) & set(evaluation.effect) and write_forest(evaluation.effect) == []
    assert set(read_predictions(tmp_path).frame["model"]) == {"model"}


def test_everybody_is_judged_by_a_forest_grown_on_the_other_folds(finished):
    folder, *_, grown = finished
    assert len(grown) == 3 and sum(len(judged) for _, judged in grown) == 240
    for forest, judged in grown:
        outcome, arm, rows, groups = forest.given
        assert len(outcome) == len(arm) == len(rows) == len(groups) == 240 - len(judged)
        assert not {tuple(row) for row in rows} & {tuple(row) for row in judged}
        assert set(outcome) == set(arm) == {0, 1}
        assert forest.settings["discrete_treatment"] and forest.settings["discrete_outcome"]
    steps = json.dumps(json.loads((folder / "certificate.json").read_text()))
    assert '"passed": false' not in steps


def test_the_forest_s_rows_stand_beside_the_model_s_for_the_same_patients(finished):
    frame = read_predictions(finished[0]).frame
    model, forest = (
        frame[frame["model"] == name].sort_values("row_id").reset_index(drop=True)
        for name in ("model", "causal_forest")
    )
    same = ["row_id", "patient", "outcome", "arm", "fold"]
    assert model[same].equals(forest[same])
    assert np.allclose(forest["treated"] - forest["untreated"], forest["effect"])
    assert not np.allclose(model["effect"], forest["effect"])


def test_each_patient_gets_the_effect_that_was_told_of_them(finished):
    """The stand-in's effects fall with the first input, which is age, in every fold."""
    folder, dataset, *_ = finished
    frame = read_predictions(folder).frame
    forest = frame[frame["model"] == "causal_forest"].set_index("row_id")
    ranks = forest.assign(age=dataset.frame["age"]).groupby("fold")[["age", "effect"]].rank()
    order = ranks.groupby(forest["fold"]).corr().xs("age", level=1)["effect"]
    assert len(order) == 3 and np.allclose(order, -1)


def test_the_evaluation_and_the_report_tell_the_forest_with_intervals(finished, tmp_path):
    folder, dataset, _, evaluation, _ = finished
    told = json.loads((folder / "evaluation.json").read_text())["effect"]
    for name in TOLD:
        assert told[name]["low"] <= told[name]["value"] <= told[name]["high"]
    frame = read_predictions(folder).frame
    scores = frame.loc[frame["model"] == "causal_forest", "score"]
    assert told["ate_causal_forest"]["value"] == pytest.approx(scores.mean())
    write_report(folder, tmp_path, intended_use="test", dataset=dataset)
    text = (tmp_path / "report.html").read_text().replace("&#39;", "'")
    assert write_forest(evaluation.effect)[0] in text
    assert all(FIGURES[name][0] in text for name in TOLD)


def test_a_forest_that_says_what_the_model_says_is_neither_better_nor_worse(finished):
    folder, _, config, _, _ = finished
    predictions = read_predictions(folder)
    frame = predictions.frame.sort_values(["model", "row_id"]).reset_index(drop=True)
    said = frame.loc[frame["model"] == "model", "effect"].to_numpy()
    frame.loc[frame["model"] == "causal_forest", "effect"] = said
    effect = judge_effect(replace(predictions, frame=frame), config).effect
    for name in ("qini", "effect_slope"):
        assert effect[f"{name}_causal_forest"]["value"] == pytest.approx(effect[name]["value"])
    apart = effect["qini_over_causal_forest"]
    assert apart["value"] == apart["low"] == apart["high"] == 0
    assert "neither better nor worse" in write_forest(effect)[0]


def test_a_forest_that_turns_the_model_round_is_worse_by_twice_its_qini(finished):
    folder, _, config, _, _ = finished
    predictions = read_predictions(folder)
    frame = predictions.frame.sort_values(["model", "row_id"]).reset_index(drop=True)
    said = frame.loc[frame["model"] == "model", "effect"].to_numpy()
    frame.loc[frame["model"] == "causal_forest", "effect"] = -said
    effect = judge_effect(replace(predictions, frame=frame), config).effect
    qini = effect["qini"]["value"]
    assert effect["qini_over_causal_forest"]["value"] == pytest.approx(2 * qini)


def test_the_doubly_robust_mean_of_told_effects_is_that_of_residuals():
    rng = np.random.default_rng(4)
    arm, chance = rng.integers(0, 2, 50).astype(float), rng.uniform(0.1, 0.9, 50)
    outcome, without, given, effect = rng.normal(size=(4, 50))
    rows = Compared(outcome, arm, chance, without, given, np.arange(50))
    mean = (1 - chance) * without + chance * given
    rest = outcome - mean - (arm - chance) * effect
    expected = effect + (arm - chance) / (chance * (1 - chance)) * rest
    assert np.allclose(rows.with_effect(effect).scores, expected)
    assert np.allclose(rows.with_effect(given - without).scores, rows.scores)


@pytest.mark.usefixtures("linear")
def test_a_forest_that_cannot_be_grown_says_so_in_one_sentence(tmp_path, monkeypatch):
    class Broken(StandIn):
        def fit(self, *_, **__):
            raise ValueError("too few rows in a leaf.\nmore")

    stand_in(monkeypatch, Broken)
    dataset, config = a_trial()
    with pytest.raises(FitError, match=r"^The causal forest .*: too few rows in a leaf; set"):
        run(config, dataset, folder=tmp_path)


def test_new_patients_are_answered_by_the_model_without_the_package(finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "econml", None)
    said = predict_patient(open_run(finished[0]), {"age": 70, "ejection_fraction": 25})
    assert said["low"] <= said["value"] <= said["high"]


def test_where_chance_decided_the_forest_takes_one_chance_for_everybody(monkeypatch, tmp_path):
    monkeypatch.setattr(nuisance, "MEMBERS", ("logistic",))
    monkeypatch.setattr(learners, "EFFECT_MEMBERS", ("prevalence", "logistic"))
    monkeypatch.setattr(StandIn, "grown", [])
    stand_in(monkeypatch)
    dataset, config = a_trial(**{"effect.design": "randomised", "effect.share": 0.5})
    run(config, dataset, folder=tmp_path)
    models = {type(forest.settings["model_t"]).__name__ for forest, _ in StandIn.grown}
    assert models == {"DummyClassifier"}
