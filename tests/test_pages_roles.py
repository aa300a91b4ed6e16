"""What each column is for, said on Data: which outcomes go together, and what becomes of others."""

import pandas as pd
import pytest

from medcore.config import RunConfig, change_config
from medcore.data import assign_columns, infer_task, load_sample, make_dataset
from medcore.errors import MedcoreError
from medcore.store import open_home, open_workspace, save_dataset, save_settings
from pages.parts.columns import ROLES, change_columns
from pages.parts.roles import check_mixture, set_role
from tests.finished_runs import a_findings_table, a_number_table
from tests.test_pages import _server_knows_the_navigation, open_page, words  # noqa: F401


def findings():
    """Return a table with three findings, of which effusion is the outcome."""
    dataset = a_findings_table()
    return dataset, change_config(RunConfig(), {"data.roles": {"effusion": "outcome"}})


def roles_of(dataset, config):
    return {column.name: column.role for column in assign_columns(dataset, config).columns}


def test_a_further_yes_no_outcome_joins_the_first():
    dataset, config = findings()
    changed = set_role(config, dataset, "oedema", "outcome")
    check_mixture(dataset, changed)
    roles = roles_of(dataset, changed)
    assert {name for name, role in roles.items() if role == "outcome"} == {"effusion", "oedema"}
    assert infer_task(assign_columns(dataset, changed), changed) == "multilabel"


def test_an_outcome_that_was_inferred_stays_when_another_joins_it():
    dataset = load_sample("uci_heart")
    changed = set_role(RunConfig(), dataset, "sex", "outcome")
    assert [c.name for c in assign_columns(dataset, changed).with_role("outcome")] == [
        "sex", "disease",
    ]  # fmt: skip


def test_what_was_asked_before_is_forgotten_with_a_new_outcome():
    dataset, config = findings()
    config = change_config(config, {"outcome.positive": "yes", "task": "binary"})
    changed = set_role(config, dataset, "oedema", "outcome")
    assert changed.outcome.positive is None
    assert changed.task is None
    back = set_role(changed, dataset, "oedema", "ignored")
    assert infer_task(assign_columns(dataset, back), back) == "binary"
    told = change_config(config, {"train.epochs": 3})
    assert set_role(told, dataset, "age", "ignored").outcome.positive == "yes"


@pytest.mark.parametrize(
    ("joined", "sentence"),
    [("age", "'age' is no yes/no column"), ("fluid", "'fluid' is no yes/no column")],
)
def test_a_number_beside_a_yes_no_outcome_is_refused(joined, sentence):
    dataset, config = findings()
    with pytest.raises(MedcoreError, match=sentence):
        check_mixture(dataset, set_role(config, dataset, joined, "outcome"))


def test_a_treatment_has_one_outcome():
    dataset, config = findings()
    config = set_role(config, dataset, "nodule", "treatment")
    check_mixture(dataset, config)
    with pytest.raises(MedcoreError, match="one outcome at a time"):
        check_mixture(dataset, set_role(config, dataset, "oedema", "outcome"))


def test_an_event_takes_the_outcome_back_and_an_outcome_the_event():
    dataset = load_sample("heart_failure")
    config = change_config(RunConfig(), {"data.roles": {"death": "outcome", "time": "ignored"}})
    config = set_role(config, dataset, "time", "duration")
    config = set_role(config, dataset, "death", "event")
    assert infer_task(assign_columns(dataset, config), config) == "survival"
    config = set_role(config, dataset, "diabetes", "outcome")
    assert infer_task(assign_columns(dataset, config), config) == "binary"
    assert roles_of(dataset, config)["time"] == "ignored"


def test_there_is_one_patient_column():
    dataset, config = findings()
    config = set_role(config, dataset, "age", "patient")
    config = set_role(config, dataset, "shade", "patient")
    assert roles_of(dataset, config)["age"] == "ignored"


def rows(dataset, config):
    """Return the table as a person sees it."""
    told = assign_columns(dataset, config).columns
    return pd.DataFrame(
        [
            {"Column": c.name, "Kind": c.kind, "Role": ROLES[c.role], "Unit": c.unit or ""}
            for c in told
        ]
    )


def test_another_outcome_instead_is_two_changes_at_once_in_any_order():
    dataset = a_number_table()
    config = change_config(RunConfig(), {"data.roles": {"stay": "outcome"}})
    before = rows(dataset, config)
    after = before.copy()
    after.loc[after["Column"] == "stay", "Role"] = ROLES["input"]
    after.loc[after["Column"] == "age", "Role"] = ROLES["outcome"]
    changed = change_columns(config, dataset, before, after)
    check_mixture(dataset, changed)
    assert roles_of(dataset, changed) == {"age": "outcome", "ward": "site", "stay": "input"}


def test_unit_and_role_of_one_row_are_both_kept():
    dataset, config = findings()
    before = rows(dataset, config)
    after = before.copy()
    after.loc[after["Column"] == "age", ["Role", "Unit"]] = [ROLES["site"], "years"]
    changed = change_columns(config, dataset, before, after)
    assert changed.data.units["age"] == "years"
    assert changed.data.roles["age"] == "site"


def test_the_data_page_says_what_several_outcomes_mean(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path))
    workspace = open_workspace(open_home(), None)
    dataset, config = findings()
    row = save_dataset(workspace, make_dataset(dataset.frame, "Findings", "f.csv", "8" * 64))
    save_settings(workspace, row.id, set_role(config, dataset, "oedema", "outcome"))
    app = open_page("data", workspace=workspace.id, dataset=row.id)
    assert "Predicts 2 findings, each with a risk of its own: effusion, oedema." in words(app)


@pytest.mark.parametrize(("name", "listed"), [("death", False), ("kidney_failure_in_a_year", True)])
def test_names_that_a_segment_would_cut_stand_in_a_list(tmp_path, monkeypatch, name, listed):
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path))
    workspace = open_workspace(open_home(), None)
    table = pd.DataFrame({"age": range(40), name: ["no", "yes"] * 20})
    row = save_dataset(workspace, make_dataset(table, "Names", "n.csv", "9" * 64))
    save_settings(workspace, row.id, change_config(RunConfig(), {"data.roles": {name: "outcome"}}))
    app = open_page("train", workspace=workspace.id, dataset=row.id)
    kinds = app.selectbox if listed else app.button_group
    choice = next(element for element in kinds if element.label == "Risk of")
    assert choice.options[1 if listed else 0] == f"{name} = {'yes' if listed else 'no'}"
    choice.set_value("no").run()
    assert not app.exception
    assert "Risk of" in [element.label for element in kinds]
