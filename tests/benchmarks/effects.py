"""Effect of treatment: coverage over many cohorts, and single effects beside linear regressions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, make_dataset
from medcore.evaluate.causal import estimate_effects
from medcore.recipes import nuisance
from medcore.recipes.crossing import effect_split
from medcore.recipes.effects import EffectFit, fit_effects
from tests.benchmarks import Row

COHORTS, PATIENTS = 1000, 400
REPLICATIONS, LARGER, FEATURES = 5, 1000, 25
ROLES = {"arm": "treatment", "y": "outcome"}


def rows() -> Iterator[Row]:
    """Yield what TARNet's error is of the linear T-learner's, and how often the truth is held."""
    with _linear_members():
        errors = np.array([_errors(seed) for seed in range(REPLICATIONS)])
        ours, linear = errors.mean(axis=0)
        yield Row(
            "effects: error of TARNet over linear T-learner", ours / linear, "<= 1",
            "linear regression in each arm",
            f"root mean squared error of the effect {ours:.2f} and {linear:.2f}, "
            f"{REPLICATIONS} cohorts of {LARGER:,}",
        )  # fmt: skip
        held = np.mean([_holds_truth(seed) for seed in range(COHORTS)])
    detail = f"{COHORTS:,} cohorts of {PATIENTS}, 95 % intervals"
    yield Row("effects: intervals that hold the truth", held, ">= 0.93", "95 %", detail)
    yield Row("effects: the same, not too wide", held, "<= 0.97", "95 %", detail)


@contextmanager
def _linear_members() -> Iterator[None]:
    """Leave the forests out, which take most of the time and have no part in these figures."""
    members = nuisance.MEMBERS
    nuisance.MEMBERS = ("logistic",)
    try:
        yield
    finally:
        nuisance.MEMBERS = members


def _fit(table: pd.DataFrame, folds: int, learner: str) -> EffectFit:
    config = change_config(
        RunConfig(),
        {"data.roles": ROLES, "split.folds": folds, "effect.robustness": False,
         "model.name": learner, "train.epochs": 100, "train.patience": 20},
    )  # fmt: skip
    dataset = configure_dataset(make_dataset(table, "cohort", "cohort.csv", "0" * 64), config)
    return fit_effects(dataset, effect_split(dataset, config), config, ())


def _holds_truth(seed: int) -> bool:
    """Draw a confounded cohort whose mean effect is 1, and tell whether the interval holds it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(PATIENTS, 3))
    treated = rng.random(PATIENTS) < 1 / (1 + np.exp(-0.7 * x[:, 0] + 0.4 * x[:, 1]))
    y = x @ [1.0, 0.5, -0.5] + treated * (1 + x[:, 0]) + rng.normal(size=PATIENTS)
    told = estimate_effects(_fit(_table(x, treated, y), 3, "t_learner").compared, False)["ate"]
    return told.low <= 1 <= told.high


def _errors(seed: int) -> tuple[float, float]:
    """Return root mean squared errors of single effects: TARNet's, and a linear T-learner's.

    The outcome without treatment is an exponential of the inputs, with treatment a line (response
    surface B of Hill 2011).
    """
    rng = np.random.default_rng([7, seed])
    x = rng.normal(size=(LARGER, FEATURES))
    beta = rng.choice([0.0, 0.1, 0.2, 0.3, 0.4], FEATURES, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    without, given = np.exp((x + 0.5) @ beta), x @ beta
    given = given + 4 - np.mean(given - without)
    treated = rng.random(LARGER) < 1 / (1 + np.exp(-x[:, 0] * 0.6))
    y = np.where(treated, given, without) + rng.normal(size=LARGER)
    fitted = _fit(_table(x, treated, y), 5, "tarnet")
    truth, linear = given - without, np.empty(LARGER)
    for fold in np.unique(fitted.fold):
        held = fitted.fold == fold
        arms = [_line(x[~held & (treated == arm)], y[~held & (treated == arm)]) for arm in (0, 1)]
        design = np.column_stack([np.ones(held.sum()), x[held]])
        linear[held] = design @ (arms[1] - arms[0])
    error = [float(np.sqrt(np.mean((said - truth) ** 2))) for said in (fitted.effect, linear)]
    return error[0], error[1]


def _line(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), y, rcond=None)[0]


def _table(x: np.ndarray, treated: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    columns = {f"x{place}": values for place, values in enumerate(x.T)}
    return pd.DataFrame({**columns, "arm": np.where(treated, "yes", "no"), "y": y})
