"""Figures that were published elsewhere, reproduced from the same rows."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from medcore.evaluate.decision import net_benefit, treat_all
from medcore.evaluate.ranking import compare_areas, delong
from tests.cohorts import load_cohort

INPUTS = ["npreg", "glu", "bp", "skin", "bmi", "ped", "age"]


def fit(table: pd.DataFrame, inputs: list[str], event: pd.Series) -> LogisticRegression:
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=500)
    return model.fit(table[inputs], event)


@pytest.fixture(scope="module")
def cancers() -> pd.DataFrame:
    """The 750 patients of the dcurves packages; only the table is read, not the code."""
    place = importlib.util.find_spec("dcurves").submodule_search_locations[0]
    return pd.read_csv(Path(place) / "data" / "df_binary.csv")


def test_net_benefit_of_age_is_that_of_the_r_package_dcurves(cancers):
    event = cancers["cancer"].to_numpy(bool)
    risk = fit(cancers, ["age"], event).predict_proba(cancers[["age"]])[:, 1]
    found = net_benefit(event, risk, np.array([0.10, 0.15, 0.20, 0.25]))[0]
    np.testing.assert_allclose(found, [0.06919, 0.05082, 0.04200, 0.02444], atol=6e-6)


def test_net_benefit_of_family_history_is_that_of_the_r_package_dcurves(cancers):
    event, history = cancers["cancer"].to_numpy(bool), cancers["famhistory"].to_numpy(float)
    found = net_benefit(event, history, np.array([0.10, 0.15, 0.20]))[0]
    np.testing.assert_allclose(found, [0.018519, 0.010588, 0.001667], atol=6e-7)
    everybody = treat_all(event, np.array([0.10, 0.14]))
    np.testing.assert_allclose(everybody, [0.14 - 0.86 / 9, 0.0], atol=1e-12)


@pytest.fixture(scope="module")
def pima() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ripley's split: whether each test woman has diabetes, by all inputs and by glucose alone."""
    train, test = (load_cohort("MASS", name) for name in ("Pima.tr", "Pima.te"))
    event = train["type"].eq("Yes")
    risks = [
        fit(train, inputs, event).predict_proba(test[inputs])[:, 1] for inputs in (INPUTS, ["glu"])
    ]
    return test["type"].eq("Yes").to_numpy(np.float64), *risks


def test_logistic_regression_on_pima_errs_for_66_of_332_women(pima):
    event, risk, _ = pima
    assert len(event) == 332
    assert int(((risk >= 0.5) != event).sum()) == 66


def test_delong_on_pima_gives_the_known_area_interval_and_paired_p(pima):
    event, risk, glucose = pima
    areas, covariance = delong(event, risk, glucose)
    assert areas.round(3).tolist() == [0.866, 0.797]
    reach = 1.959963984540054 * np.sqrt(covariance[0, 0])
    assert (round(areas[0] - reach, 3), round(areas[0] + reach, 3)) == (0.826, 0.905)
    difference, low, high, p = compare_areas(event, risk, glucose)
    assert difference == pytest.approx(areas[0] - areas[1])
    assert low > 0
    assert p == pytest.approx(7.6e-4, abs=5e-6)
    assert compare_areas(event, glucose, risk)[3] == pytest.approx(p)
    assert high - difference == pytest.approx(difference - low)


def test_a_model_compared_with_itself_cannot_be_told_apart(pima):
    event, risk, _ = pima
    assert compare_areas(event, risk, risk * 0.5) == (0, 0, 0, 1)
    assert np.isnan(compare_areas(np.array([0.0, 1, 1]), np.arange(3), np.arange(3))[3])
