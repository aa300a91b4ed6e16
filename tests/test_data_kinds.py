"""What a column holds and is for: recognised, said in a note, and never silently wrong."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.checks import check_dataset
from medcore.config import Repair, RunConfig, change_config
from medcore.data import assign_columns, load_sample, make_dataset, outcome_candidates, read_table
from medcore.data.kinds import settle_types
from medcore.errors import ConfigError


def settle(values):
    frame, notes = settle_types(pd.DataFrame({"x": pd.Series(values)}))
    return frame["x"], notes.get("x", "")


@pytest.mark.parametrize(
    ("words", "numbers", "note"),
    [
        (["1,234", "12,000", "7"], [1234, 12000, 7], "thousands"),
        (["1,5", "2,25", "3"], [1.5, 2.25, 3], "decimal"),
        (["1.5", "-2e3", " 4 "], [1.5, -2000, 4], ""),
    ],
)
def test_numbers_written_as_text_become_numbers_and_it_is_said(words, numbers, note):
    values, said = settle(words)
    assert values.tolist() == numbers
    assert note in said


@pytest.mark.parametrize(
    ("words", "day"),
    [
        (["2021-03-04", "2022-12-31"], "2021-03-04"),
        (["04.03.2021", "31.12.2022"], "2021-03-04"),
        (["04/03/2021", "31/12/2022"], "2021-03-04"),
        (["03/04/2021", "12/31/2022"], "2021-03-04"),
        (["2021-03-04 10:20:00", "2022-12-31 00:00:00"], "2021-03-04"),
        (["04-Mar-2021", "31-Dec-2022"], "2021-03-04"),
    ],
)
def test_dates_are_recognised_in_the_ways_people_write_them(words, day):
    values, said = settle(words)
    assert str(values.iloc[0].date()) == day
    assert "Dates written" in said


def test_a_date_whose_day_and_month_could_be_swapped_is_said_to_be_so():
    assert "swapped" in settle(["04/03/2021", "05/06/2021"])[1]


def test_a_date_of_the_year_one_is_read_and_found(tmp_path):
    (tmp_path / "t.csv").write_text("seen,x\n0001-01-01,1\n2020-05-05,2\n2021-05-05,3\n")
    dataset = read_table(tmp_path / "t.csv")
    assert dataset.column("seen").kind == "date"
    assert dataset.frame["seen"].notna().all()
    assert "impossible" in {finding.code for finding in check_dataset(dataset)}


def test_booleans_become_categories_and_words_stay_words():
    values, said = settle([True, False, True])
    assert values.tolist() == ["true", "false", "true"]
    assert "Yes/no" in said
    words = ["None", "aspirin", "None"]
    assert settle(words)[0].tolist() == words


@given(st.lists(st.text(alphabet="abc ,.-0123456789/", max_size=6), min_size=1, max_size=30))
def test_settling_never_loses_a_cell(words):
    values, _ = settle(pd.Series(words, dtype="string"))
    blank = pd.Series(words, dtype="string").str.strip().eq("").to_numpy(bool)
    assert values.isna().to_numpy(bool).tolist() == blank.tolist()


def make(**columns):
    rows = max(len(values) for values in columns.values())
    columns = {name: list(values) * (rows // len(values)) for name, values in columns.items()}
    return make_dataset(pd.DataFrame(columns), "t", "t.csv", "0")


def test_roles_are_inferred_from_names_and_values():
    dataset = make(
        patient_id=[i // 2 for i in range(60)],
        hospital=["north", "south"],
        admission=["2020-01-01", "2020-02-03"],
        row_id=[f"r{i}" for i in range(60)],
        follow_up_days=[10.5, 20],
        age=[50, 61],
        death=["no", "yes"],
    )
    roles = {column.name: column.role for column in dataset.columns}
    assert roles == {
        "patient_id": "patient", "hospital": "site", "admission": "date", "row_id": "ignored",
        "follow_up_days": "duration", "age": "input", "death": "input",
    }  # fmt: skip
    assert outcome_candidates(dataset.frame, dataset.columns)[0] == "death"
    for name in ("patient_id", "hospital", "admission", "row_id", "follow_up_days"):
        assert dataset.column(name).note


def test_a_long_text_is_text_and_is_ignored():
    notes = [
        f"The patient reports pain number {i} since several days and nights." for i in range(30)
    ]
    dataset = make(notes=notes, pulse=[60, 70, 80] * 10, ill=["yes", "no"] * 15)
    assert (dataset.column("notes").kind, dataset.column("notes").role) == ("text", "ignored")


def test_a_text_is_an_input_where_nothing_else_could_be_one():
    notes = [f"The patient reports pain number {i} since several days." for i in range(30)]
    dataset = make(notes=notes, ill=["yes", "no"] * 15)
    assert dataset.column("notes").role == "input" and "before the outcome" in (
        dataset.column("notes").note
    )


@pytest.mark.parametrize("sample", ["uci_heart", "wdbc", "heart_failure", "thyroid"])
def test_no_sample_offers_an_identifier_as_an_input(sample):
    dataset = load_sample(sample)
    for column in dataset.with_role("input"):
        assert dataset.frame[column.name].nunique() < len(dataset.frame) or column.kind == "number"


def test_what_the_user_says_of_a_column_wins():
    dataset = make(code=[1, 2, 3], age=[50.5, 60, 70], ill=["a", "b", "a"])
    config = change_config(
        RunConfig(),
        {"data.kinds": {"code": "category"}, "data.roles": {"ill": "outcome"},
         "data.units": {"age": "years"}},
    )  # fmt: skip
    changed = assign_columns(dataset, config)
    assert changed.column("code").kind == "category"
    assert changed.frame["code"].tolist()[:3] == ["1", "2", "3"]
    assert changed.column("ill").role == "outcome"
    assert changed.column("age").unit == "years"
    assert dataset.column("code").kind == "number"


def test_naming_another_outcome_frees_the_first():
    dataset = load_sample("wdbc")
    config = change_config(RunConfig(), {"data.roles": {"mean_radius": "outcome"}})
    assert [c.name for c in assign_columns(dataset, config).with_role("outcome")] == ["mean_radius"]


@pytest.mark.parametrize("kind", ["number", "date"])
def test_a_kind_that_cannot_be_is_refused_by_name(kind):
    config = change_config(RunConfig(), {"data.kinds": {"ill": kind}})
    with pytest.raises(ConfigError, match="'ill' holds no"):
        assign_columns(make(age=[1, 2, 3], ill=["a", "b", "a"]), config)


def test_a_column_that_does_not_exist_is_told_with_the_nearest():
    config = change_config(RunConfig(), {"data.roles": {"agee": "input"}})
    with pytest.raises(ConfigError, match="did you mean 'age'"):
        assign_columns(make(age=[1, 2], ill=["a", "b"]), config)


def test_each_repair_does_what_it_says_and_stands_in_the_ledger():
    dataset = make(
        bp=[120, 0, 130, 999], sex=["F", "f ", "M", "male"], dose=["5 mg", "7,5 mg", "x", "2 mg"]
    )
    repairs = (
        Repair(action="missing_values", column="bp", values=("0",)),
        Repair(action="missing_above", column="bp", values=("300",)),
        Repair(action="merge_spellings", column="sex", mapping={"F": "female", "f": "female"}),
        Repair(action="parse_numbers", column="dose", mapping={"unit": "mg"}),
    )
    changed = assign_columns(dataset, RunConfig(data={"repairs": repairs}))
    assert changed.frame["bp"].tolist()[0:3:2] == [120, 130]
    assert changed.frame["bp"].isna().tolist() == [False, True, False, True]
    assert changed.frame["sex"].tolist() == ["female", "female", "M", "male"]
    np.testing.assert_array_equal(changed.frame["dose"], [5, 7.5, np.nan, 2])
    assert changed.column("dose").unit == "mg"
    assert len(changed.ledger) == len(dataset.ledger) + len(repairs)
    assert dataset.frame["bp"].tolist() == [120, 0, 130, 999]
