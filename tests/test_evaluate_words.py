"""What people see of a judgement: curves, the file, labels, and sentences."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve as sk_calibration

from medcore.config import change_config
from medcore.evaluate import (
    evaluate_predictions,
    evaluation_json,
    explain_metric,
    label_metric,
    leading_metrics,
    read_evaluation,
    write_difference,
    write_headline,
    write_metric,
)
from medcore.evaluate.curves import (
    MOST_POINTS,
    calibration_curve,
    histogram,
    precision_recall_curve,
    roc_curve,
    threshold_table,
)
from medcore.records import Metric, PartEvaluation
from tests.judged_rows import CASES, CONFIG, binary, regression


def judged(case="binary", outcome=None):
    given = CASES[case]()
    if outcome is not None:
        frame = given.frame.copy()
        frame.loc[frame["part"].eq("test"), "outcome"] = outcome
        given = replace(given, frame=frame)
    return evaluate_predictions(given, CONFIG)


def draw(rows=300, digits=2, seed=0):
    rng = np.random.default_rng(seed)
    event = rng.random(rows) < 0.3
    return event, np.clip(rng.random(rows) * 0.7 + 0.3 * event, 0, 1).round(digits)


@pytest.mark.parametrize(("rows", "digits"), [(30, 1), (300, 2), (5000, 9)])
def test_the_roc_curve_holds_scikit_learns_points(rows, digits):
    event, risk = draw(rows, digits)
    found = roc_curve(event, risk)
    x, y, _ = sk.roc_curve(event, risk, drop_intermediate=False)
    points = set(zip(x.round(12), y.round(12), strict=True))
    ours = zip(np.round(found["false_alarm"], 12), np.round(found["sensitivity"], 12), strict=True)
    assert set(ours) <= points
    assert len(found["threshold"]) == min(len(x), MOST_POINTS)
    assert (found["false_alarm"][0], found["false_alarm"][-1]) == (0, 1)
    assert sk.auc(found["false_alarm"], found["sensitivity"]) == pytest.approx(
        sk.roc_auc_score(event, risk), abs=2e-3 if rows > MOST_POINTS else 1e-12
    )


def test_the_precision_recall_curve_is_what_each_threshold_gives():
    event, risk = draw()
    found = precision_recall_curve(event, risk)
    assert found["prevalence"] == event.mean()
    points = zip(found["threshold"], found["recall"], found["precision"], strict=True)
    for threshold, recall, precision in points:
        assert recall == pytest.approx(sk.recall_score(event, risk >= threshold))
        assert precision == pytest.approx(sk.precision_score(event, risk >= threshold))


def test_the_table_of_thresholds_is_what_each_shown_threshold_gives():
    event, risk = draw()
    found = threshold_table(event, risk)
    assert found["threshold"] == [round(step / 100, 2) for step in range(101)]
    for place, threshold in enumerate(found["threshold"]):
        alarm = risk >= threshold
        assert found["alarms"][place] == pytest.approx(100 * alarm.mean())
        assert found["sensitivity"][place] == pytest.approx(sk.recall_score(event, alarm))
        ppv = found["ppv"][place]
        assert ppv == (pytest.approx(sk.precision_score(event, alarm)) if alarm.any() else None)


def test_the_calibration_curve_bins_patients_by_tenths():
    event, risk = draw(1000, 9)
    found = calibration_curve(event, risk)
    observed, predicted = sk_calibration(event, risk, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(found["observed"], observed, atol=0.02)
    np.testing.assert_allclose(found["predicted"], predicted, atol=0.02)
    assert found["n"] == [100] * 10
    assert np.average(found["observed"], weights=found["n"]) == pytest.approx(event.mean())
    bounds = zip(found["low"], found["observed"], found["high"], strict=True)
    assert all(low <= value <= high for low, value, high in bounds)


def test_the_histogram_holds_every_patient():
    event, risk = draw()
    found = histogram(event, np.r_[0.0, 1.0, risk[2:]])
    assert (sum(found["with"]), sum(found["without"])) == (event.sum(), (~event).sum())


def test_the_confusion_table_has_the_positive_class_last():
    found = judged()
    rows = binary().frame.query("model == 'model' and part == 'test'")
    said = np.where(rows["p_yes"] >= found.parts["test"].threshold, "yes", "no")
    table = found.curves["model"]["confusion"]
    assert table["labels"] == ["no", "yes"]
    assert table["counts"] == sk.confusion_matrix(rows["outcome"], said).tolist()


def test_the_confusion_table_of_classes_is_scikit_learns():
    given = CASES["multiclass"]()
    said = np.array(given.classes)[given.probabilities().argmax(axis=1)]
    expected = sk.confusion_matrix(given.frame["outcome"], said, labels=given.classes)
    curves = judged("multiclass").curves["model"]
    assert curves["confusion"]["counts"] == expected.tolist()
    assert set(curves["roc_by_class"]) == {"a", "b", "c"}


KINDS = [*((case, None) for case in CASES), ("binary", "no"), ("binary", "yes"), ("regression", 4)]


@pytest.mark.parametrize(("case", "outcome"), KINDS)
def test_the_file_holds_the_whole_evaluation(case, outcome):
    found = judged(case, outcome)
    text = json.dumps(evaluation_json(found), allow_nan=False)
    again = read_evaluation(json.loads(text))
    assert evaluation_json(again) == evaluation_json(found)
    assert (again.task, again.classes, again.warnings) == (
        found.task,
        found.classes,
        found.warnings,
    )
    for name, metric in found.parts["test"].metrics.items():
        kept = again.parts["test"].metrics[name]
        assert [kept.value, kept.low, kept.high] == pytest.approx(
            [metric.value, metric.low, metric.high], abs=0, nan_ok=True
        )
        assert (kept.n, kept.method, kept.reason) == (metric.n, metric.method, metric.reason)
        if not np.isfinite(metric.value):
            written = json.loads(text)["parts"]["test"]["metrics"][name]
            assert (written["value"], bool(written["reason"])) == (None, True)


@pytest.mark.parametrize("case", CASES)
def test_every_figure_has_a_label_and_an_explanation(case):
    names = judged(case).parts["test"].metrics
    assert len(names) > 2
    for name in names:
        assert label_metric(name) != name
        assert explain_metric(name).endswith(".")


def figure(value, low=np.nan, high=np.nan, n=100) -> Metric:
    return Metric(value, low, high, n, "bootstrap")


def tell(found, **metrics):
    """Return the headline after some figures were changed."""
    part = found.parts["test"]
    part = replace(part, metrics={**part.metrics, **metrics})
    return write_headline(replace(found, parts={"test": part}), "death", "days")


def test_the_headline_of_a_yes_or_no_outcome_counts_patients():
    kept, hit = figure(0.8, 0.75, 0.9), figure(0.85, 0.705, 0.95)
    assert tell(judged(), recall=hit, specificity=kept) == (
        "Of 100 patients with death = yes, this model finds 85 (70–95) and misses 15; "
        "of 100 without, it alarms for 20 (10–25)."
    )


def test_the_headline_of_classes_and_numbers():
    metrics = {"accuracy": figure(0.7, 0.6, 0.8), "recall": figure(0.5, 0.4, 0.6)}
    assert tell(judged("multiclass"), **metrics) == (
        "Of 100 patients, this model names the right one of 4 classes for 70 (60–80); averaged "
        "over the classes it finds 50 (40–60) of 100."
    )
    metrics = {"mae": figure(2.345, 2.1, 2.6), "r2": figure(-0.2, -0.3, 0)}
    assert tell(judged("regression"), **metrics) == (
        "On average a prediction is off by 2.35 days (2.1–2.6); the model explains 0 % of the "
        "outcome's variation."
    )


@pytest.mark.parametrize("outcome", ["yes", "no"])
def test_the_headline_says_when_nothing_can_be_judged(outcome):
    assert "all have the same outcome" in tell(judged(outcome=outcome))


def test_the_headline_of_a_number_that_does_not_vary():
    assert tell(judged("regression", 4.0)).endswith(
        "; the test patients all have the same outcome."
    )


def test_accuracy_does_not_lead_where_the_outcome_is_rare():
    def led(events):
        part = PartEvaluation(100, events, 0.5, {})
        return leading_metrics(replace(judged(), parts={"test": part}))

    assert led(19) == ("recall", "precision", "auprc")
    assert led(20) == ("recall", "accuracy", "f1")
    assert leading_metrics(judged("multiclass")) == ("recall", "accuracy", "f1")
    assert leading_metrics(judged("regression")) == ("mae", "rmse", "r2")


def test_figures_are_written_with_what_is_known_of_them():
    assert write_metric(figure(0.856, 0.82, 0.9)) == "0.86 (0.82–0.90)"
    assert write_metric(figure(-0.1, -0.3, 0.1)) == "-0.10 (-0.30 to 0.10)"
    assert write_metric(figure(0.5)) == "0.50"
    assert write_metric(figure(np.nan)) == "–"


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "word"),
    [
        ("auroc", 0.05, 0.01, 0.09, "better than"),
        ("auroc", -0.05, -0.09, -0.01, "worse than"),
        ("brier", -0.05, -0.09, -0.01, "better than"),
        ("mae", 0.5, 0.1, 0.9, "worse than"),
        ("auroc", 0.05, -0.01, 0.11, "not distinguishable from"),
        ("auroc", 0.05, 0.0, 0.11, "not distinguishable from"),
        ("auroc", np.nan, np.nan, np.nan, "no comparison"),
        ("auroc", 0.05, np.nan, np.nan, "no comparison"),
    ],
)
def test_a_difference_counts_only_when_its_interval_leaves_out_nothing(
    name, value, low, high, word
):
    said = write_difference(name, "logistic", figure(value, low, high))
    assert word in said
    assert "logistic regression" in said
    assert said.endswith(".")


def test_a_model_and_its_copy_cannot_be_told_apart():
    given = binary()
    mine = given.frame[given.frame["model"].eq("model")]
    twice = [mine, mine.assign(model="logistic")]
    frame = type(mine)({c: np.concatenate([part[c] for part in twice]) for c in mine})
    found = evaluate_predictions(replace(given, frame=frame), CONFIG)
    for name, metric in found.curves["differences"]["logistic"].items():
        assert "not distinguishable" in write_difference(name, "logistic", metric)


def test_the_seed_and_the_number_of_resamples_decide_the_bootstrap():
    def interval(**changes):
        config = change_config(CONFIG, {key.replace("_", "."): v for key, v in changes.items()})
        return evaluate_predictions(regression(), config).parts["test"].metrics["mae"]

    assert interval() == interval()
    assert interval() != interval(seed=1)
    assert interval() != interval(evaluate_resamples=200)
