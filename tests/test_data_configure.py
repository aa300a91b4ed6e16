"""From a table to the rows of a run: nothing leaves without a line in the ledger."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import Repair, RunConfig, change_config
from medcore.data import (
    configure_dataset,
    configure_rows,
    infer_task,
    make_dataset,
    outcome_classes,
)
from medcore.errors import ConfigError, DataError, MedcoreError

ROWS = 60


def make(**columns):
    filled = {"age": np.linspace(20, 80, ROWS), "ill": ["no", "yes"] * (ROWS // 2)} | columns
    return make_dataset(pd.DataFrame(filled), "t", "t.csv", "0")


def configure(dataset, outcome="ill", **changes):
    config = change_config(RunConfig(), {"data.roles": {outcome: "outcome"}, **changes})
    return configure_dataset(dataset, config)


def test_rows_without_an_outcome_are_set_aside_and_counted_never_filled():
    outcome = ["no", "yes", None] * (ROWS // 3)
    ready = configure(make(ill=outcome))
    assert len(ready.frame) == 40
    assert ready.frame["ill"].notna().all()
    entry = ready.ledger[-1]
    assert (entry.rows_in, entry.rows_out) == (60, 40)
    assert "20 rows" in entry.reason


def test_infinite_numbers_are_read_as_missing_and_counted():
    lab = np.linspace(1, 2, ROWS)
    lab[[3, 5]] = np.inf, -np.inf
    ready = configure(make(lab=lab))
    assert ready.frame["lab"].isna().sum() == 2
    assert "lab (2)" in ready.ledger[-1].reason


def test_an_empty_column_is_left_out_with_its_name():
    ready = configure(make(empty=[None] * ROWS))
    assert ready.column("empty").role == "ignored"
    assert "empty" in ready.ledger[-1].reason
    assert (ready.ledger[-1].columns_in, ready.ledger[-1].columns_out) == (2, 1)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"ill": ["yes"] * ROWS}, "one value only"),
        ({"ill": [None] * ROWS}, "missing in every row"),
        ({"ill": ["no"] * (ROWS - 1) + ["odd"]}, "'odd' of 'ill' has a single row"),
        ({"ill": [f"c{i // 2}" for i in range(ROWS)] * 1, "age": [None] * ROWS}, "empty"),
        ({"ill": np.ones(ROWS) * 3.5}, "one value only"),
    ],
    ids=["one value", "no value", "single row", "no input", "constant number"],
)
def test_what_cannot_be_trained_is_refused_in_a_sentence(columns, words):
    with pytest.raises((DataError, ConfigError), match=words) as caught:
        configure(make(**columns))
    assert str(caught.value).endswith(".")


def test_ten_thousand_categories_are_refused_as_an_outcome_and_kept_as_an_input():
    many = [f"c{i // 2}" for i in range(20_000)]
    frame = pd.DataFrame({"code": many, "ill": ["no", "yes"] * 10_000})
    dataset = make_dataset(frame, "t", "t.csv", "0")
    with pytest.raises(DataError, match="10,000 classes"):
        configure(dataset, "code")
    assert len(configure(dataset).frame) == 20_000


def test_an_outcome_is_needed_and_several_must_each_be_yes_or_no():
    with pytest.raises(ConfigError, match="No outcome is chosen"):
        configure_dataset(make(), RunConfig())
    config = change_config(RunConfig(), {"data.roles": {"age": "outcome", "ill": "outcome"}})
    with pytest.raises(ConfigError, match="choose what the model may look at"):
        configure_dataset(make(), config)
    with pytest.raises(ConfigError, match="'age' is no yes/no column"):
        configure_dataset(make(lab=np.linspace(1, 2, ROWS)), config)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "binary"),
        (["a", "b", "c"], "multiclass"),
        ([0, 1], "binary"),
        ([1, 2, 3, 4, 5, 6], "multiclass"),
        ([0.5, 1.5], "regression"),
        (range(ROWS), "regression"),
    ],
)
def test_the_task_is_inferred_from_the_outcome(values, task):
    values = list(values) * (ROWS // len(values))
    dataset = make(ill=values)
    config = change_config(RunConfig(), {"data.roles": {"ill": "outcome"}})
    ready = configure_dataset(dataset, config)
    assert infer_task(ready, config) == task


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (["no", "no", "yes"], "yes"),
        (["yes", "yes", "no"], "yes"),
        (["0", "1", "1"], "1"),
        (["benign", "malignant", "malignant"], "malignant"),
        (["left", "left", "right"], "right"),
        (["survived", "died", "died"], "died"),
    ],
)
def test_the_positive_class_is_what_is_present_else_the_rarer(classes, positive):
    dataset = make(ill=classes * (ROWS // 3))
    config = change_config(RunConfig(), {"data.roles": {"ill": "outcome"}})
    assert outcome_classes(configure_dataset(dataset, config), config)[1] == positive


def test_a_named_positive_class_wins_and_must_occur():
    config = {"outcome.positive": "no"}
    ready = configure(make(), **config)
    full = change_config(RunConfig(), {"data.roles": {"ill": "outcome"}} | config)
    assert outcome_classes(ready, full) == (("no", "yes"), "no")
    with pytest.raises(ConfigError, match="'maybe' does not occur"):
        configure(make(), **{"outcome.positive": "maybe"})


def test_numbers_as_classes_are_written_without_a_point():
    ready = configure(make(ill=[0.0, 1.0] * (ROWS // 2)))
    assert set(ready.frame["ill"]) == {"0", "1"}


def trained():
    repair = Repair(action="missing_values", column="age", values=("0",))
    data = {"repairs": (repair,), "roles": {"ill": "outcome"}}
    config = RunConfig(data=data)
    dataset = make(smoker=["former", "never"] * (ROWS // 2))
    return configure_dataset(dataset, config).columns, config


def new_rows(**columns):
    return make_dataset(pd.DataFrame(columns), "new", "new.csv", "1", least_columns=1)


def test_new_patients_are_matched_by_name_repaired_alike_and_none_is_dropped():
    columns, config = trained()
    new = new_rows(extra=["a", "b", "b"], age=[0, 50, 60])
    ready, match = configure_rows(new, columns, config)
    assert ready.frame["age"].isna().tolist() == [True, False, False]
    assert (match.missing, match.extra) == (("smoker",), ("extra",))
    assert any("smoker" in sentence for sentence in match.sentences)
    assert any("extra" in sentence for sentence in match.sentences)


def test_new_patients_with_a_number_written_as_text_are_read_as_the_training_rows_were():
    columns, config = trained()
    ready, _ = configure_rows(new_rows(age=["51", "unknown"], smoker=["x", None]), columns, config)
    assert ready.frame["age"].tolist()[0] == 51
    assert np.isnan(ready.frame["age"].tolist()[1])


def test_a_table_without_any_input_column_is_refused():
    columns, config = trained()
    with pytest.raises(DataError, match="age, smoker"):
        configure_rows(new_rows(weight=[1.0, 2.0]), columns, config)


cells = st.one_of(
    st.none(), st.floats(allow_nan=True), st.integers(-5, 5), st.sampled_from(["a", "b", "1,5"])
)


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=40))
def test_the_ledger_adds_up_or_a_sentence_says_why_not(rows):
    frame = pd.DataFrame(rows, columns=["x", "y", "ill"])
    try:
        dataset = make_dataset(frame, "t", "t.csv", "0")
        ready = configure(dataset)
    except MedcoreError as error:
        assert str(error).endswith((".", "?"))
        return
    assert ready.ledger[0].rows_in == len(rows)
    assert ready.ledger[-1].rows_out == len(ready.frame)
    for before, after in zip(ready.ledger, ready.ledger[1:], strict=False):
        assert before.rows_out == after.rows_in
