"""External validation: units are asked about, patients compared, and the frozen model judged."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.data import make_dataset, outcome_classes
from medcore.errors import DataError
from medcore.pipeline import run
from medcore.records import Metric, Predictions
from medcore.store import list_validations, read_config, read_json
from medcore.store.folder import COHORT, EVALUATION, VALIDATION
from medcore.validation import (
    KEEP,
    compare_cohorts,
    difference_of_metrics,
    list_conversions,
    read_newcomers,
    suspect_unit,
)
from medcore.validation.updating import UPDATED, update_predictions
from medcore.validation.work import validate_run

FAST = {
    "model.name": "logistic",
    "evaluate.resamples": 100,
    "data.roles": {"died": "outcome", "ward": "site"},
}


def patients(rows: int, seed: int, older: float = 0.0, sicker: float = 0.0) -> pd.DataFrame:
    """Return patients whose death depends on age and glucose alike everywhere, but for a level."""
    rng = np.random.default_rng(seed)
    age, glucose = rng.normal(60 + older, 12, rows), rng.lognormal(4.7, 0.25, rows)
    logit = -1 + (age - 60) / 8 + (glucose - 110) / 25 + sicker
    died = np.where(rng.random(rows) < 1 / (1 + np.exp(-logit)), "yes", "no")
    table = {
        "age": age, "glucose": glucose, "sex": rng.choice(["f", "m"], rows),
        "ward": rng.choice(["a", "b", "c"], rows), "died": died,
    }  # fmt: skip
    return pd.DataFrame(table)


def a_table(frame: pd.DataFrame):
    return make_dataset(frame, "Elsewhere", "elsewhere.csv", "1" * 64)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A run's folder."""
    folder = tmp_path_factory.mktemp("frozen")
    run(change_config(RunConfig(), FAST), a_table(patients(400, 0)), folder=folder)
    return folder


def validate(folder, frame, target, **answers):
    evaluation = validate_run(folder, a_table(frame), answers, target)
    return evaluation, read_json(target, VALIDATION)


USUAL = {
    "glucose": ("mg/dL to mmol/L", 100, 0.2), "HDL_cholesterol": ("mg/dL to mmol/L", 50, 0.2),
    "total cholesterol": ("mmol/L to mg/dL", 5.2, 0.2), "creatinine": ("mg/dL to µmol/L", 1, 0.3),
    "serum_creatinine": ("µmol/L to mg/dL", 88, 0.3), "hemoglobin": ("g/dL to g/L", 13.5, 0.1),
    "Hb": ("g/dL to mmol/L", 13.5, 0.1), "bilirubin": ("mg/dL to µmol/L", 0.8, 0.5),
    "CRP": ("mg/L to mg/dL", 20, 1.2), "urea": ("mmol/L of urea to mg/dL of urea", 6, 0.4),
    "temperature": ("°C to °F", 37, 0.015), "HbA1c": ("% (NGSP) to mmol/mol (IFCC)", 6.5, 0.15),
    "height": ("cm to m", 170, 0.05), "weight_kg": ("kg to lb", 75, 0.2),
    "ejection_fraction": ("% to fraction", 45, 0.25), "age": ("years to months", 60, 0.2),
    "sys_bp": ("mmHg to kPa", 130, 0.15), "lactate": ("mmol/L to mg/dL", 1.8, 0.5),
}  # fmt: skip


def spread_of(values: pd.Series) -> dict[str, float]:
    return dict(zip(("q1", "median", "q3"), values.quantile([0.25, 0.5, 0.75]), strict=True))


@pytest.mark.parametrize("column", USUAL)
def test_another_unit_is_suspected_and_named_and_the_same_unit_is_not(column):
    made, middle, spread = USUAL[column]
    rng = np.random.default_rng(0)
    there, here = (pd.Series(middle * rng.lognormal(0, spread, 400)) for _ in range(2))
    assert suspect_unit(column, spread_of(there), here) is None
    turn = next(c for c in list_conversions(column) if c.name == made)
    changed = turn.apply(here)
    found = suspect_unit(column, spread_of(there), changed)
    assert found is not None
    # Back and there again is where the values were.
    pd.testing.assert_series_equal(found.apply(changed), here, check_exact=False, rtol=0.02)


@pytest.mark.parametrize("column", ["glucose", "creatinine", "hemoglobin", "age", "sys_bp"])
@pytest.mark.parametrize("shift", [0.8, 0.9, 1.1, 1.25])
def test_sicker_or_healthier_patients_are_no_other_unit(column, shift):
    _, middle, spread = USUAL[column]
    rng = np.random.default_rng(1)
    there = pd.Series(middle * rng.lognormal(0, spread, 400))
    here = pd.Series(shift * middle * rng.lognormal(0, spread, 400))
    assert suspect_unit(column, spread_of(there), here) is None


def test_a_column_of_any_name_a_thousand_times_larger_is_asked_about():
    there = pd.Series(np.random.default_rng(0).lognormal(1, 0.2, 200))
    found = suspect_unit("marker_x", spread_of(there), 1000 * there)
    assert found.name == "÷ 1,000"
    assert suspect_unit("marker_x", spread_of(there), 1.5 * there) is None


def test_zeros_that_stand_for_missing_do_not_hide_another_unit():
    rng = np.random.default_rng(0)
    there = pd.Series(np.r_[np.zeros(200), rng.lognormal(5.4, 0.2, 300)])
    here = pd.Series(rng.lognormal(5.4, 0.2, 300) / 38.67)
    assert suspect_unit("cholesterol", spread_of(there), here).name == "mmol/L to mg/dL"


def test_nothing_is_converted_unasked_and_an_answer_decides(frozen, tmp_path):
    new = patients(300, 1)
    other = new.assign(glucose=new["glucose"] / 18.016)
    with pytest.raises(DataError, match="in mmol/L instead of mg/dL") as refused:
        validate(frozen, other, tmp_path / "a")
    assert "--convert 'glucose=mmol/L to mg/dL'" in str(refused.value)
    assert not (tmp_path / "a").exists()
    plain, _ = validate(frozen, new, tmp_path / "b")
    turned, told = validate(frozen, other, tmp_path / "c", glucose="mmol/L to mg/dL")
    kept, _ = validate(frozen, other, tmp_path / "d", glucose=KEEP)
    areas = [e.parts["test"].metrics["auroc"].value for e in (plain, turned, kept)]
    assert areas[1] == pytest.approx(areas[0], abs=1e-9)
    assert areas[2] < areas[0] - 0.02
    assert any("converted as agreed" in sentence for sentence in told["sentences"])
    with pytest.raises(DataError, match="cannot be converted by 'furlongs'"):
        validate(frozen, other, tmp_path / "e", glucose="furlongs")


def test_the_threshold_is_the_frozen_one_and_the_figures_are_those_of_the_new_patients(
    frozen, tmp_path
):
    new = patients(500, 2, older=6)
    evaluation, told = validate(frozen, new, tmp_path / "v")
    before = read_json(frozen, EVALUATION)["parts"]["test"]
    part = evaluation.parts["test"]
    assert part.threshold == pytest.approx(before["threshold"], abs=1e-12)
    assert (part.n, part.events) == (500, int((new["died"] == "yes").sum()))
    frame = pd.read_parquet(tmp_path / "v" / "predictions.parquet")
    assert set(frame["part"]) == {"test", "validation"}
    frame = frame[frame["part"] == "test"]
    alarm = frame["p_yes"] >= part.threshold
    hits = (alarm & (frame["outcome"] == "yes")).sum() / (frame["outcome"] == "yes").sum()
    assert part.metrics["recall"].value == pytest.approx(hits)
    change = told["changes"]["recall"]
    assert change["difference"]["value"] == pytest.approx(
        hits - before["metrics"]["recall"]["value"]
    )
    assert read_config(tmp_path / "v").evaluate == read_config(frozen).evaluate


def test_where_folds_decided_the_threshold_is_fixed_at_their_median(tmp_path):
    changes = {"split.kind": "kfold", "split.folds": 3}
    run(change_config(RunConfig(), FAST | changes), a_table(patients(240, 0)), folder=tmp_path)
    evaluation, _ = validate(tmp_path, patients(200, 2), tmp_path / "v")
    before = read_json(tmp_path, EVALUATION)["parts"]["test"]["threshold"]
    assert evaluation.parts["test"].threshold == pytest.approx(before, abs=1e-12)
    assert read_config(tmp_path / "v").evaluate.threshold == "fixed"
    assert set(pd.read_parquet(tmp_path / "v" / "predictions.parquet")["part"]) == {"test"}


def test_new_patients_are_compared_with_those_of_development(frozen, tmp_path):
    new = patients(500, 3, older=12).assign(ward=lambda t: t["ward"].mask(t.index < 250))
    _, told = validate(frozen, new, tmp_path / "v")
    drift = {row["column"]: row for row in told["drift"]}
    cohort = read_json(frozen, COHORT)
    age = next(c for c in cohort["columns"] if c["name"] == "age")["parts"]["development"]
    spread = math.sqrt((new["age"].std() ** 2 + age["sd"] ** 2) / 2)
    assert drift["age"]["difference"] == pytest.approx((new["age"].mean() - age["mean"]) / spread)
    assert drift["age"]["difference"] > 0.8
    assert abs(drift["sex"]["difference"]) < 0.25
    # 0.5 against 0: (0.5 − 0) / √((0.25 + 0) / 2)
    assert drift["ward"]["missing here"] == 0.5
    assert drift["ward"]["difference in missing"] == pytest.approx(math.sqrt(2))


def test_a_category_that_is_new_counts_as_one_of_the_others(frozen):
    cohort = read_json(frozen, COHORT)
    new = a_table(patients(200, 4).assign(ward="z"))
    drift = {row["column"]: row for row in compare_cohorts(cohort, new)}
    assert "all others 100%" in drift["ward"]["here"]
    assert drift["ward"]["difference"] > 1


def test_categories_that_development_did_not_have_are_said(frozen, tmp_path):
    new = patients(200, 4).assign(sex=lambda t: t["sex"].replace("f", "Female"))
    _, told = validate(frozen, new, tmp_path / "v")
    rows = int((new["sex"] == "Female").sum())
    assert f"'sex' holds 'Female' in {rows} rows" in " ".join(told["sentences"])


REFUSED = {
    "no outcome": (lambda t: t.drop(columns="died"), "no column 'died'"),
    "no input": (lambda t: t[["died"]].assign(x=1.0), "None of the model's input columns"),
    "empty outcome": (lambda t: t.assign(died=None), "missing in every row"),
    "other words": (lambda t: t.assign(died=(t["died"] == "yes").astype(int)), "the model knows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_used_is_refused_in_one_sentence(case, frozen, tmp_path):
    change, words = REFUSED[case]
    with pytest.raises(DataError, match=words):
        validate(frozen, change(patients(60, 5)), tmp_path / "v")
    assert not (tmp_path / "v").exists()


def test_missing_columns_and_rows_without_an_outcome_are_said(frozen, tmp_path):
    new = patients(200, 6).drop(columns=["ward", "sex"]).assign(extra=1.0)
    new.loc[:19, "died"] = None
    evaluation, told = validate(frozen, new, tmp_path / "v")
    words = " ".join(told["sentences"])
    assert "Not in the table, treated as unknown: sex." in words
    assert "Not used by the model: extra." in words
    assert "20 rows without 'died' are set aside" in words
    assert (told["rows"], told["judged"], evaluation.parts["test"].n) == (200, 180, 180)


def test_one_class_only_is_judged_with_reasons_and_not_updated(frozen, tmp_path):
    new = patients(200, 7)
    evaluation, told = validate(frozen, new[new["died"] == "no"], tmp_path / "v")
    metrics = evaluation.parts["test"].metrics
    assert math.isnan(metrics["auroc"].value)
    assert metrics["auroc"].reason
    assert math.isfinite(metrics["specificity"].value)
    assert told["changes"]["auroc"]["difference"]["reason"]
    assert told["updated"] is None


def test_the_update_puts_the_level_right_and_leaves_the_order(frozen, tmp_path):
    _, told = validate(frozen, patients(1500, 8, sicker=1.5), tmp_path / "v")
    updated, changes = told["updated"], told["changes"]
    assert updated["move"] == pytest.approx(1.5, abs=0.5)
    assert abs(changes["calibration_intercept"]["here"]["value"]) > 0.8
    assert abs(updated["metrics"]["calibration_intercept"]["value"]) < 0.1
    assert abs(updated["metrics"]["o_e"]["value"] - 1) < 0.05
    assert updated["differences"]["brier"]["high"] < 0
    gap = updated["metrics"]["auroc"]["value"] - changes["auroc"]["here"]["value"]
    assert abs(gap) < 0.01


def predictions_of(task: str, rows: int = 60) -> Predictions:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row_id": np.arange(rows), "patient": pd.Series([None] * rows, dtype="string"),
            "part": "test", "fold": -1, "model": "model",
        }
    )  # fmt: skip
    if task == "regression":
        said = rng.normal(50, 5, rows)
        told = {"predicted": said, "low": said - 5, "high": said + 5}
        return Predictions(task, (), None, frame.assign(outcome=said + 3, **told))
    risk = rng.uniform(0.1, 0.9, rows)
    outcome = np.where(rng.random(rows) < risk, "yes", "no")
    told = {"p_no": 1 - risk, "p_yes": risk, "outcome": outcome}
    return Predictions("binary", ("no", "yes"), "yes", frame.assign(**told))


def test_a_number_is_shifted_by_what_the_others_are_off():
    both, move = update_predictions(predictions_of("regression"), RunConfig())
    assert move == pytest.approx(3)
    updated = both.frame[both.frame["model"] == UPDATED]
    assert updated["predicted"].to_numpy() == pytest.approx(updated["outcome"].to_numpy())


def test_nobodys_update_is_learned_from_their_own_outcome():
    plain = predictions_of("regression")
    spaced = plain.frame.assign(outcome=np.arange(60.0))
    # Too little to change anybody's rank, by which the folds are dealt.
    nudged = spaced.assign(outcome=spaced["outcome"] + 0.4 * (spaced["row_id"] == 7))
    first, second = (
        update_predictions(replace(plain, frame=frame), RunConfig())[0]
        .frame.query("model == 'updated'")["predicted"]
        .to_numpy()
        for frame in (spaced, nudged)
    )
    assert first[7] == second[7]
    assert (first != second).sum() == pytest.approx(48, abs=4)


def test_updated_risks_of_both_classes_sum_to_one():
    both, _ = update_predictions(predictions_of("binary"), RunConfig())
    updated = both.frame[both.frame["model"] == UPDATED]
    assert (updated["p_yes"] + updated["p_no"]).to_numpy() == pytest.approx(1)


SHARE = st.floats(0, 1)


@given(SHARE, SHARE, st.floats(0.001, 0.3), st.floats(0.001, 0.3))
def test_the_interval_of_a_change_holds_it_and_turns_with_the_sides(one, other, wide, narrow):
    here = Metric(one, one - wide, one + narrow, 50, "delong")
    there = Metric(other, other - narrow, other + wide, 60, "delong")
    ahead, back = difference_of_metrics(here, there), difference_of_metrics(there, here)
    assert ahead.low <= ahead.value <= ahead.high
    assert (back.low, back.high) == pytest.approx((-ahead.high, -ahead.low))
    # With symmetric intervals it is the usual one: standard errors add as squares.
    plain = difference_of_metrics(
        Metric(one, one - wide, one + wide, 50, "delong"),
        Metric(other, other - narrow, other + narrow, 60, "delong"),
    )
    assert plain.high - plain.value == pytest.approx(math.hypot(wide, narrow))


def survivors(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 10, rows)
    event, lost = rng.exponential(60 * np.exp((60 - age) / 12)), rng.uniform(10, 90, rows)
    died = np.where(event <= lost, "yes", "no")
    other = rng.normal(size=rows)
    return pd.DataFrame({"age": age, "x": other, "months": np.minimum(event, lost), "died": died})


def test_a_time_to_event_is_judged_elsewhere_and_its_follow_up_is_needed(tmp_path):
    roles = {"died": "event", "months": "duration"}
    config = change_config(RunConfig(), FAST | {"model.name": "cox", "data.roles": roles})
    run(config, a_table(survivors(200, 0)), folder=tmp_path)
    new = survivors(150, 1)
    new.loc[:4, "months"] = 0.0
    evaluation, told = validate(tmp_path, new, tmp_path / "v")
    assert evaluation.parts["test"].n == 145
    assert evaluation.parts["test"].metrics["c_index"].value > 0.6
    assert "5 rows without 'months' are set aside" in " ".join(told["sentences"])
    assert told["updated"] is None
    with pytest.raises(DataError, match="no column 'months'"):
        validate(tmp_path, new.drop(columns="months"), tmp_path / "w")
    coded = new.assign(died=new["died"].map({"yes": "dead", "no": "alive"}))
    with pytest.raises(DataError, match="the model knows no, yes"):
        validate(tmp_path, coded, tmp_path / "w")


def test_validations_are_found_again_newest_first(frozen, tmp_path):
    for name, seed in (("first", 9), ("second", 10)):
        validate(frozen, patients(80, seed), frozen / "validations" / name)
    found = list_validations(frozen)
    assert list(found) == ["second", "first"]
    assert found["first"]["rows"] == 80
    for name in ("config.json", "dataset.json", "predictions.parquet", "evaluation.json"):
        assert (frozen / "validations" / "first" / name).is_file()


def test_a_run_without_a_cohort_is_validated_without_comparison(frozen, tmp_path):
    cohort = frozen / COHORT
    kept = cohort.read_bytes()
    cohort.unlink()
    try:
        _, told = validate(frozen, patients(80, 11), tmp_path / "v")
    finally:
        cohort.write_bytes(kept)
    assert told["drift"] is None


def test_reading_newcomers_needs_no_model(frozen):
    config = change_config(RunConfig(), FAST)
    table = a_table(patients(80, 12))
    classes, _ = outcome_classes(replace(table, columns=_columns(frozen)), config)
    found = read_newcomers(
        table, _columns(frozen), classes, config, json.loads((frozen / COHORT).read_text()), {}
    )
    assert len(found.dataset.frame) == 80
    assert found.questions == ()


def _columns(folder):
    from medcore.store import read_columns

    return read_columns(folder)
