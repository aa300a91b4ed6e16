"""Every page, opened empty, with a data set, and with a finished run of each task."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from medcore.config import RunConfig
from medcore.data import load_sample, make_dataset
from medcore.explanation import ExplainChoice
from medcore.jobs import list_jobs, tending, warm
from medcore.jobs.handlers import HANDLERS, explain
from medcore.laboratory import Choice, MaskChoice
from medcore.records import Watch
from medcore.store import (
    add_job,
    change_job,
    create_run,
    delete_dataset,
    get_run,
    job_of_run,
    list_datasets,
    load_dataset,
    load_settings,
    open_home,
    open_workspace,
    run_folder,
    save_dataset,
    set_run_summary,
)
from medcore.store.home import writing
from medcore.store.tables import runs
from pages.parts.form import walk_fields
from pages.parts.sections import SECTIONS
from tests.finished_runs import CASES, finish_run, keep_case

ROOT = Path(__file__).parents[1]
PAGES = [name for entries in SECTIONS.values() for name, _, _ in entries]


@pytest.fixture(autouse=True)
def _server_knows_the_navigation(monkeypatch):
    """Each run of a test takes itself for a server's first and would pass the entry file by."""
    made = PagesManager.__init__

    def make(self, *arguments, **options):
        made(self, *arguments, **options)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", make)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A home with a finished run of each task, made once."""
    folder = tmp_path_factory.mktemp("pages") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(folder))
        workspace = open_workspace(open_home(), None)
        runs = {case: finish_run(workspace, case) for case in CASES}
    return folder, workspace.id, {case: (run.dataset, run.id) for case, run in runs.items()}


@pytest.fixture
def open_case(kept, tmp_path, monkeypatch):
    """Open a page with a case in use, in a copy of the home."""
    folder, token, cases = kept
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    monkeypatch.setenv("MEDCORE_HOME", str(copy))

    def open_it(page: str, case: str, view: str = "good") -> AppTest:
        dataset, run = cases[case]
        app = open_page(page, workspace=token, dataset=dataset, run=run)
        return app if view == "good" else look_at(app, view)

    return open_it


def open_page(page: str, **address: str) -> AppTest:
    """Run the entry file at a page's address."""
    st.cache_resource.clear()
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    if page != "home":
        app.switch_page(f"pages/{page}.py").run()
    check(app)
    return app


def look_at(app: AppTest, view: str) -> AppTest:
    """Choose a view of Results."""
    app.segmented_control(key="results_view").set_value(view).run()
    check(app)
    return app


def check(app: AppTest) -> None:
    """Hold that a page ended neither in an exception nor in the sentence that stands for one."""
    assert not app.exception
    assert not [e.value for e in app.error if "did not foresee" in e.value]


def in_address(app: AppTest, name: str) -> str:
    """Return what the address says, which is a list once a page has written it."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def words(app: AppTest) -> str:
    """Return everything a visitor reads on the page."""
    titles, messages = (app.title, app.header, app.subheader), (app.info, app.warning)
    kinds = (*titles, app.markdown, app.caption, *messages, app.error, app.success)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_page_says_what_is_missing(page):
    app = open_page(page)
    assert app.title
    if page not in ("home", "workspace", "data"):
        assert app.info


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_a_finished_run_opens(open_case, page, case):
    app = open_case(page, case)
    assert app.title
    if page in ("results", "predict", "validate", "report"):
        assert "Research use. Not a medical device." in words(app)


@pytest.mark.parametrize("page", ["home", "data", "checks", "train"])
def test_a_page_with_data_and_no_run_opens(page):
    workspace = open_workspace(open_home(), None)
    row, _ = keep_case(workspace, "binary")
    app = open_page(page, workspace=workspace.id, dataset=row.id)
    assert not app.error


def test_home_names_each_sample_and_a_click_takes_it_into_use():
    app = open_page("home")
    app.button(key="sample_heart_failure").click().run()
    check(app)
    assert app.query_params["dataset"]
    assert app.title[0].value == "Heart failure, 299 patients"


def test_an_unknown_workspace_is_a_sentence_and_a_way_out():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    st.cache_resource.clear()
    app.query_params["workspace"] = "f" * 32
    app.run()
    assert "does not exist" in app.error[0].value
    app.button[0].click().run()
    check(app)
    assert not app.error


def test_results_lead_with_the_sentence_and_three_figures(open_case):
    app = open_case("results", "binary")
    assert "this model finds" in words(app)
    labels = [metric.label for metric in app.metric]
    assert labels[:3] == ["Recall (sensitivity)", "Accuracy", "F1"]


def test_the_threshold_moves_the_figures_and_goes_back(open_case):
    app = open_case("results", "binary", "threshold")
    before = {metric.label: metric.value for metric in app.metric[3:]}
    slider = app.slider[0]
    chosen = slider.value
    slider.set_value(1.0).run()
    check(app)
    after = {metric.label: metric.value for metric in app.metric[3:]}
    assert (after["Sensitivity (recall)"], after["Specificity"]) == ("0.00", "1.00")
    next(b for b in app.button if b.label.startswith("Back to")).click().run()
    assert app.slider[0].value == chosen
    assert {metric.label: metric.value for metric in app.metric[3:]} == before


def test_at_the_frozen_threshold_the_slider_agrees_with_the_judgement(open_case):
    app = open_case("results", "binary", "threshold")
    leading = {metric.label: metric.value for metric in app.metric[:3]}
    moved = {metric.label: metric.value for metric in app.metric[3:]}
    assert leading["Recall (sensitivity)"] == moved["Sensitivity (recall)"]


@pytest.mark.parametrize(("case", "column"), [("binary", "sex"), ("regression", "age")])
def test_results_tell_for_whom_the_model_works(open_case, case, column):
    app = open_case("results", case, "whom")
    box = next(box for box in app.selectbox if box.label == "Divide the test patients by")
    box.select(column).run()
    check(app)
    groups = next(frame.value for frame in app.dataframe if "Group" in frame.value)
    judged = re.search(r"Judged on ([\d,]+) test patients", words(app))
    assert groups["Patients"].sum() == int(judged.group(1).replace(",", ""))
    assert "Whether a model is fair" in words(app)


def test_results_show_what_strategies_did_to_the_risks(open_case):
    app = open_case("results", "strategies", "numbers")
    check(app)
    assert "Training with random over-sampling" in words(app)
    frames = [frame.value for frame in app.dataframe]
    risks = next(f for f in frames if "Before" in f).set_index("Figure")
    prevalence = float(re.search(r"([\d.]+)% of test patients", words(app)).group(1)) / 100
    before, after = (
        float(risks.loc["Mean predicted risk", side].split()[0]) for side in ("Before", "After")
    )
    assert before > 2 * prevalence
    assert after == pytest.approx(prevalence, abs=0.06)
    joined = next(f for f in frames if "Missing information" in f)
    assert "AUROC" in set(joined["Figure"])
    assert "filled in 2 plausible ways" in words(app)


def compare_strategies(open_case, case: str, choice: Choice | MaskChoice, **changes) -> AppTest:
    """Open the Laboratory with a comparison that has ended."""
    kind = "masking" if isinstance(choice, MaskChoice) else "laboratory"
    app = open_case("laboratory", case)
    workspace = open_workspace(open_home(), in_address(app, "workspace"))
    dataset = in_address(app, "dataset")
    config = load_settings(workspace, dataset)
    job = start_job(workspace, kind, dataset, config, choice)
    assert change_job(workspace.home, job.id, ("queued",), state="running")
    if not changes:
        changes = {"state": "finished", "result": HANDLERS[kind](workspace, job, Watch())}
    assert change_job(workspace.home, job.id, ("running",), **changes)
    app.run()
    check(app)
    return app


def start_job(workspace, kind: str, dataset: str, config: RunConfig, choice: Choice | MaskChoice):
    payload = {"dataset": dataset, "config": config.model_dump(mode="json")}
    return add_job(workspace, kind, payload | {"choice": choice.values()})


def test_the_laboratory_tells_what_its_figures_support(open_case):
    choice = Choice(("median", "knn"), ("none", "focal"), "logistic", 2)
    app = compare_strategies(open_case, "strategies", choice)
    assert "By AUROC" in words(app)
    assert "The outcome is rare" in words(app)
    table = next(f.value for f in app.dataframe if "Not fitted because" in f.value)
    assert len(table) == 4
    assert table["Not fitted because"].str.contains("network").sum() == 2
    picked = next(box for box in app.selectbox if box.label == "Combination")
    picked.select(picked.options[1]).run()
    app.button(key="use_cell").click().run()
    check(app)
    workspace = open_workspace(open_home(), in_address(app, "workspace"))
    kept = load_settings(workspace, in_address(app, "dataset"))
    assert kept.missing.strategy == "knn"


def test_a_laboratory_of_a_number_and_one_of_many_classes_open(open_case):
    choice = Choice(("median", "mean"), ("none",), "logistic", 2)
    for case in ("regression", "multiclass"):
        app = compare_strategies(open_case, case, choice)
        assert next(f.value for f in app.dataframe if "Combination" in f.value).shape[0] == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "failed", "error": "Memory ran out."}, "Memory ran out."),
        ({"state": "stopped"}, "goes on from there"),
    ],
)
def test_a_laboratory_that_did_not_finish_says_so(open_case, changes, said):
    choice = Choice(("median",), ("none",), "logistic", 2)
    assert said in words(compare_strategies(open_case, "binary", choice, **changes))


def bring_newcomers(app: AppTest, case: str, change) -> AppTest:
    """Keep a changed copy of a case's table, and choose it on Validate."""
    workspace = open_workspace(open_home(), in_address(app, "workspace"))
    frame = CASES[case][0]().frame.copy()
    save_dataset(workspace, make_dataset(change(frame), "Elsewhere", "new.csv", "9" * 64))
    app.run()
    box = next(box for box in app.selectbox if box.label == "New patients")
    box.select(next(name for name in box.options if name == "Elsewhere")).run()
    check(app)
    return app


def finish_job(app: AppTest, kind: str) -> AppTest:
    """Do the work of the newest waiting job of a kind, as a worker would."""
    workspace = open_workspace(open_home(), in_address(app, "workspace"))
    job = list_jobs(workspace, kind=kind)[0]
    result = HANDLERS[kind](workspace, job, Watch())
    assert change_job(workspace.home, job.id, ("running",), state="finished", result=result)
    app.run()
    check(app)
    return app


@pytest.fixture
def no_workers(monkeypatch):
    monkeypatch.setattr(tending, "start_worker", lambda home, job: None)


def test_a_unit_is_asked_about_and_the_model_then_judged_elsewhere(open_case, no_workers):
    app = open_case("validate", "binary")
    bring_newcomers(
        app, "binary", lambda t: t.assign(serum_creatinine=t["serum_creatinine"] * 88.42)
    )
    assert "in µmol/L instead of mg/dL" in words(app)
    assert app.button(key="validate").disabled
    answer = next(box for box in app.radio if "serum_creatinine" in box.key)
    assert answer.value is None
    answer.set_value(answer.options[0].removeprefix("Convert: ")).run()
    assert "converted as agreed" in words(app)
    app.button(key="validate").click().run()
    check(app)
    finish_job(app, "validate")
    read = words(app)
    assert "On Elsewhere" in read
    assert "this model finds" in read
    assert "An updated model, reported apart" in read
    changes = next(f.value for f in app.dataframe if "In development" in f.value)
    assert {"Recall (sensitivity)", "AUROC"} <= set(changes["Figure"])
    again = open_case("validate", "binary")
    assert "On Elsewhere" in words(again)


@pytest.mark.parametrize("case", ["regression", "multiclass", "folds"])
def test_models_of_every_task_are_judged_elsewhere(open_case, no_workers, case):
    app = bring_newcomers(open_case("validate", case), case, lambda t: t.iloc[::2])
    app.button(key="validate").click().run()
    finish_job(app, "validate")
    assert "On Elsewhere" in words(app)
    assert ("reported apart" in words(app)) == (case != "multiclass")


def test_newcomers_without_an_outcome_are_refused_in_a_sentence(open_case):
    app = open_case("validate", "binary")
    bring_newcomers(app, "binary", lambda t: t.drop(columns="death"))
    assert "no column 'death'" in app.error[0].value
    assert not [b for b in app.button if b.key == "validate"]


@pytest.mark.parametrize("page", ["checks", "train"])
def test_a_page_before_training_says_whether_there_are_enough_patients(open_case, page):
    read = words(open_case(page, "binary"))
    assert re.search(r"needs at least [\d,]+ patients by Riley's criteria, and there are 299", read)


def test_results_tell_luck_from_skill_when_asked(open_case, no_workers):
    app = open_case("results", "binary", "trust")
    assert "20 fits" in words(app)
    assert "by Riley's criteria" in words(app)
    app.button(key="start_optimism").click().run()
    check(app)
    assert not [b for b in app.button if b.key == "start_optimism"]
    finish_job(app, "optimism")
    read = words(app)
    for beginning in ("Luck: divided into 5 other test groups", "Optimism:", "More patients:"):
        assert beginning in read
    table = next(f.value for f in app.dataframe if "Corrected for optimism" in f.value)
    assert "AUROC" in set(table["Figure"])


def test_a_model_whose_data_are_gone_keeps_its_results_and_says_so(open_case):
    app = open_case("results", "binary", "trust")
    workspace = open_workspace(open_home(), in_address(app, "workspace"))
    for row in list_datasets(workspace):
        delete_dataset(workspace, row.id)
    app.run()
    check(app)
    assert "was deleted, so it cannot be fitted again on other patients" in words(app)
    assert "this model finds" in words(app)
    assert not [b for b in app.button if b.key == "start_optimism"]


def test_results_show_the_leakage_certificate_with_its_evidence(open_case):
    app = open_case("results", "binary", "trust")
    read = words(app)
    assert "No sign that the model saw what it was judged on." in read
    assert "1 question that the data leave open." in read
    assert read.count(":green[:material/check_circle:]") == 7
    assert "no column names the patient" in read
    steps = next(f.value for f in app.dataframe if "Most rows seen" in f.value)
    assert {"scaling and encoding", "threshold"} <= set(steps["Step"])
    assert not steps["Test rows"].any()


def test_present_is_clean_and_ends(open_case):
    app = open_case("results", "binary", "threshold")
    app.button(key="present_on").click().run()
    check(app)
    assert not app.slider
    assert not app.sidebar.markdown
    app.button(key="present_off").click().run()
    assert app.segmented_control(key="results_view").value == "good"


def test_accepting_a_suggestion_and_undoing_it_changes_the_findings():
    workspace = open_workspace(open_home(), None)
    row = save_dataset(workspace, load_sample("uci_heart"))
    app = open_page("checks", workspace=workspace.id, dataset=row.id)
    before = words(app)
    accept = next(b for b in app.button if (b.key or "").startswith("accept_"))
    accept.click().run()
    check(app)
    assert "You agreed to" in words(app)
    app.button(key="undo_0").click().run()
    assert words(app) == before


def test_a_preset_sets_what_the_form_shows(open_case):
    app = open_case("train", "binary")
    effort = next(group for group in app.button_group if group.label == "Effort")
    effort.set_value("thorough").run()
    check(app)
    epochs = next(field for field in app.number_input if field.label == "Epochs")
    assert epochs.value == 100


def test_what_is_entered_on_train_is_there_when_one_comes_back(open_case):
    app = open_case("train", "binary")
    next(f for f in app.number_input if f.label == "Epochs").set_value(7).run()
    app.switch_page("pages/data.py").run()
    app.switch_page("pages/train.py").run()
    check(app)
    assert next(f for f in app.number_input if f.label == "Epochs").value == 7


def keep_scores():
    """Keep a table without an outcome, one column of which has a few whole values."""
    workspace = open_workspace(open_home(), None)
    steps = range(60)
    table = pd.DataFrame(
        {
            "dose": [0.5 * i for i in steps],
            "age": [30 + i / 3 for i in steps],
            "score": [i % 5 for i in steps],
        }
    )
    row = save_dataset(workspace, make_dataset(table, "Scores", "scores.csv", "2" * 64))
    return workspace, row


def test_the_outcome_is_chosen_on_train_and_few_whole_values_may_be_classes_or_a_number():
    workspace, row = keep_scores()
    app = open_page("train", workspace=workspace.id, dataset=row.id)
    app.selectbox[0].select("score").run()
    check(app)
    assert "Predicts 5 classes" in words(app)
    kept = load_settings(workspace, row.id)
    assert kept.data.roles["score"] == "outcome"
    choice = next(group for group in app.button_group if "whole values" in group.label)
    choice.set_value("a number").run()
    check(app)
    assert "Predicts a number" in words(app)
    assert load_settings(workspace, row.id).task == "regression"
    app.selectbox[0].select("dose").run()
    assert load_settings(workspace, row.id).task is None


def test_training_without_an_outcome_is_refused_in_a_sentence():
    workspace, row = keep_scores()
    app = open_page("train", workspace=workspace.id, dataset=row.id)
    app.button(key="train").click().run()
    assert "No outcome is chosen" in app.error[0].value


def test_a_table_in_which_nothing_can_be_an_outcome_says_what_to_bring():
    workspace = open_workspace(open_home(), None)
    days = pd.date_range("2020-01-01", periods=30)
    table = pd.DataFrame({"seen": days, "left": days[::-1]})
    row = save_dataset(workspace, make_dataset(table, "Dates", "dates.csv", "3" * 64))
    app = open_page("data", workspace=workspace.id, dataset=row.id)
    assert "No column can be an outcome. Bring a table" in app.info[0].value


def test_training_the_same_again_offers_the_run_that_is_there(open_case, kept):
    app = open_case("train", "binary")
    app.button(key="train").click().run()
    check(app)
    assert "You trained this before" in words(app)
    app.button(key="open_cached").click().run()
    check(app)
    assert app.title[0].value == "A binary model"


def test_compare_tells_which_settings_differ_and_whether_the_difference_is_real(open_case):
    app = open_case("compare", "binary")
    tables = [frame.value for frame in app.dataframe]
    difference = next(table for table in tables if "What it says" in table)
    assert "DeLong's paired test of the two AUROCs: p" in words(app)
    assert set(difference["What it says"]) <= {
        "Not distinguishable", "A binary model is better", "A rival model is better",
        "undefined for these patients",
    } or difference["What it says"].str.contains("resamples").any()  # fmt: skip
    assert "auroc".upper() in set(difference["Metric"])
    settings = next(table for table in tables if "Setting" in table)
    assert "Model" in set(settings["Setting"])
    names = [box.value for box in app.selectbox[-2:]]
    assert names[0] != names[1]
    by = set(difference.loc[difference["Metric"] == "AUROC", "Interval by"])
    assert by == {"DeLong 1988"}


def test_compare_lists_the_best_first_and_leads_its_settings_to_a_figure(open_case):
    app = open_case("compare", "binary")
    board = app.dataframe[0].value
    assert set(board["Model"]) == {"A binary model", "A rival model"}
    assert board["AUROC"].is_monotonic_decreasing
    assert board["AUROC: interval"].str.contains(" to ").all()
    settings = next(f.value for f in app.dataframe if "Name" in f.value)
    assert set(settings["Model"]) == {"Neural network (MLP)", "Logistic regression"}
    assert settings["AUROC"].tolist() == board["AUROC"].tolist()
    app.selectbox(key="settings_figure").select("brier").run()
    check(app)
    curves = [set(f.value["model"]) for f in app.dataframe if "model" in f.value]
    assert len(curves) == 3
    assert all(named == set(board["Model"]) for named in curves)


@pytest.mark.parametrize("case", ["multiclass", "regression"])
def test_compare_overlays_the_curves_of_each_task_and_tells_equal_names_apart(
    open_case, kept, case
):
    app = open_case("compare", case)
    copy_run(kept, case)
    app.run()
    check(app)
    names = {f"A {case} model", f"A {case} model (2)"}
    assert set(app.dataframe[0].value["Model"]) == names
    curves = [set(f.value["model"]) for f in app.dataframe if "model" in f.value]
    assert curves
    assert all(named == names for named in curves)
    pair = next(f.value for f in app.dataframe if "What it says" in f.value)
    assert (pair["Difference"].dropna() == 0).all()
    assert "trained with the same settings" in words(app)
    if case == "multiclass":
        app.selectbox(key="compare_within").select("high").run()
        check(app)


def test_compare_says_which_model_cannot_be_read(open_case, kept):
    app = open_case("compare", "binary")
    workspace = open_workspace(open_home(), kept[1])
    (run_folder(workspace, kept[2]["rival"][1]) / "evaluation.json").unlink()
    st.cache_data.clear()
    app.run()
    check(app)
    assert any("“A rival model”" in element.value for element in app.warning)


def copy_run(kept, case):
    """Judge the same run once more, under the same name."""
    workspace = open_workspace(open_home(), kept[1])
    run = get_run(workspace, kept[2][case][1])
    again = create_run(workspace, run.config, run.dataset, run.name, "again")
    shutil.rmtree(again.folder)
    shutil.copytree(run.folder, again.folder)
    set_run_summary(workspace, again.id, run.summary)
    with writing(workspace.home) as connection:
        connection.execute(runs.update().where(runs.c.id == again.id).values(state="finished"))


def test_compare_with_one_model_asks_for_a_second(open_case):
    app = open_case("compare", "regression")
    assert "second model" in words(app)


def test_deleting_asks_once_and_names_what_goes(open_case, kept):
    app = open_case("workspace", "binary")
    dataset, run = kept[2]["binary"]
    tables = {table for table, _ in kept[2].values()}
    for key, named in (
        (f"delete_{run}", "“A binary model”"),
        (f"delete_data_{dataset}", "299 rows"),
        ("delete_workspace", f"{len(tables)} data sets and {len(kept[2])} models"),
    ):
        app.button(key=key).click().run()
        check(app)
        question = words(app)
        assert "gone for good" in question
        assert named in question


def test_a_run_that_failed_says_why_and_offers_a_way_on(open_case, kept):
    app = open_case("train", "binary")
    workspace = open_workspace(open_home(), kept[1])
    job = job_of_run(workspace, kept[2]["binary"][1])
    change_job(workspace.home, job.id, ("finished",), state="failed", error="Memory ran out.")
    app.run()
    check(app)
    assert "Memory ran out." in words(app)
    assert app.button(key="train_again")
    app.switch_page("pages/results.py").run()
    assert "nothing to judge" in words(app)


def test_an_error_nobody_foresaw_is_a_sentence_and_goes_to_the_log(open_case, monkeypatch, caplog):
    app = open_case("home", "binary")
    monkeypatch.setattr("medcore.store.list_datasets", None)
    app.run()
    assert not app.exception
    assert "did not foresee" in app.error[0].value
    assert "TypeError" in caplog.text


def test_the_laboratory_tells_how_well_gaps_are_filled(open_case):
    app = compare_strategies(open_case, "strategies", MaskChoice(("mean", "knn"), "related"))
    assert "With 50% hidden, " in words(app)
    assert "Learned from" in words(app)
    columns = next(f.value for f in app.dataframe if "Nearest neighbours" in f.value)
    assert set(columns.index) <= {"age", "lactate", "ward"}


@pytest.fixture
def ask_here(monkeypatch):
    """Let the page's questions be answered in this process, as the warm one would."""

    def ask(home, request, timeout=60):
        answer = warm._answer(request)
        assert "answer" in answer, answer
        return json.loads(json.dumps(answer["answer"]))

    for module in ("runs", "patient"):
        monkeypatch.setattr(f"pages.parts.{module}.ask", ask)
    monkeypatch.setattr("pages.parts.patient.warm_up", lambda *_: None)


def explain_case(kept, case, **choice):
    """Explain a case's run in the copy of the home that is in use."""
    workspace = open_workspace(open_home(), kept[1])
    job = start_explanation_job(workspace, kept[2][case][1], choice)
    assert explain(workspace, job, Watch())


def start_explanation_job(workspace, run, choice):
    """Put an explanation in the queue that no process takes."""
    values = ExplainChoice(repeats=2, checks=False).values() | choice
    job = add_job(workspace, "explain", values, run, "short")
    change_job(workspace.home, job.id, ("queued",), state="finished")
    return job


def test_explain_offers_to_find_out_and_queues_it(open_case, kept, monkeypatch):
    monkeypatch.setattr("medcore.jobs.tending.start_worker", lambda *_: None)
    app = open_case("explain", "binary")
    assert "explains the model, not the disease" in words(app)
    assert "shuffled among the test patients" in words(app)
    assert "Research use. Not a medical device." in words(app)
    app.button(key="explain").click().run()
    check(app)
    workspace = open_workspace(open_home(), kept[1])
    (job,) = list_jobs(workspace, kind="explain", active_only=True)
    assert (job.run, job.payload) == (kept[2]["binary"][1], ExplainChoice().values())
    app.button(key=f"stop_here_{job.id}").click().run()
    check(app)


@pytest.mark.parametrize("case", ["multiclass", "regression", "strategies"])
def test_explain_shows_what_drives_the_model_and_how(open_case, kept, case):
    app = open_case("explain", case)
    explain_case(kept, case, checks=case == "multiclass")
    app.run()
    check(app)
    text = words(app)
    assert "leans most on" in text or "can be told from zero" in text
    importance = next(f.value for f in app.dataframe if "association within" in f.value)
    assert len(importance) == {"multiclass": 2, "regression": 1, "strategies": 2}[case]
    assert any(box.label == "Column" for box in app.selectbox) or case == "regression"
    if case == "multiclass":
        assert "trained on shuffled outcomes" in text
        box = next(box for box in app.selectbox if box.label == "Class of grade")
        box.select("high").run()
        check(app)
        assert "“high”" in words(app)
    else:
        assert "were not asked for" in text


@pytest.mark.parametrize("case", ["binary", "multiclass", "multilabel", "regression", "survival"])
def test_explain_leads_from_the_average_to_one_patient_and_answers_what_if(
    open_case, ask_here, case
):
    app = open_case("explain", case)
    app.segmented_control(key="explain_view").set_value("patient").run()
    box = next(box for box in app.selectbox if box.label == "Test patient")
    box.select(box.options[0]).run()
    check(app)
    text = words(app)
    assert "where the average training patient gets" in text
    assert "they do." in text
    assert "training patients most like this one" in text
    shares = next(f.value for f in app.dataframe if "share" in f.value)
    before = app.metric[0].value
    assert app.metric[0].delta == ""
    column = shares["column"][0]
    slider = next((s for s in app.slider if s.label.split(" (")[0] == column), None)
    if slider is None:
        widget = next(box for box in app.selectbox if box.label == column)
        widget.select(next(o for o in widget.options if o != widget.value)).run()
    else:
        slider.set_value(slider.min if slider.value != slider.min else slider.max).run()
    check(app)
    assert app.metric[0].value != before


def test_explain_takes_a_patient_of_whom_nothing_is_known(open_case, ask_here):
    app = open_case("explain", "multiclass")
    app.segmented_control(key="explain_view").set_value("patient").run()
    app.segmented_control(key="explain_whom").set_value("form").run()
    next(b for b in app.button if b.label == "Explain").click().run()
    check(app)
    assert "Nothing is known of this patient" in words(app)
    assert "they do." in words(app)


def test_explain_shows_where_a_network_looked_and_which_images_it_takes_for_alike(
    open_case, ask_here
):
    app = open_case("explain", "pictures")
    app.segmented_control(key="explain_view").set_value("image").run()
    check(app)
    said = words(app)
    assert "Where the network looked, not where the disease is." in said
    assert "networks with random weights" in said or "random weights gives a similar map" in said
    assert "Of the 5 training patients most like this one" in said
    assert said.count("likeness 0.") + said.count("likeness 1.") == 5
    app.slider(key="saliency_opacity").set_value(0.0).run()
    app.selectbox(key="saliency_method").select("occlusion").run()
    check(app)


def test_explain_colours_the_words_of_a_note_that_moved_the_prediction(open_case, ask_here):
    app = open_case("explain", "notes")
    app.segmented_control(key="explain_view").set_value("text").run()
    check(app)
    said = words(app)
    assert "Orange words speak" in said and "Sanity check passed" in said
    assert "The shares add up" in said
    (table,) = (f.value for f in app.dataframe if "Share" in f.value)
    assert {"Word", "Share", "Times in the note"} == set(table.columns) and len(table) > 5


def test_predict_takes_a_note_in_a_field_of_its_own(open_case, ask_here):
    app = open_case("predict", "notes")
    (field,) = app.text_area
    field.set_value("Productive cough with fever. Infiltrate on the film. Слабость 🩺")
    next(b for b in app.button if b.label == "Predict").click().run()
    check(app)
    assert "Risk of place" in words(app)


def test_predict_shows_the_training_images_most_like_a_new_one(open_case, kept, ask_here):
    app = open_case("predict", "pictures")
    workspace = open_workspace(open_home(), kept[1])
    dataset = load_dataset(workspace, kept[2]["pictures"][0])
    cell = dataset.frame["scan"].dropna().iloc[0]
    data = (dataset.media / cell).read_bytes()
    next(f for f in app.file_uploader if f.label == "scan").set_value((cell, data, "image/png"))
    next(b for b in app.button if b.label == "Predict").click().run()
    check(app)
    assert "Training images most like this one" in words(app)
    delete_dataset(workspace, kept[2]["pictures"][0])
    app.run()
    check(app)
    assert "Training images most like this one" not in words(app)
    assert "Risk of place" in words(app)


def test_explain_without_the_table_says_so_and_still_answers_what_if(open_case, kept, ask_here):
    app = open_case("explain", "strategies")
    explain_case(kept, "strategies")
    workspace = open_workspace(open_home(), kept[1])
    delete_dataset(workspace, kept[2]["strategies"][0])
    app.run()
    check(app)
    assert "was deleted" in words(app)
    assert any("association within" in f.value for f in app.dataframe)
    assert not [b for b in app.button if b.key == "explain_again"]
    app.segmented_control(key="explain_view").set_value("patient").run()
    next(b for b in app.button if b.label == "Explain").click().run()
    check(app)
    assert app.metric
    assert "Research use. Not a medical device." in words(app)


def test_checks_show_why_values_may_be_missing_and_what_deleting_costs():
    workspace = open_workspace(open_home(), None)
    row = save_dataset(workspace, load_sample("uci_heart"))
    app = open_page("checks", workspace=workspace.id, dataset=row.id)
    assert "Little's test" in words(app)
    assert "missing not at random" in words(app)
    assert "Leaving out rows would lose" in words(app)
    before = words(app)
    app.slider(key="missing_limit").set_value(50).run()
    check(app)
    assert words(app) != before


def test_the_form_lets_nobody_name_a_file_of_the_server():
    names = [name for name, _ in walk_fields()]
    assert "image.size" in names
    assert "image.weights" not in names
