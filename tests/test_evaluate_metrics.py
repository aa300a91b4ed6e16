"""Every figure equals that of another implementation, whatever the ties, extremes and rarity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from medcore.evaluate.calibration import MOST_FITTED_ROWS, calibration_metrics, logit_of
from medcore.evaluate.classification import class_metrics, decision_metrics
from medcore.evaluate.probability import score_metrics
from medcore.evaluate.ranking import ranking_metrics
from medcore.evaluate.regression import regression_metrics

NORMAL = 1.959963984540054
EXACT = {"rel": 1e-12, "abs": 1e-12}
SEEDS = range(25)
CLASSES = ("low", "middle", "high", "never")


def draw_patients(seed: int):
    """Return events and risks with ties, extremes and, often, hardly any events."""
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([4, 25, 300, 2000]))
    event = rng.random(rows) < rng.choice([0.02, 0.3, 0.9])
    event[:2] = False, True
    risk = rng.random(rows) * 0.5 + event * rng.choice([0, 0.3])
    risk = risk.round(int(rng.choice([1, 2, 12])))
    extreme = rng.random(rows) < 0.1
    risk[extreme] = rng.choice([0.0, 1.0, 1e-300, 1 - 2**-53], extreme.sum())
    return event, risk


def draw_classes(seed: int):
    """Return truths and probabilities of four classes; the last never occurs, ties do."""
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([6, 40, 500]))
    truth = rng.choice(3, rows, p=[0.8, 0.15, 0.05])
    truth[:3] = 0, 1, 2
    scores = rng.integers(0, 4, (rows, 4)) + np.eye(4)[truth] + [0, 0, 0, rng.choice([-9, 0])]
    share = np.exp(scores)
    return truth, share / share.sum(axis=1, keepdims=True)


def ones(rows: np.ndarray) -> np.ndarray:
    return np.ones((1, len(rows)))


def assert_equal(found: dict, expected: dict, **tolerance) -> None:
    for name, value in expected.items():
        assert found[name][0] == pytest.approx(value, nan_ok=True, **(tolerance or EXACT)), name


@pytest.mark.parametrize("seed", SEEDS)
def test_decisions_are_measured_as_scikit_learn_does(seed):
    event, risk = draw_patients(seed)
    alarm = risk >= np.random.default_rng(seed).choice([0.1, 0.5, 1.1])
    nan = {"zero_division": np.nan}
    both = {"labels": [False, True], "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(event, alarm),
        "recall": sk.recall_score(event, alarm),
        "specificity": sk.recall_score(event, alarm, pos_label=False),
        "precision": sk.precision_score(event, alarm, **nan),
        "npv": sk.precision_score(event, alarm, pos_label=False, **nan),
        "f1": sk.f1_score(event, alarm, **nan),
        "f1_macro": sk.f1_score(event, alarm, average="macro", **both),
        "f1_micro": sk.f1_score(event, alarm, average="micro", **both),
        "f1_weighted": sk.f1_score(event, alarm, average="weighted", **both),
        "balanced_accuracy": sk.balanced_accuracy_score(event, alarm),
        "mcc": sk.matthews_corrcoef(event, alarm),
    }
    found = decision_metrics(event, alarm, ones(event))
    assert_equal(found, expected)
    assert set(found) == set(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_ranking_equals_scikit_learn(seed):
    event, risk = draw_patients(seed)
    expected = {
        "auroc": sk.roc_auc_score(event, risk),
        "auprc": sk.average_precision_score(event, risk),
    }
    assert_equal(ranking_metrics(event.astype(float), risk, ones(event)), expected)


def count_pairs(event: np.ndarray, risk: np.ndarray) -> float:
    """Return the share of pairs in which the patient with the event has the higher risk."""
    case, control = risk[event], risk[~event]
    wins = (case[:, None] > control).sum() + 0.5 * (case[:, None] == control).sum()
    return wins / (len(case) * len(control))


cases = st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1e-9, 0.25, 0.5, 1])), min_size=2)


@settings(deadline=None)
@given(cases)
def test_auroc_is_the_share_of_pairs_in_the_right_order(rows):
    event, risk = (np.array(column) for column in zip(*rows, strict=True))
    found = ranking_metrics(event.astype(float), risk, ones(event))["auroc"][0]
    if event.all() or not event.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(count_pairs(event, risk), **EXACT)


def naive_ece(event: np.ndarray, risk: np.ndarray) -> float:
    """Cut sorted risks into ten; equal risks go to the bin of the last cut among or before them."""
    cuts = np.sort(risk)[np.arange(1, 10) * len(risk) // 10]
    group = np.searchsorted(np.unique(cuts), risk, side="right")
    total = 0.0
    for number in np.unique(group):
        mine = group == number
        total += abs(risk[mine].mean() - event[mine].mean()) * mine.sum()
    return total / len(risk)


@pytest.mark.parametrize("seed", SEEDS)
def test_risks_are_scored_as_scikit_learn_does(seed):
    event, risk = draw_patients(seed)
    brier = sk.brier_score_loss(event, risk)
    share = event.mean()
    expected = {
        "brier": brier,
        "brier_scaled": 1 - brier / np.mean((share - event) ** 2),
        "log_loss": sk.log_loss(event, risk),
        "o_e": event.sum() / risk.sum(),
    }
    if len(event) >= 10:
        expected["ece"] = naive_ece(event, risk)
    assert_equal(score_metrics(event.astype(float), risk, ones(event)), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_choices_among_classes_are_measured_as_scikit_learn_does(seed):
    truth, share = draw_classes(seed)
    chosen = share.argmax(axis=1)
    macro = {"labels": [0, 1, 2], "average": "macro", "zero_division": 0}
    weighted = {**macro, "average": "weighted"}
    table = sk.multilabel_confusion_matrix(truth, chosen, labels=[0, 1, 2])
    kept = [(cell[0, 0] / cell[0].sum()) for cell in table]
    expected = {
        "accuracy": sk.accuracy_score(truth, chosen),
        "recall": sk.recall_score(truth, chosen, **macro),
        "specificity": np.mean(kept),
        "precision": sk.precision_score(truth, chosen, **macro),
        "f1": sk.f1_score(truth, chosen, **macro),
        "f1_macro": sk.f1_score(truth, chosen, **macro),
        "f1_micro": sk.f1_score(truth, chosen, **{**macro, "average": "micro", "labels": None}),
        "kappa_quadratic": sk.cohen_kappa_score(truth, chosen, weights="quadratic"),
        "f1_weighted": sk.f1_score(truth, chosen, **weighted),
        "balanced_accuracy": sk.recall_score(truth, chosen, **macro),
        "mcc": sk.matthews_corrcoef(truth, chosen),
    }
    alone = {"average": None, "labels": [0, 1, 2, 3], "zero_division": np.nan}
    scores = {"recall": sk.recall_score, "precision": sk.precision_score, "f1": sk.f1_score}
    for name, score in scores.items():
        values = score(truth, chosen, **alone)
        expected |= {f"{name}_{c}": v for c, v in zip(CLASSES, values, strict=True)}
    kept.append((cell := sk.confusion_matrix(truth == 3, chosen == 3, labels=[False, True]))[0, 0])
    kept[3] /= cell[0].sum()
    expected |= {f"specificity_{c}": v for c, v in zip(CLASSES, kept, strict=True)}
    found = class_metrics(truth, chosen, CLASSES, ones(truth), np.arange(4))
    assert_equal(found, expected)
    assert found["f1_micro"][0] == pytest.approx(found["accuracy"][0], **EXACT)
    assert set(found) == set(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_are_measured_as_scikit_learn_does(seed):
    rng = np.random.default_rng(seed)
    outcome = rng.normal(rng.choice([0, 70]), 3, int(rng.choice([2, 30, 900])))
    predicted = outcome + rng.normal(0, rng.choice([0.1, 5]), len(outcome))
    expected = {
        "mae": sk.mean_absolute_error(outcome, predicted),
        "rmse": sk.root_mean_squared_error(outcome, predicted),
        "r2": sk.r2_score(outcome, predicted),
        "bias": np.mean(predicted - outcome),
        "loa_low": np.mean(predicted - outcome) - NORMAL * np.std(predicted - outcome, ddof=1),
        "loa_high": np.mean(predicted - outcome) + NORMAL * np.std(predicted - outcome, ddof=1),
    }
    assert_equal(regression_metrics(outcome, predicted, ones(outcome)), expected)


def fit_slope(event: np.ndarray, risk: np.ndarray) -> tuple[float, float]:
    logit = logit_of(risk)
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    fit.fit(logit[:, None], event)
    return fit.coef_[0, 0], fit.intercept_[0]


@pytest.mark.parametrize("spread", [0.01, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_calibration_slope_is_that_of_a_logistic_regression(seed, spread):
    rng = np.random.default_rng(seed)
    true = rng.normal(-1, 1, 400)
    event = rng.random(400) < 1 / (1 + np.exp(-true))
    risk = 1 / (1 + np.exp(-spread * true - rng.choice([-3, 0, 1])))
    slope, _ = fit_slope(event, risk)
    found = calibration_metrics(event.astype(float), risk, ones(event))
    logit = logit_of(risk)
    assert found["calibration_slope"][0] == pytest.approx(slope, rel=1e-6)
    moved = 1 / (1 + np.exp(-logit - found["calibration_intercept"][0]))
    assert moved.sum() == pytest.approx(event.sum(), rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_ici_e50_and_e90_are_distances_to_a_restricted_cubic_spline(seed):
    rng = np.random.default_rng(seed)
    true = rng.normal(-1, 1, 401)
    event = rng.random(401) < 1 / (1 + np.exp(-true - 0.4 * true**2))
    risk = 1 / (1 + np.exp(-true))
    knots = np.quantile(true, [0.1, 0.5, 0.9])
    cubes = [np.maximum(true - knot, 0) ** 3 for knot in knots]
    low, middle, high = knots
    bend = (
        cubes[0]
        - cubes[1] * (high - low) / (high - middle)
        + cubes[2] * (middle - low) / (high - middle)
    )
    design = np.column_stack([true, bend / bend.std()])
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    curve = fit.fit(design, event).predict_proba(design)[:, 1]
    distance = np.sort(np.abs(curve - risk))
    found = calibration_metrics(event.astype(float), risk, ones(event))
    expected = {"ici": distance.mean(), "e50": distance[200], "e90": distance[360]}
    assert_equal(found, expected, rel=1e-5, abs=1e-7)


def test_a_bend_that_no_line_follows_is_seen_by_ici():
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 1.5, 20_000)
    true = 1 / (1 + np.exp(-logit + 0.3 * (logit**2 - 2)))
    event = (rng.random(20_000) < true).astype(float)
    risk = 1 / (1 + np.exp(-logit))
    found = calibration_metrics(event, risk, ones(event))
    assert found["ici"][0] == pytest.approx(np.abs(true - risk).mean(), rel=0.15)


def test_risks_that_come_true_are_far_from_nothing():
    rng = np.random.default_rng(0)
    risk = rng.beta(2, 5, 50_000)
    event = (rng.random(50_000) < risk).astype(float)
    found = calibration_metrics(event, risk, ones(event))
    assert found["ici"][0] < 0.005
    assert found["e50"][0] <= found["e90"][0] < 0.01


def test_certain_risks_that_are_often_wrong_have_a_slope_near_zero():
    event = np.tile([1.0, 1, 1, 0, 0], 40)
    found = calibration_metrics(event, np.where(np.arange(200) % 2, 0.0, 1.0), ones(event))
    assert abs(found["calibration_slope"][0]) < 0.1


@pytest.mark.parametrize("risk", [np.full(20, 0.3), np.r_[np.full(10, 0.2), np.full(10, 0.6)]])
def test_one_risk_for_all_or_perfect_separation_has_no_slope(risk):
    event = np.r_[np.zeros(10), np.ones(10)]
    found = calibration_metrics(event, risk, ones(event))
    assert np.isnan(found["calibration_slope"][0])
    assert np.isnan(found["ici"][0])
    assert np.isfinite(found["calibration_intercept"][0])


def test_joining_neighbours_in_large_tables_hardly_changes_the_slope():
    rng = np.random.default_rng(0)
    true = rng.normal(-1, 1, 4 * MOST_FITTED_ROWS + 7)
    event = (rng.random(len(true)) < 1 / (1 + np.exp(-true))).astype(float)
    risk = 1 / (1 + np.exp(-1.5 * true))
    slope, _ = fit_slope(event, risk)
    found = calibration_metrics(event, risk, ones(event))
    assert found["calibration_slope"][0] == pytest.approx(slope, rel=1e-4)


MEASURES = {
    "decision": lambda e, r, w: decision_metrics(e, r >= 0.4, w),
    "ranking": lambda e, r, w: ranking_metrics(e.astype(float), r, w),
    "score": lambda e, r, w: score_metrics(e.astype(float), r, w),
    "calibration": lambda e, r, w: calibration_metrics(e.astype(float), r, w),
    "regression": lambda e, r, w: regression_metrics(e + r, r, w),
    "classes": lambda e, r, w: class_metrics(
        (e + 2 * (r > 0.7)), 1 * (r > 0.5), CLASSES, w, np.arange(4)
    ),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999))
def test_a_weight_of_three_is_the_same_as_three_rows(measure, seed):
    rng = np.random.default_rng(seed)
    event, risk = rng.random(30) < 0.4, rng.random(30).round(1)
    weights = rng.integers(0, 4, (3, 30))
    found = measure(event, risk, weights.astype(float))
    for place, counts in enumerate(weights):
        rows = np.repeat(np.arange(30), counts)
        repeated = measure(event[rows], risk[rows], ones(rows))
        # Bins and knots are cut once, on the rows as they are.
        expected = {n: v[0] for n, v in repeated.items() if n not in ("ece", "ici", "e50", "e90")}
        drawn = {name: value[place : place + 1] for name, value in found.items()}
        assert_equal(drawn, expected, rel=1e-7, abs=1e-9)


def test_where_nothing_is_below_the_line_a_figure_is_not_a_number():
    yes, no = np.ones(5, bool), np.zeros(5, bool)
    risk = np.linspace(0.1, 0.9, 5)
    found = decision_metrics(no, no, ones(no))
    assert {n for n, v in found.items() if np.isnan(v[0])} == {
        "recall", "precision", "f1", "balanced_accuracy",
    }  # fmt: skip
    assert np.isnan(decision_metrics(yes, yes, ones(yes))["npv"][0])
    assert np.isnan(ranking_metrics(yes.astype(float), risk, ones(yes))["auroc"][0])
    assert np.isnan(ranking_metrics(no.astype(float), risk, ones(no))["auprc"][0])
    assert not np.isfinite(score_metrics(no.astype(float), risk, ones(no))["brier_scaled"][0])
    assert np.isnan(regression_metrics(np.full(5, 3.0), risk, ones(no))["r2"][0])
