"""A causal forest beside the learner of an effect, where the package econml is installed.

It is a comparison alone: each fold's effects come from a forest grown on the other folds, it is
judged, and it is gone; it is neither kept nor applied to new patients.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from medcore.config import RunConfig, generator
from medcore.errors import ConfigError, FitError
from medcore.predict import plain_values
from medcore.prepare.arms import read_arms
from medcore.records import Prepared

TREES, NUISANCE_TREES, LEAF, FOLDS = 500, 200, 10, 3
OFF = "set effect.causal_forest to false to go on without it"


def load_forest() -> type:
    """Return econml's causal forest; raises `ConfigError` where it cannot be had."""
    try:
        from econml.dml import CausalForestDML
    except ImportError as error:
        raise ConfigError(
            "The comparison with a causal forest needs the package econml, which cannot be loaded "
            f"here ({error}): install it with 'pip install econml', or {OFF}."
        ) from error
    return CausalForestDML


def grow_forest(
    forest: type, learn: Prepared, judged: Prepared, config: RunConfig, label: str
) -> np.ndarray:
    """Return the effects (rows,) in patients judged, from a forest grown on others.

    Outcome and treatment are first made residuals by random forests of their own, cross-fitted
    with patients whole (Athey, Tibshirani and Wager 2019). Raises `FitError`.
    """
    seed = int(generator(config.seed, "causal forest", label).integers(2**31 - 1))
    binary, threads = bool(learn.classes), min(2, os.cpu_count() or 1)
    outcome = learn.outcome[:, 0].astype(np.int64) if binary else learn.outcome[:, 0]
    grown = forest(
        model_y=_outcome_model(binary, seed, threads),
        model_t=_treatment_model(config, seed, threads),
        discrete_outcome=binary, discrete_treatment=True, cv=FOLDS, n_estimators=TREES,
        min_samples_leaf=LEAF, inference=False, random_state=seed, n_jobs=threads,
    )  # fmt: skip
    try:
        grown.fit(
            outcome, read_arms(learn).astype(np.int64),
            X=plain_values(learn).astype(np.float64), groups=np.asarray(learn.group),
        )  # fmt: skip
        said = grown.effect(plain_values(judged).astype(np.float64))
    except (ValueError, TypeError, AttributeError) as error:
        told = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise FitError(f"The causal forest of econml could not be grown: {told}; {OFF}.") from error
    return np.asarray(said, dtype=np.float64).reshape(len(judged.row_id))


def _outcome_model(binary: bool, seed: int, threads: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if binary else RandomForestRegressor
    return kind(NUISANCE_TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=threads)


def _treatment_model(config: RunConfig, seed: int, threads: int) -> Any:
    """Return what tells the chance of treatment; the same for everybody where chance decided."""
    from sklearn.dummy import DummyClassifier

    if config.effect.design == "randomised":
        return DummyClassifier(strategy="prior")
    return _outcome_model(True, seed, threads)
