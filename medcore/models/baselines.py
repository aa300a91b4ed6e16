"""What a deep model must beat: prevalence, ridge regressions, forests and boosted trees."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from medcore.config import TERM_MODELS, Task

TERMS_C = 50.0


class Prevalence:
    """Predict everyone's average: the class shares, or the mean, of the training rows.

    >>> Prevalence("binary").fit(np.zeros((4, 1)), np.array([0, 0, 0, 1])).predict_proba(
    ...     np.zeros((1, 1)))
    array([[0.75, 0.25]])
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def fit(self, values: np.ndarray, outcome: np.ndarray) -> Prevalence:  # noqa: ARG002
        """Learn from `outcome` alone; `values` are not looked at."""
        if self.task == "regression":
            self.mean_ = float(np.mean(outcome))
        else:
            self.classes_, counts = np.unique(outcome, return_counts=True)
            self.shares_ = counts / len(outcome)
        return self

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Return the class shares for every row, (rows, classes)."""
        return np.tile(self.shares_, (len(values), 1))

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Return the mean, or the most frequent class, for every row."""
        if self.task == "regression":
            return np.full(len(values), self.mean_)
        return np.full(len(values), self.classes_[np.argmax(self.shares_)])


def build_baseline(name: str, task: Task, rows: int, seed: int) -> Any:
    """Return an unfitted estimator with scikit-learn's `fit` and `predict_proba` or `predict`.

    `rows` is the number of training rows, which bounds the size of forests.
    """
    return BASELINES[name](task, rows, seed)


def fit_baseline(
    name: str,
    task: Task,
    values: np.ndarray,
    outcome: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
    leaf: int | None = None,
) -> Any:
    """Return a baseline fitted on prepared float32 `values` (rows, features), sparse for terms.

    `weights` (rows,) say how much each row counts; all alike by default. `leaf`: the fewest rows
    in a forest's leaf, for outcomes that are mostly noise.
    """
    estimator = build_baseline(name, task, len(outcome), seed)
    if leaf is not None and name == "random_forest":
        estimator.set_params(min_samples_leaf=leaf)
    rows = values if name in TERM_MODELS else np.ascontiguousarray(values, dtype=np.float32)
    # A matrix product in float32 may raise the flag for what lies beyond the rows.
    with np.errstate(invalid="ignore"):
        estimator.fit(rows, outcome, **({} if weights is None else {"sample_weight": weights}))
    if hasattr(estimator, "n_jobs"):
        # Threads add up the trees in any order, which changes the last bit of a prediction.
        estimator.n_jobs = 1
    return estimator


def predict_baseline(estimator: Any, values: np.ndarray, task: Task, classes: int) -> np.ndarray:
    """Return float64 probabilities (rows, classes), or values (rows,) for regression.

    A class that was not among the training rows gets the probability 0.
    """
    values = np.ascontiguousarray(values, dtype=np.float32)
    if task == "regression":
        return np.asarray(estimator.predict(values), dtype=np.float64)
    found = np.asarray(estimator.predict_proba(values), dtype=np.float64)
    probabilities = np.zeros((len(values), classes))
    probabilities[:, np.asarray(estimator.classes_, dtype=np.int64)] = found
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def _build_prevalence(task: Task, rows: int, seed: int) -> Prevalence:  # noqa: ARG001
    return Prevalence(task)


def _build_logistic(task: Task, rows: int, seed: int) -> Any:  # noqa: ARG001
    from sklearn.linear_model import LogisticRegression, Ridge

    if task == "regression":
        return Ridge(alpha=1.0, random_state=seed)
    return LogisticRegression(C=1.0, max_iter=2000, random_state=seed)


def _build_tfidf(task: Task, rows: int, seed: int) -> Any:  # noqa: ARG001
    from sklearn.linear_model import LogisticRegression, Ridge

    if task == "regression":
        return Ridge(alpha=1.0, random_state=seed)
    # A note's weights have length 1: the usual penalty would hold them far too close to zero.
    return LogisticRegression(C=TERMS_C, max_iter=1000, tol=1e-3, random_state=seed)


def _build_forest(task: Task, rows: int, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    options: dict[str, Any] = {
        # Fewer and coarser trees as rows grow keep time and memory within a small machine.
        "n_estimators": int(np.clip(8_000_000 // max(rows, 1), 100, 200)),
        "min_samples_leaf": max(2, rows // 5000),
        "n_jobs": min(2, os.cpu_count() or 1),
        "random_state": seed,
    }
    if task == "regression":
        return RandomForestRegressor(max_features=1 / 3, **options)
    return RandomForestClassifier(max_features="sqrt", **options)


def _build_boosting(task: Task, rows: int, seed: int) -> Any:  # noqa: ARG001
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    # Stopping early would set rows aside without regard to patients.
    options: dict[str, Any] = {"early_stopping": False, "random_state": seed}
    if task == "regression":
        return HistGradientBoostingRegressor(**options)
    return HistGradientBoostingClassifier(**options)


BASELINES: dict[str, Callable[[Task, int, int], Any]] = {
    "prevalence": _build_prevalence,
    "logistic": _build_logistic,
    "tfidf": _build_tfidf,
    "tfidf_characters": _build_tfidf,
    "random_forest": _build_forest,
    "gradient_boosting": _build_boosting,
    "last_logistic": _build_logistic,
    "last_boosting": _build_boosting,
}
