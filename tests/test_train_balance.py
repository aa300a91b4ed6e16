"""Strategies for rare classes: identities, oracles, and what they do to risks of real patients."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from medcore.config import BalanceConfig, RunConfig, change_config
from medcore.data import make_dataset, open_dataset
from medcore.errors import ConfigError, FitError
from medcore.laboratory import Choice
from medcore.laboratory.work import run_laboratory
from medcore.models.recalibration import apply_recalibration, fit_recalibration
from medcore.records import Block, Prepared, Watch
from medcore.strategies import check_strategies
from medcore.train.balance import balance_rows, class_ratio, wanted_counts
from medcore.train.loss import build_emphasis, member_loss

CPU = torch.device("cpu")
SHARED = Path(os.environ.get("MEDCORE_BENCHMARK_DATA", "../shared/data"))


def some_output(rows: int = 64, members: int = 3, classes: int = 3):
    rng = torch.Generator().manual_seed(0)
    output = torch.randn(rows, members, classes, generator=rng) * 3
    return output, torch.randint(classes, (rows,), generator=rng)


def test_focal_loss_with_gamma_zero_is_cross_entropy():
    output, outcome = some_output()
    plain = member_loss(output, outcome, "multiclass", 0.0)
    for gamma, same in ((0.0, True), (2.0, False)):
        emphasis = build_emphasis(BalanceConfig(strategy="focal", gamma=gamma), None, CPU)
        found = member_loss(output, outcome, "multiclass", 0.0, emphasis)
        assert (abs(float(found - plain)) < 1e-6) is same


def test_focal_loss_is_the_formula_of_its_paper():
    output, outcome = some_output(members=1)
    emphasis = build_emphasis(BalanceConfig(strategy="focal", gamma=1.5), None, CPU)
    p = output[:, 0].softmax(1)[torch.arange(64), outcome]
    expected = (-((1 - p) ** 1.5) * p.log()).mean()
    found = member_loss(output, outcome, "multiclass", 0.0, emphasis)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("strategy", ["logit_adjusted", "class_weight"])
def test_with_classes_alike_nothing_is_adjusted(strategy):
    output, outcome = some_output()
    balance = BalanceConfig(strategy=strategy)
    ratio = class_ratio(np.repeat([0, 1, 2], 20), 3, balance)
    found = member_loss(output, outcome, "multiclass", 0.0, build_emphasis(balance, ratio, CPU))
    assert float(found) == pytest.approx(float(member_loss(output, outcome, "multiclass", 0.0)),
                                         abs=1e-6)  # fmt: skip


def test_logit_adjustment_adds_tau_times_the_logarithm_of_the_prior():
    output, outcome = some_output(members=1)
    prior = np.array([0.6, 0.3, 0.1])
    balance = BalanceConfig(strategy="logit_adjusted", tau=0.7)
    ratio = class_ratio(np.repeat([0, 1, 2], [60, 30, 10]), 3, balance)
    shifted = output[:, 0] + 0.7 * torch.from_numpy(np.log(prior)).float()
    expected = functional.cross_entropy(shifted, outcome)
    found = member_loss(output, outcome, "multiclass", 0.0, build_emphasis(balance, ratio, CPU))
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@given(st.lists(st.integers(1, 500), min_size=2, max_size=6))
def test_class_weights_are_scikit_learn_s_up_to_a_common_factor(counts):
    from sklearn.utils.class_weight import compute_class_weight

    outcome = np.repeat(np.arange(len(counts)), counts)
    ours = class_ratio(outcome, len(counts), BalanceConfig(strategy="class_weight"))
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=outcome)
    assert ours == pytest.approx(theirs)
    assert ours[outcome].mean() == pytest.approx(1)


@given(
    st.lists(st.integers(1, 300), min_size=2, max_size=5),
    st.floats(0.05, 1),
    st.sampled_from(["oversample", "undersample", "smote"]),
)
def test_resampling_brings_classes_nearer_and_never_past_each_other(counts, strength, strategy):
    before = np.array(counts)
    after = wanted_counts(before, BalanceConfig(strategy=strategy, strength=strength))
    assert (after >= 1).all()
    assert after.max() / after.min() <= before.max() / before.min() + 1e-9
    order = np.argsort(before, kind="stable")
    assert (np.diff(after[order]) >= 0).all()
    grown = after >= before if strategy != "undersample" else after <= before
    assert grown.all()
    if strength == 1:
        assert len(set(after)) == 1


def rows_of(counts: dict[int, int], words: bool = False) -> Prepared:
    """Return prepared rows: three numbers, and with `words` a category of two places."""
    rng = np.random.default_rng(0)
    outcome = np.repeat(list(counts), list(counts.values()))
    total = len(outcome)
    values = rng.normal(size=(total, 3)) + outcome[:, None]
    names = sources = ("a", "b", "c")
    if words:
        place = rng.integers(0, 2, total)
        values = np.column_stack([values, place == 0, place == 1])
        names, sources = (*names, "sex: f", "sex: m"), (*sources, "sex", "sex")
    block = Block("table", names, sources, values.astype(np.float32), np.ones(total, bool),
                  numeric=(0, 1, 2))  # fmt: skip
    classes = tuple(f"class {code}" for code in counts)
    return Prepared("multiclass", np.arange(total), {"table": block}, outcome, classes,
                    np.arange(total))  # fmt: skip


@pytest.mark.parametrize("strategy", ["oversample", "undersample"])
def test_sampled_rows_are_rows_of_patients(strategy):
    rows = rows_of({0: 40, 1: 10})
    balanced = balance_rows(rows, BalanceConfig(strategy=strategy), np.random.default_rng(0))
    assert len(set(np.bincount(balanced.outcome))) == 1
    assert set(balanced.row_id) <= set(rows.row_id)
    values = rows.blocks["table"].values[balanced.row_id]
    assert np.array_equal(balanced.blocks["table"].values, values)
    if strategy == "oversample":
        assert set(balanced.row_id) == set(rows.row_id)
    else:
        assert len(set(balanced.row_id)) == len(balanced.row_id)


@pytest.mark.parametrize("words", [False, True])
def test_invented_patients_lie_between_patients_of_their_class(words):
    rows = rows_of({0: 60, 1: 12}, words)
    grown = balance_rows(rows, BalanceConfig(strategy="smote"), np.random.default_rng(0))
    assert np.bincount(grown.outcome).tolist() == [60, 60]
    assert np.array_equal(grown.row_id[:72], rows.row_id)
    invented = grown.row_id == -1
    assert invented.sum() == 48
    made = grown.blocks["table"].values[invented]
    own = rows.blocks["table"].values[rows.outcome == 1]
    assert (made[:, :3] >= own[:, :3].min(axis=0) - 1e-5).all()
    assert (made[:, :3] <= own[:, :3].max(axis=0) + 1e-5).all()
    if words:
        assert set(made[:, 3:].sum(axis=1)) == {1.0}
    # On a straight line between two of the class.
    for point in made[:10, :3]:
        first, second = own[:, None, :3], own[None, :, :3]
        direct = np.linalg.norm(first - second, axis=2)
        around = np.linalg.norm(first - point, axis=2) + np.linalg.norm(second - point, axis=2)
        assert (around - direct).min() < 1e-4


def test_smote_needs_two_patients_and_a_number():
    with pytest.raises(FitError, match="'class 1' has one"):
        balance_rows(rows_of({0: 9, 1: 1}), BalanceConfig(strategy="smote"),
                     np.random.default_rng(0))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "task", "words"),
    [
        ({"balance.strategy": "smote"}, "regression", "needs an outcome with classes"),
        ({"balance.strategy": "focal", "model.name": "logistic"}, "binary", "network's training"),
        ({"missing.strategy": "native", "model.name": "mlp"}, "binary", "gradient_boosting"),
        ({"augment.mixup": 0.2, "model.name": "random_forest"}, "binary", "augment.mixup"),
        (
            {"balance.strategy": "focal", "balance.recalibration": "prior", "model.name": "mlp"},
            "binary",
            "no prior to correct",
        ),
    ],
)
def test_what_a_model_or_an_outcome_cannot_take_is_a_sentence(changes, task, words):
    with pytest.raises(ConfigError, match=words):
        check_strategies(change_config(RunConfig(), changes), task)


def cohort(rows: int = 4000, seed: int = 0):
    """Return true risks about 0.15, and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-2, 1, rows)
    risk = 1 / (1 + np.exp(-logit))
    return risk, (rng.random(rows) < risk).astype(int)


def test_the_prior_correction_takes_out_exactly_what_was_put_in():
    risk, event = cohort()
    ratio = class_ratio(event, 2, BalanceConfig(strategy="class_weight"))
    odds = risk / (1 - risk) * ratio[1] / ratio[0]
    distorted = np.column_stack([1 / (1 + odds), odds / (1 + odds)])
    fitted = fit_recalibration(distorted, event, "prior", ratio)
    assert apply_recalibration(fitted, distorted)[:, 1] == pytest.approx(risk, abs=1e-12)


@pytest.mark.parametrize("method", ["logistic", "temperature", "isotonic"])
def test_distorted_risks_are_put_right_and_keep_their_order(method):
    from sklearn.metrics import roc_auc_score

    risk, event = cohort()
    odds = (risk / (1 - risk) * 6) ** 1.8
    distorted = np.column_stack([1 / (1 + odds), odds / (1 + odds)])
    fitted = fit_recalibration(distorted, event, method, np.array([0.6, 3.6]))
    mended = apply_recalibration(fitted, distorted)[:, 1]
    new_risk, new_event = cohort(seed=1)
    new_odds = (new_risk / (1 - new_risk) * 6) ** 1.8
    new = apply_recalibration(fitted, np.column_stack([1 / (1 + new_odds),
                                                       new_odds / (1 + new_odds)]))  # fmt: skip
    assert np.abs(mended - risk).mean() < 0.02
    assert new[:, 1].mean() == pytest.approx(new_event.mean(), abs=0.02)
    if method != "isotonic":
        area = roc_auc_score(event, distorted[:, 1])
        assert roc_auc_score(event, mended) == pytest.approx(area, abs=1e-12)


def test_logistic_recalibration_is_an_unpenalised_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    risk, event = cohort(20_000)
    odds = (risk / (1 - risk)) ** 1.5 * 4
    distorted = np.column_stack([1 / (1 + odds), odds / (1 + odds)])
    mended = apply_recalibration(
        fit_recalibration(distorted, event, "logistic", np.ones(2)), distorted
    )
    logit = np.log(odds)[:, None]
    theirs = LogisticRegression(C=np.inf).fit(logit, event).predict_proba(logit)
    # Ours is held to the prior correction by a tenth of one patient's information.
    assert mended[:, 1] == pytest.approx(theirs[:, 1], abs=1e-3)


def test_isotonic_is_refused_below_a_thousand_patients():
    risk, event = cohort(900)
    with pytest.raises(FitError, match="needs 1,000 patients outside the fit, and there are 900"):
        fit_recalibration(np.column_stack([1 - risk, risk]), event, "isotonic", np.ones(2))


def compare(dataset, outcome: str, folder: Path) -> dict[str, dict]:
    changes = {"data.roles": {outcome: "outcome"}, "split.test": 0.05, "evaluate.resamples": 100}
    choice = Choice(("median",), ("none", "class_weight", "smote"), "logistic", 5)
    changes |= {"prepare.scaling": "standard", "missing.indicator": False}
    config = change_config(RunConfig(), changes)
    result = run_laboratory(dataset, config, choice, Watch(), folder)
    return {cell["cell"][1]: cell for cell in result["cells"]}


def check_harm_and_repair(cells: dict[str, dict], prevalence: float) -> None:
    """Hold what van den Goorbergh et al. (2022) found, and that the repair undoes it."""
    plain = {name: metric["value"] for name, metric in cells["none"]["metrics"].items()}
    assert cells["none"]["before"]["mean_risk"] == pytest.approx(prevalence, abs=0.003)
    for strategy in ("class_weight", "smote"):
        found, before = cells[strategy]["metrics"], cells[strategy]["before"]
        assert found["auroc"]["value"] < plain["auroc"] + 0.003
        assert before["brier"] > plain["brier"] + 0.07
        assert before["mean_risk"] > 2.5 * prevalence
        assert before["calibration_intercept"] < -1.4
        assert found["brier"]["value"] == pytest.approx(plain["brier"], abs=0.003)
        assert abs(found["calibration_intercept"]["value"]) < 0.1


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the benchmark tables are not at hand")
def test_framingham_shows_the_published_harm_and_its_repair(tmp_path):
    dataset = open_dataset(str(SHARED / "tables" / "framingham_heart_study.csv"))
    cells = compare(dataset, "TenYearCHD", tmp_path)
    check_harm_and_repair(cells, 0.152)
    plain = {name: metric["value"] for name, metric in cells["none"]["metrics"].items()}
    assert plain["auroc"] == pytest.approx(0.722, abs=0.01)
    assert plain["brier"] == pytest.approx(0.117, abs=0.002)
    for strategy in ("class_weight", "smote"):
        assert cells[strategy]["before"]["brier"] == pytest.approx(0.211, abs=0.006)
        assert cells[strategy]["before"]["mean_risk"] == pytest.approx(0.442, abs=0.012)


def test_a_synthetic_twin_of_framingham_shows_the_same(tmp_path):
    rng = np.random.default_rng(0)
    rows = 3000
    values = rng.normal(size=(rows, 5))
    logit = -1.98 + values @ np.array([0.6, 0.4, 0.3, 0.2, 0.0])
    sick = np.where(rng.random(rows) < 1 / (1 + np.exp(-logit)), "yes", "no")
    values[rng.random(values.shape) < 0.03] = np.nan
    frame = pd.DataFrame(values, columns=["age", "pressure", "glucose", "lipids", "pulse"])
    dataset = make_dataset(frame.assign(sick=sick), "Twin", "twin.csv", "0" * 64)
    check_harm_and_repair(compare(dataset, "sick", tmp_path), float((sick == "yes").mean()))
