"""A question of time from the rows to predictions for new patients."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medcore.apply import open_run, predict_file, predict_patient
from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, configure_rows, make_dataset, outcome_classes
from medcore.evaluate.followup import read_followup
from medcore.evaluate.prognosis import concordance, draw, plan_ranking
from medcore.models.cox import fit_cox
from medcore.models.prognosis import fit_prognosis, predict_prognosis
from medcore.pipeline import run
from medcore.predict import predict_rows
from medcore.prepare import fit_preparation, prepare_rows
from medcore.recipes import fit_model, load_model
from medcore.recipes.weights import choose_weights
from medcore.records import Block, Column, Prepared
from medcore.split import make_split
from medcore.store.folder import read_predictions
from medcore.validation.work import validate_run
from pages.parts.hazards import write_constancy
from tests.cohorts import breast_tables, tied_cohort
from tests.picture_rows import picture_dataset
from tests.prepared_rows import fit, small_config

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

NETWORKS = ("deepsurv", "logistic_hazard", "deephit")
TIMES = (1.1, 1.6, 2.0, 3.0, 4.5)


def cohort_table(rows=260, causes=("relapse",), seed=0) -> pd.DataFrame:
    """Return patients with gaps; the event comes sooner with age and in ward b."""
    rng = np.random.default_rng(seed)
    age, ward = rng.normal(60, 10, rows), rng.choice(["a", "b"], rows)
    event = rng.exponential(np.exp(-(age - 60) / 12 - (ward == "b")) * 30) + 0.5
    lost = rng.uniform(5, 60, rows)
    status = np.where(event <= lost, rng.choice(causes, rows), "censored")
    table = {"age": age, "ward": ward, "noise": rng.normal(size=rows)}
    frame = pd.DataFrame(table | {"weeks": np.minimum(event, lost).round(1), "status": status})
    frame.loc[::17, "age"] = np.nan
    return frame


def settings(**changes) -> RunConfig:
    known = {
        "data.roles": {"weeks": "duration", "status": "event", "ward": "input"},
        "data.units": {"weeks": "weeks"},
        "evaluate.resamples": 100,
        "evaluate.horizons": "10, 20w",
        "train.epochs": 3,
        "model.width": 8,
        "model.layers": 1,
    }
    return change_config(
        RunConfig(), known | {name.replace("__", "."): value for name, value in changes.items()}
    )


def _dataset(frame):
    return make_dataset(frame, "cohort", "cohort.csv", "0" * 64)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """One run with two causes and the recommended model."""
    folder = tmp_path_factory.mktemp("survival") / "run"
    frame = cohort_table(causes=("relapse", "relapse", "other"))
    return run(settings(), _dataset(frame), folder=folder), folder, frame


def test_the_judgement_has_every_figure_with_an_interval(judged):
    evaluation, _, _ = judged
    names = {"c_index", "uno_c", "integrated_brier", "brier_scaled"} | {
        f"{stem}_{label}"
        for stem in ("auroc", "brier", "o_e", "calibration_slope", "ici")
        for label in ("10w", "20w")
    }
    metrics = evaluation.parts["test"].metrics
    assert set(metrics) == names
    for name, metric in metrics.items():
        assert metric.low <= metric.value <= metric.high, name
    assert set(evaluation.baselines) == {"prevalence", "cox"}
    assert evaluation.baselines["prevalence"].metrics["c_index"].value == 0.5
    assert evaluation.baselines["cox"].metrics["c_index"].value > 0.55
    assert (evaluation.task, evaluation.classes, evaluation.positive) == (
        "survival", ("other", "relapse"), "relapse",
    )  # fmt: skip


def test_sites_left_out_in_turn_are_pooled_by_harrells_c(tmp_path):
    roles = {"weeks": "duration", "status": "event", "ward": "site"}
    config = settings(model__name="cox", split__kind="site", data__roles=roles)
    found = run(config, _dataset(cohort_table(200)), folder=tmp_path / "run").curves["sites"]
    assert found["unseen"]
    assert [site["site"] for site in found["sites"]] == ["a", "b"]
    values = [metric["value"] for metric in found["figures"]["c_index"]["metrics"]]
    assert min(values) <= found["figures"]["c_index"]["pooled"]["value"] <= max(values)


def test_predictions_hold_a_risk_by_each_horizon_that_never_falls(judged):
    _, folder, _ = judged
    predictions = read_predictions(folder)
    frame = predictions.frame
    assert [horizon.label for horizon in predictions.horizons] == ["10w", "20w"]
    curves = frame[[f"curve_{place}" for place in range(len(predictions.times))]].to_numpy()
    assert (np.diff(curves, axis=1) >= -1e-12).all()
    assert curves.min() >= 0 and curves.max() <= 1
    place = predictions.times.index(10.0)
    assert (frame["risk_10w"] == frame[f"curve_{place}"]).all()
    assert set(frame["part"]) == {"train", "validation", "test"}


def test_thirds_of_risk_fare_differently_and_are_drawn_with_their_numbers(judged):
    evaluation, _, _ = judged
    groups = evaluation.curves["model"]["groups"]
    last = [curve["risk"][-1] for curve in groups["curves"]]
    assert last[0] < last[2]
    assert 0 <= groups["p"] < 0.05
    assert sum(curve["at_risk"][0] for curve in groups["curves"]) == evaluation.parts["test"].n


def test_hazard_ratios_stand_beside_the_model_with_their_intervals(judged):
    evaluation, _, _ = judged
    found = evaluation.curves["hazards"]
    by_name = {row["column"]: row for row in found["rows"]}
    assert set(by_name) == {"age", "ward", "noise"}
    assert by_name["ward"]["contrast"] in ("b against a", "a against b")
    assert by_name["age"]["low"] > 1
    assert by_name["noise"]["low"] < 1 < by_name["noise"]["high"]
    assert "proportional hazards, Schoenfeld's test" in write_constancy(found["rows"])


def test_a_ratio_that_changes_over_time_is_named_in_words():
    rows = [{"column": "age", "constant_p": 0.2}, {"column": "dose", "constant_p": 0.001}]
    assert write_constancy(rows).startswith("For dose the ratio changes")
    many = [{"column": "age", "constant_p": 0.03}, {"column": "sex", "constant_p": 0.5}]
    assert "Nothing speaks against" in write_constancy(many)


def test_a_run_can_be_judged_on_another_hospitals_follow_up(judged, tmp_path):
    _, folder, _ = judged
    elsewhere = _dataset(cohort_table(rows=200, causes=("relapse", "relapse", "other"), seed=5))
    evaluation = validate_run(folder, elsewhere, {}, tmp_path / "elsewhere")
    metrics = evaluation.parts["test"].metrics
    assert metrics["c_index"].n == 200
    assert 0.5 < metrics["c_index"].value < 0.9
    assert metrics["o_e_20w"].low < metrics["o_e_20w"].value < metrics["o_e_20w"].high


def test_a_file_of_new_patients_comes_back_with_risks_and_every_row(judged, tmp_path):
    _, folder, frame = judged
    new = frame.head(5).drop(columns=["weeks", "status"])
    new.to_csv(tmp_path / "new.csv", index=False)
    predict_file(open_run(folder), tmp_path / "new.csv", tmp_path / "said.csv")
    said = pd.read_csv(tmp_path / "said.csv")
    assert list(said.columns) == [*new.columns, "risk_10w", "risk_20w"]
    assert (said["risk_10w"] <= said["risk_20w"]).all()


def test_one_patient_gets_a_curve_for_each_cause_with_an_interval(judged):
    _, folder, _ = judged
    deployed = open_run(folder)
    old = predict_patient(deployed, {"age": 85, "ward": "b"})
    young = predict_patient(deployed, {"age": 35, "ward": "a"})
    assert old["classes"] == ["other", "relapse"]
    value, low, high = (np.array(old[side]) for side in ("value", "low", "high"))
    assert value.shape == (2, len(old["times"]))
    assert (low <= value).all() and (value <= high).all()
    assert (np.diff(value, axis=1) >= 0).all() and (np.diff(low, axis=1) >= 0).all()
    assert value.sum(axis=0).max() <= 1
    assert value[1, -1] > np.array(young["value"])[1, -1]
    assert [horizon["label"] for horizon in old["horizons"]] == ["10w", "20w"]


def test_a_model_read_back_says_the_same_to_the_last_bit_alone_or_in_a_batch(judged):
    _, folder, frame = judged
    model, deployed = load_model(folder), open_run(folder)
    rows, _ = configure_rows(_dataset(frame), deployed.columns, deployed.config)
    every = predict_rows(model, rows)
    one = predict_rows(deployed.model, rows, np.array([7]))
    assert (one[0] == every[7]).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("causes", [1, 2])
def test_every_networks_risks_rise_stay_below_one_and_share_it_among_causes(name, causes):
    rows = prepared(tied_cohort(0, rows=200, causes=causes), causes)
    config = small_config(train__epochs=3, model__intervals=6)
    epochs, trained = fit(rows, rows, config, name=name)
    from medcore.train import predict_network

    risks = predict_network(trained, rows)
    assert risks.shape == (200, causes, len(TIMES))
    assert (np.diff(risks, axis=2) >= -1e-12).all()
    assert risks.min() >= 0
    assert risks.sum(axis=1).max() <= 1 + 1e-9
    assert epochs[-1].validation_loss < epochs[0].validation_loss


def prepared(cohort, causes=1) -> Prepared:
    values = cohort.values.astype(np.float32)
    block = Block("table", ("a", "b"), ("a", "b"), values, np.ones(len(values), bool), (0, 1),
                  tuple(np.linspace(-2, 2, 5) for _ in range(2)))  # fmt: skip
    outcome = np.column_stack([cohort.duration, cohort.cause]).astype(np.float64)
    names = tuple(f"cause {number}" for number in range(1, causes + 1))
    ids = np.arange(len(values))
    return Prepared("survival", ids, {"table": block}, outcome, names, ids, TIMES)


def test_a_linear_deepsurv_over_all_rows_at_once_finds_coxs_coefficients():
    cohort = tied_cohort(3, rows=300)
    rows = prepared(cohort)
    config = small_config(
        train__epochs=400, train__batch_size=1000, train__weight_decay=0, train__learning_rate=0.1,
        train__clip_norm=0, model__layers=0, model__dropout=0, model__embedding="none",
    )  # fmt: skip
    _, trained = fit(rows, None, config, name="deepsurv")
    there = fit_cox(cohort.values, cohort.duration, cohort.cause == 1).coefficients
    head = trained.arrays["head.weight"].ravel()
    assert head == pytest.approx(there, abs=1e-2)


def test_cox_gives_the_risks_of_scikit_survival():
    cohort = tied_cohort(4, rows=400)
    duration = cohort.duration + np.random.default_rng(0).uniform(0, 1e-3, 400)
    values = cohort.values.astype(np.float32)
    outcome = np.column_stack([duration, cohort.cause]).astype(float)
    ours = predict_prognosis(fit_prognosis("cox", values, outcome, 1, TIMES), values)
    there = CoxPHSurvivalAnalysis(alpha=1.0).fit(
        values.astype(float), Surv.from_arrays(cohort.cause == 1, duration)
    )
    free = np.array([curve(TIMES) for curve in there.predict_survival_function(values)])
    assert ours[:, 0] == pytest.approx(1 - free, abs=1e-6)


def test_everybodys_risk_with_two_causes_is_aalen_johansens():
    cohort = tied_cohort(5, causes=2)
    outcome = np.column_stack([cohort.duration, cohort.cause]).astype(float)
    model = fit_prognosis("prevalence", cohort.values, outcome, 2, TIMES)
    both = predict_prognosis(model, cohort.values[:1])[0]
    naive = fit_prognosis("prevalence", cohort.values, np.column_stack(
        [cohort.duration, cohort.cause == 1]).astype(float), 1, TIMES)  # fmt: skip
    assert both.sum(axis=0)[-1] <= 1
    assert predict_prognosis(naive, cohort.values[:1])[0, 0, -1] > both[0, -1]


def test_the_better_member_gets_the_larger_share():
    rng = np.random.default_rng(0)
    linear = rng.normal(size=800)
    event, lost = rng.exponential(np.exp(-linear)), rng.exponential(2, 800)
    outcome = np.column_stack([np.minimum(event, lost), event <= lost]).astype(float)
    times = np.array([0.3, 0.8, 1.5])
    good = -np.expm1(-np.outer(np.exp(linear), times))[:, None]
    bad = np.broadcast_to(good.mean(axis=0), good.shape)
    shares = choose_weights(np.stack([good, bad]), outcome, times)
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > 0.9


def test_deepsurv_learned_in_rotterdam_ranks_german_patients_at_least_as_published():
    """Katzman et al. 2018 report a concordance of 0.668; Cox regression 0.658."""
    old, new = (_dataset(frame) for frame in breast_tables())
    config = change_config(RunConfig(), {
        "data.roles": {"years": "duration", "relapse": "event"}, "model.name": "deepsurv",
    })  # fmt: skip
    ready = configure_dataset(old, config)
    split = make_split(ready, config)
    fitted = fit_model(ready, split.parts, config, outcome_classes(ready, config)[0], baselines=())
    rows, _ = configure_rows(new, ready.columns, config)
    risks = predict_rows(fitted.model, rows)[:, 0].mean(axis=1)
    frame = new.frame
    followup = read_followup(frame["years"].to_numpy(), frame["relapse"].to_numpy(int))
    drawn = draw(followup, np.ones((1, len(frame))))
    found = concordance(plan_ranking(followup, risks), drawn, 1, 5.0)
    assert found["c_index"][0] >= 0.66


def test_follow_up_prepares_as_duration_and_cause():
    config = settings()
    ready = configure_dataset(_dataset(cohort_table(causes=("relapse", "other"))), config)
    ids = ready.frame.index.to_numpy()
    preparation = fit_preparation(ready, ids, config, ("other", "relapse"))
    rows = prepare_rows(preparation, ready, ids[:50])
    words = ready.frame["status"].to_numpy()[:50]
    assert rows.task == "survival"
    assert (rows.outcome[:, 0] == ready.frame["weeks"].to_numpy()[:50]).all()
    assert rows.outcome[:, 1].tolist() == [
        {"censored": 0, "other": 1, "relapse": 2}[word] for word in words
    ]
    assert rows.times == ready.times


def test_a_network_for_time_to_event_looks_at_images_as_one_for_classes_does(tmp_path):
    """Discs in the upper half come with events that are four times as frequent."""
    pictures = picture_dataset(tmp_path, rows=160)
    rng = np.random.default_rng(0)
    upper = pictures.frame["place"].eq("upper").to_numpy(bool)
    event, lost = rng.exponential(np.where(upper, 1.0, 4.0)), rng.uniform(0.5, 6, 160)
    frame = pictures.frame.assign(
        weeks=np.minimum(event, lost), status=np.where(event <= lost, "dead", "alive")
    )
    columns = (
        *(replace(c, role="ignored") if c.name == "place" else c for c in pictures.columns),
        Column("weeks", "number", "duration", "weeks"),
        Column("status", "category", "event", None, ("dead", "alive")),
    )
    config = small_config(
        model__name="deepsurv", model__width=16, train__epochs=8, image__size=16,
        evaluate__horizons="1, 2",
    )  # fmt: skip
    ready = configure_dataset(replace(pictures, frame=frame, columns=columns), config)
    split = make_split(ready, config)
    fitted = fit_model(ready, split.parts, config, ("dead",), baselines=())
    risk = predict_rows(fitted.model, ready)[:, 0, -1]
    assert risk[upper].mean() > risk[~upper].mean() + 0.1
