"""The whole evaluation beside a loop over scikit-learn's functions: 100,000 rows, 1,000 resamples.

The loop does what a careful user of scikit-learn writes: draw rows, call each function. It is run
for a few resamples and scaled, being the same work each time; ours does all of it, and also the
calibration figures, exact intervals, decision curve, sets of answers and charts. It runs in a
process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn import metrics

from medcore.config import RunConfig, change_config
from medcore.evaluate import evaluate_predictions
from medcore.evaluate.ranking import delong
from medcore.records import Predictions
from tests.benchmarks import Row, peak_memory

ROWS, RESAMPLES, LOOPED = 100_000, 1000, 4
CHILD = "from tests.benchmarks.evaluation import evaluate_all; evaluate_all()"


def rows() -> Iterator[Row]:
    """Yield how many times faster the evaluation is, its peak memory, and DeLong's seconds."""
    answer = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True
    )
    ours, peak = (float(word) for word in answer.stdout.split())
    event, risk, rng = _draw()
    started = time.perf_counter()
    for _ in range(LOOPED):
        drawn = rng.integers(ROWS, size=ROWS)
        _measure(event[:ROWS][drawn], risk[:ROWS][drawn])
    theirs = (time.perf_counter() - started) * RESAMPLES / LOOPED
    yield Row(
        "evaluation: all of it, times faster",
        theirs / ours,
        ">= 10",
        "a loop over scikit-learn's functions",
        f"ours {ours:.1f} s, loop {theirs:.0f} s from {LOOPED} resamples",
    )
    yield Row("evaluation: peak memory, MB", peak, "<= 1000", "100,000 rows, 1,000 resamples")
    started = time.perf_counter()
    delong(event[:ROWS].astype(np.float64), risk[:ROWS])
    yield Row("evaluation: DeLong, s", time.perf_counter() - started, "<= 1", "100,000 rows")


def evaluate_all() -> None:
    """Evaluate once and print the seconds and the peak memory in MB."""
    event, risk, _ = _draw()
    predictions = _make_predictions(event, risk)
    config = change_config(RunConfig(), {"evaluate.resamples": RESAMPLES})
    started = time.perf_counter()
    evaluate_predictions(predictions, config)
    took = time.perf_counter() - started
    print(took, peak_memory())


def _draw() -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(0)
    risk = rng.uniform(0, 1, 2 * ROWS)
    return rng.uniform(0, 1, 2 * ROWS) < risk, risk, rng


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
