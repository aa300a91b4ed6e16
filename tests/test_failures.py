"""What a model was most wrong about: on the page and in the report alike."""

import json

import numpy as np
import pandas as pd
import pytest

from medcore.evaluate.failures import called_rows, shared_traits, worst_cases
from medcore.records import Column
from medcore.report import write_report
from medcore.store import local_workspace, open_home, read_predictions
from tests.finished_runs import finish_run
from tests.report_pages import Page


def test_the_worst_cases_are_the_wrong_ones_the_model_was_surest_of():
    frame = pd.DataFrame(
        {
            "row_id": range(5), "model": "model", "part": ["test"] * 4 + ["train"],
            "outcome": ["a", "b", "a", "b", "a"], "p_a": [0.9, 0.8, 0.3, 0.95, 0.0],
            "p_b": [0.1, 0.2, 0.7, 0.05, 1.0],
        }
    )  # fmt: skip
    cases = worst_cases(called_rows(frame, ("a", "b")))
    assert cases["row_id"].tolist() == [3, 1, 2]
    assert cases["called"].tolist() == ["a", "a", "b"]


def test_at_a_threshold_rows_are_called_as_they_are_judged():
    risks = np.array([0.3, 0.3, 0.1, 0.9])
    frame = pd.DataFrame(
        {
            "row_id": range(4), "model": "model", "part": "test",
            "outcome": ["yes", "no", "yes", "no"], "p_no": 1 - risks, "p_yes": risks,
        }
    )  # fmt: skip
    called = called_rows(frame, ("no", "yes"), "yes", 0.2)
    assert called["called"].tolist() == ["yes", "yes", "no", "yes"]
    assert called["probability"].tolist() == pytest.approx([0.3, 0.3, 0.9, 0.9])
    cases = worst_cases(called)
    assert cases["row_id"].tolist() == [3, 2, 1]
    assert (called["called"] == called["outcome"]).mean() == 0.25


def called(outcome, right):
    """Return rows called rightly or not, as `called_rows` does."""
    other = np.where(np.array(outcome) == "a", "b", "a")
    rows = np.arange(len(outcome))
    said = np.where(right, outcome, other)
    return pd.DataFrame({"row_id": rows, "outcome": outcome, "called": said, "probability": 0.9})


def test_a_group_that_is_called_wrongly_more_often_is_named_and_no_other():
    rng = np.random.default_rng(0)
    site = rng.choice(["north", "south"], 400)
    age = rng.uniform(20, 80, 400)
    right = rng.random(400) < np.where(site == "south", 0.6, 0.95)
    table = pd.DataFrame({"site": site, "age": age}).astype({"site": "string"})
    columns = (
        Column("site", "category", "site"), Column("age", "number", "input"),
        Column("sign", "category", "outcome"),
    )  # fmt: skip
    rows = called(rng.choice(["a", "b"], 400), right)
    (found,) = shared_traits(rows, table.assign(sign=rows["outcome"]), columns).itertuples()
    assert (found.column, found.group) == ("site", "south")
    assert found.wrong == int((~right[site == "south"]).sum())
    assert found.low < found.share < found.high
    assert found.others == pytest.approx(float((~right[site == "north"]).mean()))


def test_numbers_are_cut_into_thirds_and_small_groups_tell_nothing():
    age = np.linspace(20, 80, 300)
    right, age[::7] = age < 60, np.nan
    table = pd.DataFrame({"age": age, "rare": ["x"] * 9 + ["y"] * 291}).astype({"rare": "string"})
    columns = (Column("age", "number", "input"), Column("rare", "category", "ignored"))
    found = shared_traits(called(["a"] * 300, right), table, columns)
    assert found["column"].tolist() == ["age"]
    assert found["group"][0].endswith("to 80")
    right = np.r_[np.zeros(9, bool), np.ones(291, bool)]
    assert "rare" not in set(shared_traits(called(["a"] * 300, right), table, columns)["column"])


def test_an_outcome_that_is_called_wrongly_more_often_is_named_once():
    outcome = np.repeat(["a", "b"], 100)
    columns = (Column("sign", "category", "outcome"),)
    table = pd.DataFrame({"sign": outcome}).astype("string")
    found = shared_traits(called(outcome, outcome == "a"), table, columns)
    assert found[["column", "group"]].values.tolist() == [["sign", "b"]]


def test_without_wrong_calls_nothing_is_shared():
    table = pd.DataFrame({"age": np.arange(50.0)})
    columns = (Column("age", "number", "input"),)
    assert shared_traits(called(["a"] * 50, np.ones(50, bool)), table, columns).empty


def test_the_report_shows_the_worst_cases_with_their_pictures(tmp_path):
    run = finish_run(local_workspace(open_home()), "pictures")
    write_report(run.folder, tmp_path / "report")
    html = (tmp_path / "report" / "report.html").read_text()
    page = Page(html)
    told = read_predictions(run.folder)
    threshold = json.loads((run.folder / "evaluation.json").read_text())["parts"]["test"][
        "threshold"
    ]
    worst = worst_cases(called_rows(told.frame, told.classes, told.positive, threshold))
    assert "Where it was most wrong" in page.text
    sources = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    shown = [row for row in worst.head(8)["row_id"] if row != 3]
    assert len(sources) == len(shown) > 0
    first = worst.iloc[0]
    assert (
        f"Row {first.row_id + 1}: is {first.outcome}, called {first.called} "
        f"({first.probability:.2f})" in page.text
    )
    assert "img-src data:" in html
    rows = (tmp_path / "report" / "claim.csv").read_text()
    assert "random weights" in rows and "no localisation" in rows
    assert "told with AUROC" in rows or "too few images of each class" in rows
