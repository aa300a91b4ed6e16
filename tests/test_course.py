"""Tables of visits: one row a patient and index visit, and nothing from after it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.data import configure_dataset, fold_visits
from medcore.data.configure import assign_columns, configure_rows
from medcore.data.course import read_window
from medcore.data.progression import progression_dataset
from medcore.errors import ConfigError, DataError
from medcore.prepare import fit_preparation, prepare_rows
from tests.visit_rows import two_patients, visit_config, visit_dataset

EVENTS = {"who": "patient", "month": "visit", "end": "duration", "died": "event"}


def fold(rows, names="who month marker sex ill", roles=None, **changes):
    config = visit_config(roles, **changes)
    return fold_visits(assign_columns(visit_dataset(rows, names), config), config)


def test_each_patient_becomes_a_row_with_their_visits_and_what_never_changes():
    folded = fold(two_patients())
    assert folded.frame["who"].tolist() == ["a", "b"]
    assert folded.frame.index.tolist() == [3, 6]
    assert {c.name: c.role for c in folded.columns if c.name in ("marker", "sex", "visits")} == {
        "marker": "measurement", "sex": "input", "visits": "input",
    }  # fmt: skip
    windows = [read_window(word) for word in folded.frame["visits"]]
    assert windows == [(0, 4, 9.0), (4, 7, 6.0)]
    assert folded.visits["marker"].tolist()[4:] == [7.0, 8.0, 9.0]
    told = {entry.step: entry.reason for entry in folded.ledger}
    assert "7 visits of 2 patients became 2 rows" in told["visits"]
    assert told["measured at visits"].startswith("Measured at these visits: marker 86%;")


def test_visits_in_any_order_are_put_in_that_of_time_and_the_ledger_says_so():
    rows = two_patients()
    mixed = fold([rows[place] for place in (6, 3, 0, 5, 2, 1, 4)])
    there = sorted(
        mixed.visits["marker"].iloc[slice(*read_window(word)[:2])].dropna().tolist()
        for word in mixed.frame["visits"]
    )
    assert there == [[1.0, 3.0, 4.0], [7.0, 8.0, 9.0]]
    assert any("order of time" in entry.reason for entry in mixed.ledger)


def event_rows():
    """Return a patient who died at 10, one followed to 30, one to 5."""
    each = {"a": (10, "yes"), "b": (30, "no"), "c": (5, "no")}
    return [
        (who, month, float(month), end, died)
        for who, (end, died) in each.items()
        for month in range(0, min(end, 12), 3)
    ]


def test_the_event_must_come_within_the_horizon_and_the_unfollowed_are_counted():
    folded = configure_dataset(
        visit_dataset(event_rows(), "who month marker end died"),
        visit_config(EVENTS, series__horizon=6, series__index="every"),
    )
    outcome = folded.predicted_column().name
    assert outcome == "died within 6"
    said = {
        (row.who, row.month): row.outcome
        for row in folded.frame.rename(columns={outcome: "outcome"}).itertuples()
    }
    assert said == {
        ("a", 0): "no", ("a", 3): "no", ("a", 6): "yes", ("a", 9): "yes",
        ("b", 0): "no", ("b", 3): "no", ("b", 6): "no", ("b", 9): "no",
    }  # fmt: skip
    told = next(entry for entry in folded.ledger if entry.step == "not followed")
    assert told.reason.startswith("2 patients were not followed for 6")


def test_without_a_horizon_the_time_to_the_event_counts_from_the_index_visit():
    roles = EVENTS | {"marker": "input"}
    rows = [*event_rows(), ("d", 0, 1.0, 8, "yes"), ("d", 1, 2.0, 8, "yes")]
    folded = configure_dataset(
        visit_dataset(rows, "who month marker end died"), visit_config(roles, series__index="last")
    )
    left = dict(zip(folded.frame["who"], folded.frame["end"], strict=True))
    assert left == {"a": 1.0, "b": 21.0, "c": 2.0, "d": 7.0}


def test_no_visit_at_or_after_the_event_is_an_index_visit():
    rows = [("a", m, float(m), 4, "yes") for m in (0, 2, 4, 6)]
    rows += [("b", m, float(m), 20, "no") for m in (0, 2, 4, 6)]
    folded = fold(rows, "who month marker end died", EVENTS, series__horizon=3,
                  series__index="last")  # fmt: skip
    assert folded.frame["month"].tolist() == [2, 6]


def test_a_number_that_changes_is_forecast_from_what_was_before():
    roles = {"who": "patient", "month": "visit", "marker": "outcome"}
    rows = [("a", m, v, 1.0 * m) for m, v in ((0, 1.5), (2, None), (5, 3.5), (9, 4.5))]
    rows += [("b", 1, 2.5, 3.0)]
    names = "who month marker other"
    folded = fold(rows, names, roles)
    assert folded.predicted_column().name == "next marker"
    assert folded.frame["next marker"].tolist() == [4.5]
    assert read_window(folded.frame["visits"].iloc[0]) == (0, 3, 5.0)
    ahead = fold(rows, names, roles, series__horizon=4, series__index="every")
    assert ahead.frame.set_index("month")["marker within 4"].to_dict() == {2: 3.5, 5: 4.5}
    assert set(ahead.column("visits").made_of) == {"marker", "other"}


def test_a_status_that_changes_is_waited_for_within_the_horizon():
    roles = {"who": "patient", "month": "visit", "state": "outcome"}
    rows = [("a", m, 1.0 * m, s) for m, s in ((0, "well"), (3, "well"), (6, "ill"), (9, "ill"))]
    rows += [("b", m, 2.0 * m, "well") for m in (0, 3, 6, 9)]
    changes = {"series__horizon": 4, "series__index": "every", "outcome__positive": "ill"}
    folded = fold(rows, "who month marker state", roles, **changes)
    said = folded.frame.set_index(["who", "month"])[folded.predicted_column().name]
    assert said.to_dict() == {
        ("a", 0): "no", ("a", 3): "yes", ("b", 0): "no", ("b", 3): "no",
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"series\.horizon"):
        fold(rows, "who month marker state", roles)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_planted_future_value_is_never_used(data):
    """Whatever stands in visits after the index visit, no prepared row changes."""
    choice = data.draw(st.sampled_from(["first", "random", "every", "start"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    rows = [
        (who, float(month), rng.normal(), 5.0, 30.0, "yes" if who % 2 else "no")
        for who in range(6)
        for month in sorted(rng.choice(24, 5, replace=False))
    ]
    names = "who month marker start end died"
    roles = EVENTS | {"start": "ignored"}
    config = visit_config(roles, series__horizon=4, series__index=choice)
    before = fold_visits(assign_columns(visit_dataset(rows, names), config), config)
    index = {}
    for who, word in zip(before.frame["who"], before.frame["visits"], strict=True):
        index[who] = max(index.get(who, 0), read_window(word).index)
    planted = [
        (who, month, 1e6 if month > index.get(who, -1) else marker, *rest)
        for who, month, marker, *rest in rows
    ]
    after = fold_visits(assign_columns(visit_dataset(planted, names), config), config)
    assert after.frame["visits"].tolist() == before.frame["visits"].tolist()
    fit = fit_preparation(before, before.frame.index.to_numpy(), config, ("no", "yes"))
    again = fit_preparation(after, after.frame.index.to_numpy(), config, ("no", "yes"))
    assert fit == again
    one, other = (prepare_rows(fit, folded).blocks["visits"] for folded in (before, after))
    everyone = np.arange(len(one.present))
    assert np.array_equal(one.gather(everyone), other.gather(everyone))
    assert np.array_equal(one.plain, other.plain)
    if choice != "every":
        assert (one.gather(everyone)[..., 1] <= 0).all()


def test_who_has_no_visit_up_to_the_index_time_is_set_aside_and_counted():
    rows = [("a", 0, 1.0, 5, "no"), ("a", 6, 2.0, 5, "no"), ("b", 6, 3.0, 5, "yes")]
    rows += [("b", 7, 4.0, 5, "yes"), ("c", 1, 9.0, 5, "yes")]
    roles = {"who": "patient", "month": "visit", "ill": "outcome", "start": "ignored"}
    folded = fold(rows, "who month marker start ill", roles, series__index="start")
    assert folded.frame["who"].tolist() == ["a", "c"]
    assert [read_window(word) for word in folded.frame["visits"]] == [(0, 1, 5.0), (4, 5, 5.0)]
    told = {entry.step: entry.reason for entry in folded.ledger}
    assert "1 patients have no possible index visit" in told["visits"]


def test_history_limits_how_far_back_is_looked():
    folded = fold(two_patients(), series__history=4)
    assert [read_window(word)[:2] for word in folded.frame["visits"]] == [(2, 4), (5, 7)]


def test_two_rows_of_one_time_are_joined_unless_they_disagree():
    rows = two_patients()
    joined = fold([*rows, ("a", 2, 2.0, "f", "no")])
    assert joined.visits["marker"].tolist()[:4] == [1.0, 2.0, 3.0, 4.0]
    assert any("read as one visit" in entry.reason for entry in joined.ledger)
    with pytest.raises(DataError, match=r"Rows 3 and 8 .* differ in 'marker'"):
        fold([*rows, ("a", 5, 99.0, "f", "no")])


@pytest.mark.parametrize(
    ("rows", "roles", "changes", "sentence"),
    [
        (two_patients(), {"month": "visit", "ill": "outcome"}, {}, "role patient"),
        ([*two_patients(), ("b", "soon", 1.0, "m", "yes")], None, {}, "'soon' in row 8"),
        (two_patients(), None, {"series__horizon": 3}, "does not say when"),
        (two_patients(), None, {"series__index": "mnth"}, "neither auto"),
        (two_patients(), None, {"series__index": "marker"}, "changes from visit to visit"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(rows, roles, changes, sentence):
    roles = {"who": "ignored"} | roles if roles else None
    with pytest.raises((ConfigError, DataError), match=sentence):
        fold(rows, roles=roles, **changes)


def test_several_outcomes_must_not_change_from_visit_to_visit():
    rows = [(*row, "yes" if row[0] == "a" else "no") for row in two_patients()]
    rows[3] = (*rows[3][:-1], None)
    roles = {"who": "patient", "month": "visit", "ill": "outcome", "lame": "outcome"}
    folded = fold(rows, "who month marker sex ill lame", roles)
    assert folded.frame[["ill", "lame"]].to_numpy().tolist() == [["no", "yes"], ["yes", "no"]]
    rows[0] = (*rows[0][:-1], "no")
    with pytest.raises(ConfigError, match="'lame' changes from visit to visit"):
        fold(rows, "who month marker sex ill lame", roles)


def test_dates_are_times_too():
    rows = [
        (who, f"2024-0{month}-01", float(month), sex, ill)
        for who, month, _, sex, ill in (
            ("a", 1, 0, "f", "no"), ("a", 3, 0, "f", "no"), ("b", 2, 0, "m", "yes"),
        )
    ]  # fmt: skip
    folded = fold(rows)
    march = pd.Timestamp("2024-03-01").timestamp() / 86400
    assert read_window(folded.frame["visits"].iloc[0]).index == march
    assert np.diff(folded.visits["time"])[0] == 60


def test_new_patients_are_seen_from_each_of_their_visits_and_no_row_is_dropped():
    config = visit_config()
    folded = configure_dataset(visit_dataset(two_patients() * 1 + [
        ("c", 1, 5.0, "m", "yes"), ("c", 4, 5.5, "m", "yes"), ("d", 1, 5.0, "f", "no"),
    ]), config)  # fmt: skip
    new = visit_dataset([("x", 8, 2.0), ("y", 1, None), ("x", 3, 1.0), ("y", 1, 4.0)],
                        "who month marker")  # fmt: skip
    ready, match = configure_rows(new, folded.columns, config)
    assert ready.frame.index.tolist() == [0, 1, 2, 3]
    windows = [read_window(word) for word in ready.frame["visits"]]
    assert [window.stop - window.start for window in windows] == [2, 1, 1, 1]
    assert [window.index for window in windows] == [8.0, 1.0, 3.0, 1.0]
    assert match.missing == ("sex",)
    with pytest.raises(DataError, match="no column 'who'"):
        configure_rows(visit_dataset([(1, 2.0)], "month marker"), folded.columns, config)


def test_the_synthetic_courses_are_the_same_for_a_seed_and_end_at_the_index_month():
    one, other = (progression_dataset(20, seed=3).frame for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    whole = progression_dataset(20, seed=3, whole=True).frame
    last = one.groupby("patient")["month"].max()
    assert (last == whole.groupby("patient")["index_month"].first()).all()
    assert (whole.groupby("patient")["month"].max() >= last).all()
    assert len(whole) > len(one)
