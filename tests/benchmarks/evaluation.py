"""Bootstrap intervals beside a loop over scikit-learn's functions: 10,000 rows, 1,000 resamples.

The loop does what a careful user of scikit-learn writes: draw rows, call each function. It is run
for a few resamples and scaled, being the same work each time; ours does all of it, and also the
calibration figures, exact intervals and curves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn import metrics

from medcore.config import RunConfig, change_config
from medcore.evaluate import evaluate_predictions
from medcore.records import Predictions
from tests.benchmarks import Row

ROWS, RESAMPLES, LOOPED = 10_000, 1000, 20


def rows() -> Iterator[Row]:
    """Yield how many times faster all intervals are."""
    rng = np.random.default_rng(0)
    risk = rng.uniform(0, 1, 2 * ROWS)
    event = rng.uniform(0, 1, 2 * ROWS) < risk
    predictions = _make_predictions(event, risk)
    config = change_config(RunConfig(), {"evaluate.resamples": RESAMPLES})
    started = time.perf_counter()
    evaluate_predictions(predictions, config)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    for _ in range(LOOPED):
        drawn = rng.integers(ROWS, size=ROWS)
        _measure(event[:ROWS][drawn], risk[:ROWS][drawn])
    theirs = (time.perf_counter() - started) * RESAMPLES / LOOPED
    yield Row(
        "evaluation: all intervals, times faster",
        theirs / ours,
        ">= 10",
        "a loop over scikit-learn's functions",
        f"ours {ours:.2f} s, loop {theirs:.1f} s from {LOOPED} resamples",
    )


def _make_predictions(event: np.ndarray, risk: np.ndarray) -> Predictions:
    frame = pd.DataFrame(
        {
            "row_id": np.arange(2 * ROWS),
            "patient": pd.Series([None] * 2 * ROWS, dtype="string"),
            "site": pd.Series([None] * 2 * ROWS, dtype="string"),
            "part": np.repeat(["test", "validation"], ROWS),
            "fold": -1,
            "model": "model",
            "outcome": np.where(event, "yes", "no"),
            "p_no": 1 - risk,
            "p_yes": risk,
        }
    )
    return Predictions("binary", ("no", "yes"), "yes", frame)


def _measure(event: np.ndarray, risk: np.ndarray) -> None:
    alarm = risk >= 0.5
    metrics.accuracy_score(event, alarm)
    for positive in (True, False):
        metrics.recall_score(event, alarm, pos_label=positive)
        metrics.precision_score(event, alarm, pos_label=positive)
    for average in ("binary", "macro", "weighted"):
        metrics.f1_score(event, alarm, average=average)
    metrics.balanced_accuracy_score(event, alarm)
    metrics.matthews_corrcoef(event, alarm)
    metrics.roc_auc_score(event, risk)
    metrics.average_precision_score(event, risk)
    metrics.brier_score_loss(event, risk)
    metrics.log_loss(event, risk)
