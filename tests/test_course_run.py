"""A table of visits from reading to a risk visit by visit: run, predict, explain, findings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medcore import pipeline
from medcore.apply import open_run, predict_file
from medcore.checks import check_dataset
from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, fold_visits, open_dataset
from medcore.data.configure import assign_columns
from medcore.data.progression import draw_progression, progression_dataset
from medcore.errors import ConfigError, DataError
from medcore.explanation.course import explain_course, predict_course
from medcore.explanation.subject import open_subject
from medcore.figures import draw_course_map, draw_trajectory
from medcore.report import write_report
from medcore.store.folder import read_json
from medcore.validation.work import validate_run
from tests.visit_rows import two_patients, visit_config, visit_dataset

QUICK = {
    "model.name": "gru_d", "train.epochs": 4, "train.learning_rate": 0.02, "series.width": 8,
    "model.width": 16, "evaluate.resamples": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of GRU-D on a small synthetic cohort; its folder, data set and evaluation."""
    folder, dataset = tmp_path_factory.mktemp("run"), progression_dataset(160, seed=2)
    evaluation = pipeline.run(change_config(RunConfig(), QUICK), dataset, folder=folder)
    return folder, dataset, evaluation


def test_last_values_and_the_summary_stand_beside_a_model_of_visits(finished):
    _, _, evaluation = finished
    assert set(evaluation.baselines) == {
        "prevalence", "logistic", "random_forest", "gradient_boosting", "last_logistic",
        "last_boosting",
    }  # fmt: skip
    assert np.isfinite(evaluation.parts["test"].metrics["auroc"].value)


def test_a_file_comes_back_with_a_risk_for_each_visit_as_of_that_visit(finished, tmp_path):
    folder, _, _ = finished
    new = draw_progression(8, seed=9).drop(columns=["severity", "failed", "follow_up"])
    mixed = new.sample(frac=1, random_state=0)
    mixed.to_csv(tmp_path / "new.csv", index=False)
    predict_file(open_run(folder), tmp_path / "new.csv", tmp_path / "said.csv")
    said = pd.read_csv(tmp_path / "said.csv")
    assert len(said) == len(new)
    assert said["month"].tolist() == mixed["month"].tolist()
    first = new.groupby("patient").head(2)
    first.to_csv(tmp_path / "first.csv", index=False)
    predict_file(open_run(folder), tmp_path / "first.csv", tmp_path / "early.csv")
    early = pd.read_csv(tmp_path / "early.csv").set_index(["patient", "month"])
    both = said.set_index(["patient", "month"]).loc[early.index]
    assert np.array_equal(early["probability_yes"], both["probability_yes"])


def test_one_patients_visits_entered_by_hand_give_a_trajectory(finished):
    folder, _, _ = finished
    deployed = open_run(folder)
    visits = [
        {"month": 6.0, "egfr": 30.0, "albuminuria": None},
        {"month": 0.0, "egfr": 55.0, "albuminuria": 4.0},
        {"month": None, "egfr": None, "albuminuria": None},
    ]
    said = predict_course(deployed, {"age": 60, "sex": "male"}, visits)
    assert [at["time"] for at in said["trajectory"]] == [0.0, 6.0]
    place = said["classes"].index("yes")
    assert said["value"][place] == said["trajectory"][-1]["targets"]["yes"]["value"]
    assert not said["outside"]
    odd = predict_course(deployed, {}, [{"month": 0.0, "egfr": 900.0}])["outside"]
    assert [(row["column"], row["value"]) for row in odd] == [("egfr", "900")]
    alone = predict_course(deployed, {"age": 60, "sex": "male"}, visits[1:])
    assert alone["trajectory"] == said["trajectory"][:1]
    with pytest.raises(DataError, match="No visit is entered"):
        predict_course(deployed, {"age": 60}, visits[2:])
    with pytest.raises(DataError, match="has no 'month'"):
        predict_course(deployed, {"age": 60}, [{"month": None, "egfr": 30.0}])


def test_the_shares_of_a_course_make_up_the_difference_to_usual_results(finished):
    folder, dataset, _ = finished
    subject = open_subject(folder, dataset)
    for row in subject.split.parts["test"][:6]:
        said = explain_course(subject, int(row), "yes")
        found = np.array(said["found"])
        assert found.sum() == pytest.approx(said["said"] - said["base"], abs=2e-3)
        assert abs(said["gap"]) < 2e-3
        known = np.array([[v is not None for v in line] for line in said["values"]])
        assert known.shape == found.shape == (5, len(said["times"]))
        assert not found[~known].any()
        assert len(said["trajectory"]) == len(said["times"])
        figure, table = draw_course_map(said, "month")
        assert len(table) == known.sum()
        _, points = draw_trajectory(said["trajectory"], "yes", "Risk", "month", 0.2)
        assert points["value"].between(points["low"], points["high"]).all()
        assert figure.data[0].z.shape == found.shape


def test_the_report_tells_what_was_measured_at_visits_and_why_there_is_no_onnx(finished, tmp_path):
    folder, dataset, _ = finished
    report = write_report(folder, tmp_path / "report", dataset=dataset)
    told = (tmp_path / "report" / "tripod_ai.csv").read_text(encoding="utf-8")
    assert "Measured at these visits: egfr" in told
    assert "not visits" in report.export
    assert not (tmp_path / "report" / "model.onnx").exists()


def test_a_model_without_a_network_has_no_shares_of_visits(tmp_path):
    dataset = progression_dataset(100, seed=4)
    config = change_config(RunConfig(), {**QUICK, "model.name": "logistic"})
    pipeline.run(config, dataset, folder=tmp_path)
    subject = open_subject(tmp_path, dataset)
    with pytest.raises(ConfigError, match="No network of this model"):
        explain_course(subject, int(subject.split.parts["test"][0]), "yes")


def codes(rows, names="who month marker sex ill", roles=None):
    config = visit_config(roles)
    found = check_dataset(assign_columns(visit_dataset(rows, names), config))
    return {finding.code: finding for finding in found}


def test_findings_say_what_is_odd_about_visits():
    assert "single_visit" not in codes(two_patients())
    odd = codes([*two_patients()[::-1], ("c", 3, 1.0, "f", "no"), ("a", 2, 2.0, "f", "no")])
    assert {"visits_ordered", "visits_joined", "single_visit"} <= set(odd)
    clash = codes([*two_patients(), ("a", 5, 99.0, "f", "no")])["visits_unclear"]
    assert clash.severity == "stop" and "differ in 'marker'" in clash.detail
    unread = codes([*two_patients(), ("b", "soon", 1.0, "m", "yes")])["visits_unclear"]
    assert "'soon' in row 8" in unread.title
    roles = {"who": "patient", "month": "visit", "end": "duration", "died": "event"}
    rows = [("a", m, float(m), 4, "yes") for m in (0, 2, 4, 6)]
    late = codes([*rows, ("b", 0, 1.0, 9, "no")], "who month marker end died", roles)
    assert late["visits_after_end"].title.startswith("1 visits lie after")


def test_several_rows_a_patient_ask_whether_they_are_visits():
    roles = {"who": "patient", "ill": "outcome"}
    told = codes(two_patients(), roles=roles)["repeated_patients"].detail
    assert "time of the visit" in told
    assert "time of the visit" not in codes(two_patients())["repeated_patients"].detail


def test_a_forecast_has_intervals_of_its_own_width_that_are_judged(tmp_path):
    roles = {"systolic_bp": "outcome", "kidney_failure_within_year": "ignored"}
    config = change_config(
        RunConfig(), {**QUICK, "data.roles": roles, "model.quantiles": True, "split.kind": "kfold"}
    )
    config = change_config(config, {"split.folds": 2})
    evaluation = pipeline.run(config, progression_dataset(120, seed=5), folder=tmp_path)
    assert evaluation.task == "regression"
    told = pd.read_parquet(tmp_path / "predictions.parquet")
    mine = told[(told["model"] == "model") & (told["part"] == "test")]
    width = mine["high"] - mine["low"]
    assert width.nunique() > 10
    assert evaluation.curves["uncertainty"]["intervals"]["coverage"]["value"] > 0.6
    said = predict_course(open_run(tmp_path), {"age": 60}, [{"month": 0.0, "systolic_bp": 150.0}])
    point = said["trajectory"][0]["targets"]["next systolic_bp"]
    assert point["low"] < point["value"] < point["high"]


HORIZON = {"patient": "patient", "month": "visit", "follow_up": "duration", "failed": "event"}


def whole_table(path, count, seed):
    """Write courses with visits after the index month, and no outcome but the follow-up."""
    frame = draw_progression(count, seed=seed, whole=True)
    frame.drop(columns=["severity", "kidney_failure_within_year"]).to_csv(path, index=False)
    return open_dataset(path)


def test_a_run_with_a_horizon_is_judged_elsewhere_on_other_peoples_visits(tmp_path):
    changes = {
        "data.roles": HORIZON | {"index_month": "ignored"}, "series.horizon": 12,
        "model.name": "logistic", "evaluate.resamples": 100,
    }  # fmt: skip
    config, dataset = change_config(RunConfig(), changes), whole_table(tmp_path / "a.csv", 200, 5)
    evaluation = pipeline.run(config, dataset, folder=tmp_path / "run")
    assert evaluation.task == "binary" and evaluation.positive == "yes"
    ledger = [entry.step for entry in configure_dataset(dataset, config).ledger]
    assert "not followed" in ledger
    new = whole_table(tmp_path / "b.csv", 120, 6)
    judged = validate_run(tmp_path / "run", new, {}, tmp_path / "elsewhere")
    here = fold_visits(assign_columns(new, config), config)
    name = here.predicted_column().name
    assert judged.parts["test"].n == here.frame[name].notna().sum()
    assert judged.parts["test"].events == (here.frame[name] == "yes").sum()
    told = read_json(tmp_path / "elsewhere", "validation.json")["sentences"]
    assert any("became" in sentence for sentence in told)
    lacking = replace(new, frame=new.frame.drop(columns="failed"))
    with pytest.raises(DataError, match="no column 'failed'"):
        validate_run(tmp_path / "run", lacking, {}, tmp_path / "nowhere")
