"""An effect of treatment end to end: refused or asked, cross-fitted, judged, applied, exported."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medcore.apply import open_run, predict_file, predict_patient
from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, infer_task, load_sample, make_dataset, outcome_classes
from medcore.data.treatment import treatment_arms
from medcore.data.trial import draw_trial
from medcore.errors import ConfigError, DataError
from medcore.evaluate import compare_predictions, write_headline
from medcore.evaluate.effect_words import write_claims, write_question
from medcore.pipeline import run
from medcore.predict import predict_rows
from medcore.recipes import learners, load_model, nuisance
from medcore.recipes.crossing import effect_split
from medcore.recipes.effects import fit_effects
from medcore.report import write_report
from medcore.report.exchange import export_model
from medcore.store import read_predictions

QUICK = {
    "data.roles": {"patient": "patient", "programme": "treatment", "readmitted": "outcome",
                   "true_effect": "ignored"},
    "split.folds": 3, "evaluate.resamples": 100, "train.epochs": 3, "model.width": 16,
    "model.layers": 1,
}  # fmt: skip


def a_trial(rows: int = 300, **changes) -> tuple:
    table = draw_trial(rows, 3)
    dataset = make_dataset(table, "Programme", "programme.csv", "0" * 64)
    return dataset, change_config(RunConfig(), QUICK | changes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("effect")
    dataset, config = a_trial()
    return folder, dataset, config, run(config, dataset, folder=folder)


@pytest.fixture
def linear(monkeypatch):
    """Leave forests out, where what is tested is how models are put together."""
    monkeypatch.setattr(nuisance, "MEMBERS", ("logistic",))
    monkeypatch.setattr(learners, "EFFECT_MEMBERS", ("prevalence", "logistic"))


def a_table(treatment, outcome, rows: int = 60, **more):
    table = pd.DataFrame({"age": np.arange(rows) % 17, "arm": treatment, "cured": outcome, **more})
    return make_dataset(table, "Table", "table.csv", "0" * 64)


def asked(**roles):
    return change_config(
        RunConfig(), {"data.roles": {"arm": "treatment", "cured": "outcome", **roles}}
    )


HALF, CURED = ["drug", "placebo"] * 30, ["yes", "no", "no"] * 20


def test_a_treatment_among_the_roles_asks_for_its_effect_on_the_worse_of_two_outcomes():
    ready = configure_dataset(a_table(HALF, CURED), asked())
    assert infer_task(ready, asked()) == "effect"
    assert treatment_arms(ready, asked()) == ("placebo", "drug")
    assert outcome_classes(ready, asked()) == (("no", "yes"), "yes")
    assert any("'arm' = 'drug' (30 rows, called treated)" in e.reason for e in ready.ledger)


def test_the_arm_that_is_told_can_be_chosen():
    config = change_config(asked(), {"effect.treated": "placebo"})
    assert treatment_arms(configure_dataset(a_table(HALF, CURED), config), config)[1] == "placebo"
    wrong = change_config(asked(), {"effect.treated": "sugar"})
    with pytest.raises(ConfigError, match=r"'sugar' \(effect.treated\) does not occur"):
        configure_dataset(a_table(HALF, CURED), wrong)


@pytest.mark.parametrize(
    ("treatment", "outcome", "sentence"),
    [
        (["a", "b", "c"] * 20, CURED, "has 3 values"),
        (["drug"] * 60, CURED, "has one arm only: everybody has 'drug'"),
        ([None] * 60, CURED, "missing in every row"),
        (["drug"] * 57 + ["placebo"] * 3, CURED, "has 3 rows with a known outcome"),
        (HALF, ["yes"] * 60, "has one value only"),
        (HALF, ["a", "b", "c"] * 20, "has 3 classes"),
    ],
    ids=["three arms", "one arm", "no arm", "a tiny arm", "one outcome", "three outcomes"],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(treatment, outcome, sentence):
    with pytest.raises(DataError, match=sentence):
        configure_dataset(a_table(treatment, outcome), asked())


def test_rows_of_an_unknown_arm_are_set_aside_and_counted():
    ready = configure_dataset(a_table([None, *HALF[1:]], CURED), asked())
    assert len(ready.frame) == 59
    assert any("1 rows without 'arm' are set aside" in entry.reason for entry in ready.ledger)


def test_two_treatments_or_a_time_to_an_event_are_refused():
    with pytest.raises(ConfigError, match="both have the role treatment"):
        configure_dataset(a_table(HALF, CURED, other=HALF), asked(other="treatment"))
    config = change_config(
        RunConfig(), {"data.roles": {"arm": "treatment", "cured": "event", "age": "duration"}}
    )
    with pytest.raises(ConfigError, match="time to an event is not told yet"):
        configure_dataset(a_table(HALF, CURED, weight=np.arange(60.0)), config)


@pytest.mark.parametrize(
    "setting",
    [{"model.name": "tabm"}, {"balance.strategy": "class_weight"}, {"missing.strategy": "native"},
     {"missing.strategy": "multiple"}],
    ids=str,
)  # fmt: skip
def test_settings_that_do_not_go_with_an_effect_are_refused(setting):
    with pytest.raises(ConfigError):
        configure_dataset(a_table(HALF, CURED), change_config(asked(), setting))


def test_models_of_effects_are_refused_without_a_treatment():
    config = change_config(
        RunConfig(), {"data.roles": {"cured": "outcome"}, "model.name": "tarnet"}
    )
    with pytest.raises(ConfigError, match="role treatment"):
        configure_dataset(a_table(HALF, CURED), config)


def test_folds_keep_patients_whole_and_arms_and_outcomes_even():
    dataset, config = a_trial(400)
    table = dataset.frame.assign(patient=[f"p{n // 2}" for n in range(400)])
    ready = configure_dataset(make_dataset(table, "x", "x", "0"), config)
    split = effect_split(ready, config)
    who = ready.frame["patient"]
    for fold in split.folds:
        assert not set(who.loc[fold["test"]]) & set(who.loc[fold["train"]])
    assert sorted(np.concatenate([f["test"] for f in split.folds])) == list(ready.frame.index)


def test_nobody_is_judged_by_a_model_that_saw_them(finished):
    folder = finished[0]
    checks = {c["check"]: c for c in json.loads((folder / "certificate.json").read_text())}
    assert checks["Rows seen by fitted steps"]["passed"] is True
    assert checks["Patients in one part only"]["passed"] is True


@pytest.mark.usefixtures("linear")
def test_another_outcome_of_one_fold_changes_no_prediction_for_it():
    """What is said of a fold hangs on nobody in it; a changed outcome there must not show."""
    dataset, config = a_trial(240, **{"effect.robustness": False})
    ready = configure_dataset(dataset, config)
    classes, _ = outcome_classes(ready, config)
    split = effect_split(ready, config)
    before = fit_effects(ready, split, config, classes)
    held = split.folds[0]["test"]
    frame = ready.frame.copy()
    flipped = frame.loc[held, "readmitted"].map({"yes": "no", "no": "yes"})
    frame.loc[held, "readmitted"] = flipped.astype("string")
    after = fit_effects(replace(ready, frame=frame), split, config, classes)
    mine, others = before.fold == 0, before.fold != 0
    assert np.array_equal(before.effect[mine], after.effect[mine])
    for name in ("propensity", "untreated_mean", "treated_mean"):
        old, new = getattr(before.compared, name), getattr(after.compared, name)
        assert np.array_equal(old[mine], new[mine])
    assert not np.array_equal(before.effect[others], after.effect[others])


def test_the_evaluation_holds_the_contract_of_an_effect(finished):
    folder = finished[0]
    told = json.loads((folder / "evaluation.json").read_text())
    assert told["task"] == "effect" and told["parts"] == {}
    for name in ("ate", "ate_crude", "att", "risk_ratio"):
        metric = told["effect"][name]
        assert metric["low"] <= metric["value"] <= metric["high"]
        assert metric["method"] == "crossfit"
    for name in ("qini", "policy_over_all", "ate_placebo", "ate_random_confounder"):
        assert told["effect"][name]["value"] is not None
    assert told["effect"]["treated"] == "yes" and told["effect"]["control"] == "no"


def test_the_average_effect_is_the_mean_of_the_kept_scores(finished):
    folder, *_, evaluation = finished
    frame = read_predictions(folder).frame
    rows = frame[frame["model"] == "model"]
    assert rows["score"].mean() == pytest.approx(evaluation.effect["ate"]["value"])
    assert set(frame["model"]) == {"model", "placebo", "random_confounder"}
    by_arm = rows.groupby("arm")["outcome"].apply(lambda values: (values == "yes").mean())
    assert by_arm[1] - by_arm[0] == pytest.approx(evaluation.effect["ate_crude"]["value"])


def test_a_model_of_effects_is_kept_and_read_back_to_the_last_bit(finished):
    folder, dataset, config, _ = finished
    ready = configure_dataset(dataset, config)
    model = load_model(folder)
    said = predict_rows(model, ready)
    assert said.shape == (len(ready.frame),)
    assert np.array_equal(said[:7], predict_rows(model, ready, ready.frame.index[:7]))


def test_predict_adds_the_effect_with_its_interval(finished, tmp_path):
    folder, dataset, *_ = finished
    source, target = tmp_path / "new.csv", tmp_path / "out.csv"
    dataset.frame.drop(columns=["readmitted", "programme"]).head(9).to_csv(source, index=False)
    predict_file(open_run(folder), source, target)
    out = pd.read_csv(target)
    assert list(out.columns[-3:]) == ["effect", "effect_low", "effect_high"]
    assert (out["effect_low"] <= out["effect"]).all() and (
        out["effect"] <= out["effect_high"]
    ).all()
    said = predict_patient(open_run(folder), {"age": 70, "ejection_fraction": 25})
    assert said["task"] == "effect" and said["low"] <= said["value"] <= said["high"]


def test_the_report_tells_the_effect_and_what_cannot_be_claimed(finished, tmp_path):
    folder, dataset, *_, evaluation = finished
    write_report(folder, tmp_path, intended_use="test", dataset=dataset)
    text = (tmp_path / "report.html").read_text()
    assert "The effect, step by step" in text and "E-value" in text
    assert "association" in text and "A prediction is no cause" not in text
    assert (tmp_path / "model.onnx").is_file()
    assert write_headline(evaluation, "readmitted") in text.replace("&#39;", "'")


@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize("learner", ["t_learner", "s_learner", "x_learner", "tarnet", "dragonnet"])
def test_every_learner_answers_for_patients_and_exports_or_says_why_not(learner):
    dataset, config = a_trial(240, **{"model.name": learner, "effect.robustness": False})
    ready = configure_dataset(dataset, config)
    classes, _ = outcome_classes(ready, config)
    fitted = fit_effects(ready, effect_split(ready, config), config, classes)
    said = predict_rows(fitted.model, ready)
    assert np.isfinite(fitted.effect).all() and np.ptp(said) > 0 and np.abs(said).max() <= 1.5
    exported = export_model(fitted.model, ready)
    assert (exported.data is None) == (learner in ("tarnet", "dragonnet")), exported.sentence


@pytest.mark.usefixtures("linear")
@pytest.mark.parametrize("learner", ["tarnet", "dragonnet"])
def test_a_network_of_effects_writes_down_how_far_it_is_and_learns_the_same(learner, tmp_path):
    dataset, config = a_trial(120, **{"model.name": learner, "effect.robustness": False})
    ready = configure_dataset(dataset, config)
    classes, _ = outcome_classes(ready, config)
    split = effect_split(ready, config)
    kept = fit_effects(ready, split, config, classes, folder=tmp_path)
    assert list(tmp_path.glob(f"{learner}-*.running"))
    assert np.array_equal(kept.effect, fit_effects(ready, split, config, classes).effect)


@pytest.mark.usefixtures("linear")
def test_a_randomised_trial_takes_the_chance_of_treatment_as_known_and_claims_more():
    dataset, config = a_trial(240, **{"effect.design": "randomised", "effect.share": 0.5,
                                      "effect.robustness": False})  # fmt: skip
    ready = configure_dataset(dataset, config)
    classes, _ = outcome_classes(ready, config)
    fitted = fit_effects(ready, effect_split(ready, config), config, classes)
    assert np.all(fitted.chance == 0.5)
    trial, study = write_claims({"design": "randomised"}), write_claims({"design": "observational"})
    assert "Chance decided" in trial[0] and "association" in study[0]


@pytest.mark.usefixtures("linear")
def test_arms_that_do_not_overlap_are_refused_by_the_input_that_sets_them_apart(tmp_path):
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, 300)
    noise, happened = rng.normal(size=300), rng.random(300) < 0.3
    table = pd.DataFrame({"age": age, "noise": noise, "arm": np.where(age > 60, "drug", "none"),
                          "died": np.where(happened, "yes", "no")})  # fmt: skip
    config = change_config(
        RunConfig(), {"data.roles": {"arm": "treatment", "died": "outcome"}, "split.folds": 3,
                      "effect.robustness": False, "effect.overlap": 0.05}
    )  # fmt: skip
    with pytest.raises(DataError, match=r"arms do not overlap.*'age'.*effect.trim"):
        run(config, make_dataset(table, "x", "x.csv", "0" * 64), folder=tmp_path)


def test_two_learners_are_compared_on_the_same_patients(finished):
    folder, _, config, _ = finished
    first = read_predictions(folder)
    same = compare_predictions(first, first, (config, config))
    assert same["qini"].value == 0 and same["qini"].high == 0
    other = read_predictions(folder)
    other.frame.loc[other.frame["arm"].notna(), "arm"] = 1 - other.frame["arm"]
    with pytest.raises(DataError, match="different patients or arms"):
        compare_predictions(first, other, (config, config))


def test_the_question_says_who_what_against_what_and_adjusted_for_what(finished):
    evaluation = finished[-1]
    told = write_question(evaluation.effect, evaluation.positive)
    for words in ("300 patients", "programme = yes", "readmitted = yes", "programme = no",
                  "5 inputs", "ejection_fraction"):  # fmt: skip
        assert words in told


def test_the_synthetic_programme_misleads_whoever_only_compares_and_helps_the_weak_hearts():
    table = draw_trial(20_000, 1)
    enrolled = table["programme"] == "yes"
    risk = (table["readmitted"] == "yes").groupby(enrolled).mean()
    assert risk[True] > risk[False] and table["true_effect"].mean() < -0.05
    weak = table["ejection_fraction"] < 35
    assert table.loc[weak, "true_effect"].mean() < 3 * table.loc[~weak, "true_effect"].mean()
    by_chance = draw_trial(20_000, 1, randomised=True)
    risk = (by_chance["readmitted"] == "yes").groupby(by_chance["programme"] == "yes").mean()
    assert risk[True] - risk[False] == pytest.approx(by_chance["true_effect"].mean(), abs=0.02)
    assert load_sample("programme").column("true_effect").role == "ignored"
