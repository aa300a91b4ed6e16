"""Several findings a patient: read, learned, judged, and told to new patients."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from medcore.apply import open_run, predict_file, predict_patient
from medcore.checks import check_dataset
from medcore.cohort import describe_cohort
from medcore.config import RunConfig, change_config
from medcore.data import (
    configure_dataset,
    join_findings,
    make_dataset,
    outcome_classes,
    read_labels,
    write_labels,
)
from medcore.data.media.arrays import read_arrays
from medcore.errors import ConfigError, DataError, FitError
from medcore.evaluate import compare_predictions, evaluate_predictions, evaluation_json
from medcore.evaluate.judge import judge_rows
from medcore.evaluate.multilabel import RULES, read_findings, view_finding
from medcore.explanation import ExplainChoice
from medcore.explanation.words import ranked_groups
from medcore.explanation.work import explain_run
from medcore.models.labels import fit_labels, predict_labels
from medcore.models.recalibration import apply_recalibration, fit_recalibration
from medcore.optimism.plan import Effort
from medcore.optimism.work import find_optimism
from medcore.pipeline import run
from medcore.recipes import fit_model
from medcore.records import Predictions, Watch
from medcore.report.exchange import export_model
from medcore.split import make_split, read_split
from medcore.store import read_predictions
from medcore.store.folder import drop_need, keep_need, read_config
from medcore.train.balance import finding_ratio
from medcore.train.loss import ensemble_losses, finding_losses, member_loss
from medcore.validation.work import validate_run
from tests.finished_runs import a_findings_table
from tests.judged_rows import CONFIG, frame_of

NAMES = ("effusion", "nodule", "oedema")
ROLES = {"data.roles": dict.fromkeys(("effusion", "oedema", "nodule"), "outcome")}
QUICK = {
    "evaluate.resamples": 100, "train.epochs": 3, "model.width": 8, "model.layers": 1,
    "model.name": "mlp",
}  # fmt: skip


def asked(**changes):
    return change_config(RunConfig(), QUICK | ROLES | changes)


def table_of(**columns):
    rows = len(next(iter(columns.values())))
    frame = pd.DataFrame({"age": np.arange(rows) % 37 + 0.5, **columns})
    return make_dataset(frame, "Made", "made.csv", "8" * 64)


def several(rows=150, unknown=0.0, model="model", seed=0, skill=1.5):
    """Return validation and test predictions of three findings."""
    rng, parts = np.random.default_rng(seed), []
    for part, first in (("validation", 1000), ("test", 0)):
        draws = np.random.default_rng(seed + first)
        has = (draws.random((rows, 3)) < [0.5, 0.3, 0.15]).astype(float)
        has[draws.random((rows, 3)) < unknown] = np.nan
        has[np.isnan(has).all(axis=1), 0] = 1
        raw = skill * (np.nan_to_num(has) - 0.5) + rng.normal(size=(rows, 3)).round(1)
        risks = dict(zip([f"p_{name}" for name in NAMES], 1 / (1 + np.exp(-raw.T)), strict=True))
        outcome = write_labels(has, NAMES)
        parts.append(frame_of(part, model=model, first=first, outcome=outcome, **risks))
    return Predictions("multilabel", NAMES, None, pd.concat(parts, ignore_index=True))


def values_of(predictions):
    rows = judge_rows(predictions, "model", CONFIG)
    whole = RULES.measure(rows)(np.ones((1, len(rows.frame))))
    truth = read_labels(rows.frame["outcome"], NAMES)
    risks = rows.probabilities
    return {name: float(v[0]) for name, v in whole.items()}, truth, risks, rows.thresholds[-1]


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=3, max_size=3),
        min_size=1, max_size=9,
    )
)  # fmt: skip
def test_cells_say_what_is_there_what_is_not_and_what_is_unknown(rows):
    found = np.array(rows)
    np.testing.assert_array_equal(read_labels(write_labels(found, NAMES), NAMES), found)


def test_the_figures_are_scikit_learns():
    found, truth, risks, limits = values_of(several())
    called = risks >= limits
    truth = truth.astype(int)
    for average, ending in (("macro", ""), ("micro", "_micro")):
        options = {"average": average, "zero_division": 0}
        assert found[f"recall{ending}"] == pytest.approx(
            metrics.recall_score(truth, called, **options)
        )
        assert found[f"precision{ending}"] == pytest.approx(
            metrics.precision_score(truth, called, **options)
        )
        assert found[f"f1{ending}"] == pytest.approx(metrics.f1_score(truth, called, **options))
        area = metrics.roc_auc_score(truth, risks, average=average)
        assert found[f"auroc{ending}"] == pytest.approx(area)
        precision = metrics.average_precision_score(truth, risks, average=average)
        assert found[f"auprc{ending}"] == pytest.approx(precision)
    weighted = metrics.f1_score(truth, called, average="weighted")
    assert found["f1_weighted"] == pytest.approx(weighted)
    assert found["subset_accuracy"] == pytest.approx(metrics.accuracy_score(truth, called))
    assert found["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, called))
    each = [metrics.brier_score_loss(t, r) for t, r in zip(truth.T, risks.T, strict=True)]
    assert found["brier"] == pytest.approx(np.mean(each))
    each = [metrics.log_loss(t, r) for t, r in zip(truth.T, risks.T, strict=True)]
    assert found["log_loss"] == pytest.approx(np.mean(each))


def test_a_row_drawn_twice_counts_as_two_rows():
    predictions = several(40, unknown=0.3)
    rows = judge_rows(predictions, "model", CONFIG)
    again = np.repeat(np.arange(40), 2)
    twice = replace(rows, frame=rows.frame.iloc[again], cluster=rows.cluster[again])
    drawn = RULES.measure(rows)(np.full((1, 40), 2.0))
    laid_out = RULES.measure(twice)(np.ones((1, 80)))
    for name, value in laid_out.items():
        np.testing.assert_allclose(drawn[name], value, err_msg=name)


def test_what_is_unknown_counts_nowhere():
    found, truth, risks, limits = values_of(several(unknown=0.3))
    known = ~np.isnan(truth)
    right = (risks >= limits) == (truth == 1)
    assert found["hamming_loss"] == pytest.approx(1 - right[known].mean())
    assert found["subset_accuracy"] == pytest.approx((right | ~known).all(axis=1).mean())
    areas = [metrics.roc_auc_score(truth[k, i], risks[k, i]) for i, k in enumerate(known.T)]
    assert found["auroc"] == pytest.approx(np.mean(areas))


def test_each_finding_is_judged_as_the_question_it_is():
    predictions = several(unknown=0.2)
    whole = evaluate_predictions(predictions, CONFIG)
    json.dumps(evaluation_json(whole), allow_nan=False)
    told = read_findings(whole)
    assert tuple(told) == NAMES
    for name in NAMES:
        alone = evaluate_predictions(view_finding(predictions, name), CONFIG)
        assert told[name].parts["test"].threshold == alone.parts["test"].threshold
        assert told[name].parts["test"].metrics["auroc"].method == "delong"
        for figure in ("recall", "auroc", "calibration_slope"):
            expected = alone.parts["test"].metrics[figure]
            assert whole.parts["test"].metrics[f"{figure}_{name}"].value == expected.value
    limits = judge_rows(predictions, "model", CONFIG).thresholds[-1]
    assert [told[name].parts["test"].threshold for name in NAMES] == limits.tolist()


def test_a_finding_nobody_in_the_test_part_is_known_of_has_no_figures_and_is_named():
    predictions = several()
    has = read_labels(predictions.frame["outcome"], NAMES)
    has[predictions.frame["part"].eq("test").to_numpy(), 2] = np.nan
    frame = predictions.frame.assign(outcome=write_labels(has, NAMES))
    whole = evaluate_predictions(Predictions("multilabel", NAMES, None, frame), CONFIG)
    assert "recall_oedema" not in whole.parts["test"].metrics
    assert np.isfinite(whole.parts["test"].metrics["auroc"].value)
    assert any("oedema (0)" in sentence for sentence in whole.warnings)


def test_two_models_are_compared_on_the_same_patients():
    better, worse = several(skill=2.5), several(skill=0.2)
    found = compare_predictions(better, worse, (CONFIG, CONFIG))
    assert found["auroc"].low > 0
    assert {"subset_accuracy", "recall_micro", "brier"} <= set(found)


def test_an_unknown_finding_teaches_nothing():
    output = torch.randn(6, 2, 3, requires_grad=True)
    outcome = (torch.rand(6, 3) < 0.5).float()
    outcome[2, 1] = torch.nan
    member_loss(output, outcome, "multilabel", 0.1).backward()
    silent = output.grad == 0
    assert silent[2, :, 1].all()
    assert silent.sum() == 2
    assert torch.isfinite(ensemble_losses(output.detach(), outcome, "multilabel")).all()


def test_where_all_is_known_the_loss_is_binary_cross_entropy():
    output, outcome = torch.randn(20, 4), (torch.rand(20, 4) < 0.4).float()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(output, outcome)
    torch.testing.assert_close(finding_losses(output, outcome).mean(), plain)
    single = ensemble_losses(output[:, None], outcome, "multilabel").mean()
    torch.testing.assert_close(single, plain, atol=1e-5, rtol=1e-5)


def test_class_weights_make_both_sides_of_each_finding_count_alike():
    outcome = np.array([[1, 0], [0, 0], [0, 1], [0, np.nan], [np.nan, 0], [0, 0]], dtype=float)
    balance = change_config(RunConfig(), {"balance.strategy": "class_weight"}).balance
    ratio = finding_ratio(outcome, balance)
    for values, weights in zip(outcome.T, ratio, strict=True):
        known = values[~np.isnan(values)].astype(int)
        assert weights[known].mean() == pytest.approx(1)
        assert weights[1] * known.sum() == pytest.approx(weights[0] * (1 - known).sum())


def test_a_baseline_learns_each_finding_from_those_it_is_known_of():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(90, 4)).astype(np.float32)
    outcome = (values[:, :3] + rng.normal(size=(90, 3)) > 0.4).astype(float)
    outcome[:40, 1] = np.nan
    outcome[:, 2] = 0
    said = predict_labels(fit_labels("logistic", values, outcome, 0), values)
    alone = LogisticRegression(C=1.0, max_iter=2000).fit(values[40:], outcome[40:, 1])
    np.testing.assert_allclose(said[:, 1], alone.predict_proba(values)[:, 1], atol=1e-6)
    assert (said[:, 2] == 0).all()


def test_recalibration_puts_each_finding_right_by_itself():
    rng = np.random.default_rng(0)
    risk = rng.random((3000, 2))
    outcome = (rng.random((3000, 2)) < np.column_stack([risk[:, 0] / 2, risk[:, 1]])).astype(float)
    outcome[:1500, 1] = np.nan
    told = fit_recalibration(risk, outcome, "logistic", np.ones((2, 2)))
    put_right = apply_recalibration(json.loads(json.dumps(told)), risk)
    assert put_right[:, 0].mean() == pytest.approx(outcome[:, 0].mean(), abs=0.01)
    assert put_right[:, 1].mean() == pytest.approx(np.nanmean(outcome[:, 1]), abs=0.01)


def test_rows_of_which_nothing_is_known_are_set_aside_and_counted():
    ready = configure_dataset(
        table_of(a=["yes", "no", None, None] * 9, b=["0", "1", "-1", "0"] * 9),
        change_config(RunConfig(), {"data.roles": {"a": "outcome", "b": "outcome"}}),
    )
    assert len(ready.frame) == 27
    assert any("9 rows of which no finding is known" in e.reason for e in ready.ledger)
    assert ready.frame["finding"].iloc[:3].tolist() == ["a", "b", "a?"]
    assert [c.name for c in ready.with_role("input")] == ["age"]


@pytest.mark.parametrize(
    ("columns", "changes", "sentence"),
    [
        ({"a": ["no"] * 40, "b": ["yes", "no"] * 20}, {}, "Nobody has the finding 'a'"),
        ({"a": ["yes"] * 40, "b": ["yes", "no"] * 20}, {}, "Everybody of 40 rows has"),
        ({"a": ["yes"] + ["no"] * 39, "b": ["yes", "no"] * 20}, {}, "A single row has"),
        ({"a": ["low", "high"] * 20, "b": ["yes", "no"] * 20}, {}, "'a' is no yes/no column"),
        ({"a": [None] * 40, "b": [None] * 40}, {}, "Nobody has the finding 'a'"),
        ({"a": ["x; y"] * 40}, {"outcome.separator": "|"}, "names 1 finding ('x; y')"),
        ({"a": [f"x;{i}" for i in range(120)]}, {"outcome.separator": ";"}, "at most 100"),
        ({"a": ["x; y", "none"] * 20}, {"task": "multilabel"}, "needs several outcomes"),
        (
            {"a": ["yes", "no"] * 20, "b": ["no", "yes"] * 20},
            {"task": "binary"},
            "no question of the task binary",
        ),
    ],
)
def test_what_cannot_be_learned_is_one_sentence(columns, changes, sentence):
    roles = {"data.roles": dict.fromkeys(columns, "outcome")}
    with pytest.raises((DataError, ConfigError)) as refused:
        configure_dataset(table_of(**columns), change_config(RunConfig(), roles | changes))
    assert sentence in str(refused.value)


@pytest.mark.parametrize("strategy", ["oversample", "smote", "balanced_sampler", "logit_adjusted"])
def test_what_would_treat_whole_patients_is_refused(strategy):
    with pytest.raises(ConfigError, match="several findings at once: choose"):
        configure_dataset(a_findings_table(), asked(**{"balance.strategy": strategy}))


def test_rare_findings_are_in_every_part():
    rng = np.random.default_rng(1)
    columns = {
        name: rng.random(400) < share for name, share in zip("abc", (0.5, 0.2, 0.02), strict=True)
    }
    roles = change_config(RunConfig(), {"data.roles": dict.fromkeys("abc", "outcome")})
    ready = configure_dataset(table_of(**columns), roles)
    parts = make_split(ready, roles).parts
    for rows in parts.values():
        has = read_labels(ready.frame["finding"].loc[rows], ready.labels)
        assert has[:, 2].sum() >= 1
    shares = [
        read_labels(ready.frame["finding"].loc[parts[part]], ready.labels)[:, 1].mean()
        for part in ("train", "test")
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.03)


def test_checks_look_at_each_finding():
    table = a_findings_table()
    frame = table.frame.assign(
        shade=np.where(table.frame["oedema"].eq("yes").fillna(False), 9.0, 1.0)
    )
    dataset = make_dataset(frame, "Findings", "findings.csv", "9" * 64)
    config = asked()
    ready = configure_dataset(dataset, config)
    for seen in (ready, join_findings(ready, config)):
        leaks = [f for f in check_dataset(seen) if f.code == "leak"]
        assert [leak.columns for leak in leaks] == [("shade",)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    dataset = a_findings_table()
    run(asked(**{"balance.strategy": "class_weight"}), dataset, folder=folder)
    return folder, dataset


def test_a_run_keeps_a_risk_a_finding(trained):
    folder, _ = trained
    told = read_predictions(folder)
    assert told.task == "multilabel"
    assert told.classes == ("effusion", "oedema", "nodule")
    risks = told.probabilities()
    assert ((risks >= 0) & (risks <= 1)).all()
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert set(evaluation["curves"]["findings"]) == set(told.classes)
    assert {"prevalence", "logistic", "random_forest"} <= set(evaluation["baselines"])
    columns = json.loads((folder / "dataset.json").read_text())["columns"]
    assert [c["name"] for c in columns if c["role"] == "outcome"] == ["finding"]
    test = told.frame[told.frame["part"] == "test"]["row_id"].unique()
    assert len(test) == evaluation["parts"]["test"]["n"]


def test_new_patients_get_the_findings_that_alarm(trained, tmp_path):
    folder, dataset = trained
    deployed = open_run(folder)
    path, target = tmp_path / "new.csv", tmp_path / "out.csv"
    inputs = dataset.frame[["fluid", "swelling", "shade", "age"]].head(60)
    inputs.to_csv(path, index=False)
    predict_file(deployed, path, target)
    told = pd.read_csv(target, keep_default_na=False)
    limits = [deployed.threshold[name] for name in deployed.model.classes]
    risks = told[[f"probability_{name}" for name in deployed.model.classes]].to_numpy()
    for row, cell in zip(risks, told["predicted"], strict=True):
        called = [n for n, r, t in zip(deployed.model.classes, row, limits, strict=True) if r >= t]
        assert cell == ("; ".join(called) or "none")
    one = predict_patient(deployed, {"fluid": 2.5, "swelling": -2, "shade": 0, "age": 60})
    assert one["positive"] is None
    assert set(one["threshold"]) == set(one["classes"])
    assert np.all(np.diff([one["low"], one["value"], one["high"]], axis=0) >= 0)


def test_cells_and_columns_are_the_same_question(tmp_path):
    frame = a_findings_table().frame.copy()
    found = read_labels(
        configure_dataset(a_findings_table(), asked()).frame["finding"], tuple(sorted(NAMES))
    )
    frame = frame.loc[configure_dataset(a_findings_table(), asked()).frame.index]
    cells = pd.Series(write_labels(found, NAMES), frame.index)
    inputs = frame[["fluid", "swelling", "shade", "age"]]
    columns = inputs.assign(**dict(zip(NAMES, found.T, strict=True)))
    said = []
    for table, changes in (
        (columns, {"data.roles": dict.fromkeys(NAMES, "outcome")}),
        (
            inputs.assign(finding=cells.str.replace("; ", " | ")),
            {"data.roles": {"finding": "outcome"}, "outcome.separator": "|"},
        ),
    ):
        dataset = make_dataset(table.reset_index(drop=True), "Same", "same.csv", "6" * 64)
        config = change_config(RunConfig(), QUICK | changes | {"model.name": "logistic"})
        assert outcome_classes(configure_dataset(dataset, config), config)[0] == NAMES
        folder = tmp_path / str(len(said))
        run(config, dataset, folder=folder)
        said.append(read_predictions(folder))
    pd.testing.assert_frame_equal(said[0].frame, said[1].frame)


def test_the_model_is_judged_elsewhere_at_its_own_thresholds(trained, tmp_path):
    folder, dataset = trained
    told = validate_run(folder, dataset, {}, tmp_path / "elsewhere")
    limits = open_run(folder).threshold
    for name, judged in read_findings(told).items():
        assert judged.parts["test"].threshold == limits[name]
    assert told.parts["test"].n == 319


def test_elsewhere_less_may_be_known_but_not_nothing(trained, tmp_path):
    folder, dataset = trained
    frame = dataset.frame.drop(columns=["nodule"])
    less = make_dataset(frame, "Elsewhere", "elsewhere.csv", "5" * 64)
    told = validate_run(folder, less, {}, tmp_path / "less")
    assert set(read_findings(told)) == {"effusion", "oedema"}
    said = json.loads((tmp_path / "less" / "validation.json").read_text())["sentences"]
    assert "The new table says nothing of: nodule." in said
    nothing = make_dataset(frame.drop(columns=["effusion", "oedema"]), "No", "no.csv", "4" * 64)
    with pytest.raises(DataError, match="no column 'finding' and none called 'effusion'"):
        validate_run(folder, nothing, {}, tmp_path / "nothing")


def test_a_need_moves_the_threshold_of_its_finding_alone(trained):
    folder, _ = trained
    before = open_run(folder).threshold
    keep_need(folder, "oedema", 0.123, "the one given")
    deployed = open_run(folder)
    assert deployed.threshold == before | {"oedema": 0.123}
    assert deployed.needs == {"oedema": "the one given"}
    drop_need(folder, "oedema")
    assert open_run(folder).threshold == before


def test_each_finding_is_explained_by_what_it_was_made_of(tmp_path):
    dataset = a_findings_table()
    run(asked(**{"model.name": "logistic"}), dataset, folder=tmp_path)
    result = explain_run(tmp_path, dataset, ExplainChoice(repeats=2, checks=False), Watch())
    assert result["targets"] == ["effusion", "nodule", "oedema"]
    made_of = {"effusion": "fluid", "oedema": "swelling", "nodule": "shade"}
    for name, column in made_of.items():
        assert ranked_groups(result, name, "shift")[0][0] == column


@pytest.mark.parametrize("name", ["mlp", "tabm", "logistic", "random_forest"])
def test_the_exported_file_answers_as_the_model(name):
    config = asked(**{"model.name": name, "balance.strategy": "class_weight"})
    ready = configure_dataset(a_findings_table(), config)
    parts = make_split(ready, config).parts
    model = fit_model(ready, parts, config, ready.labels, baselines=()).model
    assert model.members[0].recalibration is not None
    exported = export_model(model, ready)
    assert exported.data is not None, exported.sentence
    assert exported.inputs["output"]["order"] == list(ready.labels)


def test_chest_films_ask_for_their_fourteen_findings(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, rows in (("train", 60), ("val", 20), ("test", 20)):
        arrays[f"{part}_images"] = rng.integers(0, 255, (rows, 12, 12), dtype=np.uint8)
        arrays[f"{part}_labels"] = (rng.random((rows, 14)) < 0.3).astype(np.uint8)
    np.savez(tmp_path / "chestmnist.npz", **arrays)
    media = tmp_path / "media"
    dataset = read_arrays(tmp_path / "chestmnist.npz", media, name="Chest", sha256="3" * 64)
    # What is uploaded keeps no name of a file but that of the data set.
    (tmp_path / "chestmnist.npz").rename(tmp_path / "upload.npz")
    again = read_arrays(tmp_path / "upload.npz", media, name="chestmnist", sha256="3" * 64)
    assert list(again.frame) == list(dataset.frame)
    config = change_config(
        RunConfig(),
        QUICK | {"model.name": "resnet_small", "train.epochs": 1, "evaluate.resamples": 100},
    )
    classes, positive = outcome_classes(dataset, config)
    assert classes[2] == "effusion" and classes[13] == "hernia" and positive is None
    evaluation = run(config, dataset, folder=tmp_path / "run")
    assert evaluation.parts["test"].n == 20
    assert len(read_findings(evaluation)) == 14


def test_notes_tell_several_findings_as_tables_do(tmp_path):
    rng = np.random.default_rng(0)
    has = rng.random((200, 2)) < 0.4
    said = [" fluid in the chest", " swollen legs"]
    notes = [
        "seen today" + "".join(word for word, there in zip(said, row, strict=True) if there)
        for row in has
    ]
    table = pd.DataFrame({"note": notes, "effusion": has[:, 0], "oedema": has[:, 1]})
    dataset = make_dataset(table, "Notes", "notes.csv", "2" * 64)
    roles = {"note": "input", "effusion": "outcome", "oedema": "outcome"}
    changes = {"data.roles": roles, "data.kinds": {"note": "text"}, "model.name": "tfidf"}
    evaluation = run(change_config(RunConfig(), QUICK | changes), dataset, folder=tmp_path)
    assert evaluation.parts["test"].metrics["auroc"].value > 0.99
    one = predict_patient(open_run(tmp_path), {"note": "swollen legs"})
    assert one["value"][0] < 0.5 < one["value"][1]


def test_rows_that_no_finding_tells_apart_are_refused():
    from medcore.train.rows import check_outcome
    from tests.prepared_rows import prepared_rows

    rows = prepared_rows(30)
    alike = np.tile([1.0, 0.0, np.nan], (30, 1))
    with pytest.raises(FitError, match="No finding tells the 30 training rows apart"):
        check_outcome(type(rows)("multilabel", rows.row_id, rows.blocks, alike, NAMES, rows.group))


def test_a_patients_visits_must_agree_on_several_findings():
    table = pd.DataFrame(
        {
            "who": np.repeat(np.arange(30), 3),
            "month": np.tile([0, 1, 2], 30),
            "value": np.arange(90) % 7,
            "a": np.repeat(np.arange(30) % 2, 3),
            "b": np.tile([0, 1, 1], 30),
        }
    )
    roles = {"who": "patient", "month": "visit", "a": "outcome", "b": "outcome"}
    with pytest.raises(ConfigError, match="'b' changes from visit to visit; several findings"):
        configure_dataset(
            make_dataset(table, "Visits", "visits.csv", "1" * 64),
            change_config(RunConfig(), {"data.roles": roles}),
        )


def test_table_one_counts_each_finding():
    config = asked()
    ready = configure_dataset(a_findings_table(), config)
    told = describe_cohort(ready, make_split(ready, config))["columns"]
    findings = [column for column in told if column["role"] == "outcome"]
    assert [column["name"] for column in findings] == list(ready.labels)
    known = read_labels(ready.frame["finding"], ready.labels)
    for column, has in zip(findings, known.T, strict=True):
        counts = column["parts"]["all"]["counts"]
        assert counts == {"yes": int(np.nansum(has)), "no": int((has == 0).sum())}
        assert column["parts"]["all"]["missing"] == int(np.isnan(has).sum())


def test_luck_is_told_for_several_findings(trained, tmp_path):
    folder, dataset = trained
    config = read_config(folder)
    config = change_config(config, {"model.name": "logistic", "balance.strategy": "none"})
    effort = Effort("Quick", repeats=1, resamples=3, sizes=2, draws=1, folds=2)
    split = read_split(json.loads((folder / "split.json").read_text()))
    found = find_optimism(dataset, config, split, effort, tmp_path)
    assert found["bootstrap"]["resamples"] == 3
    assert found["cross_validation"]["metrics"]["auroc"]["value"] > 0.6
