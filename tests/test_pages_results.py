"""Results of sites, of time, of a clinic's needs; and what the form on Predict promises."""

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from medcore.apply import open_run, predict_patient, say_needs
from medcore.config import change_config
from medcore.data import make_dataset
from medcore.evaluate.judge import judge_rows
from medcore.store import (
    load_settings,
    open_home,
    open_workspace,
    read_predictions,
    save_dataset,
)
from pages.parts import certainty
from tests.finished_runs import CASES, a_class_table, a_findings_table, finish_run
from tests.test_pages import _server_knows_the_navigation, check, look_at, open_page, words

__all__ = ["_server_knows_the_navigation"]


def a_clinic(rows=420):
    """Return patients of three sites over four years, and a column with a value for each two."""
    rng = np.random.default_rng(0)
    age, marker = rng.normal(60, 10, rows), rng.normal(0, 1, rows)
    day = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 1400, rows), unit="D")
    ill = rng.random(rows) < 1 / (1 + np.exp(0.5 - 1.2 * marker - (age - 60) / 15))
    table = pd.DataFrame(
        {
            "age": age.round(),
            "marker": marker,
            "site": rng.choice(["north", "south", "west"], rows),
            "doctor": [f"doctor {i % 90}" for i in range(rows)],
            "seen": pd.Series(day).dt.strftime("%Y-%m-%d"),
            "ill": np.where(ill, "yes", "no"),
        }
    )
    return make_dataset(table, "Clinic", "clinic.csv", "6" * 64)


ROLES = {"data.roles": {"ill": "outcome", "site": "site", "seen": "date"}, "model.name": "logistic"}
WEIGHTED = {"balance.strategy": "class_weight", "balance.recalibration": "none"}
OWN = {
    "sites": (a_clinic, ROLES | {"split.kind": "site"}),
    "later": (a_clinic, ROLES | {"split.kind": "temporal", "model.recalibration": "logistic"}),
    "distorted": (a_clinic, ROLES | WEIGHTED),
    "findings": (
        a_findings_table,
        {
            "model.name": "logistic",
            "data.roles": dict.fromkeys(("effusion", "oedema", "nodule"), "outcome"),
        },
    ),
    "ordered": (
        a_class_table,
        {
            "model.name": "logistic",
            "data.roles": {"grade": "outcome"},
            "outcome.order": ("low", "middle", "high"),
        },
    ),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A home with a finished run of each case, made once."""
    folder = tmp_path_factory.mktemp("results") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(folder))
        workspace = open_workspace(open_home(), None)
        for case, made in OWN.items():
            patch.setitem(CASES, case, made)
        return folder, workspace.id, {case: finish_run(workspace, case) for case in OWN}


@pytest.fixture
def visit(kept, monkeypatch):
    folder, token, runs = kept
    monkeypatch.setenv("MEDCORE_HOME", str(folder))

    def open_it(case, view="good"):
        app = open_page("results", workspace=token, dataset=runs[case].dataset, run=runs[case].id)
        check(app)
        return look_at(app, view)

    return open_it


def table_with(app, column):
    return next(frame.value for frame in app.dataframe if column in frame.value)


def test_sites_are_told_one_by_one_and_pooled(visit):
    app = visit("sites", "whom")
    assert "had learned from the other sites only" in words(app)
    assert "over 3 sites" in words(app)
    table = table_with(app, "Site")
    assert table["Site"].tolist() == ["north", "south", "west", "Pooled (random effects)"]
    assert "I²" in table["AUROC"].iloc[-1]


def test_a_split_by_time_tells_since_when_and_by_period(visit):
    app = visit("later", "whom")
    assert "Does it hold later?" in words(app)
    assert "The test patients are those seen last on or after 20" in words(app)


def test_any_run_shows_its_risks_before_and_after_recalibration(visit):
    app = visit("later", "numbers")
    assert "What recalibration did to the risks" in words(app)
    assert "Logistic (Platt), learned on patients outside the fit" in words(app)
    assert {"Before", "After"} <= set(table_with(app, "Before"))


def test_distorted_risks_have_no_decision_curve_and_say_why(visit):
    app = visit("distorted", "threshold")
    assert any("a decision curve would mislead" in w.value for w in app.warning)
    assert "this range" in words(visit("later", "threshold"))


def test_the_range_of_thresholds_is_the_visitors(visit):
    app = visit("later", "threshold")
    slider = next(s for s in app.slider if s.label.startswith("From which risks"))
    assert slider.value == (0.01, 0.99)
    slider.set_value((0.2, 0.4)).run()
    check(app)
    assert table_with(app, "treat_all")["threshold"].between(0.2, 0.4).all()


@pytest.mark.parametrize(
    ("need", "said"),
    [
        ("sensitivity", "at least 90 of 100 validation patients with the outcome alarm"),
        ("specificity", "at least 90 of 100 validation patients without the outcome do not alarm"),
        ("alarms", "at most 20 of 100 validation patients alarm"),
        ("cost", "a missed patient counting as 5 false alarms"),
    ],
)
def test_a_clinics_need_moves_the_threshold_and_is_said_in_words(visit, kept, need, said):
    app = visit("later", "threshold")
    box = next(b for b in app.selectbox if b.label == "What does the clinic need?")
    box.set_value(need).run()
    check(app)
    assert said in words(app)
    found = next(s for s in app.slider if s.label == "Alarm from a risk of").value
    run = kept[2]["later"]
    config = change_config(run.config, {"evaluate.threshold": need})
    thresholds = judge_rows(read_predictions(run.folder), "model", config).thresholds
    assert found == round(min(1, thresholds[-1]), 3)


def test_predict_alarms_where_a_need_is_met_until_it_is_taken_back(visit, kept):
    app = visit("later", "threshold")
    run = kept[2]["later"]
    trained = open_run(run.folder).threshold
    box = next(b for b in app.selectbox if b.label == "What does the clinic need?")
    box.set_value("sensitivity").run()
    button = next(b for b in app.button if b.label.startswith("Let Predict alarm from"))
    button.click().run()
    check(app)
    assert any("Predict alarms from a risk of" in info.value for info in app.info)
    deployed = open_run(run.folder)
    config = change_config(run.config, {"evaluate.threshold": "sensitivity"})
    thresholds = judge_rows(read_predictions(run.folder), "model", config).thresholds
    assert deployed.threshold == thresholds[-1] != trained
    said = predict_patient(deployed, {"age": 60, "marker": 0})
    assert said["threshold"] == deployed.threshold
    assert "at least 90 of 100 validation patients" in said["needs"]["yes"]
    assert "as chosen on Results" in next(say_needs(deployed))
    assert open_run(run.folder, trained=True).threshold == trained
    next(b for b in app.button if b.label == "Back to the one of training").click().run()
    check(app)
    assert open_run(run.folder).threshold == trained


def test_with_folds_each_site_keeps_its_own_threshold(visit):
    assert "each of the 3 folds has its own" in words(visit("sites", "threshold"))


def test_a_column_with_too_many_values_is_a_sentence_and_dates_are_periods(visit):
    app = visit("sites", "whom")
    box = next(b for b in app.selectbox if b.label == "Divide the test patients by")
    box.set_value("doctor").run()
    check(app)
    assert any("90 different values" in info.value for info in app.info)
    box = next(b for b in app.selectbox if b.label == "Divide the test patients by")
    box.set_value("seen").run()
    check(app)
    assert {"2019", "2020", "2021"} <= set(table_with(app, "Group")["Group"])


def test_classes_with_an_order_have_their_table_and_kappa(visit):
    app = visit("ordered")
    table = table_with(app, "Called so")
    assert table["Class"].tolist() == ["high", "low", "middle"]
    assert {"Recall (sensitivity)", "F1", "AUROC", "ECE"} <= set(table)
    assert "Quadratic kappa: 0." in words(app)


@pytest.mark.parametrize("case", [case for case in OWN if case != "findings"])
def test_results_say_how_often_sets_held_what_happened(visit, case):
    app = visit(case, "whom")
    assert "How sure is it of one patient?" in words(app)
    assert table_with(app, "Promise made for")["Promise made for"].tolist() == [
        "All patients alike", "Each class by itself",
    ]  # fmt: skip


def test_a_patients_answer_says_how_plausible_each_class_is(kept):
    run = kept[2]["later"]
    deployed = open_run(run.folder)
    reference = deployed.model.reference
    patients = len(reference.outcome)
    said = [predict_patient(deployed, {"age": 60, "marker": m}) for m in (-3, 0, 3)]
    for answer in said:
        assert answer["plausible"]["patients"] == patients
        assert all(1 / (patients + 1) <= p <= 1 for p in answer["plausible"]["overall"])
    yes = [answer["plausible"]["overall"][1] for answer in said]
    assert yes == sorted(yes)
    assert yes[0] < 0.1 < yes[2]


def answered(plausible, coverage=0.9, task="binary"):
    def page(plausible, coverage, task):
        from medcore.records import Column
        from pages.parts.certainty import show_answers

        said = {
            "task": task, "classes": ["no", "yes"], "plausible": plausible,
            "coverage": coverage,
        }  # fmt: skip
        show_answers(Column("ill", "category", "outcome"), said)

    app = AppTest.from_function(
        page, kwargs={"plausible": plausible, "coverage": coverage, "task": task}
    )
    app.run()
    assert not app.exception
    return app


def known(values, patients=200):
    return {
        "overall": values, "by_class": values, "patients": patients,
        "patients_by_class": [patients // 2, patients // 2],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.03, 0.8], "**ill = yes** is the only answer"),
        ([0.4, 0.5], "**no or yes**: at this promise the model cannot tell"),
        ([0.02, 0.05], "**None**: this patient resembles nobody"),
    ],
)
def test_the_form_gives_one_answer_several_or_none(values, said):
    assert said in words(answered(known(values)))


def test_the_form_gives_a_set_for_each_of_several_findings(kept):
    run = kept[2]["findings"]
    deployed = open_run(run.folder)
    answer = predict_patient(deployed, {"fluid": 4, "swelling": -4, "shade": 0, "age": 60})
    has = np.asarray(deployed.model.reference.outcome)
    for place, name in enumerate(answer["classes"]):
        told = answer["plausible"][name]
        assert told["patients"] == np.isfinite(has[:, place]).sum() < len(has)
        assert told["patients_by_class"] == [(has[:, place] == 0).sum(), (has[:, place] == 1).sum()]
    absent, present = answer["plausible"]["effusion"]["by_class"]
    assert present > 0.3 > absent
    assert answer["plausible"]["oedema"]["by_class"][1] < 0.3

    plausible = {"oedema": known([0.7, 0.02]), "effusion": known([0.03, 0.8]),
                 "nodule": known([0.4, 0.5]), "shade": known([0.01, 0.02])}  # fmt: skip
    app = answered(plausible, task="multilabel")
    assert app.dataframe[0].value.to_dict("list") == {
        "Finding": ["effusion", "nodule", "shade", "oedema"],
        "Does the patient have it?": [
            "yes", "yes or no: the model cannot tell",
            "neither: like nobody the model was tried on", "no",
        ],
    }  # fmt: skip
    assert "that all sets of a patient are right at once is not promised" in words(app)


def test_results_say_of_each_finding_what_came_of_the_promise(visit):
    app = visit("findings", "whom")
    assert "How sure is it of each finding?" in words(app)
    table = table_with(app, "Of those with it")
    assert table["Finding"].tolist() == ["effusion", "oedema", "nodule"]


def test_a_higher_promise_needs_more_answers():
    app = answered(known([0.07, 0.8]))
    assert "only answer" in words(app)
    app.select_slider[0].set_value(0.95).run()
    assert "cannot tell" in words(app)


def test_what_few_patients_cannot_promise_is_not_offered():
    app = answered(known([0.3, 0.8], patients=30))
    assert app.select_slider[0].options[-1] == "95% of patients"
    assert "at most 96.8% can be promised" in words(app)
    app.toggle[0].set_value(True).run()
    assert app.select_slider[0].options[-1] == "90% of patients"
    assert "Too few patients" in words(answered(known([0.3, 0.8], patients=2)))
    assert certainty.COVERAGES[-1] == 0.99


def test_findings_stand_in_a_table_and_one_is_looked_at_closely(visit):
    app = visit("findings")
    assert "Of 100 findings that are there, among 3 asked about" in words(app)
    table = table_with(app, "Finding")
    assert table["Finding"].tolist() == ["effusion", "oedema", "nodule"]
    assert (table["Have it"] < table["Known of"]).all()
    box = next(b for b in app.selectbox if b.label == "Look closely at")
    box.set_value("oedema").run()
    look_at(app, "threshold")
    assert "Of 100 patients with finding = oedema" in words(app)
    found = next(s for s in app.slider if s.label == "Alarm from a risk of").value
    assert found == round(table.set_index("Finding").loc["oedema", "Alarm from"], 3)
    look_at(app, "whom")
    box = next(b for b in app.selectbox if b.label == "Divide the test patients by")
    box.set_value("age").run()
    check(app)
    known = table.set_index("Finding").loc["oedema", "Known of"]
    assert table_with(app, "Group")["Patients"].sum() == known


def test_train_asks_for_several_findings_and_goes_back_to_one():
    workspace = open_workspace(open_home(), None)
    row = save_dataset(workspace, a_findings_table())
    app = open_page("train", workspace=workspace.id, dataset=row.id)
    app.segmented_control(key=f"asked_{row.id}").set_value("several").run()
    check(app)
    assert "Choose the columns that say which findings" in words(app)
    app.multiselect(key=f"findings_{row.id}").set_value(["effusion", "nodule"]).run()
    check(app)
    assert "Predicts 2 findings, each with a risk of its own: effusion, nodule." in words(app)
    roles = load_settings(workspace, row.id).data.roles
    assert [name for name, role in roles.items() if role == "outcome"] == ["effusion", "nodule"]
    app.segmented_control(key=f"asked_{row.id}").set_value("outcome").run()
    check(app)
    roles = load_settings(workspace, row.id).data.roles
    assert list(roles.values()).count("outcome") == 1


def test_findings_in_one_cell_are_divided_at_the_separator():
    table = a_findings_table().frame[["fluid", "age"]].assign(said=["a; b", "b", "none", "a"] * 80)
    workspace = open_workspace(open_home(), None)
    row = save_dataset(workspace, make_dataset(table, "Cells", "cells.csv", "9" * 64))
    app = open_page("train", workspace=workspace.id, dataset=row.id)
    app.segmented_control(key=f"asked_{row.id}").set_value("several").run()
    app.segmented_control(key=f"several_{row.id}").set_value("cells").run()
    app.selectbox(key=f"cells_{row.id}").set_value("said").run()
    check(app)
    assert "Predicts 2 findings, each with a risk of its own: a, b." in words(app)
    assert load_settings(workspace, row.id).outcome.separator == ";"
    app.text_input(key=f"separator_{row.id}").set_value("|").run()
    check(app)
    assert any("a; b" in error.value or "finding" in error.value for error in app.error)
