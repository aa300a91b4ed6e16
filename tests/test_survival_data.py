"""Which rows of follow-up are learned from, how events are read, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from medcore.config import RunConfig, change_config
from medcore.data import (
    configure_dataset,
    infer_task,
    load_sample,
    make_dataset,
    outcome_classes,
)
from medcore.data.horizons import read_horizons
from medcore.errors import ConfigError, DataError
from medcore.split import make_split

ROLES = {"weeks": "duration", "status": "event"}


def table(rows=120, **columns):
    """Return patients of whom about half have the event, later with a lower marker."""
    rng = np.random.default_rng(0)
    marker = rng.normal(size=rows)
    event, lost = rng.exponential(np.exp(-marker) * 20), rng.exponential(25, rows)
    known = {
        "marker": marker,
        "ward": rng.choice(["a", "b"], rows),
        "weeks": np.ceil(np.minimum(event, lost)),
        "status": np.where(event <= lost, "relapse", "censored"),
    }
    return make_dataset(pd.DataFrame(known | columns), "t", "t.csv", "0" * 64)


def configure(dataset, **changes):
    settings = {"data.roles": ROLES} | {k.replace("__", "."): v for k, v in changes.items()}
    config = change_config(RunConfig(), settings)
    return configure_dataset(dataset, config), config


def reasons(dataset):
    return " ".join(entry.reason for entry in dataset.ledger)


def test_duration_and_event_together_ask_for_survival():
    ready, config = configure(table())
    assert infer_task(ready, config) == "survival"
    assert outcome_classes(ready, config) == (("relapse",), "relapse")
    assert "'relapse'" in reasons(ready) and "read as censored: 'censored'" in reasons(ready)


def test_naming_an_event_frees_the_outcome_that_a_sample_comes_with():
    config = change_config(RunConfig(), {"data.roles": {"time": "duration", "death": "event"}})
    ready = configure_dataset(load_sample("heart_failure"), config)
    assert infer_task(ready, config) == "survival"
    assert outcome_classes(ready, config)[1] == "yes"
    died = ready.frame.loc[ready.frame["death"] == "yes", "time"]
    quartiles = np.quantile(died, [0.25, 0.5, 0.75], method="inverted_cdf")
    assert [h.label for h in ready.horizons] == [f"{day:g}d" for day in quartiles]


@pytest.mark.parametrize(
    ("values", "causes"),
    [
        ([0, 1], ("1",)),
        ([0, 1, 2], ("1", "2")),
        ([1, 2], ("2",)),
        (["alive", "dead"], ("dead",)),
        (["no", "yes"], ("yes",)),
        (["Censored", "cancer", "heart"], ("cancer", "heart")),
    ],
)
def test_the_usual_ways_to_write_events_are_understood(values, causes):
    status = np.array(values)[np.arange(120) % len(values)]
    ready, config = configure(table(status=status))
    assert outcome_classes(ready, config)[0] == causes


def test_the_value_for_censored_can_be_named():
    status = np.array(["gone", "dead"])[np.arange(120) % 2]
    ready, config = configure(table(status=status), outcome__censored="gone")
    assert outcome_classes(ready, config)[0] == ("dead",)
    with pytest.raises(ConfigError, match="'lost' for censored does not occur in 'status'"):
        configure(table(status=status), outcome__censored="lost")


def test_of_several_causes_the_most_frequent_is_told_unless_one_is_named():
    status = np.array(["no", "heart", "heart", "cancer"])[np.arange(120) % 4]
    ready, config = configure(table(status=status))
    assert outcome_classes(ready, config) == (("cancer", "heart"), "heart")
    ready, config = configure(table(status=status), outcome__positive="cancer")
    assert outcome_classes(ready, config)[1] == "cancer"
    with pytest.raises(ConfigError, match="The event 'stroke' does not occur in 'status'"):
        configure(table(status=status), outcome__positive="stroke")


def test_rows_that_nobody_can_be_followed_in_are_set_aside_and_told():
    weeks = table().frame["weeks"].to_numpy(float).copy()
    weeks[[3, 7]], weeks[5], weeks[9] = 0, -2, np.nan
    ready, _ = configure(table(weeks=weeks))
    assert len(ready.frame) == 116
    assert "3 rows whose 'weeks' is zero or below are set aside" in reasons(ready)
    assert "(first: row 4)" in reasons(ready)
    assert "1 rows without 'weeks' are set aside" in reasons(ready)


def test_a_table_without_any_follow_up_is_refused():
    with pytest.raises(DataError, match="No row has a 'weeks' above zero"):
        configure(table(weeks=np.zeros(120)))


def test_a_table_without_events_is_refused():
    with pytest.raises(DataError, match="Nobody had the event: every 'status' is 'no'"):
        configure(table(status=np.full(120, "no")))


def test_a_table_in_which_everybody_had_the_event_is_used_and_said():
    ready, config = configure(table(status=np.full(120, "dead")))
    assert outcome_classes(ready, config)[0] == ("dead",)
    assert "no patient is censored" in reasons(ready)


def test_a_cause_that_happened_once_is_refused_by_name():
    status = np.array(["no", "dead"])[np.arange(120) % 2].astype(object)
    status[0] = "struck by lightning"
    with pytest.raises(DataError, match="'struck by lightning' happened to a single patient"):
        configure(table(status=status))


def test_events_after_the_end_of_follow_up_do_not_count():
    before, _ = configure(table())
    ready, _ = configure(table(), outcome__follow_up_end=10)
    late = before.frame["weeks"] > 10
    assert ready.frame["weeks"].max() == 10
    assert set(ready.frame["status"][late]) == {"censored"}
    lost = int((before.frame["status"][late] == "relapse").sum())
    assert lost > 0
    assert f"{int(late.sum())} rows were followed beyond 10" in reasons(ready)
    assert f"{lost} later events do not count" in reasons(ready)


@pytest.mark.parametrize("name", ["follow_up_days", "time_to_last_visit", "x"])
def test_a_column_that_measures_follow_up_is_no_input(name):
    plain = table()
    weeks = plain.frame["weeks"].to_numpy(float)
    noise = np.random.default_rng(1).normal(0, 0.05, 120)
    ready, _ = configure(table(**{name: weeks * 7 + noise}), data__roles=ROLES | {name: "input"})
    assert name not in [column.name for column in ready.with_role("input")]
    assert f"measure the follow-up itself and are known only afterwards: {name}" in reasons(ready)


def test_an_input_that_merely_goes_with_time_stays():
    ready, _ = configure(table())
    assert "marker" in [column.name for column in ready.with_role("input")]


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"status": "event"}, "no column says how long each patient was followed"),
        (ROLES | {"ward": "outcome"}, "a run answers one question"),
        (ROLES | {"marker": "duration"}, "both have the role duration"),
        ({"ward": "duration", "status": "event"}, "'ward' holds category; it must be a number"),
    ],
)
def test_roles_that_make_no_question_are_refused(roles, message):
    with pytest.raises(ConfigError, match=message):
        configure(table(), data__roles=roles)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__name": "tabm"}, "'tabm' does not predict time to event"),
        ({"balance__strategy": "smote"}, "censored patients are no class"),
        ({"augment__mixup": 0.2}, "Mixup would mix two patients' follow-up"),
        ({"task": "binary"}, "The task survival needs"),
    ],
)
def test_settings_that_do_not_go_with_time_to_event_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        configure(table(), **changes)


def test_a_model_of_time_to_event_needs_its_roles():
    config = change_config(RunConfig(), {"model.name": "cox"})
    with pytest.raises(ConfigError, match="'cox' predicts time to event"):
        configure_dataset(load_sample("heart_failure"), config)


def test_horizons_are_converted_to_the_unit_of_the_durations():
    time, cause = np.linspace(1, 4000, 50), np.ones(50)
    found = read_horizons(("1y", "6 months", "90", "2w"), "days", time, cause)
    told = [(horizon.label, horizon.time) for horizon in found]
    assert told == [("2w", 14.0), ("90d", 90.0), ("6m", 182.625), ("1y", 365.25)]


@pytest.mark.parametrize(
    ("horizon", "unit", "message"),
    [
        ("9y", "years", r"The horizon 9 years is not before the end of the longest follow-up"),
        ("0.5", None, r"The horizon 0.5 is before the first event \(1\)"),
        ("soon", "years", "The horizon 'soon' cannot be read"),
        ("2y", None, "has a unit, but the durations have none"),
        ("0", "years", "The horizon '0' cannot be read"),
    ],
)
def test_horizons_outside_follow_up_are_refused(horizon, unit, message):
    with pytest.raises(ConfigError, match=message):
        read_horizons((horizon,), unit, np.array([1.0, 2, 7.2]), np.array([1, 1, 0]))


def test_the_division_keeps_the_share_of_events_alike():
    ready, config = configure(table(rows=400, **_many(400)))
    split = make_split(ready, config)
    status = ready.frame["status"]
    shares = [(status.loc[ids] == "relapse").mean() for ids in split.parts.values()]
    assert max(shares) - min(shares) < 0.02


def _many(rows):
    data = table(rows).frame
    return {name: data[name].to_numpy() for name in data}
