"""Figures by group equal those of the group alone, and differences are against the rest."""

import numpy as np
import pandas as pd
import pytest

from medcore.errors import DataError
from medcore.evaluate import (
    band_dates,
    band_numbers,
    evaluate_predictions,
    judge_groupings,
    judge_subgroups,
)
from medcore.evaluate.subgroups import FEWEST, MOST_GROUPS, UNKNOWN
from medcore.records import Predictions
from tests.judged_rows import binary
from tests.test_evaluate_compare import CONFIG, predict

GROUPS = pd.Series(np.where(np.arange(800) % 4 == 0, "ward A", "ward B"), index=np.arange(800))


def alone(predictions, name):
    """Return the group's own predictions; validation rows stay, so that the threshold does."""
    frame = predictions.frame
    inside = (GROUPS.loc[frame["row_id"]] == name).to_numpy(bool) | (frame["part"] == "validation")
    return Predictions("binary", ("no", "yes"), "yes", frame[inside])


def test_a_groups_figures_are_those_of_its_patients_alone():
    predictions = predict(3)
    for group in judge_subgroups(predictions, CONFIG, GROUPS):
        judged = evaluate_predictions(alone(predictions, group.name), CONFIG).parts["test"]
        assert (group.n, group.events) == (judged.n, judged.events)
        for figure, metric in group.metrics.items():
            assert metric.value == pytest.approx(judged.metrics[figure].value, abs=1e-12), figure
            assert metric.low <= metric.value <= metric.high


def test_the_largest_group_comes_first_and_every_row_is_in_one():
    found = judge_subgroups(predict(3), CONFIG, GROUPS)
    assert [group.name for group in found] == ["ward B", "ward A"]
    assert sum(group.n for group in found) == 400


def test_with_two_groups_the_differences_mirror_each_other():
    first, second = judge_subgroups(predict(3), CONFIG, GROUPS)
    for figure, metric in first.differences.items():
        assert metric.value == pytest.approx(-second.differences[figure].value, abs=1e-12)
        wanted = first.metrics[figure].value - second.metrics[figure].value
        assert metric.value == pytest.approx(wanted, abs=1e-12)


def test_a_model_that_guesses_in_one_ward_is_found_out_there():
    predictions = predict(3, quality=4.0)
    frame = predictions.frame.copy()
    there = (GROUPS.loc[frame["row_id"]] == "ward A").to_numpy(bool)
    guess = np.random.default_rng(0).random(there.sum())
    frame.loc[there, "p_yes"], frame.loc[there, "p_no"] = guess, 1 - guess
    spoiled = Predictions("binary", ("no", "yes"), "yes", frame)
    ward = {group.name: group for group in judge_subgroups(spoiled, CONFIG, GROUPS)}["ward A"]
    assert ward.differences["auroc"].high < 0


def test_one_group_of_all_has_no_rest_to_differ_from():
    everyone = pd.Series("all", index=np.arange(800))
    (group,) = judge_subgroups(predict(3), CONFIG, everyone)
    whole = evaluate_predictions(predict(3), CONFIG).parts["test"].metrics
    assert group.metrics["auroc"].value == pytest.approx(whole["auroc"].value, abs=1e-12)
    assert np.isnan(group.differences["auroc"].value)


def test_rows_without_a_group_are_a_group_of_their_own():
    found = judge_subgroups(predict(3), CONFIG, GROUPS.iloc[:200])
    assert UNKNOWN in {group.name for group in found}


def test_a_small_group_is_marked():
    few = pd.Series(np.where(np.arange(800) < 8, "few", "many"), index=np.arange(800))
    found = {group.name: group.few for group in judge_subgroups(predict(3), CONFIG, few)}
    assert found == {"many": False, "few": True}
    assert FEWEST > 8 / 2


def test_of_many_groups_the_smallest_are_joined_and_nobody_is_lost():
    names = pd.Series([f"g{i % 20:02d}" if i < 700 else "g00" for i in range(800)])
    found = judge_subgroups(predict(3), CONFIG, names)
    assert len(found) == MOST_GROUPS
    assert found[-1].name == "9 smaller groups"
    assert sum(group.n for group in found) == predict(3).frame["part"].eq("test").sum()


def test_a_column_with_500_values_is_refused_in_a_sentence():
    many = pd.Series([f"g{i % 500}" for i in range(1000)])
    with pytest.raises(DataError, match="have 500 different values here, too few patients each"):
        judge_subgroups(binary(rows=1000), CONFIG, many)
    both = {"ward": GROUPS, "postcode": many}
    assert list(judge_groupings(binary(rows=1000), CONFIG, both)) == ["ward"]


def test_dates_are_banded_by_what_they_span():
    days = pd.Series(pd.date_range("2020-01-01", periods=400))
    assert band_dates(days).iloc[[0, 100, 399]].tolist() == ["2020 Q1", "2020 Q2", "2021 Q1"]
    assert band_dates(days[:90]).iloc[[0, 40]].tolist() == ["2020-01", "2020-02"]
    long = pd.Series(pd.to_datetime(["2010-06-01", "2019-01-01", None]))
    assert band_dates(long).tolist() == ["2010", "2019", None]


def test_a_group_with_one_outcome_only_has_no_area_and_says_why():
    predictions = predict(3)
    frame = predictions.frame
    sick = frame["outcome"].eq("yes").to_numpy(bool)
    groups = pd.Series(np.where(sick, "sick", "well"), index=frame["row_id"])
    for group in judge_subgroups(predictions, CONFIG, groups):
        assert np.isnan(group.metrics["auroc"].value)
        assert group.metrics["auroc"].reason


def test_numbers_are_banded_so_that_every_value_has_a_band():
    values = pd.Series([0.0, 19.9, 20, 64, 79.5, 80, 129, None])
    assert band_numbers(values, "Age").tolist() == [
        "0–19", "0–19", "20–39", "60–79", "60–79", "80–99", "120–139", None,
    ]  # fmt: skip
    labs = pd.Series(np.r_[np.linspace(1, 2, 30), np.nan])
    bands = band_numbers(labs, "lab")
    assert bands.iloc[:30].notna().all()
    assert bands.iloc[:30].value_counts().tolist() == [10, 10, 10]
    assert band_numbers(pd.Series([1.0, 2.0, None]), "grade").tolist() == ["1", "2", None]
