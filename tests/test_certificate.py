"""The leakage certificate: a clean run is certified, and a planted leak of each kind is caught."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medcore.certificate import certificate_json, certify
from medcore.checks import check_dataset
from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, make_dataset
from medcore.pipeline import run
from medcore.recipes import folds
from medcore.records import Predictions, Seen
from medcore.split import make_split

ROWS = 300
NUMBERS = ["age", "lactate", "urea", "sodium", "pulse"]
FAST = {"model.name": "logistic", "evaluate.resamples": 100, "data.roles": {"ill": "outcome"}}


def a_table(**columns) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age, lactate = rng.normal(60, 12, ROWS), rng.lognormal(0.5, 0.4, ROWS)
    ill = np.where(rng.random(ROWS) < 1 / (1 + np.exp(2 - lactate)), "yes", "no")
    table = {
        "patient_id": np.arange(ROWS) // 2, "seen": pd.date_range("2020-01-01", periods=ROWS),
        "age": age, "lactate": lactate, "urea": rng.normal(6, 2, ROWS),
        "sodium": rng.normal(140, 4, ROWS), "pulse": rng.normal(80, 12, ROWS),
        "ward": rng.choice(["a", "b"], ROWS), "ill": ill,
    }  # fmt: skip
    return pd.DataFrame(table | columns)


def prepare(table=None, **changes):
    """Return what `certify` takes, of a run in which nothing leaked."""
    config = change_config(RunConfig(), FAST | changes)
    table = a_table() if table is None else table
    dataset = configure_dataset(make_dataset(table, "t", "t.csv", "0"), config)
    split = make_split(dataset, config)
    judged = split.folds or (split.parts,)
    told = [(parts, (Seen("scaling and encoding", "", parts["train"]),)) for parts in judged]
    frames = [
        pd.DataFrame({"row_id": rows, "part": part, "fold": fold, "model": "model"})
        for fold, parts in (enumerate(judged) if split.folds else [(-1, split.parts)])
        for part, rows in parts.items()
    ]
    frame = pd.concat(frames, ignore_index=True)
    predictions = Predictions("binary", ("no", "yes"), "yes", frame)
    return [dataset, split, told, predictions, check_dataset(dataset)]


def outcome_of(arguments) -> dict[str, bool | None]:
    return {check.check: check.passed for check in certify(*arguments)}


CLEAN = {
    "Patients in one part only": True,
    "Copies of test patients": True,
    "Near copies of test patients": True,
    "Rows seen by fitted steps": True,
    "Dates after the prediction": True,
    "Inputs known only afterwards": True,
    "Identifiers among the inputs": True,
    "Inputs that give the outcome away": True,
}


@pytest.mark.parametrize("kind", ["holdout", "kfold"])
def test_a_clean_run_passes_every_check(kind):
    assert outcome_of(prepare(**{"split.kind": kind})) == CLEAN


def caught(arguments) -> set[str]:
    return {check for check, passed in outcome_of(arguments).items() if passed is False}


def test_a_patient_in_two_parts_is_caught():
    arguments = prepare()
    split = arguments[1]
    parts = dict(split.parts)
    parts["train"], parts["test"] = np.append(parts["train"], parts["test"][0]), parts["test"][1:]
    arguments[1] = replace(split, parts=parts)
    found = {check.check: check for check in certify(*arguments)}["Patients in one part only"]
    assert found.passed is False
    worst = max(found.evidence, key=lambda row: row["patients in both"])
    assert (worst["part"], worst["other part"], worst["patients in both"]) == ("train", "test", 1)


def test_a_patient_in_two_parts_of_one_fold_is_caught():
    arguments = prepare(**{"split.kind": "kfold"})
    split = arguments[1]
    second = dict(split.folds[1])
    second["validation"] = np.append(second["validation"], second["test"][0])
    arguments[1] = replace(split, folds=(split.folds[0], second, *split.folds[2:]))
    assert "Patients in one part only" in caught(arguments)


def test_without_a_patient_column_the_question_stays_open():
    found = outcome_of(prepare(a_table().drop(columns="patient_id")))
    assert found.pop("Patients in one part only") is None
    assert set(found.values()) == {True}


def plant(change):
    """Return arguments whose first test row is made of its first training row."""
    table = a_table()
    parts = prepare()[1].parts
    test, train = parts["test"][0], parts["train"][0]
    inputs = [*NUMBERS, "ward"]
    table.loc[test, inputs] = change(table.loc[train, inputs].copy())
    return test, train, prepare(table)


def test_a_copy_of_a_training_patient_among_the_test_patients_is_caught():
    test, train, arguments = plant(lambda row: row)
    found = {check.check: check for check in certify(*arguments)}
    copies = found["Copies of test patients"]
    assert copies.passed is False
    assert copies.evidence[0] == {"test row": test + 1, "like row": train + 1, "how": "equal"}
    assert found["Near copies of test patients"].passed is True


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda row: pd.Series({**row, **{name: row[name] + 0.001 for name in NUMBERS}}), "near"),
        (lambda row: pd.Series({**row, "age": row["age"] + 20}), "one input differs"),
    ],
)
def test_a_near_copy_is_caught(change, how):
    *_, arguments = plant(change)
    found = {check.check: check for check in certify(*arguments)}["Near copies of test patients"]
    assert found.passed is False
    assert found.evidence[0]["how"] == how


def test_rows_that_few_values_make_alike_are_no_copies():
    rng = np.random.default_rng(1)
    table = a_table()[["patient_id", "ill"]]
    for name in ("fever", "cough", "pain"):
        table[name] = rng.choice(["no", "yes"], ROWS)
    assert outcome_of(prepare(table))["Copies of test patients"] is True


@pytest.mark.parametrize(
    "step", ["imputation", "scaling and encoding", "random forest", "weights of the members"]
)
def test_a_step_that_saw_a_test_row_is_caught_and_named(step):
    arguments = prepare()
    (parts, seen), *rest = arguments[2]
    leak = Seen(step, "fold 2", np.append(parts["train"], parts["test"][:1]))
    arguments[2] = [(parts, (*seen, leak)), *rest]
    found = {check.check: check for check in certify(*arguments)}["Rows seen by fitted steps"]
    assert found.passed is False
    assert step in found.sentence
    row = next(row for row in found.evidence if row["step"] == step)
    assert row["test rows"] == 1


def test_a_step_that_saw_another_row_of_a_test_patient_is_caught():
    arguments = prepare()
    split, (parts, _) = arguments[1], arguments[2][0]
    test = {**parts, "test": parts["test"][:-1]}
    arguments[1] = replace(split, parts=test)
    arguments[2] = [(test, (Seen("tabm", "", parts["test"][-1:]),))]
    found = {check.check: check for check in certify(*arguments)}["Rows seen by fitted steps"]
    assert found.passed is False
    assert found.evidence[0]["test patients"] == 1


def test_a_threshold_chosen_on_test_patients_is_caught():
    arguments = prepare()
    predictions = arguments[3]
    frame = predictions.frame.copy()
    stolen = frame[frame["part"] == "test"].head(3).assign(part="validation")
    frame = pd.concat([frame, stolen], ignore_index=True)
    arguments[3] = replace(predictions, frame=frame)
    found = {check.check: check for check in certify(*arguments)}["Rows seen by fitted steps"]
    assert found.passed is False
    assert "threshold" in found.sentence


def test_a_step_of_which_nothing_is_known_leaves_the_question_open():
    arguments = prepare()
    parts, seen = arguments[2][0]
    arguments[2] = [(parts, (*seen, Seen("imputation", "", np.empty(0, dtype=np.int64))))]
    assert outcome_of(arguments)["Rows seen by fitted steps"] is None


ROLE_OF = {"ill": "outcome"}
COLUMNS = {
    "Dates after the prediction": (
        "discharged", pd.date_range("2020-01-01", periods=ROWS) + pd.Timedelta(days=3)),
    "Inputs known only afterwards": ("follow_up_days", np.linspace(1, 9, ROWS)),
    "Identifiers among the inputs": ("sample_code", [f"s{i:03d}" for i in range(ROWS)]),
    "Inputs that give the outcome away": ("plan", np.where(a_table()["ill"] == "yes", "x", "y")),
}  # fmt: skip


@pytest.mark.parametrize("check", COLUMNS)
def test_a_column_that_leaks_is_caught_and_named(check):
    name, values = COLUMNS[check]
    roles = ROLE_OF | {name: "input"}
    arguments = prepare(a_table(**{name: values}), **{"data.roles": roles})
    found = {found.check: found for found in certify(*arguments)}[check]
    assert found.passed is False
    assert name in found.sentence
    assert found.evidence


def test_a_date_before_the_index_date_is_no_leak():
    early = pd.date_range("2019-01-01", periods=ROWS)
    roles = ROLE_OF | {"referred": "input"}
    arguments = prepare(a_table(referred=early), **{"data.roles": roles})
    assert outcome_of(arguments)["Dates after the prediction"] is True


def test_a_number_that_tells_a_number_is_caught():
    table = a_table()
    table["ill"] = table["lactate"] ** 2 + np.random.default_rng(3).normal(0, 0.01, ROWS)
    assert "Inputs that give the outcome away" in caught(prepare(table))


STRATEGIES = {
    "recommended": {"model.name": "recommended", "train.epochs": 1, "model.ensemble": 2},
    "knn and smote": {"missing.strategy": "knn", "balance.strategy": "smote"},
    "multiple and folds": {
        "missing.strategy": "multiple", "missing.draws": 2, "split.kind": "kfold",
        "split.folds": 3, "balance.strategy": "undersample",
    },
}  # fmt: skip


@pytest.mark.parametrize("case", STRATEGIES)
def test_a_run_writes_a_certificate_of_rows_that_were_really_seen(case, tmp_path):
    table = a_table().iloc[:150]
    table.loc[::7, "urea"] = np.nan
    config = change_config(RunConfig(), FAST | STRATEGIES[case])
    run(config, make_dataset(table, "t", "t.csv", "0"), folder=tmp_path)
    found = {c["check"]: c for c in json.loads((tmp_path / "certificate.json").read_text())}
    assert {check: c["passed"] for check, c in found.items()} == CLEAN
    steps = {row["step"]: row for row in found["Rows seen by fitted steps"]["evidence"]}
    wanted = {"scaling and encoding", "logistic regression", "threshold"}
    if case == "recommended":
        wanted |= {"TabM", "TabM: when to stop", "random forest", "weights of the members"}
    else:
        wanted |= {"imputation", "recalibration of logistic regression"}
    assert wanted <= set(steps)
    assert all(0 < row["least rows seen"] <= len(table) for row in steps.values())
    if case == "multiple and folds":
        # Under-sampling leaves rows out of the fit, not out of what fills gaps.
        fitted, filled = steps["logistic regression"], steps["imputation"]
        assert fitted["most rows seen"] < filled["most rows seen"]


def test_a_preparation_fitted_on_everybody_is_caught_in_a_real_run(tmp_path, monkeypatch):
    honest = folds.fit_preparation

    def greedy(dataset, rows, *arguments):
        del rows
        return honest(dataset, dataset.frame.index.to_numpy(), *arguments)

    monkeypatch.setattr(folds, "fit_preparation", greedy)
    config = change_config(RunConfig(), FAST)
    run(config, make_dataset(a_table(), "t", "t.csv", "0"), folder=tmp_path)
    found = {c["check"]: c for c in json.loads((tmp_path / "certificate.json").read_text())}
    steps = found["Rows seen by fitted steps"]
    assert steps["passed"] is False
    assert "scaling and encoding" in steps["sentence"]
    assert "logistic" not in steps["sentence"]


def test_the_certificate_is_plain_json():
    text = json.dumps(certificate_json(certify(*prepare())))
    for check in json.loads(text):
        assert set(check) == {"check", "passed", "sentence", "evidence"}
        assert check["sentence"].endswith(".")
