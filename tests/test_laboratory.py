"""The laboratory: the same folds for all, honest figures, cells that fail alone, work done once."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, load_sample
from medcore.errors import ConfigError
from medcore.laboratory import (
    LABORATORY_MODELS,
    Choice,
    base_cell,
    count_fits,
    estimate_seconds,
    list_cells,
    list_models,
    read_choice,
    write_conclusion,
)
from medcore.laboratory import work as bench
from medcore.laboratory.work import development_rows, run_laboratory
from medcore.records import Column, Dataset, Watch
from tests.finished_runs import a_findings_table
from tests.picture_rows import picture_dataset

CONFIG = change_config(RunConfig(), {"evaluate.resamples": 200})
FEW = Choice(("median", "iterative"), ("none", "class_weight"), "logistic", 3)


def a_table(rows: int = 400, seed: int = 0) -> Dataset:
    """Return patients with gaps, one in six of whom has the outcome; some come twice."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.normal(60, 10, rows), "marker": rng.normal(0, 1, rows)})
    frame["twin"] = frame["marker"] + rng.normal(0, 0.3, rows)
    chance = 1 / (1 + np.exp(2.2 - 1.3 * frame["marker"]))
    frame["y"] = pd.Series(np.where(rng.random(rows) < chance, "yes", "no"), dtype="string")
    frame.loc[rng.random(rows) < 0.4, "marker"] = np.nan
    frame["patient"] = pd.Series([f"p{i // 2}" for i in range(rows)], dtype="string")
    columns = (
        Column("age", "number", "input"),
        Column("marker", "number", "input"),
        Column("twin", "number", "input"),
        Column("y", "category", "outcome"),
        Column("patient", "category", "patient"),
    )
    return Dataset("a", "a", "0", frame, columns)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run_laboratory(a_table(), CONFIG, FEW, Watch(), tmp_path_factory.mktemp("lab"))


def by_cell(result):
    return {tuple(cell["cell"]): cell for cell in result["cells"]}


def test_every_combination_has_figures_with_intervals_and_a_paired_difference(found):
    cells = by_cell(found)
    assert set(cells) == set(list_cells(FEW))
    assert tuple(found["base"]) == ("median", "none")
    for cell, values in cells.items():
        assert values["reason"] is None
        for name in ("auroc", "auprc", "brier", "recall", "f1", "net_benefit"):
            metric = values["metrics"][name]
            assert metric["low"] <= metric["value"] <= metric["high"]
        if cell == ("median", "none"):
            assert values["differences"] == {}
            continue
        for name, difference in values["differences"].items():
            apart = values["metrics"][name]["value"]
            apart -= cells["median", "none"]["metrics"][name]["value"]
            assert difference["value"] == pytest.approx(apart)


def test_paired_differences_are_narrower_than_the_figures_themselves(found):
    cell = by_cell(found)["median", "class_weight"]
    own, paired = cell["metrics"]["auroc"], cell["differences"]["auroc"]
    assert paired["high"] - paired["low"] < 0.5 * (own["high"] - own["low"])


def test_the_figures_are_those_of_an_independent_computation(tmp_path):
    kept = {}
    judged = bench.judge_cells

    def keep(dataset, classes, positive, folds, config, choice, answers, reasons):
        kept["said"] = np.concatenate([answers[("median", "none"), k].said for k in range(3)])
        kept["rows"] = np.concatenate([fold.judge for fold in folds])
        return judged(dataset, classes, positive, folds, config, choice, answers, reasons)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "judge_cells", keep)
        table = a_table()
        result = run_laboratory(
            table, CONFIG, Choice(("median",), ("none",), "logistic", 3), Watch(), tmp_path
        )
    event = table.frame.loc[kept["rows"], "y"].eq("yes").to_numpy(bool)
    metrics = result["cells"][0]["metrics"]
    assert metrics["auroc"]["value"] == pytest.approx(roc_auc_score(event, kept["said"][:, 1]))
    assert metrics["brier"]["value"] == pytest.approx(brier_score_loss(event, kept["said"][:, 1]))


def test_risks_are_too_high_before_and_right_after(found):
    cells = by_cell(found)
    weighted = cells["median", "class_weight"]
    assert weighted["before"]["mean_risk"] > 1.8 * found["prevalence"]
    assert weighted["before"]["calibration_intercept"] < -0.8
    assert abs(weighted["metrics"]["calibration_intercept"]["value"]) < 0.1
    plain = cells["median", "none"]["metrics"]["brier"]["value"]
    assert weighted["metrics"]["brier"]["value"] == pytest.approx(plain, abs=0.003)


def test_test_rows_take_no_part(tmp_path, found):
    table = a_table()
    kept = development_rows(configure_dataset(table, CONFIG), CONFIG)
    aside = table.frame.index.difference(kept)
    assert len(aside) == found["set_aside"] > 0
    assert not set(table.frame.loc[aside, "patient"]) & set(table.frame.loc[kept, "patient"])
    scrambled = table.frame.copy()
    rng = np.random.default_rng(5)
    for name in ("age", "marker", "twin"):
        scrambled.loc[aside, name] = rng.normal(1e6, 1e6, len(aside))
    other = Dataset("a", "a", "0", scrambled, table.columns)
    again = run_laboratory(other, CONFIG, FEW, Watch(), tmp_path)
    for cell, values in by_cell(again).items():
        assert values["metrics"] == by_cell(found)[cell]["metrics"]


def test_patients_stay_whole_in_folds():
    table = a_table()
    rows = development_rows(configure_dataset(table, CONFIG), CONFIG)
    folds = bench.draw_folds(table, rows, 4, 0, named=True)
    assert sorted(np.concatenate([fold.judge for fold in folds])) == sorted(rows)
    for fold in folds:
        learn, judge = (set(table.frame.loc[part, "patient"]) for part in (fold.learn, fold.judge))
        assert not learn & judge


@pytest.mark.parametrize("kind", ["kfold", "site"])
def test_test_patients_are_set_aside_even_where_the_split_has_none(kind):
    table = a_table()
    table.frame["where"] = pd.Series(np.arange(len(table.frame)) % 3).astype("string")
    columns = (*table.columns, Column("where", "category", "site"))
    table = Dataset("a", "a", "0", table.frame, columns)
    config = change_config(CONFIG, {"split.kind": kind})
    kept = development_rows(configure_dataset(table, config), config)
    assert 0.6 * len(table.frame) < len(kept) < 0.9 * len(table.frame)


def test_a_strategy_that_cannot_be_taken_fails_alone(tmp_path):
    choice = Choice(("median", "native"), ("none", "focal"), "logistic", 2)
    result = run_laboratory(a_table(), CONFIG, choice, Watch(), tmp_path)
    cells = by_cell(result)
    assert cells["median", "none"]["reason"] is None
    assert "network" in cells["median", "focal"]["reason"]
    assert "gradient_boosting" in cells["native", "none"]["reason"]
    assert any("3 of 4 combinations could not" in words for words in write_conclusion(result))
    json.dumps(result, allow_nan=False)


def test_deleting_everything_fails_in_its_own_cells(tmp_path):
    table = a_table()
    table.frame["marker"] = np.nan
    table.frame.loc[:40, "marker"] = 1.0
    table.frame.loc[:, "age"] = table.frame["age"].where(table.frame.index > 40)
    choice = Choice(("median", "drop_rows"), ("none",), "logistic", 2)
    cells = by_cell(run_laboratory(table, CONFIG, choice, Watch(), tmp_path))
    assert cells["median", "none"]["reason"] is None
    assert "dropping rows leaves none" in cells["drop_rows", "none"]["reason"]


def test_too_small_a_class_for_smote_fails_in_its_own_cell(tmp_path):
    table = a_table(120)
    rare = np.zeros(120, dtype=bool)
    rare[[3, 60]] = True
    outcome = np.where(rare, "rare", np.where(np.arange(120) % 2, "a", "b"))
    table.frame["y"] = pd.Series(outcome, dtype="string")
    config = change_config(CONFIG, {"split.test": 0.05})
    choice = Choice(("median",), ("none", "smote"), "logistic", 2)
    cells = by_cell(run_laboratory(table, config, choice, Watch(), tmp_path))
    assert cells["median", "none"]["reason"] is None
    assert "'rare' has one" in cells["median", "smote"]["reason"]


def test_a_column_missing_in_a_whole_fold_stops_nothing(tmp_path):
    table = a_table()
    table.frame["marker"] = np.nan
    table.frame.loc[0, "marker"] = 1.0
    choice = Choice(("median", "iterative", "knn"), ("none",), "logistic", 3)
    cells = by_cell(run_laboratory(table, CONFIG, choice, Watch(), tmp_path))
    assert all(cell["reason"] is None for cell in cells.values())


def test_what_was_fitted_before_a_stop_is_not_fitted_again(tmp_path, monkeypatch):
    fitted = []
    plain = bench.fit_unit

    def count(name, *args, folder, **options):
        path = folder / f"{name}-{args[0]}.safetensors"
        fitted.append(path.exists())
        return plain(name, *args, folder=folder, **options)

    monkeypatch.setattr(bench, "fit_unit", count)
    monkeypatch.setattr(bench, "MOST_THREADS", 1)
    looks = iter(range(10_000))
    stopped = Watch(stopping=lambda: len(fitted) >= 5 and next(looks) >= 0)
    assert run_laboratory(a_table(), CONFIG, FEW, stopped, tmp_path) is None
    before = len(list(Path(tmp_path).rglob("logistic-*.safetensors")))
    assert 0 < before < count_fits(FEW, CONFIG)
    fitted.clear()
    result = run_laboratory(a_table(), CONFIG, FEW, Watch(), tmp_path)
    assert sum(fitted) == before
    assert len(result["cells"]) == 4


def test_an_imputation_is_fitted_once_a_fold_whatever_comes_after(tmp_path, monkeypatch):
    from medcore.recipes import folds

    calls = []
    plain = folds.fit_imputer
    monkeypatch.setattr(folds, "fit_imputer", lambda *a, **k: calls.append(1) or plain(*a, **k))
    choice = Choice(("iterative",), ("none", "class_weight", "oversample"), "logistic", 3)
    run_laboratory(a_table(), CONFIG, choice, Watch(), tmp_path)
    assert len(calls) == 3


def test_multiple_imputation_fits_a_model_for_each_draw_and_averages(tmp_path):
    config = change_config(CONFIG, {"missing.draws": 3})
    choice = Choice(("median", "multiple"), ("none",), "logistic", 2)
    assert count_fits(choice, config) == 8
    result = run_laboratory(a_table(), config, choice, Watch(), tmp_path)
    files = list(Path(tmp_path).rglob("logistic-*.safetensors"))
    assert len(files) == 8
    assert by_cell(result)["multiple", "none"]["metrics"]["auroc"]["value"] > 0.6


@pytest.mark.parametrize("sample", ["wdbc", "thyroid"])
def test_samples_of_two_and_of_many_classes_are_compared(sample, tmp_path):
    choice = Choice(("median",), ("none", "class_weight"), "logistic", 2)
    result = run_laboratory(load_sample(sample), CONFIG, choice, Watch(), tmp_path)
    assert all(cell["reason"] is None for cell in result["cells"])
    assert result["task"] == ("binary" if sample == "wdbc" else "multiclass")
    assert write_conclusion(result)


def test_a_number_as_outcome_is_compared(tmp_path):
    table = a_table()
    table.frame["y"] = table.frame["twin"] * 3 + 1
    columns = (*table.columns[:3], Column("y", "number", "outcome"), table.columns[4])
    table = Dataset("a", "a", "0", table.frame.rename(columns={}), columns)
    choice = Choice(("median", "knn"), ("none",), "logistic", 2)
    result = run_laboratory(table, CONFIG, choice, Watch(), tmp_path)
    assert result["task"] == "regression"
    assert set(result["cells"][0]["metrics"]) == {"mae", "rmse", "r2"}


def test_the_conclusion_crowns_nobody_where_intervals_overlap():
    def cell(name, low, high):
        value = (low + high) / 2
        difference = {"value": value, "low": low, "high": high}
        return {"cell": [name, "none"], "reason": None, "differences": {"auroc": difference}}

    start = {"cell": ["median", "none"], "reason": None, "differences": {}}
    result = {"task": "binary", "base": ["median", "none"]}
    alike = write_conclusion({**result, "cells": [start, cell("knn", -0.01, 0.02)]})
    assert "no combination can be told" in alike[0]
    both = [start, cell("knn", 0.01, 0.03), cell("iterative", 0.02, 0.04), cell("mean", -0.3, -0.1)]
    apart = write_conclusion({**result, "cells": both})[0]
    assert "Nearest neighbours, nothing for rare classes (+0.020)" in apart
    assert "worse: Mean, nothing for rare classes (−0.200)" in apart
    assert "not thereby told from each other" in apart


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"missing": ["magic"]}, "no strategy 'magic'"),
        ({"balance": []}, "Choose a strategy"),
        ({"model": "recommended"}, "none of"),
        ({"folds": 1}, "2 to 20 folds"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        read_choice(FEW.values() | change)


def test_a_choice_survives_json_and_tells_its_costs():
    assert read_choice(json.loads(json.dumps(FEW.values()))) == FEW
    assert count_fits(FEW, CONFIG) == 12
    more = Choice(FEW.missing, FEW.balance, "tabm", 3)
    assert estimate_seconds(more, CONFIG, 600) > estimate_seconds(FEW, CONFIG, 600)
    assert base_cell(Choice(("knn", "mean"), ("smote", "none"), "mlp")) == ("knn", "none")


def a_course(rows: int = 260) -> Dataset:
    """Return follow-up that a marker with gaps tells something of."""
    rng = np.random.default_rng(3)
    marker = rng.normal(0, 1, rows)
    time = rng.exponential(12 * np.exp(-0.9 * marker)) + 0.1
    last = rng.uniform(2, 30, rows)
    frame = pd.DataFrame({"marker": marker, "age": rng.normal(60, 9, rows)})
    frame["months"], frame["died"] = np.minimum(time, last), (time <= last).astype(int).astype(str)
    frame.loc[rng.random(rows) < 0.3, "marker"] = np.nan
    columns = (
        Column("marker", "number", "input"),
        Column("age", "number", "input"),
        Column("months", "number", "duration", "months"),
        Column("died", "category", "event"),
    )
    return Dataset("course", "course", "1", frame, columns)


def test_time_to_event_is_compared_by_concordance_and_brier_score(tmp_path):
    choice = Choice(("median", "mean"), ("none", "class_weight"), "cox", 3)
    result = run_laboratory(a_course(), CONFIG, choice, Watch(), tmp_path)
    cells = by_cell(result)
    assert result["task"] == "survival"
    fitted = cells["mean", "none"]
    assert fitted["metrics"]["c_index"]["low"] > 0.5
    assert set(fitted["metrics"]) == {"c_index", "uno_c", "integrated_brier", "brier_scaled"}
    assert "censored patients are no class" in cells["median", "class_weight"]["reason"]
    assert any(sentence.startswith("By C-index") for sentence in write_conclusion(result))


def test_several_findings_are_compared_each_at_its_own_threshold(tmp_path):
    config = change_config(
        CONFIG, {"data.roles": dict.fromkeys(("effusion", "oedema", "nodule"), "outcome")}
    )
    choice = Choice(("median",), ("none", "class_weight", "smote"), "logistic", 3)
    result = run_laboratory(a_findings_table(), config, choice, Watch(), tmp_path)
    cells = by_cell(result)
    weighted = cells["median", "class_weight"]
    assert weighted["metrics"]["auroc"]["low"] > 0.6
    assert weighted["differences"]["subset_accuracy"]["low"] is not None
    assert "several findings at once" in cells["median", "smote"]["reason"]


def test_a_model_of_another_task_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="choose one of cox"):
        run_laboratory(a_course(), CONFIG, FEW, Watch(), tmp_path)


def test_strategies_for_rare_classes_are_compared_on_images_with_a_network(tmp_path):
    settings = {"train.epochs": 1, "image.views": 1, "evaluate.resamples": 100}
    choice = Choice(("median",), ("none", "class_weight", "smote"), "resnet_small", folds=2)
    result = run_laboratory(
        picture_dataset(tmp_path, 60), change_config(RunConfig(), settings), choice, Watch(),
        tmp_path / "lab",
    )  # fmt: skip
    cells = by_cell(result)
    assert 0 <= cells["median", "class_weight"]["metrics"]["auroc"]["value"] <= 1
    assert "'scan' is not one" in cells["median", "smote"]["reason"]


def test_models_fit_what_is_looked_at():
    assert list_models(["number", "date"]) == LABORATORY_MODELS
    assert "tabm" not in list_models(["image"]) and "resnet_small" in list_models(["image"])
    # Images alone, followed over time.
    assert {"cox", "deepsurv"} <= set(list_models(["image"]))
    assert {"tabm", "resnet_small"} <= set(list_models(["image", "number"]))
