"""Time to event: concordance in n log n beside the pairwise definition; large cohorts.

The pairwise count is the one that vectorised code usually does: each case against everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, change_config
from medcore.evaluate import evaluate_predictions
from medcore.evaluate.followup import read_followup
from medcore.evaluate.prognosis import concordance, draw, plan_ranking
from medcore.records import Block, Horizon, Predictions, Prepared
from medcore.train import train_network
from tests.benchmarks import Row

SMALL, LARGE, FEATURES = 5_000, 100_000, 30
TIMES = tuple(np.linspace(0.1, 1.6, 16).tolist())


def rows() -> Iterator[Row]:
    """Yield how many times faster the C-index is, and times per 100,000 patients."""
    duration, cause, score = _cohort(SMALL)
    ours, fast = _timed(lambda: _concordance(duration, cause, score), 5)
    theirs, slow = _timed(lambda: _pairwise(duration, cause, score), 1)
    assert abs(ours - theirs) < 1e-12
    yield Row("survival: C-index of 5,000, times faster", slow / fast, ">= 20",
              "each case against everybody",
              f"ours {fast:.3f} s, pairwise {slow:.2f} s")  # fmt: skip
    duration, cause, score = _cohort(LARGE)
    _, seconds = _timed(lambda: _concordance(duration, cause, score), 3)
    yield Row("survival: C-index of 100,000, seconds", seconds, "<= 2", "the limit agreed on")
    yield from _judge(duration, cause, score)
    yield from _train(duration, cause)


def _judge(duration: np.ndarray, cause: np.ndarray, score: np.ndarray) -> Iterator[Row]:
    predictions = _predictions(duration, cause, score)
    config = change_config(RunConfig(), {"evaluate.resamples": 1000})
    evaluation, seconds = _timed(lambda: evaluate_predictions(predictions, config), 1)
    count = len(evaluation.parts["test"].metrics)
    yield Row("survival: all measures of 100,000, seconds", seconds, "", "nothing",
              f"{count} measures with intervals, decision curves by 2 horizons")  # fmt: skip


def _train(duration: np.ndarray, cause: np.ndarray) -> Iterator[Row]:
    values = np.random.default_rng(1).normal(size=(LARGE, FEATURES)).astype(np.float32)
    names = tuple(f"n{place}" for place in range(FEATURES))
    numbers = tuple(range(FEATURES))
    edges = tuple(np.linspace(-2.5, 2.5, 17) for _ in numbers)
    block = Block("table", names, names, values, np.ones(LARGE, bool), numbers, edges)
    ids, outcome = np.arange(LARGE), np.column_stack([duration, cause]).astype(np.float64)
    known = ({"table": block}, outcome)
    survival = Prepared("survival", ids, *known, ("event",), ids, TIMES)
    classes = Prepared("binary", ids, {"table": block}, cause.astype(np.int64), ("0", "1"), ids)
    config = change_config(RunConfig(), {"train.epochs": 2})
    seconds = {
        name: _epoch(name, prepared, config)
        for name, prepared in (("deepsurv", survival), ("mlp", classes))
    }
    yield Row("survival: DeepSurv epoch of 100,000 × 30 beside classes",
              seconds["deepsurv"] / seconds["mlp"], "<= 2", "the same network's epoch for classes",
              f"{seconds['deepsurv']:.1f} s and {seconds['mlp']:.1f} s")  # fmt: skip


def _epoch(name: str, prepared: Prepared, config: RunConfig) -> float:
    epochs = list(train_network(name, prepared, None, config, fit=name, seed=0))
    return min(epoch.seconds for epoch in epochs)


def _cohort(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    score = rng.normal(size=count)
    event, lost = rng.exponential(np.exp(-score)), rng.exponential(2, count)
    return np.minimum(event, lost), (event <= lost).astype(np.int64), score


def _concordance(duration: np.ndarray, cause: np.ndarray, score: np.ndarray) -> float:
    followup = read_followup(duration, cause)
    drawn = draw(followup, np.ones((1, len(duration))))
    return float(concordance(plan_ranking(followup, score), drawn, 1, np.inf)["c_index"][0])


def _pairwise(duration: np.ndarray, cause: np.ndarray, score: np.ndarray) -> float:
    right = every = 0.0
    for case in np.flatnonzero(cause):
        later = (duration > duration[case]) | ((duration == duration[case]) & (cause == 0))
        every += later.sum()
        right += (score[later] < score[case]).sum() + (score[later] == score[case]).sum() / 2
    return right / every


def _predictions(duration: np.ndarray, cause: np.ndarray, score: np.ndarray) -> Predictions:
    count = len(duration)
    curves = -np.expm1(-np.outer(np.exp(score), TIMES))
    empty = pd.Series([None] * count, dtype="string")
    known = {"row_id": np.arange(count), "patient": empty, "site": empty, "part": "test"}
    told = {f"curve_{place}": curves[:, place] for place in range(len(TIMES))}
    outcome = np.where(cause == 1, "event", "no")
    rest = {"fold": -1, "model": "model", "duration": duration, "outcome": outcome}
    frame = pd.DataFrame({**known, **rest, **told})
    horizons = tuple(Horizon(f"{TIMES[place]:g}", TIMES[place]) for place in (4, 9))
    return Predictions("survival", ("event",), "event", frame, horizons, TIMES)


def _timed(work: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - started)
    return answer, best
