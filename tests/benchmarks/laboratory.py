"""The laboratory beside the same grid fitted naively with scikit-learn and imbalanced-learn.

UCI heart, logistic regression, 5 folds, six strategies for missing values × the five for rare
classes that a logistic regression can take. The naive grid is what a careful user writes: one
pipeline a combination and fold, each with its own imputer. Ours also judges all combinations.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, load_sample, outcome_classes
from medcore.laboratory import Choice
from medcore.laboratory.work import development_rows, run_laboratory
from medcore.records import Dataset, Watch
from tests.benchmarks import Row

MISSING = ("median", "mean", "most_frequent", "knn", "iterative", "iterative_trees")
BALANCE = ("none", "class_weight", "oversample", "undersample", "smote")
FOLDS = 5


def rows() -> Iterator[Row]:
    """Yield the laboratory's time as a share of the naive grid's."""
    config = change_config(RunConfig(), {"evaluate.resamples": 200})
    dataset = load_sample("uci_heart")
    choice = Choice(MISSING, BALANCE, "logistic", FOLDS)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        result = run_laboratory(dataset, config, choice, Watch(), Path(folder))
        ours = time.perf_counter() - started
    assert result is not None and not [c for c in result["cells"] if c["reason"]]
    started = time.perf_counter()
    fit_naively(configure_dataset(dataset, config), config)
    theirs = time.perf_counter() - started
    yield Row(
        "laboratory: 6 x 5 strategies x 5 folds, time",
        ours / theirs,
        "<= 0.5",
        "the same grid, a pipeline a combination and fold",
        f"{ours:.1f} s with judging against {theirs:.1f} s",
    )


def fit_naively(dataset: Dataset, config: RunConfig) -> None:
    """Fit every combination on every fold from the raw table, and predict the held-out rows."""
    from sklearn.model_selection import StratifiedKFold

    frame = dataset.frame.loc[development_rows(dataset, config)]
    outcome = frame[dataset.with_role("outcome")[0].name]
    event = (outcome == outcome_classes(dataset, config)[1]).to_numpy(int)
    inputs = dataset.with_role("input")
    numbers = [column.name for column in inputs if column.kind == "number"]
    words = [column.name for column in inputs if column.kind == "category"]
    table = frame[numbers + words].copy()
    table[words] = table[words].astype(object).where(table[words].notna(), np.nan)
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(table, event))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for missing in MISSING:
            for balance in BALANCE:
                for learn, judge in folds:
                    model = make_pipeline(missing, balance, numbers, words)
                    model.fit(table.iloc[learn], event[learn])
                    model.predict_proba(table.iloc[judge])


def make_pipeline(missing: str, balance: str, numbers: list[str], words: list[str]) -> Any:
    """Return the pipeline of one combination."""
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.pipeline import Pipeline
    from imblearn.under_sampling import RandomUnderSampler
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = Pipeline([("fill", _imputer(missing)), ("scale", StandardScaler())])
    fill = SimpleImputer(strategy="most_frequent")
    coded = Pipeline([("fill", fill), ("code", OneHotEncoder(handle_unknown="ignore"))])
    sampler = {"oversample": RandomOverSampler, "undersample": RandomUnderSampler, "smote": SMOTE}
    steps = [("prepare", ColumnTransformer([("n", numeric, numbers), ("w", coded, words)]))]
    if balance in sampler:
        steps.append(("sample", sampler[balance](random_state=0)))
    weight = "balanced" if balance == "class_weight" else None
    return Pipeline([*steps, ("model", LogisticRegression(max_iter=2000, class_weight=weight))])


def _imputer(missing: str) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    if missing == "knn":
        return KNNImputer(add_indicator=True)
    if missing == "iterative":
        return IterativeImputer(add_indicator=True)
    if missing == "iterative_trees":
        trees = ExtraTreesRegressor(n_estimators=20, min_samples_leaf=2, n_jobs=2, random_state=0)
        return IterativeImputer(trees, add_indicator=True, random_state=0)
    return SimpleImputer(strategy=missing, add_indicator=True)
