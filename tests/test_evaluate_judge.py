"""The judgement of a whole run: where thresholds come from, what is counted, folds and patients."""

from dataclasses import asdict, replace
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from medcore.config import EvaluateConfig, change_config
from medcore.errors import DataError
from medcore.evaluate import (
    choose_threshold,
    evaluate_predictions,
    evaluation_json,
    operating_point,
    write_need,
)
from medcore.evaluate.threshold import NEEDS
from medcore.records import Predictions
from tests.judged_rows import CASES, CONFIG, binary, binary_rows

RULES = ("youden", "f1", "sensitivity", "specificity", "cost", "alarms")


def changed(predictions: Predictions, part: str, model="model", **columns) -> Predictions:
    frame = predictions.frame.copy()
    mine = frame["part"].eq(part) & frame["model"].eq(model)
    for name, values in columns.items():
        frame.loc[mine, name] = values
    return replace(predictions, frame=frame)


def scores_at(event, risk, threshold):
    alarm = risk >= threshold
    sensitivity = (event & alarm).sum() / event.sum()
    specificity = (~event & ~alarm).sum() / (~event).sum()
    return sensitivity, specificity, 2 * (event & alarm).sum() / (event.sum() + alarm.sum())


def cost_at(event, risk, threshold, ratio):
    alarm = risk >= threshold
    return (~event & alarm).sum() + ratio * (event & ~alarm).sum()


patients = st.lists(
    st.tuples(
        st.booleans(),
        st.one_of(st.sampled_from([0.0, 0.3, 0.3 + 2**-54, 0.5, 1 - 2**-53, 1.0]), st.floats(0, 1)),
    ),
    min_size=2,
    max_size=30,
)


@settings(deadline=None)
@given(patients, st.sampled_from(RULES), st.sampled_from([0.05, 0.5, 0.8, 0.9]))
def test_each_rule_finds_what_trying_every_threshold_finds(rows, rule, target):
    event, risk = (np.array(column) for column in zip(*rows, strict=True))
    found = choose_threshold(event, risk, rule, target)
    if event.all() or not event.any():
        assert found == 0.5
        return
    tried = {value: scores_at(event, risk, value) for value in (*np.unique(risk), 2.0)}
    sensitivity, specificity, f1 = scores_at(event, risk, found)
    if rule == "youden":
        best = max(s[0] + s[1] for s in tried.values())
        counts = (event.sum(), (~event).sum())
        errors = [
            sum(share * (1 - share) / n for share, n in zip(s, counts, strict=False)) ** 0.5
            for s in tried.values()
            if s[0] + s[1] > best - 1e-12
        ]
        assert sensitivity + specificity >= best - max(errors) - 1e-9
    if rule == "f1":
        assert f1 == pytest.approx(max(s[2] for s in tried.values()), abs=1e-12)
    if rule == "sensitivity":
        enough = [s for s in tried.values() if s[0] >= target]
        assert sensitivity >= target
        assert specificity == max(s[1] for s in enough)
    if rule == "specificity":
        enough = [s for s in tried.values() if s[1] >= target]
        assert specificity >= target
        assert sensitivity == max(s[0] for s in enough)
    if rule == "cost":
        costs = [cost_at(event, risk, value, target) for value in tried]
        assert cost_at(event, risk, found, target) == pytest.approx(min(costs), abs=1e-9)
    if rule == "alarms":
        few = [(risk >= v).sum() for v in tried if (risk >= v).sum() <= target * len(risk) + 1e-9]
        assert (risk >= found).sum() == max(few)


def test_youden_s_threshold_is_the_middle_where_many_are_as_good():
    # Nobody's risk lies between .2 and .9 but for one patient with the outcome, who may be chance.
    event = np.r_[np.zeros(50), np.ones(51)].astype(bool)
    risk = np.r_[np.linspace(0.01, 0.2, 50), 0.85, np.linspace(0.9, 0.99, 50)]
    middle = choose_threshold(event, risk, "youden", 0.9)
    assert 0.2 < middle < 0.85
    assert middle == pytest.approx((0.2 + 0.85) / 2)


def test_youden_s_threshold_moves_along_when_risks_are_put_right():
    rng = np.random.default_rng(3)
    event = rng.random(300) < 0.4
    odds = rng.normal(size=300) + 1.5 * event
    found = [
        (1 / (1 + np.exp(-(slope * odds + shift))))
        >= choose_threshold(event, 1 / (1 + np.exp(-(slope * odds + shift))), "youden", 0.9)
        for slope, shift in ((1, 0), (0.4, -1), (3, 2))
    ]
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()


def test_youden_s_threshold_does_better_in_new_patients_than_the_single_largest():
    rng, lost = np.random.default_rng(0), []
    for _ in range(150):
        event = rng.random(150) < 0.3
        odds = rng.normal(size=150) + 2 * event
        middle = choose_threshold(event, 1 / (1 + np.exp(-odds)), "youden", 0.9)
        tried = np.unique(odds)
        index = [np.subtract(*((odds >= t)[event == e].mean() for e in (True, False)))
                 for t in tried]  # fmt: skip
        thresholds = (np.log(middle / (1 - middle)), tried[int(np.argmax(index))])
        # In the population: sensitivity less false alarms of a normal marker, at its best at 1.
        lost.append([_in_everybody(1.0) - _in_everybody(t) for t in thresholds])
    ours, largest = np.mean(lost, axis=0)
    assert ours < 0.7 * largest


def _in_everybody(threshold):
    normal = NormalDist()
    return normal.cdf(threshold) - normal.cdf(threshold - 2)


@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_target_that_is_met_exactly_is_met(tenths):
    event, risk = np.arange(20) % 2 == 0, np.linspace(0.9, 0.1, 20)
    for rule, place in (("sensitivity", 0), ("specificity", 1)):
        found = choose_threshold(event, risk, rule, tenths / 10)
        assert scores_at(event, risk, found)[place] == tenths / 10


@pytest.mark.parametrize("risk", [0.1, 0.3, 0.5, 0.7, np.nextafter(0.7, 1), 5e-324])
def test_patients_whose_risks_hardly_differ_are_told_apart(risk):
    risks = np.array([risk, np.nextafter(risk, 1)])
    found = choose_threshold(np.array([0, 1]), risks, "youden", 0.9)
    assert risks[0] < found <= risks[1]


def test_a_fixed_threshold_is_taken_as_it_is():
    assert choose_threshold(np.array([0, 1]), np.array([0.2, 0.3]), "fixed", 0.7) == 0.7


def test_a_missed_patient_may_cost_so_little_that_nobody_alarms_and_so_much_that_all_do():
    rng = np.random.default_rng(0)
    event, risk = rng.random(200) < 0.3, rng.random(200)
    event[risk.argmax()] = False
    assert not (risk >= choose_threshold(event, risk, "cost", 0.01)).any()
    assert (risk >= choose_threshold(event, risk, "cost", 1000.0))[event].all()


@pytest.mark.parametrize("rule", [*RULES, "fixed"])
def test_each_rule_is_said_in_words(rule):
    evaluate = EvaluateConfig(threshold=rule, target=0.85, cost_ratio=7, alarms=15)
    numbers = {"sensitivity": "85 of 100", "specificity": "85 of 100", "cost": "7 false alarms"}
    assert {**numbers, "alarms": "15 of 100"}.get(rule, "") in write_need(evaluate)
    assert NEEDS[rule]


def test_shares_of_patients_who_repeat_are_less_certain_than_their_rows_suggest():
    rng = np.random.default_rng(0)
    event, alarm = np.repeat(rng.random(60) < 0.5, 10), np.repeat(rng.random(60) < 0.5, 10)
    rows = operating_point(event, alarm)["sensitivity"]
    found = operating_point(event, alarm, np.repeat(np.arange(60), 10))["sensitivity"]
    assert found[0] == rows[0]
    assert found[2] - found[1] > 2 * (rows[2] - rows[1])


@settings(deadline=None)
@given(patients, st.floats(0, 1))
def test_an_operating_point_counts_patients(rows, threshold):
    event, risk = (np.array(column) for column in zip(*rows, strict=True))
    found = operating_point(event, risk >= threshold)
    tn, fp, fn, tp = sk.confusion_matrix(event, risk >= threshold, labels=[False, True]).ravel()
    assert tuple(found[name] for name in ("tp", "fp", "fn", "tn")) == (tp, fp, fn, tn)
    for name, (hits, of) in {"ppv": (tp, tp + fp), "npv": (tn, tn + fn)}.items():
        value, low, high = found[name]
        assert np.isnan(value) if not of else (value == hits / of and low <= value <= high)


@pytest.mark.parametrize("rule", RULES)
def test_the_threshold_comes_from_validation_patients_only(rule):
    number = {"cost": "evaluate.cost_ratio", "alarms": "evaluate.alarms"}
    number = {number.get(rule, "evaluate.target"): 80 if rule == "alarms" else 0.8}
    config = change_config(CONFIG, {"evaluate.threshold": rule} | number)
    given_ = binary()
    before = evaluate_predictions(given_, config)
    frame = given_.frame.query("model == 'model' and part == 'validation'")
    event = frame["outcome"].eq("yes").to_numpy()
    risk = frame["p_yes"].to_numpy()
    assert before.parts["test"].threshold == choose_threshold(event, risk, rule, 0.8)

    rng = np.random.default_rng(5)
    other = changed(given_, "test", p_yes=rng.random(120), outcome=rng.choice(["no", "yes"], 120))
    assert evaluate_predictions(other, config).parts["test"].threshold == pytest.approx(
        before.parts["test"].threshold, abs=0
    )
    lower = changed(given_, "validation", p_yes=frame["p_yes"].to_numpy() * 0.5)
    assert evaluate_predictions(lower, config).parts["test"].threshold == pytest.approx(
        before.parts["test"].threshold / 2
    )
    for part in ("train", "calibration"):
        more = pd.concat([given_.frame, binary_rows(part, 90, 9, 0.0, first=5000)])
        more = replace(given_, frame=more)
        assert evaluate_predictions(more, config).parts["test"] == before.parts["test"]


def test_rows_predicted_out_of_fold_may_decide_and_no_other_training_rows():
    given_ = binary()
    mine = given_.frame["part"].eq("validation")
    out = given_.frame.assign(part=given_.frame["part"].where(~mine, "train"))
    out["fold"] = np.where(mine, 2, -1)
    same = evaluate_predictions(replace(given_, frame=out), CONFIG)
    assert same.parts["test"] == evaluate_predictions(given_, CONFIG).parts["test"]
    fitted = evaluate_predictions(replace(given_, frame=out.assign(fold=-1)), CONFIG)
    assert fitted.parts["test"].threshold == 0.5


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_rows_changes_no_figure(case):
    given_ = CASES[case]()
    shuffled = given_.frame.sample(frac=1, random_state=3).reset_index(drop=True)
    again = evaluate_predictions(replace(given_, frame=shuffled), CONFIG)
    assert evaluation_json(again) == evaluation_json(evaluate_predictions(given_, CONFIG))


def test_the_test_part_is_scored_as_scikit_learn_does():
    found = evaluate_predictions(binary(), CONFIG)
    rows = binary().frame.query("model == 'model' and part == 'test'")
    event, risk = rows["outcome"].eq("yes"), rows["p_yes"]
    part = found.parts["test"]
    alarm = risk >= part.threshold
    assert (part.n, part.events) == (120, event.sum())
    expected = {
        "auroc": sk.roc_auc_score(event, risk),
        "f1": sk.f1_score(event, alarm),
        "recall_yes": sk.recall_score(event, alarm),
        "recall_no": sk.recall_score(~event, ~alarm),
        "brier": sk.brier_score_loss(event, risk),
    }
    for name, value in expected.items():
        assert part.metrics[name].value == pytest.approx(value, abs=1e-12), name
    methods = {name: metric.method for name, metric in part.metrics.items()}
    assert {methods[n] for n in ("accuracy", "recall", "npv", "recall_no")} == {"wilson"}
    assert (methods["auroc"], methods["f1"]) == ("delong", "bootstrap")
    assert part.metrics["recall"].n == event.sum()


def with_folds(repeats: int) -> Predictions:
    frames = []
    for number in range(3 * repeats):
        fold = {"fold": number, "first": 100 * (number % 3)}
        frames.append(binary_rows("test", 40, number % 3, **fold))
        held = binary_rows("validation", 40, 50 + number, fold=number, first=1000)
        frames.append(held.assign(p_yes=held["p_yes"] * (1 + number) / 10))
    return Predictions("binary", ("no", "yes"), "yes", pd.concat(frames, ignore_index=True))


def test_each_fold_has_the_threshold_of_its_own_validation_patients():
    given_ = with_folds(1)
    found = evaluate_predictions(given_, CONFIG)
    expected, hits = [], 0
    for number in range(3):
        rows = given_.frame[given_.frame["fold"].eq(number)]
        held = rows[rows["part"].eq("validation")]
        event = held["outcome"].eq("yes").to_numpy()
        expected.append(choose_threshold(event, held["p_yes"].to_numpy(), "youden", 0.9))
        test = rows[rows["part"].eq("test")]
        hits += (test["outcome"].eq("yes") == (test["p_yes"] >= expected[-1])).sum()
    assert [fold["threshold"] for fold in found.folds] == expected
    assert found.parts["test"].threshold == np.median(expected)
    assert found.parts["test"].metrics["accuracy"].value == pytest.approx(hits / 120)
    assert [fold["n"] for fold in found.folds] == [40, 40, 40]


def test_repeated_folds_count_each_patient_once_and_draw_them_whole():
    once, twice = (evaluate_predictions(with_folds(repeats), CONFIG) for repeats in (1, 2))
    first, second = once.parts["test"], twice.parts["test"]
    assert (second.n, second.events) == (first.n, first.events)
    assert second.metrics["auroc"].method == "bootstrap"
    assert asdict(second.metrics["brier"]) == asdict(first.metrics["brier"]) | {
        "n": 240,
        "value": pytest.approx(first.metrics["brier"].value),
        "low": pytest.approx(first.metrics["brier"].low),
        "high": pytest.approx(first.metrics["brier"].high),
    }


def by_patient(missing: int) -> Predictions:
    """Return five equal rows of each patient; some patients' names are missing in one row."""
    given_ = binary()
    test = given_.frame[given_.frame["part"].eq("test")].loc[np.repeat(np.arange(80, 120), 5)]
    names = pd.Series([f"p{n // 5}" for n in range(200)], dtype="string")
    names[: 5 * missing : 5] = pd.NA
    test = test.assign(row_id=np.arange(200), patient=names.to_numpy())
    held = given_.frame[given_.frame["part"].eq("validation")]
    return replace(given_, frame=pd.concat([held, test], ignore_index=True).query("model=='model'"))


def test_a_row_without_a_patient_stands_alone_and_the_others_stay_together():
    whole, few = (evaluate_predictions(by_patient(n), CONFIG).parts["test"] for n in (0, 2))
    for part in (whole, few):
        assert part.metrics["accuracy"].method == "bootstrap"
    width = [m.high - m.low for m in (whole.metrics["brier"], few.metrics["brier"])]
    assert width[1] > 0.8 * width[0]


def test_baselines_are_judged_at_their_own_threshold_and_compared_on_the_same_patients():
    found = evaluate_predictions(binary(), CONFIG)
    rows = binary().frame.query("model == 'logistic' and part == 'validation'")
    event, risk = rows["outcome"].eq("yes").to_numpy(), rows["p_yes"].to_numpy()
    other = found.baselines["logistic"]
    assert other.threshold == choose_threshold(event, risk, "youden", 0.9)
    differences = found.curves["differences"]["logistic"]
    assert set(differences) == {"auroc", "auprc", "brier", "log_loss"}
    for name, metric in differences.items():
        ours = found.parts["test"].metrics[name].value
        assert metric.value == pytest.approx(ours - other.metrics[name].value, abs=1e-12)
        assert metric.low <= metric.value <= metric.high


def test_predictions_that_are_not_numbers_or_of_nobody_are_refused():
    bad = changed(binary(), "test", p_yes=np.r_[np.nan, np.full(119, 0.5)])
    with pytest.raises(DataError, match=r"^1 predictions are not numbers \(first: row 0\)"):
        evaluate_predictions(bad, CONFIG)
    frame = binary().frame
    with pytest.raises(DataError, match="No test patient was predicted"):
        evaluate_predictions(replace(binary(), frame=frame[frame["part"].ne("test")]), CONFIG)


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_single_prediction_that_is_no_number_is_refused_in_any_part(part, bad):
    given_ = binary()
    frame = given_.frame.copy()
    place = frame.index[frame["part"].eq(part) & frame["model"].eq("model")][7]
    frame.loc[place, "p_yes"] = bad
    said = f"1 predictions are not numbers .first: row {frame['row_id'][place]}"
    with pytest.raises(DataError, match=said):
        evaluate_predictions(replace(given_, frame=frame), CONFIG)


def test_a_model_that_says_the_same_of_everybody_is_worth_nothing():
    given_ = binary()
    share = given_.frame.query("part == 'test' and model == 'model'")["outcome"].eq("yes").mean()
    same = given_.frame.assign(p_yes=share, p_no=1 - share)
    metrics = evaluate_predictions(replace(given_, frame=same), CONFIG).parts["test"].metrics
    values = {name: metric.value for name, metric in metrics.items()}
    assert (values["auroc"], values["mcc"], values["balanced_accuracy"]) == (0.5, 0, 0.5)
    assert values["auprc"] == pytest.approx(share)
    assert values["brier_scaled"] == pytest.approx(0, abs=1e-12)
    assert values["calibration_intercept"] == pytest.approx(0, abs=1e-8)
    assert np.isnan(values["calibration_slope"])


def test_intervals_hold_their_figure_and_narrow_with_more_patients():
    few, many = (
        evaluate_predictions(binary(skill=0.2, rows=rows), CONFIG).parts["test"].metrics
        for rows in (120, 2000)
    )
    for name, metric in few.items():
        if np.isfinite(metric.low) and np.isfinite(many[name].low):
            assert metric.low <= metric.value <= metric.high
            assert many[name].high - many[name].low < metric.high - metric.low, name


@pytest.mark.parametrize("outcome", ["yes", "no"])
def test_with_one_outcome_only_each_missing_figure_says_why(outcome):
    found = evaluate_predictions(changed(binary(), "test", outcome=outcome), CONFIG)
    metrics = found.parts["test"].metrics
    missing = {name for name, metric in metrics.items() if not np.isfinite(metric.value)}
    ranked = {"auroc", "calibration_slope", "brier_scaled", "balanced_accuracy"}
    assert ranked <= missing
    assert ("recall" in missing, "specificity" in missing) == (outcome == "no", outcome == "yes")
    for name in missing:
        assert metrics[name].reason, name
        assert metrics[name].method == "none"
    assert any("only 0 patients" in warning for warning in found.warnings)


def test_a_class_that_is_absent_or_never_named_is_told_apart():
    found = evaluate_predictions(CASES["multiclass"](), CONFIG)
    metrics = found.parts["test"].metrics
    assert "names this class for no patient" in metrics["precision_rare one"].reason
    assert "no patient of this class" in metrics["recall_rare one"].reason
    assert "of this class and of others" in metrics["auroc_rare one"].reason
    assert "No test patient has: rare one; these have no figures." in found.warnings


def test_several_classes_are_ranked_and_scored_as_scikit_learn_does():
    given_ = CASES["multiclass"]()
    found = evaluate_predictions(given_, CONFIG).parts["test"].metrics
    share, truth = given_.probabilities(), given_.frame["outcome"].to_numpy()
    onehot = truth[:, None] == np.array(given_.classes)
    areas = [sk.roc_auc_score(onehot[:, place], share[:, place]) for place in range(3)]
    precise = [sk.average_precision_score(onehot[:, place], share[:, place]) for place in range(3)]
    expected = {
        "auroc": np.mean(areas),
        "auroc_weighted": np.average(areas, weights=onehot.sum(axis=0)[:3]),
        "auprc": np.mean(precise),
        "auroc_b": areas[1],
        "auprc_c": precise[2],
        "log_loss": sk.log_loss(truth, share, labels=given_.classes),
        "brier": sk.brier_score_loss(truth, share, labels=given_.classes, scale_by_half=False),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-12), name
        assert found[name].low < value < found[name].high
