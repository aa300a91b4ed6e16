"""A run explained: by a job, the command, the warm process, and when something is off."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medcore.__main__ import main
from medcore.apply import answer_patients, open_run, predict_patient, read_patients
from medcore.config import RunConfig, change_config, generator
from medcore.data import load_sample, make_dataset
from medcore.errors import ConfigError, DataError, MedcoreError, StoreError
from medcore.explanation import ExplainChoice, checks, read_explain_choice
from medcore.explanation.answers import mix_model
from medcore.explanation.patient import Cohort, explain_patient
from medcore.explanation.subject import input_rows, open_subject
from medcore.explanation.words import REMARK, write_checks, write_drivers, write_nearest
from medcore.explanation.work import explain_run
from medcore.jobs import ask, start_explanation, warm
from medcore.jobs.handlers import explain
from medcore.models.recalibration import fit_recalibration
from medcore.predict import predict_rows
from medcore.records import Metric, Watch
from medcore.store import (
    add_job,
    delete_dataset,
    load_dataset,
    open_home,
    open_workspace,
    read_json,
)
from medcore.store.folder import EXPLANATION
from tests.finished_runs import CASES, finish_run

QUICK = ExplainChoice(repeats=2, checks=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a run of a case and its table, each made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(tmp_path_factory.mktemp("explanation")))
        home = open_home()
        workspace, made = open_workspace(home, None), {}

        def find(case):
            if case not in made:
                run = finish_run(workspace, case)
                made[case] = run, load_dataset(workspace, run.dataset)
            return made[case]

        find.workspace = workspace
        yield find
        home.close()


@pytest.fixture
def a_case(monkeypatch):
    """Add a table of ten patients' worth of visits to the cases."""

    def add(name, table, **changes):
        frame = make_dataset(table, name, f"{name}.csv", name.encode().hex().ljust(64, "0")[:64])
        monkeypatch.setitem(CASES, name, (lambda: frame, {"model.name": "logistic", **changes}))
        return name

    return add


@pytest.mark.parametrize("case", ["binary", "strategies", "multiclass", "regression", "survival"])
def test_a_mixture_is_answered_as_a_patient_with_these_values_would_be(finished, case):
    run, dataset = finished(case)
    subject = open_subject(run.folder, dataset)
    model = subject.deployed.model
    frame = input_rows(subject.dataset, subject.judged[:20])
    picks = generator(0, case).integers(20, size=(50, frame.shape[1]))
    mixed = pd.DataFrame(
        {name: frame[name].array.take(picks[:, place]) for place, name in enumerate(frame)}
    )
    expected = predict_rows(model, replace(subject.dataset, frame=mixed))
    answered = mix_model(model, subject.dataset, frame).ask(picks)
    assert np.array_equal(answered, expected.reshape(50, -1))


def test_a_mixture_is_answered_with_the_risks_put_right(finished):
    run, dataset = finished("rival")
    subject = open_subject(run.folder, dataset)
    said = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    mended = fit_recalibration(said, np.array([0, 1, 0, 1]), "temperature", np.ones(2))
    model = replace(subject.deployed.model, recalibration=mended)
    frame = input_rows(subject.dataset, subject.judged[:10])
    mixture = mix_model(model, subject.dataset, frame)
    answered = mixture.ask(mixture.plain(np.arange(10)))
    assert np.array_equal(answered, predict_rows(model, subject.dataset, subject.judged[:10]))
    plain = mix_model(subject.deployed.model, subject.dataset, frame)
    assert not np.allclose(answered, plain.ask(plain.plain(np.arange(10))))


def test_time_to_event_is_explained_by_each_horizon(finished):
    run, dataset = finished("survival")
    result = explain_run(run.folder, dataset, ExplainChoice(repeats=2), Watch())
    assert result["targets"] == ["30d", "100d"]
    assert set(result["importance"]["100d"]) == {"shift"}
    assert "predictions move" in write_drivers(result, "100d")[0]
    assert "could not be made" in write_checks(result)[0]
    cohort = Cohort(open_subject(run.folder, dataset))
    values = {"age": 70.0, "sex": "male", "ejection_fraction": 30.0}
    said = explain_patient(cohort, values)
    bare = answer_patients(cohort.subject.deployed, [values, {}])
    for name in ("30d", "100d"):
        assert said["targets"][name]["said"] == pytest.approx(bare["targets"][name][0], abs=1e-12)
        assert abs(said["targets"][name]["gap"]) < 1e-9
    assert said["targets"]["30d"]["said"] < said["targets"]["100d"]["said"]
    told = write_nearest(said["nearest"], "death", said["positive"], "survival")
    assert told.endswith("had death = yes during follow-up.")


def test_the_explanation_finds_what_the_outcome_was_made_of(finished):
    run, dataset = finished("regression")
    result = explain_run(run.folder, dataset, replace(QUICK, repeats=10), Watch())
    assert result == read_json(run.folder, EXPLANATION)
    assert result["targets"] == ["stay"]
    # The ward is recognised as a site, which the model does not look at.
    assert [group["columns"] for group in result["groups"]] == [["age"]]
    assert result["importance"]["stay"]["mae"][0]["low"] > 0
    for name in ("mae", "shift"):
        for figure in result["importance"]["stay"][name]:
            assert figure["low"] <= figure["value"] <= figure["high"]
    age = next(effect for effect in result["effects"] if effect["column"] == "age")
    assert age["missing"] > 0
    assert sum(age["counts"]) + age["missing"] == result["background"]
    assert age["unknown"]["stay"]["value"] is not None


def test_each_class_has_an_importance_and_the_signal_outdoes_the_noise(finished):
    run, dataset = finished("multiclass")
    result = explain_run(run.folder, dataset, replace(QUICK, repeats=10), Watch())
    assert set(result["targets"]) == {"low", "middle", "high"}
    assert [group["columns"] for group in result["groups"]] == [["marker"], ["noise"]]
    for target in ("low", "high"):
        marker, noise = (m["value"] for m in result["importance"][target]["auroc"])
        assert marker > 0.2 > noise
        assert result["importance"][target]["auroc"][0]["method"] == "delong"
        assert "leans most on marker" in write_drivers(result, target)[0]
    curve = next(e for e in result["effects"] if e["column"] == "marker")["curves"]
    assert np.all(np.diff(curve["high"]["value"]) > -1e-9)
    assert np.all(np.diff(curve["low"]["value"]) < 1e-9)


def test_columns_that_go_together_are_named_together(finished):
    run, dataset = finished("folds")
    result = explain_run(run.folder, dataset, QUICK, Watch())
    together = [group for group in result["groups"] if group["association"] is not None]
    assert any(len(group["columns"]) > 3 for group in together)
    assert all(group["association"] >= QUICK.together for group in together)
    sentences = " ".join(write_drivers(result, result["targets"][0]))
    assert "Shuffled together" in sentences
    # In k-fold everyone was tested by another model, so this one has no test patients.
    assert result["part"] != "test"
    assert "no test patients of its own" in sentences


def test_importance_vanishes_for_shuffled_outcomes_and_for_random_numbers(finished):
    run, dataset = finished("multiclass")
    result = explain_run(run.folder, dataset, ExplainChoice(repeats=3), Watch())
    found = result["checks"]
    assert found["shuffled"]["held"]
    assert found["noise"]["held"]
    assert found["noise"]["columns"] == [checks.NOISE]
    assert abs(found["shuffled"]["value"]) < 0.1
    # The same model on the true outcomes: what the check would find if there were something.
    assert max(m["value"] for m in result["importance"]["low"]["auroc"]) > 0.2
    assert any("no more than chance gives" in sentence for sentence in write_checks(result))


def test_a_check_that_fails_is_said(finished):
    run, dataset = finished("multiclass")
    result = explain_run(run.folder, dataset, ExplainChoice(repeats=1), Watch())
    clear = [Metric(0.3, 0.28, 0.32, 50, "delong"), Metric(0.0, -0.1, 0.1, 50, "delong")]
    wrong = checks._judge(clear, [("a",), ("b",)], None)
    assert not wrong["held"]
    told = write_checks({**result, "checks": {**result["checks"], "shuffled": wrong}})
    assert "deserve doubt" in told[0]
    assert checks._judge(clear[::-1], [("a",), ("b",)], "a")["held"]


@pytest.mark.parametrize("case", ["binary", "strategies", "multiclass", "regression"])
def test_a_patients_shares_lead_from_the_average_to_what_the_model_says(finished, case):
    run, dataset = finished(case)
    subject = open_subject(run.folder, dataset)
    deployed = subject.deployed
    row = input_rows(subject.dataset, subject.judged[:1]).iloc[0]
    values = {
        k: None if pd.isna(v) else getattr(v, "item", lambda v=v: v)() for k, v in row.items()
    }
    cohort = Cohort(subject)
    said = explain_patient(cohort, values)
    alone = predict_patient(deployed, values)
    average = predict_rows(deployed.model, subject.dataset, cohort.walked).reshape(
        len(cohort.walked), -1
    )
    for name, told in said["targets"].items():
        place = alone["classes"].index(name) if alone["classes"] else 0
        expected = alone["value"][place] if alone["classes"] else alone["value"]
        assert told["said"] == pytest.approx(expected, abs=1e-12)
        assert told["base"] == pytest.approx(average[:, place].mean(), abs=1e-12)
        assert abs(told["gap"]) < 1e-9
    assert said["shown"] == values
    distances = [near["distance"] for near in said["nearest"]]
    assert distances == sorted(distances)


def test_a_patient_of_whom_nothing_is_known_has_shares_but_no_like(finished):
    run, dataset = finished("strategies")
    said = explain_patient(Cohort(open_subject(run.folder, dataset)), {})
    assert set(said["shown"].values()) == {None}
    assert abs(said["targets"]["yes"]["gap"]) < 1e-9
    assert said["nearest"] == []
    assert "Nothing is known" in write_nearest([], "died", "yes", "binary")


def test_the_nearest_patient_of_a_training_patient_is_that_patient(finished):
    run, dataset = finished("multiclass")
    subject = open_subject(run.folder, dataset)
    row = subject.split.parts["train"][3]
    values = input_rows(subject.dataset, np.array([row])).iloc[0].to_dict()
    nearest = explain_patient(Cohort(subject), values)["nearest"]
    assert nearest[0]["distance"] == pytest.approx(0, abs=1e-6)
    assert nearest[0]["values"] == pytest.approx(values)
    assert nearest[0]["outcome"] == subject.dataset.frame.loc[row, "grade"]


def test_identifiers_are_not_shown_and_visits_of_a_patient_stay_together(finished, a_case):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"name": [f"P{i % 60:03}" for i in range(180)], "dose": rng.normal(size=180)}
    )
    table["ill"] = np.where(table["dose"] + rng.normal(size=180) > 0, "yes", "no")
    case = a_case("visits", table, **{"data.roles": {"ill": "outcome", "name": "patient"}})
    run, dataset = finished(case)
    said = explain_patient(Cohort(open_subject(run.folder, dataset)), {"dose": 1.0})
    assert "P0" not in json.dumps(said)
    assert said["columns"] == ["dose"]
    # One column alone: it gets all there is to share, and importance has one group.
    told = said["targets"]["yes"]
    assert told["value"][0] == pytest.approx(told["said"] - told["base"])
    result = explain_run(run.folder, dataset, ExplainChoice(repeats=2), Watch())
    assert [group["columns"] for group in result["groups"]] == [["dose"]]
    assert result["importance"]["yes"]["auroc"][0]["method"] == "bootstrap"
    assert "P0" not in json.dumps(result)


def test_a_job_explains_a_run_and_stops_when_asked(finished):
    run, _ = finished("binary")
    workspace = finished.workspace
    job = add_job(workspace, "explain", QUICK.values(), run.id, "short")
    told = []
    watch = Watch(lambda event: told.append(event.fraction), lambda: len(told) > 3)
    assert explain(workspace, job, watch) is None
    assert not (run.folder / EXPLANATION).exists()
    assert explain(workspace, job, Watch(lambda event: told.append(event.fraction))) == {
        "run": run.id
    }
    assert told[4:] == sorted(told[4:])
    assert read_json(run.folder, EXPLANATION)["choice"] == QUICK.values()


def test_the_same_settings_give_the_same_figures(finished):
    run, dataset = finished("multiclass")
    first = explain_run(run.folder, dataset, QUICK, Watch())
    assert explain_run(run.folder, dataset, QUICK, Watch()) == first


def test_a_run_whose_table_is_gone_or_another_is_refused_in_a_sentence(tmp_path):
    workspace = open_workspace(open_home(), None)
    run = finish_run(workspace, "rival")
    with pytest.raises(DataError, match="is not the table this model was trained on"):
        open_subject(run.folder, load_sample("wdbc"))
    delete_dataset(workspace, run.dataset)
    with pytest.raises(StoreError, match="not in the workspace"):
        start_explanation(workspace, run.id, QUICK)
    with pytest.raises(StoreError, match="holds no model"):
        open_subject(tmp_path, load_sample("wdbc"))


@pytest.mark.parametrize(
    ("name", "value"), [("repeats", 0), ("repeats", 101), ("together", 0.05), ("together", 1.1)]
)
def test_a_choice_out_of_bounds_is_refused(name, value):
    with pytest.raises(ConfigError):
        read_explain_choice(ExplainChoice().values() | {name: value})
    assert read_explain_choice(QUICK.values()) == QUICK


def test_the_command_writes_the_explanation_and_says_it(finished, capsys, tmp_path):
    run, _ = finished("rival")
    arguments = ["explain", str(run.folder), "sample:heart_failure", "--repeats", "1"]
    assert main([*arguments, "--no-checks"]) == 0
    out = capsys.readouterr().out.strip().splitlines()
    assert out[-1] == str(run.folder / EXPLANATION)
    assert read_json(run.folder, EXPLANATION)["checks"] is None
    assert main(["explain", str(run.folder), "sample:wdbc"]) == 2
    assert "not the table" in capsys.readouterr().err
    assert main([*arguments, "--together", "7"]) == 2


def test_the_warm_process_explains_a_patient_and_tells_ranges(finished, monkeypatch):
    run, dataset = finished("regression")
    monkeypatch.setenv("MEDCORE_HOME", str(finished.workspace.home.folder))
    request = {
        "do": "explain_patient", "run_folder": str(run.folder),
        "workspace": finished.workspace.id, "dataset": run.dataset,
        "values": {"age": 55.0, "ward": "north"},
    }  # fmt: skip
    here = warm._answer(request)["answer"]
    assert here["targets"]["stay"]["value"][0] is not None
    home = finished.workspace.home
    assert ask(home, request, timeout=90) == json.loads(json.dumps(here))
    numbers = ask(home, {"do": "describe_numbers", "run_folder": str(run.folder)})["numbers"]
    learned = dataset.frame["age"]
    assert learned.min() <= numbers["age"]["low"] < numbers["age"]["high"] <= learned.max()
    with pytest.raises(MedcoreError, match="not in the workspace"):
        ask(home, request | {"dataset": "f" * 16})
    warm.stop_warm()


def test_dates_and_whole_numbers_entered_by_hand_are_read_as_the_table_was(finished, a_case):
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "seen": pd.date_range("2020-01-01", periods=120, freq="3D"),
            "visits": rng.integers(1, 9, 120),
            "stay": rng.normal(5, 1, 120),
        }
    )
    case = a_case("dates", table, **{"data.roles": {"stay": "outcome", "seen": "input"}})
    run, dataset = finished(case)
    values = {"seen": "2020-06-01", "visits": 3}
    said = explain_patient(Cohort(open_subject(run.folder, dataset)), values)
    assert said["shown"] == {"seen": "2020-06-01", "visits": 3}
    assert read_patients(open_run(run.folder), [values, {}]).frame["visits"].isna().tolist() == [
        False,
        True,
    ]
    result = explain_run(run.folder, dataset, QUICK, Watch())
    kinds = {effect["column"]: effect["at"][0] for effect in result["effects"]}
    assert kinds.get("seen", "2020-01-01") >= "2020-01-01"


def test_a_small_model_of_each_kind_can_be_made():
    for changes in (
        {"model.name": "recommended", "balance.strategy": "focal", "augment.mixup": 0.2},
        {"model.name": "tabm", "missing.strategy": "miwae", "train.epochs": 100},
        {"model.name": "mlp", "train.epochs": 3},
    ):
        config = checks.small_config(change_config(RunConfig(), changes))
        assert config.train.epochs <= checks.MOST_EPOCHS
        assert config.missing.strategy not in checks.SLOW_IMPUTERS


def test_the_words_that_it_is_the_model_and_not_the_disease():
    assert REMARK.startswith("This explains the model, not the disease")
