"""Findings: each fault is found where it is, none where it is not, and its suggestion mends it."""

import json

import numpy as np
import pandas as pd
import pytest

from medcore.checks import (
    check_dataset,
    class_balance,
    findings_json,
    missing_by_column,
    missing_by_outcome,
    missing_patterns,
)
from medcore.checks.tables import count_duplicates, separation
from medcore.config import RunConfig, change_config
from medcore.data import assign_columns, load_sample, make_dataset

ROWS = 600
RNG = np.random.default_rng(0)
CLEAN = {
    "age": RNG.normal(60, 12, ROWS),
    "creatinine": RNG.lognormal(0, 0.3, ROWS),
    "sex": RNG.choice(["female", "male"], ROWS),
    "ill": RNG.choice(["no", "yes"], ROWS, p=[0.6, 0.4]),
}
ROLES = change_config(RunConfig(), {"data.roles": {"ill": "outcome"}})


def make(**columns):
    return make_dataset(pd.DataFrame(CLEAN | columns), "t", "t.csv", "0")


def find(dataset, config=ROLES):
    return check_dataset(assign_columns(dataset, config))


def spoil(name, places, value):
    values = pd.Series(CLEAN[name]).astype(object if isinstance(value, str) else None)
    values.iloc[places] = value
    return {name: values}


def test_nothing_is_found_in_a_clean_table():
    assert find(make()) == ()


REPEATED = {name: np.r_[values[:-3], values[:3]] for name, values in CLEAN.items()}
FAULTS = {
    "missing": spoil("age", slice(0, 90), np.nan),
    "disguised_missing": {"cholesterol": np.r_[np.zeros(30), RNG.normal(200, 30, ROWS - 30)]},
    "disguised_missing ": spoil("creatinine", slice(0, 30), 999),
    "disguised_missing  ": spoil("creatinine", slice(0, 30), -1),
    "disguised_missing   ": spoil("sex", slice(0, 30), "unknown"),
    "constant": {"device": ["A"] * ROWS},
    "near_constant": {"device": ["A"] * (ROWS - 3) + ["B"] * 3},
    "identifier": {"sample_code": [f"s{i:04d}" for i in range(ROWS)]},
    "duplicates": REPEATED,
    "leak": {"ward_plan": np.where(CLEAN["ill"] == "yes", "hospice", "home")},
    "after_outcome": {"follow_up_days": RNG.uniform(1, 500, ROWS)},
    "one_outcome": {"ill": ["yes"] * ROWS},
    "rare_class": {"ill": np.r_[["odd"] * 6, CLEAN["ill"][6:]]},
    "imbalance": {"ill": np.r_[["yes"] * 40, ["no"] * (ROWS - 40)]},
    "impossible": spoil("age", slice(0, 4), 400),
    "infinite": spoil("creatinine", slice(0, 2), np.inf),
    "spellings": {"sex": np.r_[["Female", "MALE "] * 100, CLEAN["sex"][200:]]},
}


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_is_found_with_its_figures_and_its_suggestion_mends_it(code):
    dataset = make(**FAULTS[code])
    config = ROLES
    if code == "identifier":
        config = change_config(ROLES, {"data.roles": {"ill": "outcome", "sample_code": "input"}})
    if code == "after_outcome":
        config = change_config(ROLES, {"data.roles": {"ill": "outcome", "follow_up_days": "input"}})
    found = [finding for finding in find(dataset, config) if finding.code == code.strip()]
    assert len(found) == 1, [f.title for f in find(dataset, config)]
    finding = found[0]
    assert finding.title
    assert finding.detail.endswith((".", "?"))
    assert finding.evidence
    spoiled = set(FAULTS[code]) if code != "duplicates" else set()
    assert set(finding.columns) <= spoiled
    if finding.repair is None:
        return
    agreed = config.model_copy(
        update={"data": config.data.model_copy(update={"repairs": (finding.repair,)})}
    )
    left = [
        f for f in find(dataset, agreed) if (f.code, f.columns) == (finding.code, finding.columns)
    ]
    assert left == []


def test_the_faults_that_can_be_mended_by_a_click_have_a_suggestion():
    for code in ("disguised_missing", "constant", "identifier", "leak", "duplicates", "impossible",
                 "spellings"):  # fmt: skip
        config = ROLES
        if code == "identifier":
            roles = {"ill": "outcome", "sample_code": "input"}
            config = change_config(ROLES, {"data.roles": roles})
        found = [f for f in find(make(**FAULTS[code]), config) if f.code == code]
        assert found[0].repair is not None, code


def test_too_few_patients_for_the_columns_are_found():
    extra = {f"lab_{i}": RNG.normal(0, 1, ROWS) for i in range(60)}
    finding = next(f for f in find(make(**extra)) if f.code == "few_patients")
    assert finding.evidence["patients"] == ROWS
    assert finding.evidence["needed"] > ROWS


def test_a_time_to_event_is_checked_for_patients_and_for_what_gives_it_away():
    extra = {f"lab_{i}": RNG.normal(0, 1, ROWS) for i in range(60)}
    plan = np.where(CLEAN["ill"] == "yes", "hospice", "home")
    roles = {"ill": "event", "months": "duration"}
    config = change_config(RunConfig(), {"data.roles": roles})
    dataset = make(**extra, plan=plan, months=RNG.exponential(12, ROWS))
    found = {f.code: f for f in find(dataset, config)}
    assert found["few_patients"].evidence["needed"] > ROWS
    assert found["leak"].columns == ("plan",)
    assert "few_patients" not in {f.code for f in find(make(months=np.full(ROWS, 3.0)), config)}


def test_numbers_with_units_in_their_cells_are_found_and_read():
    dataset = make(dose=[f"{i % 37 + 0.5} mg" for i in range(ROWS)])
    finding = next(f for f in find(dataset) if "dose" in f.columns)
    agreed = ROLES.model_copy(
        update={"data": ROLES.data.model_copy(update={"repairs": (finding.repair,)})}
    )
    mended = assign_columns(dataset, agreed)
    assert mended.column("dose").kind == "number"
    assert mended.column("dose").unit == "mg"


def test_a_follow_up_that_leaks_is_kept_from_the_inputs_of_the_sample():
    dataset = load_sample("heart_failure")
    assert dataset.column("time").role == "duration"
    finding = next(f for f in check_dataset(dataset) if f.code == "after_outcome")
    assert finding.columns == ("time",)
    config = change_config(RunConfig(), {"data.roles": {"time": "input"}})
    finding = next(f for f in find(dataset, config) if f.code == "after_outcome")
    assert finding.severity == "stop"
    assert finding.repair.action == "ignore_column"


def test_zeros_that_stand_for_missing_are_found_in_the_sample():
    found = {f.columns: f for f in check_dataset(load_sample("uci_heart"))
             if f.code == "disguised_missing"}  # fmt: skip
    assert found[("cholesterol",)].evidence["rows"] == 172


def test_repeated_patients_are_counted():
    dataset = make(patient_id=np.arange(ROWS) // 2)
    finding = next(f for f in find(dataset) if f.code == "repeated_patients")
    assert finding.evidence["patients"] == ROWS // 2


def test_findings_come_most_severe_first_and_are_plain_json():
    found = find(make(**FAULTS["leak"], **FAULTS["constant"], **FAULTS["missing"]))
    order = [["stop", "warning", "hint"].index(f.severity) for f in found]
    assert order == sorted(order)
    assert json.loads(json.dumps(findings_json(found)))[0]["code"] == found[0].code


def test_nothing_is_changed_by_looking():
    dataset = make(**FAULTS["spellings"])
    before = dataset.frame.copy(deep=True)
    find(dataset)
    pd.testing.assert_frame_equal(dataset.frame, before)


@pytest.mark.parametrize("seed", range(20))
def test_duplicates_are_counted_as_pandas_counts_them(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"a": rng.choice([0.0, 1.0, np.nan], 50), "b": pd.Series(rng.choice(["x", None], 50))}
    )
    assert count_duplicates(frame) == int(frame.duplicated().sum())


@pytest.mark.parametrize("seed", range(10))
def test_the_power_of_a_column_is_its_auroc(seed):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(seed)
    event = rng.random(200) < 0.3
    values = pd.Series(rng.normal(0, 1, 200).round(1) + event)
    area = roc_auc_score(event, values)
    assert separation(values, event, "number") == pytest.approx(max(area, 1 - area), abs=1e-12)


def test_a_leak_is_found_in_a_large_table_with_a_rare_outcome():
    rows = 120_000
    rng = np.random.default_rng(0)
    ill = np.where(np.arange(rows) < 300, "yes", "no")
    frame = pd.DataFrame({"lab": rng.normal(0, 1, rows), "ill": ill})
    frame["code"] = rng.normal(0, 1, rows) + 40 * (ill == "yes")
    found = find(make_dataset(frame, "t", "t", "0"))
    assert [f.columns for f in found if f.code == "leak"] == [("code",)]


def test_figures_of_gaps_agree_with_counting_by_hand():
    gaps = pd.Series(CLEAN["age"])
    sick = CLEAN["ill"] == "yes"
    gaps[np.flatnonzero(sick)[:60]] = np.nan
    dataset = assign_columns(make(age=gaps), ROLES)
    row = missing_by_column(dataset).iloc[0]
    assert (row["column"], row["share"]) == ("age", 0.1)
    difference = missing_by_outcome(dataset, "yes").iloc[0]
    assert difference["difference"] == pytest.approx(60 / sick.sum())
    assert difference["low"] < difference["difference"] < difference["high"]
    patterns = missing_patterns(dataset)
    assert patterns["rows"].sum() == ROWS
    assert sorted(patterns["rows"].tolist()) == [60, ROWS - 60]


def test_the_balance_of_classes_adds_up():
    balance = class_balance(assign_columns(make(), ROLES))
    assert balance["rows"].sum() == ROWS
    assert balance["share"].sum() == pytest.approx(1)
    assert balance["rows"].is_monotonic_decreasing
