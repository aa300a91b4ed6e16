"""The run folder is a contract: its files, their schemas and the metric names."""

import json
import math

import pandas as pd
import pytest

from medcore.config import RunConfig, change_config, load_config
from medcore.data import load_sample
from medcore.pipeline import run

BINARY = {
    "accuracy", "recall", "specificity", "precision", "npv", "f1", "f1_macro", "f1_weighted",
    "balanced_accuracy", "mcc", "auroc", "auprc", "brier", "brier_scaled", "log_loss",
    "calibration_slope", "calibration_intercept", "ece", "ici", "o_e",
}  # fmt: skip
MULTICLASS = {
    "accuracy", "recall", "precision", "f1", "f1_macro", "f1_weighted", "balanced_accuracy", "mcc",
    "auroc", "brier", "log_loss",
}  # fmt: skip
BASELINES = {"prevalence", "logistic", "random_forest", "gradient_boosting"}
METHODS = {"bootstrap", "delong", "wilson", "crossfit", "none"}


def quick(**changes):
    fast = {"train.epochs": 3, "evaluate.resamples": 100, "model.ensemble": 4, "model.width": 16}
    return change_config(RunConfig(), fast | changes)


def regression_dataset():
    """UCI heart with the highest heart rate as the outcome."""
    return load_sample("uci_heart"), {
        "data.roles": {"max_heart_rate": "outcome", "disease": "input"},
        "task": "regression",
    }


@pytest.fixture(scope="module", params=["binary", "kfold", "multiclass", "regression"])
def finished(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    dataset, changes = load_sample("heart_failure"), {"model.name": "mlp"}
    if request.param == "kfold":
        changes = {"model.name": "logistic", "split.kind": "kfold", "split.folds": 3}
    if request.param == "multiclass":
        dataset, changes = load_sample("thyroid"), {"model.name": "tabm", "train.epochs": 2}
    if request.param == "regression":
        dataset, changes = regression_dataset()
        changes["model.name"] = "mlp"
    config = quick(**changes)
    run(config, dataset, folder=folder)
    return request.param, folder, config, dataset


def test_config_is_whole_and_comes_back_equal(finished):
    _, folder, config, _ = finished
    values = json.loads((folder / "config.json").read_text())
    assert values["version"] == 1
    assert load_config(values) == config


def test_dataset_says_source_hash_columns_and_ledger(finished):
    _, folder, _, dataset = finished
    values = json.loads((folder / "dataset.json").read_text())
    assert values["sha256"] == dataset.sha256
    assert {"source", "rows", "columns", "ledger"} <= set(values)
    assert {"name", "kind", "role", "unit", "categories"} <= set(values["columns"][0])
    last = values["ledger"][-1]
    assert last["rows_out"] == values["rows"]


def test_split_covers_each_row_once(finished):
    kind, folder, _, _ = finished
    values = json.loads((folder / "split.json").read_text())
    assert {"kind", "seed", "parts", "folds"} <= set(values)
    if kind == "kfold":
        tested = [row for fold in values["folds"] for row in fold["parts"]["test"]]
        assert len(tested) == len(set(tested)) == 299
    else:
        assert values["folds"] is None
        rows = [row for part in values["parts"].values() for row in part]
        assert len(rows) == len(set(rows))
        assert {"train", "validation", "test"} <= set(values["parts"])


def test_predictions_have_the_columns_of_the_contract(finished):
    kind, folder, config, _ = finished
    frame = pd.read_parquet(folder / "predictions.parquet")
    common = ["row_id", "patient", "site", "part", "fold", "model", "outcome"]
    assert list(frame.columns[: len(common)]) == common
    assert set(frame["model"]) == {"model"} | BASELINES - {config.model.name}
    if kind == "regression":
        assert {"predicted", "low", "high"} <= set(frame.columns)
    else:
        total = frame.filter(regex="^p_").sum(axis=1)
        assert total.to_numpy() == pytest.approx(1)
    split = json.loads((folder / "split.json").read_text())
    if split["folds"] is None:
        test = frame[(frame["part"] == "test") & (frame["model"] == "model")]
        assert sorted(test["row_id"]) == sorted(split["parts"]["test"])


def test_evaluation_has_every_metric_with_interval_and_method(finished):
    kind, folder, config, _ = finished
    values = json.loads((folder / "evaluation.json").read_text())
    assert {"task", "positive", "parts", "baselines", "curves", "effect", "warnings"} <= set(values)
    assert set(values["baselines"]) == BASELINES - {config.model.name}
    names = {"multiclass": MULTICLASS, "regression": {"mae", "rmse", "r2"}}.get(kind, BINARY)
    judged = [values["parts"]["test"], *values["baselines"].values()]
    for part in judged:
        assert names <= set(part["metrics"])
        for name, metric in part["metrics"].items():
            assert set(metric) == {"value", "low", "high", "n", "method", "reason"}, name
            assert metric["method"] in METHODS
            if metric["value"] is None:
                assert metric["reason"], name
            elif metric["low"] is not None:
                assert metric["low"] <= metric["value"] <= metric["high"], name
    if kind == "kfold":
        assert len(values["folds"]) == 3


def test_the_cohort_counts_everyone_once(finished):
    kind, folder, _, _ = finished
    values = json.loads((folder / "cohort.json").read_text())
    rows = json.loads((folder / "dataset.json").read_text())["rows"]
    parts = values["parts"]
    assert parts["all"]["rows"] == rows
    assert set(parts) == ({"all"} if kind == "kfold" else {"all", "development", "test"})
    if kind != "kfold":
        assert parts["development"]["rows"] + parts["test"]["rows"] == rows
    for column in values["columns"]:
        for name, told in column["parts"].items():
            if "counts" in told:
                assert sum(told["counts"].values()) + told["missing"] == parts[name]["rows"]


def test_the_environment_names_versions_device_and_time(finished):
    _, folder, _, _ = finished
    values = json.loads((folder / "environment.json").read_text())
    assert values["device"] == "cpu" or values["device"].startswith(("cuda (", "mps"))
    assert {"torch", "scikit-learn", "numpy", "pandas"} <= set(values["packages"])
    assert values["python"].count(".") == 2
    assert values["commit"] is None or len(values["commit"].removesuffix("-dirty")) == 40


def test_groups_a_clinic_asks_about_are_judged_with_the_run(finished):
    kind, folder, _, _ = finished
    values = json.loads((folder / "evaluation.json").read_text())
    groups = values["curves"]["subgroups"]
    assert set(groups) >= {"binary": {"age", "sex"}, "kfold": {"age", "sex"}}.get(kind, set())
    for column in groups.values():
        for group in column:
            assert set(group) == {"name", "n", "events", "few", "metrics", "differences"}
    if groups:
        counted = sum(group["n"] for group in next(iter(groups.values())))
        assert counted == values["parts"]["test"]["n"]


def test_events_are_lines_that_end_with_the_whole(finished):
    _, folder, _, _ = finished
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert lines[-1]["fraction"] == 1
    fractions = [line["fraction"] for line in lines]
    assert fractions == sorted(fractions)
    assert all(math.isfinite(line["time"]) for line in lines)


def test_the_folder_holds_no_pickle_and_no_leftovers(finished):
    _, folder, _, _ = finished
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith((".pkl", ".pt", ".joblib", ".tmp"))]
    assert "weights.safetensors" in names or "model.json" in names
