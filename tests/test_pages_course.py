"""Visits in the browser: the question with its horizon, one patient's course, visits by hand."""

import shutil

import pytest

from medcore.jobs import warm
from medcore.store import load_settings, open_home, open_workspace
from tests.finished_runs import finish_run
from tests.test_pages import _server_knows_the_navigation, check, open_page, words

__all__ = ["_server_knows_the_navigation"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a finished run over visits, made once."""
    folder = tmp_path_factory.mktemp("course") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(folder))
        workspace = open_workspace(open_home(), None)
        run = finish_run(workspace, "course")
    return folder, {"workspace": workspace.id, "dataset": run.dataset, "run": run.id}


@pytest.fixture
def address(made, tmp_path, monkeypatch):
    folder, told = made
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "copy"))
    monkeypatch.setattr(
        "pages.parts.runs.ask", lambda _, request, *__: warm.ANSWERS[request["do"]](request)
    )
    return told


def test_explain_shows_one_patients_course_and_what_moved_it(address):
    app = open_page("explain", **address)
    app.segmented_control(key="explain_view").set_value("course").run()
    check(app)
    chooser = app.selectbox(key=f"course_row_{address['run']}")
    chooser.set_value(chooser.options[0]).run()
    check(app)
    said = words(app)
    assert "Each point knows the visits up to it and none after it." in said
    assert "Integrated gradients" in said and "with usual results at the same visits" in said
    assert "Research use. Not a medical device." in said


def test_predict_asks_for_visits_and_shows_the_risk_after_each(address):
    app = open_page("predict", **address)
    assert "one a row, in any order" in words(app)
    app.button[0].click().run()
    assert "No visit is entered yet" in words(app)
    workspace = open_workspace(open_home(), address["workspace"])
    folder = workspace.folder / "runs" / address["run"]
    visits = [{"month": month, "egfr": egfr} for month, egfr in ((0.0, 60.0), (6.0, 30.0))]
    request = {"run_folder": str(folder), "values": {"age": 60}, "visits": visits}
    app = open_page("predict", **address)
    app.session_state["said_course"] = (address["run"], warm.ANSWERS["predict_course"](request))
    app.run()
    check(app)
    assert "Risk of kidney_failure_within_year = yes" in words(app)
    assert "Each point knows the visits up to it" in words(app)


def test_train_says_what_a_horizon_makes_of_the_visits(address):
    app = open_page("train", **address)
    assert "visits of 90 patients became 90 rows" in words(app)
    place = address["dataset"]
    app.number_input(key=f"horizon_{place}").set_value(12.0).run()
    check(app)
    assert "does not say when it happened" in words(app)
    app.segmented_control(key=f"asked_{place}").set_value("time").run()
    app.selectbox(key=f"event_{place}").set_value("failed").run()
    check(app)
    assert "Risk of: failed within 12 months." in words(app)
    kept = load_settings(open_workspace(open_home(), address["workspace"]), place)
    assert kept.series.horizon == 12.0
    app.selectbox(key=f"index_{place}").set_value("every").run()
    check(app)
    assert "each possible one" in words(app)
