"""Figures by group equal those of the group alone, and differences are against the rest."""

import numpy as np
import pandas as pd
import pytest

from medcore.evaluate import band_numbers, evaluate_predictions, judge_subgroups
from medcore.evaluate.subgroups import FEWEST, MOST_GROUPS, UNKNOWN
from medcore.records import Predictions
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


def test_a_small_group_is_marked_and_a_column_with_many_values_is_cut():
    many = pd.Series([f"g{i // 4}" for i in range(800)], index=np.arange(800))
    found = judge_subgroups(predict(3), CONFIG, many)
    assert len(found) == MOST_GROUPS
    assert all(group.few for group in found)
    assert FEWEST > 4


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
