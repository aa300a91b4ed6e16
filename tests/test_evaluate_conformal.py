"""Sets of answers keep their promise; what cannot be promised is refused; abstaining is counted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medcore.config import change_config
from medcore.errors import DataError
from medcore.evaluate import evaluate_predictions
from medcore.evaluate.conformal import (
    check_coverage,
    class_p_values,
    conformal_reach,
    finding_p_values,
)
from medcore.evaluate.judge import judge_rows
from medcore.evaluate.uncertainty import judge_uncertainty
from medcore.records import Predictions
from tests.judged_rows import CASES, CONFIG, binary, binary_rows, frame_of


def naive_p_values(outcome, predicted, asked):
    strange = [1 - predicted[i, o] for i, o in enumerate(outcome)]
    return np.array(
        [
            [(1 + sum(s >= 1 - p for s in strange)) / (len(strange) + 1) for p in row]
            for row in asked
        ]
    )


@settings(deadline=None)
@given(st.integers(0, 9999))
def test_a_classs_value_is_the_share_of_patients_whose_outcome_looked_no_less_strange(seed):
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(1, 20)), int(rng.integers(2, 5))
    share = rng.integers(1, 5, (n + 6, classes)).astype(float)
    share /= share.sum(axis=1, keepdims=True)
    outcome = rng.integers(0, classes, n)
    found = class_p_values(outcome, share[:n], share[n:])
    np.testing.assert_allclose(found, naive_p_values(outcome, share[:n], share[n:]))
    apart = class_p_values(outcome, share[:n], share[n:], by_class=True)
    for place in range(classes):
        own = outcome == place
        alone = class_p_values(outcome[own], share[:n][own], share[n:])
        np.testing.assert_allclose(apart[:, place], alone[:, place])


def test_on_breast_cancer_nine_of_ten_sets_hold_the_diagnosis_over_twenty_splits():
    x, y = load_breast_cancer(return_X_y=True)
    x, covered = x[:, :3], []
    for seed in range(20):
        learn, rest = train_test_split(np.arange(len(y)), test_size=0.5, random_state=seed)
        held, test = train_test_split(rest, test_size=0.5, random_state=seed)
        # A model that is often unsure, so that sets have to do the work.
        fit = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(
            x[learn][:, :3], y[learn]
        )
        told, asked = (fit.predict_proba(x[rows][:, :3]) for rows in (held, test))
        inside = class_p_values(y[held], told, asked) > 0.1
        covered.append(inside[np.arange(len(test)), y[test]].mean())
    assert 0.87 <= np.mean(covered) <= 0.95


def draw(rng, rows):
    outcome = (rng.random(rows) < 0.15).astype(int)
    risk = 1 / (1 + np.exp(-rng.normal(1.5 * outcome - 2.5, 1.0)))
    return outcome, np.column_stack([1 - risk, risk])


def mean_coverage(draw, find, sizes, times, by_class):
    """Return over many draws how often sets at 90 % held what was true: (questions, 3).

    Of all patients of whom it is known, of those with the rarer answer, and of those without.
    """
    rng, covered = np.random.default_rng(0), []
    for _ in range(times):
        held, (outcome, asked) = (draw(rng, size) for size in sizes)
        inside = find(*held, asked, by_class=by_class) > 0.1
        outcome, inside = (part.reshape(len(outcome), -1, *more)
                           for part, more in ((outcome, ()), (inside, (2,))))  # fmt: skip
        right = np.where(outcome == 1, inside[..., 1], inside[..., 0])
        groups = (~np.isnan(outcome), outcome == 1, outcome == 0)
        covered.append([(right * group).sum(axis=0) / group.sum(axis=0) for group in groups])
    return np.mean(covered, axis=0)


@pytest.mark.parametrize("by_class", [False, True])
def test_coverage_is_what_theory_says_on_average_for_all_or_for_each_class(by_class):
    overall, rare, _ = mean_coverage(draw, class_p_values, (99, 200), 300, by_class)[:, 0]
    # 99 reference patients: exactly 90 of 100 on average, for one class a little more.
    assert overall == pytest.approx(0.9, abs=0.01) if not by_class else overall >= 0.89
    assert (rare > 0.89) == by_class


def draw_findings(rng, rows):
    """Return a rare and a common finding, each unknown of some, and risks that tell little."""
    has = rng.random((rows, 2)) < [0.12, 0.5]
    risk = 1 / (1 + np.exp(-rng.normal(1.2 * has - [2.5, 0.3], 1.0)))
    return np.where(rng.random((rows, 2)) < 0.2, np.nan, has), risk


@pytest.mark.parametrize("by_class", [False, True])
def test_each_finding_keeps_its_promise_for_all_or_for_those_with_and_without_it(by_class):
    found = mean_coverage(draw_findings, finding_p_values, (160, 200), 400, by_class)
    overall, present, absent = found
    assert (overall > 0.89).all()
    if by_class:
        assert (present > 0.89).all()
        assert (absent > 0.89).all()
    else:
        assert overall == pytest.approx([0.9, 0.9], abs=0.01)
        # The rare finding pays for a promise that is made on average only.
        assert present[0] < 0.8


def test_a_finding_nobody_is_known_of_may_be_there_or_not():
    held = np.array([[np.nan, 1.0], [np.nan, 0.0]]), np.array([[0.9, 0.9], [0.1, 0.1]])
    values = finding_p_values(*held, np.array([[0.99, 0.99]]))
    assert values[0, 0].tolist() == [1.0, 1.0]
    told = np.array([[0.1, 0.9], [0.9, 0.1]]), np.array([[0.01, 0.99]])
    alone = class_p_values(np.array([1, 0]), *told)
    assert values[0, 1].tolist() == alone[0].tolist()


def test_too_high_a_promise_is_refused_with_the_number_of_patients_it_needs():
    check_coverage(0.9, 9)
    check_coverage(0.99, 99)
    with pytest.raises(DataError, match=r"at least 9 patients outside the fit, and there are 8"):
        check_coverage(0.9, 8)
    with pytest.raises(DataError, match="needs at least 999 patients"):
        check_coverage(0.999, 400)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_a_reach_covers_what_it_promises_of_new_errors(coverage):
    rng = np.random.default_rng(0)
    hits = [
        (
            np.abs(rng.standard_t(3, 100))
            <= conformal_reach(np.abs(rng.standard_t(3, 59)), coverage)
        ).mean()
        for _ in range(400)
    ]
    assert np.mean(hits) == pytest.approx(np.ceil(60 * coverage) / 60, abs=0.015)
    assert conformal_reach(np.ones(8), 0.9) == float("inf")


def test_an_evaluation_says_how_often_sets_held_what_happened():
    found = evaluate_predictions(binary(), CONFIG).curves["uncertainty"]
    predictions = binary()
    frame = predictions.frame.query("model == 'model'")
    held, test = (frame[frame["part"] == part] for part in ("validation", "test"))
    shares = [part[["p_no", "p_yes"]].to_numpy() for part in (held, test)]
    codes = [part["outcome"].eq("yes").to_numpy().astype(int) for part in (held, test)]
    inside = class_p_values(codes[0], *shares) > 0.1
    assert found["references"] == 80
    assert found["sets"]["coverage"]["value"] == inside[np.arange(120), codes[1]].mean()
    assert found["sets"]["coverage"]["method"] == "wilson"
    assert found["sets"]["answers"] == np.bincount(inside.sum(axis=1), minlength=3).tolist()
    assert found["sets"]["size"]["value"] == pytest.approx(inside.sum(axis=1).mean())
    assert sum(found["sets_by_class"]["answers"]) == 120


def test_a_calibration_part_vouches_before_validation_patients_do():
    predictions = binary()
    more = binary_rows("calibration", 50, 7, 0.4, first=5000)
    frame = pd.concat([predictions.frame, more], ignore_index=True)
    found = evaluate_predictions(Predictions("binary", ("no", "yes"), "yes", frame), CONFIG)
    assert found.curves["uncertainty"]["references"] == 50


def test_risks_vouch_as_they_were_before_recalibration():
    predictions = binary()
    own = predictions.frame[predictions.frame["model"] == "model"]
    mended = own.assign(p_yes=own["p_yes"] ** 2, p_no=1 - own["p_yes"] ** 2)
    frame = pd.concat([mended, own.assign(model="uncalibrated")], ignore_index=True)
    after = Predictions("binary", ("no", "yes"), "yes", frame)
    before = Predictions("binary", ("no", "yes"), "yes", own)
    sets = [
        judge_uncertainty(judge_rows(each, "model", CONFIG), CONFIG)["sets"]["coverage"]
        for each in (before, after)
    ]
    assert sets[0] == sets[1]


def test_each_fold_vouches_for_its_own_patients():
    folds = [
        part for fold in (0, 1) for part in (
            binary_rows("train", 60, fold, 0.4, first=100 * fold, fold=fold),
            binary_rows("test", 60, 5 + fold, 0.4, first=1000 + 100 * fold, fold=fold),
        )
    ]  # fmt: skip
    both = Predictions("binary", ("no", "yes"), "yes", pd.concat(folds, ignore_index=True))
    found = evaluate_predictions(both, CONFIG).curves["uncertainty"]["sets"]
    alone = [
        evaluate_predictions(
            Predictions("binary", ("no", "yes"), "yes", pd.concat(folds[2 * i : 2 * i + 2])), CONFIG
        ).curves["uncertainty"]["sets"]
        for i in (0, 1)
    ]
    values = [each["coverage"]["value"] for each in alone]
    assert found["coverage"]["value"] == pytest.approx(np.mean(values))


def test_a_promise_beyond_the_patients_at_hand_is_refused_in_words():
    config = change_config(CONFIG, {"evaluate.coverage": 0.99})
    found = evaluate_predictions(binary(), config).curves["uncertainty"]
    assert "needs at least 99 patients outside the fit, and there are 80" in found["refused"]
    assert "sets" not in found
    assert found["abstention"]["share"]


def test_intervals_of_numbers_are_counted_and_refused_where_endless():
    predictions = CASES["regression"]()
    frame = predictions.frame
    found = evaluate_predictions(predictions, CONFIG).curves["uncertainty"]["intervals"]
    inside = frame["outcome"].between(frame["low"], frame["high"])
    assert found["coverage"]["value"] == pytest.approx(inside.mean())
    assert found["width"]["value"] == pytest.approx(4)
    endless = Predictions("regression", (), None, frame.assign(low=-np.inf, high=np.inf))
    assert "Too few" in evaluate_predictions(endless, CONFIG).curves["uncertainty"]["refused"]


def test_the_surest_patients_are_those_farthest_from_the_threshold():
    risk = np.array([0.05, 0.45, 0.55, 0.6, 0.95, 0.97])
    outcome = np.array(["no", "yes", "no", "yes", "yes", "yes"])
    shares = {"p_no": 1 - risk, "p_yes": risk}
    frames = [
        frame_of("validation", outcome=outcome, first=10, **shares),
        frame_of("test", outcome=outcome, **shares),
    ]
    predictions = Predictions("binary", ("no", "yes"), "yes", pd.concat(frames, ignore_index=True))
    config = change_config(CONFIG, {"evaluate.threshold": "fixed", "evaluate.target": 0.5})
    curve = judge_uncertainty(judge_rows(predictions, "model", config), config)["abstention"]
    by_share = dict(
        zip(np.round(np.array(curve["share"]) * 6).astype(int), curve["error"], strict=True)
    )
    # The two wrong calls, at 0.45 and 0.55, lie next to the threshold.
    assert [by_share[count] for count in (1, 3, 4)] == [0, 0, 0]
    assert by_share[6] == pytest.approx(2 / 6)
