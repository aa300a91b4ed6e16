"""The report says what the run says, to the digit, and nothing that the run does not know."""

import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from medcore.data import load_sample
from medcore.errors import StoreError
from medcore.evaluate import label_metric, read_evaluation, write_difference, write_headline
from medcore.explanation.plan import ExplainChoice
from medcore.explanation.work import explain_run
from medcore.optimism.plan import Effort
from medcore.optimism.words import write_findings
from medcore.optimism.work import find_optimism
from medcore.records import Watch
from medcore.report import (
    author_words,
    claim,
    keep_author_words,
    read_summary,
    report_is_current,
    tripod,
    write_report,
)
from medcore.report.checklist import ABSENT, Item, answer_items, write_csv
from medcore.report.facts import read_facts
from medcore.report.numbers import look_up, point, write_value
from medcore.store import local_workspace, open_home, write_json
from tests.finished_runs import finish_run
from tests.report_pages import Page, wrong_card_numbers, wrong_numbers

CASES = ("rival", "folds", "strategies", "multiclass", "regression", "survival")
USE = 'To plan follow-up of adults; not for "children" & <b>not</b> alone.'


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run of each task with its report, made once: (run's folder, report's folder) by case."""
    base = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(base / "home"))
        workspace = local_workspace(open_home())
        folders = {}
        for case in CASES:
            run = finish_run(workspace, case).folder
            write_report(run, base / case, intended_use=USE if case == "strategies" else None)
            folders[case] = run, base / case
    return folders


@pytest.fixture(params=CASES)
def case(request, written):
    """One case's run and report."""
    run, report = written[request.param]
    return request.param, run, report


@pytest.fixture
def copied(written, tmp_path):
    """A run's folder that a test may change, and a place for its report."""

    def copy(name):
        shutil.copytree(written[name][0], tmp_path / "run")
        return tmp_path / "run", tmp_path / "out"

    return copy


def values_of(run: Path):
    return json.loads((run / "evaluation.json").read_text())


def page_of(report: Path) -> Page:
    return Page((report / "report.html").read_text())


def rows_of(path: Path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def change_json(path: Path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_every_number_of_the_page_is_that_of_the_evaluation(case):
    _, run, report = case
    values, html = values_of(run), (report / "report.html").read_text()
    assert wrong_numbers(html, values) == []
    shown = {place for place, _, _ in Page(html).numbers}
    for name in values["parts"]["test"]["metrics"]:
        assert point("parts", "test", "metrics", name) in shown
    for model, part in values["baselines"].items():
        assert any(point("baselines", model, "metrics", n) in shown for n in part["metrics"])


def test_one_digit_changed_is_found(case):
    _, run, report = case
    values, html = values_of(run), (report / "report.html").read_text()
    marks = list(re.finditer(r'<span data-metric="[^"]+" data-digits="\d">([^<]+)</span>', html))
    assert len(marks) > 10
    for mark in marks[:: len(marks) // 20]:
        place = next((i for i in range(*mark.span(1)) if html[i].isdigit()), None)
        if place is None:
            continue
        digit = str((int(html[place]) + 1) % 10)
        assert len(wrong_numbers(html[:place] + digit + html[place + 1 :], values)) == 1


def test_one_digit_changed_in_the_evaluation_is_found(case):
    _, run, report = case
    values, html = values_of(run), (report / "report.html").read_text()
    figure = {"regression": "r2", "survival": "c_index"}.get(case[0], "auroc")
    values["parts"]["test"]["metrics"][figure]["value"] += 0.01
    assert wrong_numbers(html, values)
    card = (report / "model_card.md").read_text()
    assert wrong_card_numbers(card, values)


def test_the_sentences_are_those_of_the_results_page(case):
    _, run, report = case
    evaluation, facts = read_evaluation(values_of(run)), read_facts(run)
    marked = page_of(report).marked
    said = write_headline(evaluation, facts.outcome.name, facts.outcome.unit or "")
    assert marked["headline"] == said
    lead = {"regression": "mae", "survival": "c_index"}.get(evaluation.task, "auroc")
    for baseline, metrics in evaluation.curves["differences"].items():
        if baseline != "prevalence":
            sentence = write_difference(lead, baseline, metrics[lead], evaluation.task)
            assert marked[point("curves", "differences", baseline, lead)] == sentence


def test_the_card_is_in_the_hubs_format_and_its_numbers_are_those_of_the_evaluation(case):
    import yaml

    name, run, report = case
    card = (report / "model_card.md").read_text()
    values = values_of(run)
    assert wrong_card_numbers(card, values) == []
    assert card.startswith("---\n")
    meta = yaml.safe_load(card.split("---\n")[1])
    kind = "tabular-regression" if name == "regression" else "tabular-classification"
    assert meta["pipeline_tag"] == kind
    result = meta["model-index"][0]["results"][0]
    assert result["dataset"]["revision"] == read_facts(run).dataset["sha256"]
    known = [n for n, m in values["parts"]["test"]["metrics"].items() if m["value"] is not None]
    assert [metric["name"] for metric in result["metrics"]] == known
    for heading in ("Model details", "Uses", "Bias, risks and limitations", "How to get started",
                    "Training details", "Evaluation"):  # fmt: skip
        assert f"\n## {heading}\n" in card
    assert "Research use only" in card


def test_one_digit_changed_in_the_card_is_found(written):
    run, report = written["rival"]
    card, values = (report / "model_card.md").read_text(), values_of(run)
    for found in re.finditer(
        r"^(?:      value: |\| `.+?` \| .+? \| )-?0\.(\d)", card, re.MULTILINE
    ):
        place = found.start(1)
        digit = str((int(card[place]) + 1) % 10)
        assert wrong_card_numbers(card[:place] + digit + card[place + 1 :], values)


def test_the_page_loads_nothing_and_runs_nothing(case):
    _, _, report = case
    html = (report / "report.html").read_text()
    page = page_of(report)
    for tag, name, value in page.attributes:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base"), tag
        assert not name.startswith("on")
        if (tag, name) == ("img", "src"):
            assert value.startswith("data:image/png;base64,")
            continue
        assert name not in ("src", "href", "srcset", "action"), (tag, name)
        assert "://" not in value or name == "xmlns", (tag, name, value)
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    assert html.count("<svg ") >= 2


def test_tripod_has_every_item_and_none_is_empty(case):
    report = case[2]
    rows = rows_of(report / "tripod_ai.csv")
    assert len(rows) == 52
    assert {int(re.match(r"\d+", row["item"]).group()) for row in rows} == set(range(1, 28))
    for row in rows:
        assert row["status"] in ("auto", "author", "NOT REPORTED")
        assert row["text"]
        assert "TODO" not in row["text"]
        assert (row["status"] == "NOT REPORTED") == (row["text"] == ABSENT)
        assert bool(row["source"]) == (row["status"] != "NOT REPORTED")
        assert not (row["status"] == "NOT REPORTED" and not row["needs_author"])
    known = {row["item"] for row in rows if row["status"] == "auto"}
    assert known >= {"7", "10", "11", "12a", "12b", "12c", "12d", "12e", "12f", "12g", "13", "14",
                     "15", "16", "20a", "20b", "20c", "21", "22", "23a", "23b", "24"}  # fmt: skip
    asked = {row["item"] for row in rows if row["status"] == "NOT REPORTED"}
    assert asked >= {"3a", "3c", "4", "6a", "6c", "17", "18a", "18b", "19", "25"}


def test_the_figures_of_the_checklist_are_those_of_the_evaluation(case):
    _, run, report = case
    metrics = values_of(run)["parts"]["test"]["metrics"]
    text = next(r["text"] for r in rows_of(report / "tripod_ai.csv") if r["item"] == "23a")
    for name, metric in metrics.items():
        assert f"{name} = {write_value(metric)}" in text


def test_what_is_needed_to_rebuild_it_is_in_the_report(case):
    _, run, report = case
    text, facts = page_of(report).text, read_facts(run)
    split = json.loads((run / "split.json").read_text())
    told = json.dumps({k: split[k] for k in ("kind", "parts", "folds")}, sort_keys=True)
    assert hashlib.sha256(told.encode()).hexdigest() in text
    assert facts.dataset["sha256"] in text
    assert hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest() in text
    for word in (f"torch {facts.environment['packages']['torch']}", facts.environment["python"],
                 facts.environment["device"], facts.environment["time"]):  # fmt: skip
        assert word in text
    assert (facts.environment["commit"] or "not known") in text
    assert f"Seed {facts.config.seed}" in text


def test_every_warning_is_in_the_report(case):
    _, run, report = case
    text = page_of(report).text
    warnings = values_of(run)["warnings"]
    findings = json.loads((run / "findings.json").read_text())
    warnings += [f["title"] for f in findings if f["severity"] in ("stop", "warning")]
    for warning in warnings:
        assert " ".join(warning.split()) in text
    card = (report / "model_card.md").read_text()
    assert all(warning in card for warning in read_facts(run).warnings)


def test_a_check_that_failed_is_a_warning(copied):
    run, target = copied("rival")

    def fail(checks):
        checks[0] |= {"passed": False, "sentence": "3 patients are in two parts."}

    change_json(run / "certificate.json", fail)
    write_report(run, target)
    assert "3 patients are in two parts." in page_of(target).text
    assert "does not hold" in page_of(target).text


def test_the_ledger_the_settings_and_table_one_are_in_the_report(case):
    _, run, report = case
    text, facts = page_of(report).text, read_facts(run)
    for entry in facts.dataset["ledger"]:
        assert entry["reason"] in text
    assert "missing.strategy" in text
    assert f"all (n = {facts.dataset['rows']:,})" in text
    assert all(column.name in text for column in facts.inputs)


def test_recalibration_and_missing_values_are_told_with_their_effect(written):
    run, report = written["strategies"]
    text = page_of(report).text
    effect = values_of(run)["curves"]["recalibration"]
    for side in ("before", "after"):
        assert write_value(effect[side]["mean_risk"]) in text
    assert "Multiple imputation" in text
    complete = json.loads((run / "cohort.json").read_text())["parts"]["all"]["complete"]
    assert f"{complete:,} of 400 rows (all)" in text


def test_groups_with_few_patients_have_no_figures(written):
    run, report = written["strategies"]
    groups = values_of(run)["curves"]["subgroups"]
    shown = {place for place, _, _ in page_of(report).numbers}
    few = 0
    for column, found in groups.items():
        for place, group in enumerate(found):
            at = point("curves", "subgroups", column, place, "metrics", "auroc")
            assert (at in shown) != group["few"]
            few += group["few"]
    assert few
    assert "too few" in page_of(report).text


def test_without_an_intended_use_it_reads_not_reported(written):
    _, report = written["rival"]
    assert f"Intended use: {ABSENT}" in page_of(report).text
    assert f"**Intended use:** {ABSENT}" in (report / "model_card.md").read_text()
    row = next(r for r in rows_of(report / "tripod_ai.csv") if r["item"] == "3b")
    assert row["status"] == "NOT REPORTED"


def test_the_intended_use_is_in_every_file_and_is_never_markup(written):
    run, report = written["strategies"]
    assert USE in page_of(report).text
    assert "<b>not</b>" not in (report / "report.html").read_text()
    assert USE in (report / "model_card.md").read_text()
    row = next(r for r in rows_of(report / "tripod_ai.csv") if r["item"] == "3b")
    assert (row["status"], row["text"]) == ("author", USE)
    assert author_words(run).intended_use == USE


def test_the_authors_words_go_in_word_for_word_and_stay(copied):
    run, target = copied("rival")
    said = {"3a": "Heart failure is frequent.", "17": "  ", "1": "Wards."}
    keep_author_words(run, answers=said)
    keep_author_words(run, intended_use="Research.")
    write_report(run, target)
    rows = {row["item"]: row for row in rows_of(target / "tripod_ai.csv")}
    assert (rows["3a"]["status"], rows["3a"]["text"]) == ("author", "Heart failure is frequent.")
    assert rows["17"]["status"] == "NOT REPORTED"
    assert rows["1"]["text"].endswith("Wards.")
    assert ABSENT not in rows["1"]["text"]
    assert {item["item"] for item in read_summary(target)["open"]}.isdisjoint({"3a", "1", "3b"})
    write_report(run, target, intended_use="")
    assert ABSENT in page_of(target).text
    assert author_words(run).answers["3a"] == "Heart failure is frequent."


def test_a_run_on_images_gets_the_checklist_for_imaging(copied):
    run, target = copied("rival")
    assert not (target / "claim.csv").exists()

    def make_image(values):
        values["columns"][0] |= {"kind": "image", "categories": []}
        values["ledger"][0]["reason"] += " Identities were removed from 299 headers."

    change_json(run / "dataset.json", make_image)
    write_report(run, target)
    rows = {row["item"]: row for row in rows_of(target / "claim.csv")}
    assert list(rows) == [str(number) for number in range(1, 43)]
    auto = {7, 9, 10, 12, 13, 19, 20, 21, *range(22, 38)}
    assert {int(item) for item, row in rows.items() if row["status"] == "auto"} == auto
    assert rows["37"]["text"].startswith("Least probability given to what was true: row ")
    assert "image-classification" in (target / "model_card.md").read_text()


def test_removal_of_identities_is_not_invented(copied):
    run, _ = copied("rival")
    answers = {a.item: a for a in answer_items(claim.ITEMS, read_facts(run))}
    assert answers["12"].text == ABSENT


def test_failures_of_numbers_are_the_largest_errors(written):
    run, _ = written["regression"]
    frame = pd.read_parquet(run / "predictions.parquet")
    test = frame[(frame["model"] == "model") & (frame["part"] == "test")]
    worst = test.loc[(test["predicted"] - test["outcome"]).abs().idxmax(), "row_id"]
    assert claim.say_failures(read_facts(run)).startswith(f"Largest errors: row {worst}:")


def test_predictions_settings_and_figures_come_along(case):
    _, run, report = case
    frame = pd.read_parquet(run / "predictions.parquet")
    again = pd.read_csv(report / "predictions.csv")
    assert list(again.columns) == list(frame.columns)
    assert len(again) == len(frame)
    numbers = frame.filter(regex="^p_|^predicted$")
    assert again[numbers.columns].to_numpy() == pytest.approx(numbers.to_numpy(), nan_ok=True)
    for name in ("config.json", "evaluation.json"):
        assert (report / name).read_bytes() == (run / name).read_bytes()


def test_real_rows_are_found_by_the_hash_and_otherwise_rows_are_made_up(
    case, monkeypatch, tmp_path
):
    name, run, report = case
    assert " real rows" in read_summary(report)["export"]
    if name == "strategies":
        monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "elsewhere"))
        shutil.copytree(run, tmp_path / "alone")
        found = write_report(tmp_path / "alone", tmp_path / "out")
        assert "64 made-up rows, the data being gone" in found.export
        assert "model.onnx" in found.files


def test_a_damaged_model_leaves_a_report_without_it(copied):
    run, target = copied("rival")
    target.mkdir()
    (target / "model.onnx").write_bytes(b"an older one")
    (run / "weights.safetensors").write_bytes(b"nonsense")
    report = write_report(run, target)
    assert "model.onnx" not in report.files
    assert not (target / "model.onnx").exists()
    assert report.export.startswith("There is no model.onnx")
    assert report.export in page_of(target).text


def test_an_older_run_without_cohort_and_environment_is_reported_as_far_as_it_goes(copied):
    run, target = copied("rival")
    for name in ("cohort.json", "environment.json", "certificate.json", "findings.json"):
        (run / name).unlink()
    write_report(run, target)
    rows = {row["item"]: row for row in rows_of(target / "tripod_ai.csv")}
    for item in ("10", "11", "16", "18f", "20b"):
        assert rows[item]["status"] == "NOT REPORTED"
    assert f"Computed with {ABSENT}" in page_of(target).text


def test_a_run_that_was_not_judged_is_refused(copied):
    run, target = copied("rival")
    (run / "evaluation.json").unlink()
    with pytest.raises(StoreError, match="no model that was judged"):
        write_report(run, target)
    assert not target.exists()


def test_a_target_that_cannot_be_written_is_a_sentence(written, tmp_path):
    run, _ = written["rival"]
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="file"):
            write_report(run, target)


def test_a_report_is_stale_once_the_run_is_judged_again(copied):
    run, target = copied("rival")
    write_report(run, target)
    summary = read_summary(target)
    assert report_is_current(run, summary)
    (run / "evaluation.json").write_text((run / "evaluation.json").read_text() + " ")
    assert not report_is_current(run, summary)
    assert read_summary(target / "nowhere") is None


def test_what_was_found_out_later_is_in_the_report_with_its_own_numbers(copied):
    run, target = copied("rival")
    dataset, config = load_sample("heart_failure"), read_facts(run).config
    explain_run(run, dataset, ExplainChoice(1, 0.7, False), Watch())
    effort = Effort("tiny", 2, 2, 2, 1, 3)
    found = find_optimism(dataset, config, read_facts(run).split, effort, run / "fits")
    write_json(run, "optimism.json", found)
    elsewhere = run / "validations" / "one"
    shutil.copytree(run, elsewhere, ignore=shutil.ignore_patterns("fits", "validations"))
    change_json(elsewhere / "evaluation.json", move_recall)
    told = {"name": "Elsewhere", "judged": 60, "rows": 61, "sha256": "e" * 64, "created": 1.0}
    write_json(elsewhere, "validation.json", told)
    write_report(run, target)
    page, html = page_of(target), (target / "report.html").read_text()
    text = page.text
    for sentence in write_findings(found, read_facts(run).evaluation):
        assert sentence in text
    assert "The model leans most on" in text or "can be told from zero" in text
    assert "This explains the model, not the disease" in text
    assert f"60 of 61 rows judged, SHA-256 of the file {'e' * 64}" in text
    assert "0.123 (0.100–0.200)" in text
    assert 'data-file="validations/one/evaluation.json"' in html
    assert wrong_numbers(html, values_of(run)) == []
    answers = {answer.item: answer.text for answer in answer_items(claim.ITEMS, read_facts(run))}
    assert "Elsewhere" in answers["32"]
    assert "The model leans" in answers["31"] or "told from zero" in answers["31"]


def move_recall(values):
    values["parts"]["test"]["metrics"]["recall"] |= {"value": 0.1234, "low": 0.1, "high": 0.2}


def test_sites_stand_side_by_side_and_pooled(written):
    run, report = written["regression"]
    sites = values_of(run)["curves"]["sites"]
    page = page_of(report)
    shown = {place for place, _, _ in page.numbers}
    for figure, told in sites["figures"].items():
        for place in range(len(sites["sites"])):
            assert point("curves", "sites", "figures", figure, "metrics", place) in shown
        if told["pooled"]:
            assert point("curves", "sites", "figures", figure, "pooled") in shown
    assert "Site by site" in page.text


def test_the_script_rebuilds_the_run_to_the_last_digit(written, tmp_path):
    _, report = written["rival"]
    done = run_script(report, "sample:heart_failure", tmp_path / "again")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "Every figure is the same."
    assert (tmp_path / "again" / "model.json").is_file()


def test_the_script_refuses_other_data(written, tmp_path):
    _, report = written["rival"]
    done = run_script(report, "sample:wdbc", tmp_path / "again")
    assert done.returncode == 1
    assert "another file" in done.stderr
    assert not (tmp_path / "again").exists()


def run_script(report: Path, data: str, folder: Path):
    import os

    root = Path(__file__).parents[1]
    command = [sys.executable, str(report / "rebuild.py"), data, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder.parent, timeout=280
    )


def test_a_spreadsheet_takes_no_cell_for_a_formula(written):
    run, _ = written["rival"]
    items = (Item("1", "a, topic", lambda _: '=HYPERLINK("x")'), Item("2", "b", lambda _: "-1"))
    rows = list(csv.DictReader(io.StringIO(write_csv(answer_items(items, read_facts(run))))))
    assert [row["text"][0] for row in rows] == ["'", "'"]
    assert rows[0]["topic"] == "a, topic"


def test_items_are_numbered_as_the_statement_numbers_them():
    numbers = [item.number for item in tripod.ITEMS]
    assert len(numbers) == len(set(numbers)) == 52
    ordered = sorted(numbers, key=lambda n: (int(re.match(r"\d+", n).group()), n))
    assert numbers == ordered
    letters = {n for n in numbers if n[-1].isalpha()}
    assert letters == {
        "3a", "3b", "3c", "5a", "5b", "6a", "6b", "6c", "8a", "8b", "8c", "9a", "9b", "9c", "12a",
        "12b", "12c", "12d", "12e", "12f", "12g", "18a", "18b", "18c", "18d", "18e", "18f", "20a",
        "20b", "20c", "23a", "23b", "27a", "27b", "27c",
    }  # fmt: skip


def test_a_pointer_leads_back_even_through_odd_names():
    values = {"a/b": {"c~d": [1.5, {"": 2}]}}
    assert look_up(values, point("a/b", "c~d", 0)) == 1.5
    assert look_up(values, point("a/b", "c~d", 1, "")) == 2
    with pytest.raises(KeyError):
        look_up(values, point("a/b", "c~d", 7))


def test_class_names_that_look_like_markup_stay_words(copied):
    run, target = copied("multiclass")
    for name in ("evaluation.json", "model.json", "dataset.json", "cohort.json"):
        text = (run / name).read_text().replace("middle", "<i>mid</i>")
        (run / name).write_text(text)
    write_report(run, target)
    html = (target / "report.html").read_text()
    assert "<i>" not in html
    assert "<i>mid</i>" in page_of(target).text
    assert label_metric("recall_<i>mid</i>") in page_of(target).text
    assert wrong_numbers(html, values_of(run)) == []
