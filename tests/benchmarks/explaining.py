"""Explaining a model: importance of 20,000 × 30, one patient's shares, and an answer to what if.

The naive loop is what a careful user writes: shuffle one column of the test rows' table, prepare
and predict all of them, for each column and shuffle. It is run for a few columns and scaled.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd

from medcore.apply import open_run
from medcore.config import RunConfig, change_config
from medcore.data import make_dataset
from medcore.explain import permutation_importance
from medcore.explanation.answers import mix_model
from medcore.explanation.patient import Cohort, explain_patient
from medcore.explanation.subject import input_rows, list_patients, list_truths, open_subject
from medcore.jobs import ask
from medcore.jobs.handlers import HANDLERS
from medcore.jobs.warm import stop_warm
from medcore.predict import predict_rows
from medcore.records import Dataset, Watch
from medcore.store import (
    change_job,
    get_run,
    job_of_run,
    open_home,
    open_workspace,
    queue_run,
    save_dataset,
)
from tests.benchmarks import Row

ROWS, COLUMNS, REPEATS, LOOPED, TURNS = 20_000, 30, 5, 2, 15
MODELS = ("logistic", "gradient_boosting")


def rows() -> Iterator[Row]:
    """Yield how much faster importance is, seconds of one patient, milliseconds of what if."""
    dataset = _make_dataset()
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"MEDCORE_HOME": folder}),
    ):
        home = open_home()
        workspace = open_workspace(home, None)
        kept = save_dataset(workspace, dataset)
        for model in MODELS:
            run = _train(workspace, kept.id, model)
            yield _importance(run.folder, dataset, model)
            cohort = Cohort(open_subject(run.folder, dataset))
            values = dict.fromkeys(dataset.frame)
            values |= input_rows(cohort.subject.dataset, np.array([0])).iloc[0].to_dict()
            explain_patient(cohort, values)
            spent = _median(lambda: explain_patient(cohort, values), 3) / 1000  # noqa: B023
            yield Row(f"explaining: one patient's shares, {model}, s", spent, "<= 3",
                      "what a page may take", f"{COLUMNS} columns, 100 patients")  # fmt: skip
            request = {"do": "answer_patients", "run_folder": str(run.folder),
                       "rows": [values, {**values, "x0": 1.0}]}  # fmt: skip
            ask(home, request, timeout=300)
            spent = _median(lambda: ask(home, request), TURNS)  # noqa: B023
            yield Row(f"explaining: what if through the warm process, {model}, ms", spent,
                      "<= 300", "what a slider may take")  # fmt: skip
        stop_warm()


def _make_dataset() -> Dataset:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"x{i}": rng.normal(size=ROWS) for i in range(COLUMNS - 6)})
    for place in range(6):
        table[f"c{place}"] = rng.choice(["a", "b", "c"], ROWS)
    chance = 1 / (1 + np.exp(-(table["x0"] + table["x1"] * (table["c0"] == "a"))))
    table["ill"] = np.where(rng.random(ROWS) < chance, "yes", "no")
    return make_dataset(table, "Made up", "made_up.csv", "5" * 64)


def _train(workspace, dataset: str, model: str):
    changes = {"model.name": model, "data.roles": {"ill": "outcome"}, "evaluate.resamples": 100}
    config = change_config(RunConfig(), changes)
    run, _ = queue_run(workspace, config, dataset, model, model, again=False)
    job = job_of_run(workspace, run.id)
    change_job(workspace.home, job.id, ("queued",), state="running")
    HANDLERS["run"](workspace, job, Watch())
    change_job(workspace.home, job.id, ("running",), state="finished")
    return get_run(workspace, run.id)


def _importance(folder, dataset: Dataset, model: str) -> Row:
    subject = open_subject(folder, dataset)
    frame, names = input_rows(subject.dataset, subject.judged), []
    started = time.perf_counter()
    mixture = mix_model(subject.deployed.model, subject.dataset, frame)
    names = [(name,) for name in mixture.columns]
    permutation_importance(
        mixture, np.arange(len(frame)), names, list_truths(subject, subject.judged),
        list_patients(subject, subject.judged), repeats=REPEATS, resamples=1000,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    ours = time.perf_counter() - started
    deployed, rng = open_run(folder), np.random.default_rng(0)
    started = time.perf_counter()
    for name in list(frame)[:LOOPED] + list(frame)[-LOOPED:]:
        for _ in range(REPEATS):
            shuffled = frame.assign(**{name: frame[name].array.take(rng.permutation(len(frame)))})
            predict_rows(deployed.model, replace(subject.dataset, frame=shuffled))
    theirs = (time.perf_counter() - started) * COLUMNS / (2 * LOOPED)
    return Row(
        f"explaining: importance of 20,000 × 30, {model}, times faster",
        theirs / ours,
        ">= 1.2" if model == "gradient_boosting" else ">= 3",
        "a loop of full predictions without intervals",
        f"ours {ours:.1f} s with intervals, loop {theirs:.1f} s, {len(frame):,} test rows",
    )


def _median(call, turns: int) -> float:
    times = []
    for _ in range(turns):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)
