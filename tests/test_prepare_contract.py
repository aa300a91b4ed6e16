"""The contract at prediction: kept with the model, told, and obeyed."""

import json

import numpy as np
import pandas as pd
import pytest

from medcore import pipeline
from medcore.apply import open_run, predict_file, predict_patient
from medcore.config import RunConfig, change_config
from medcore.data import make_dataset
from medcore.prepare import imputing
from medcore.store import read_rules
from medcore.train import imputers

QUICK = {"evaluate.resamples": 100, "model.name": "logistic"}


def a_table(rows: int = 240):
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, rows)
    frame = pd.DataFrame(
        {
            "age": age,
            "lactate": age / 20 + rng.normal(0, 0.3, rows),
            "rhythm": np.where(rng.random(rows) < 0.3, "paced", "sinus"),
            "died": np.where(rng.random(rows) < 1 / (1 + np.exp(6 - age / 10)), "yes", "no"),
        }
    )
    frame.loc[::3, "lactate"] = np.nan
    return make_dataset(frame, "Hearts", "hearts.csv", "0" * 64)


def train(folder, strategy: str, **changes):
    roles = {"data.roles": {"died": "outcome"}, "missing.strategy": strategy}
    config = change_config(RunConfig(), QUICK | roles | changes)
    pipeline.run(config, a_table(), folder=folder)
    return open_run(folder)


@pytest.fixture(scope="module")
def median(tmp_path_factory):
    folder = tmp_path_factory.mktemp("median")
    return folder, train(folder, "median")


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imputers, "STEPS", 400)
        return folder, train(folder, "denoising_autoencoder")


def test_the_rules_are_kept_with_the_model(median):
    folder, deployed = median
    rules = read_rules(folder)
    assert set(rules) == {"age", "lactate", "rhythm"}
    assert rules["age"]["gaps"] == 0
    assert rules["lactate"]["gaps"] == pytest.approx(1 / 3, abs=0.05)
    fill = next(f.fill for f in deployed.model.cohort.columns if f.name == "lactate")
    assert f"median, {fill:.4g}, stands in" in rules["lactate"]["then"]
    assert "told that it was unknown" in rules["lactate"]["then"]
    assert "told" not in rules["age"]["then"]
    assert "most frequent value, “sinus”" in rules["rhythm"]["then"]


@pytest.mark.parametrize(
    ("strategy", "model", "words"),
    [
        ("mean", "logistic", "the training patients' mean"),
        ("constant", "logistic", "the constant, 0, stands in"),
        ("knn", "logistic", "other values (nearest neighbours)"),
        ("native", "gradient_boosting", "takes the gap as it is"),
    ],
)
def test_the_rule_says_what_the_strategy_does(tmp_path, strategy, model, words):
    train(tmp_path, strategy, **{"model.name": model})
    assert words in read_rules(tmp_path)["lactate"]["then"]


def test_a_gap_that_no_training_patient_had_is_told_and_one_they_had_is_not(median):
    _, deployed = median
    known = {"age": 70.0, "lactate": 3.0, "rhythm": "sinus"}
    assert predict_patient(deployed, known)["unexpected"] == []
    assert predict_patient(deployed, known | {"lactate": None})["unexpected"] == []
    (sentence,) = predict_patient(deployed, known | {"age": None})["unexpected"]
    assert sentence.startswith("“age” is unknown, but every training patient had it")


def test_what_the_rule_says_is_what_happens(median):
    _, deployed = median
    said = predict_patient(deployed, {"age": 70.0, "lactate": None, "rhythm": None})
    used = {cell["column"]: cell for cell in said["imputed"]}
    assert used["rhythm"]["used"] == "sinus"
    assert used["lactate"]["used"] in used["lactate"]["then"]
    same = predict_patient(deployed, {"age": 70.0, "lactate": None, "rhythm": "sinus"})
    assert same["value"] == said["value"]


def test_a_file_says_which_gaps_are_new_and_marks_what_was_filled_in(median, tmp_path):
    _, deployed = median
    new = pd.DataFrame({"age": [50, None, 70, 60], "lactate": [2.0, None, None, 3.0],
                        "rhythm": ["sinus", "paced", None, "sinus"]})  # fmt: skip
    new.to_csv(tmp_path / "new.csv", index=False)
    target, completed = tmp_path / "out.csv", tmp_path / "completed.csv"
    match = predict_file(deployed, tmp_path / "new.csv", target, completed)
    told = " ".join(match.sentences)
    assert "“age” is unknown in 1 of 4 rows" in told
    assert "“lactate”" not in told
    table = pd.read_csv(completed, keep_default_na=False)
    assert list(table["imputed"]) == ["", "age; lactate", "lactate; rhythm", ""]
    assert list(table["rhythm"]) == ["sinus", "paced", "sinus", "sinus"]
    fills = {fit.name: fit.fill for fit in deployed.model.cohort.columns}
    assert float(table["lactate"][1]) == pytest.approx(fills["lactate"], rel=1e-3)
    assert len(pd.read_csv(target)) == 4


def test_a_network_says_how_unusual_a_patient_is(deep, median):
    folder, deployed = deep
    like = {"age": 60.0, "lactate": 3.0, "rhythm": "sinus"}
    # Each value is a usual one; together they contradict what the columns tell of each other.
    unlike = {"age": 40.0, "lactate": 4.4, "rhythm": "sinus"}
    usual, unusual = (predict_patient(deployed, row)["unusual"] for row in (like, unlike))
    assert usual < 0.9 < unusual
    assert predict_patient(deployed, {})["unusual"] is None
    assert predict_patient(median[1], like)["unusual"] is None
    json.dumps(predict_patient(deployed, like), allow_nan=False)
    assert imputing.less_unusual(deployed.model.cohort.imputer, a_table().frame).mean() < 0.7
    assert "autoencoder" in read_rules(folder)["lactate"]["then"]
