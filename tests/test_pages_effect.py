"""An effect of treatment on pages: asked on Train, told on Results, answered or referred."""

import shutil

import pytest

from medcore.data import load_sample, make_dataset
from medcore.data.trial import draw_trial
from medcore.recipes import learners, nuisance
from medcore.store import open_home, open_workspace, save_dataset
from pages.parts.treatment import ELSEWHERE
from tests.finished_runs import CASES, finish_run
from tests.test_effect_forest import stand_in
from tests.test_pages import _server_knows_the_navigation, check, open_page, words

__all__ = ["_server_knows_the_navigation"]

ASKED = {
    "data.roles": {"patient": "patient", "programme": "treatment", "readmitted": "outcome",
                   "true_effect": "ignored"},
    "split.folds": 3, "evaluate.resamples": 100,
}  # fmt: skip


def a_programme():
    return make_dataset(draw_trial(300, 3), "Programme", "programme.csv", "8" * 64)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A home with two judged effects and the sample as it comes."""
    folder = tmp_path_factory.mktemp("effect") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(folder))
        patch.setattr(nuisance, "MEMBERS", ("logistic",))
        patch.setattr(learners, "EFFECT_MEMBERS", ("prevalence", "logistic"))
        workspace = open_workspace(open_home(), None)
        patch.setitem(CASES, "effect", (a_programme, ASKED))
        patch.setitem(
            CASES,
            "other",
            (a_programme, ASKED | {"model.name": "t_learner", "effect.causal_forest": True}),
        )
        stand_in(patch)
        runs = {case: finish_run(workspace, case) for case in ("effect", "other")}
        sample = save_dataset(workspace, load_sample("programme"))
        return folder, workspace.id, runs, sample.id


@pytest.fixture
def visit(kept, monkeypatch):
    folder, token, runs, _ = kept
    monkeypatch.setenv("MEDCORE_HOME", str(folder))

    def open_it(page, case="effect"):
        return open_page(page, workspace=token, dataset=runs[case].dataset, run=runs[case].id)

    return open_it


def test_results_go_from_the_question_to_what_can_be_claimed(visit):
    app = visit("results")
    headings = [heading.value for heading in app.subheader]
    wanted = ["The question", "Can the two groups be compared?", "The effect on average",
              "Who benefits?", "Does it hold?", "What can be claimed"]  # fmt: skip
    assert headings[: len(wanted)] == wanted
    read = words(app)
    assert "programme = yes" in read and "Research use. Not a medical device." in read
    assert "association" in read and "Placebo test" in read and "E-value" in read
    figures = next(f.value for f in app.dataframe if "Figure" in f.value)
    assert {"Average effect", "Crude difference", "Qini"} <= set(figures["Figure"])


def test_results_hold_the_model_against_a_causal_forest_in_one_table(visit):
    app = visit("results", "other")
    table = next(f.value for f in app.dataframe if "Calibration slope" in f.value)
    assert table.iloc[:, 0].tolist() == [
        "T-learner (an outcome model each arm)", "Causal forest (econml)"
    ]  # fmt: skip
    assert list(table)[1:3] == ["Average effect per 100", "Qini per 100"]
    assert table.map(lambda cell: " to " in cell).iloc[:, 1:].all(axis=None)
    assert "comparison only" in words(app)
    assert not any("Calibration slope" in f.value for f in visit("results").dataframe)


def test_a_meeting_sees_the_effect_without_the_certificate(visit):
    app = visit("results")
    app.button(key="present_on").click().run()
    check(app)
    assert "The effect on average" in words(app) and "too good" not in words(app)


@pytest.mark.parametrize("page", ["explain", "validate"])
def test_pages_that_cannot_answer_say_where_the_answer_stands(visit, page):
    assert ELSEWHERE[page] in words(visit(page))


def test_two_learners_stand_side_by_side(visit):
    app = visit("compare")
    board = next(f.value for f in app.dataframe if "Qini" in f.value)
    assert len(board) == 2
    pair = next(f.value for f in app.dataframe if len(f.value) == 3)
    assert "Qini" in pair.iloc[:, 0].tolist()


def test_the_report_page_offers_a_report(visit):
    assert visit("report").text_area


def test_train_asks_for_the_effect_of_a_sample_that_has_a_treatment(kept, monkeypatch):
    folder, token, _, sample = kept
    monkeypatch.setenv("MEDCORE_HOME", str(folder))
    app = open_page("train", workspace=token, dataset=sample)
    read = words(app)
    assert "judged by models that did not learn from them" in read
    assert "Every input must have been known before treatment" in read
    assert app.selectbox(key=f"treatment_{sample}").value == "programme"
    models = next(box for box in app.selectbox if box.label == "Model").options
    assert any("TARNet" in name for name in models)
    assert not any("TabM" in name for name in models)


def test_the_laboratory_says_where_effects_are_compared(kept, monkeypatch):
    folder, token, _, sample = kept
    monkeypatch.setenv("MEDCORE_HOME", str(folder))
    app = open_page("laboratory", workspace=token, dataset=sample)
    assert "for the effect of a treatment, train runs that differ" in words(app)


def test_leaving_the_question_of_effect_makes_the_treatment_an_input(kept, tmp_path, monkeypatch):
    folder, token, _, sample = kept
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "copy"))
    app = open_page("train", workspace=token, dataset=sample)
    app.segmented_control(key=f"asked_{sample}").set_value("outcome").run()
    check(app)
    models = next(box for box in app.selectbox if box.label == "Model").options
    assert any("TabM" in name for name in models) and not any("TARNet" in name for name in models)
