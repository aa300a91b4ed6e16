"""The Report page: one click, what the report says in short, its files, what is left to say."""

import shutil

import pytest

from medcore.jobs import job_of_run, list_jobs, wait
from medcore.report import author_words, read_summary, write_report
from medcore.store import open_home, open_workspace
from tests.finished_runs import finish_run
from tests.test_pages import _server_knows_the_navigation, check, open_page, words

__all__ = ["_server_knows_the_navigation"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A home with one finished run, made once."""
    folder = tmp_path_factory.mktemp("report_page") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(folder))
        workspace = open_workspace(open_home(), None)
        return folder, workspace.id, finish_run(workspace, "rival")


@pytest.fixture
def visit(kept, tmp_path, monkeypatch):
    """A copy of the home that a test may change: the run's folder, and how to open the page."""
    folder, token, run = kept
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    monkeypatch.setenv("MEDCORE_HOME", str(copy))
    own = copy / run.folder.relative_to(folder)
    return own, lambda: open_page("report", workspace=token, dataset=run.dataset, run=run.id)


def test_before_the_first_report_there_is_a_question_and_a_button(visit):
    app = visit[1]()
    assert app.text_area[0].label == "What is this model meant for?"
    assert app.button(key="write_report").label == "Write the report"
    assert not app.subheader


def test_one_click_writes_the_report_with_the_intended_use_and_offers_its_files(visit):
    folder, open_it = visit
    app = open_it()
    app.text_area[0].set_value("Research on follow-up.").run()
    assert author_words(folder).intended_use == "Research on follow-up."
    app.button(key="write_report").click().run()
    check(app)
    workspace = open_workspace(open_home(), app.query_params["workspace"])
    job = next(job for job in list_jobs(workspace) if job.kind == "report")
    done = wait(workspace, job.id, timeout=120)
    assert done.state == "finished", done.error
    app.run()
    check(app)
    text = words(app)
    assert "real rows, onnxruntime differs" in text
    assert "need you" in text
    assert "Of 100 patients with death = yes" in text
    assert "Research on follow-up." in (folder / "report" / "report.html").read_text()
    assert set(done.result["files"]) >= {"report.html", "model_card.md", "model.onnx"}
    assert job_of_run(workspace, job.run).kind == "run"


def test_what_is_left_to_say_is_a_list_and_an_absent_use_is_told(visit):
    folder, open_it = visit
    write_report(folder, folder / "report")
    app = open_it()
    check(app)
    assert "The report says that its intended use is not reported" in words(app)
    table = next(f.value for f in app.dataframe if "Still to say" in f.value)
    left = {row["item"] for row in read_summary(folder / "report")["open"]}
    assert set(table["Item"]) == left - {"3b"}
    assert {"17", "25", "3a"} <= set(table["Item"])


def test_a_summary_of_another_version_counts_as_no_report(visit):
    folder, open_it = visit
    write_report(folder, folder / "report")
    (folder / "report" / "summary.json").write_text('{"files": []}')
    app = open_it()
    check(app)
    assert not app.subheader


def test_a_report_of_an_earlier_judgement_is_called_so(visit):
    folder, open_it = visit
    write_report(folder, folder / "report")
    evaluation = folder / "evaluation.json"
    evaluation.write_text(evaluation.read_text() + " ")
    assert "judged again since" in words(open_it())
