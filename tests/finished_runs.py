"""Data sets and judged runs for the tests of pages, made in this process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import RunConfig, change_config
from medcore.data import load_sample, make_dataset
from medcore.data.media import new_media_folder
from medcore.data.progression import progression_dataset
from medcore.jobs.handlers import train
from medcore.records import Dataset, Run, Watch
from medcore.store import (
    DatasetRow,
    Workspace,
    change_job,
    get_run,
    job_of_run,
    queue_run,
    run_key,
    save_dataset,
    save_settings,
)
from tests.note_rows import note_dataset
from tests.picture_rows import picture_dataset

QUICK = {"evaluate.resamples": 100, "train.epochs": 2, "model.width": 8, "model.layers": 1}


def a_number_table(rows: int = 160) -> Dataset:
    """Return a table whose outcome is a number with a unit."""
    rng = np.random.default_rng(0)
    age, site = rng.uniform(30, 80, rows), rng.choice(["north", "south"], rows)
    stay = 2 + 0.1 * age + (site == "north") + rng.normal(0, 0.5, rows)
    age[::9] = np.nan
    return make_dataset(
        pd.DataFrame({"age": age, "ward": site, "stay": stay}), "Stays", "stays.csv", "0" * 64
    )


def a_class_table(rows: int = 240) -> Dataset:
    """Return a table whose outcome has three classes."""
    rng = np.random.default_rng(1)
    marker = rng.normal(0, 1, rows)
    grade = np.select([marker < -0.5, marker < 0.7], ["low", "middle"], "high")
    noise = rng.normal(0, 1, rows)
    table = pd.DataFrame({"marker": marker + noise / 3, "noise": noise, "grade": grade})
    return make_dataset(table, "Grades", "grades.csv", "1" * 64)


def a_rare_table(rows: int = 400) -> Dataset:
    """Return a table with gaps whose outcome one patient in eight has."""
    rng = np.random.default_rng(2)
    age, lactate = rng.normal(65, 10, rows), rng.lognormal(0.5, 0.5, rows)
    chance = 1 / (1 + np.exp(3.2 - 0.8 * lactate - (age - 65) / 15))
    died = np.where(rng.random(rows) < chance, "yes", "no")
    lactate[rng.random(rows) < 0.3] = np.nan
    ward = rng.choice(["a", "b", "c"], rows).astype(object)
    ward[::11] = None
    table = pd.DataFrame({"age": age, "lactate": lactate, "ward": ward, "died": died})
    return make_dataset(table, "Lactate", "lactate.csv", "2" * 64)


def a_findings_table(rows: int = 320) -> Dataset:
    """Return three findings a patient, each unknown of some, and a hospital of each."""
    rng = np.random.default_rng(4)
    marker = rng.normal(0, 1, (rows, 3))
    has = rng.random((rows, 3)) < 1 / (1 + np.exp(-1.5 * marker + [0.2, 1.4, 0.8]))
    table = pd.DataFrame(marker, columns=["fluid", "swelling", "shade"])
    table["age"] = rng.normal(60, 12, rows).round()
    for name, values in zip(["effusion", "oedema", "nodule"], has.T, strict=True):
        unknown = rng.random(rows) < 0.1
        table[name] = np.where(unknown, None, np.where(values, "yes", "no"))
    return make_dataset(table, "Findings", "findings.csv", "7" * 64)


def a_picture_table() -> Dataset:
    """Return pictures of discs with a number beside; one row has no picture."""
    dataset = picture_dataset(new_media_folder().parent, 90, table=True)
    dataset.frame.loc[3, "scan"] = pd.NA
    return dataset


def a_note_table() -> Dataset:
    """Return notes with a number beside; some rows have no note."""
    return note_dataset(150, table=True)


def a_followed_table() -> Dataset:
    """Return heart failure as a table of its own, whose settings are not those of other cases."""
    return replace(load_sample("heart_failure"), name="Follow-up", sha256="3" * 64)


CASES = {
    "pictures": (
        a_picture_table,
        {"model.name": "resnet_small", "data.roles": {"place": "outcome"}, "train.batch_size": 32},
    ),
    "notes": (
        a_note_table,
        {"model.name": "tfidf", "data.roles": {"place": "outcome"}},
    ),
    "rival": (lambda: load_sample("heart_failure"), {"model.name": "logistic"}),
    "binary": (lambda: load_sample("heart_failure"), {"model.name": "mlp"}),
    "folds": (
        lambda: load_sample("wdbc"),
        {"model.name": "logistic", "split.kind": "kfold", "split.folds": 3},
    ),
    "strategies": (
        a_rare_table,
        {
            "data.roles": {"died": "outcome"},
            "model.name": "logistic",
            "missing.strategy": "multiple",
            "missing.draws": 2,
            "balance.strategy": "oversample",
        },
    ),
    "survival": (
        a_followed_table,
        {
            "data.roles": {"death": "event", "time": "duration"},
            "model.name": "deepsurv",
            "evaluate.horizons": "30d, 100d",
        },
    ),
    "course": (
        lambda: progression_dataset(90, seed=3),
        {"model.name": "gru_d", "series.width": 8},
    ),
    "multiclass": (
        a_class_table,
        {"model.name": "logistic", "data.roles": {"grade": "outcome"}},
    ),
    "multilabel": (
        a_findings_table,
        {
            "model.name": "mlp",
            "data.roles": dict.fromkeys(("effusion", "oedema", "nodule"), "outcome"),
        },
    ),
    "regression": (
        a_number_table,
        {
            "model.name": "mlp",
            "data.roles": {"stay": "outcome"},
            "data.units": {"stay": "days", "age": "years"},
        },
    ),
}


def keep_case(workspace: Workspace, case: str) -> tuple[DatasetRow, RunConfig]:
    """Save a case's data set with its settings."""
    make, changes = CASES[case]
    row = save_dataset(workspace, make())
    config = change_config(RunConfig(), QUICK | changes)
    save_settings(workspace, row.id, config)
    return row, config


def finish_run(workspace: Workspace, case: str) -> Run:
    """Train and judge a case as a worker would, without the process."""
    row, config = keep_case(workspace, case)
    run, _ = queue_run(
        workspace, config, row.id, f"A {case} model", run_key(row.sha256, config), again=False
    )
    job = job_of_run(workspace, run.id)
    assert change_job(workspace.home, job.id, ("queued",), state="running")
    train(workspace, job, Watch())
    assert change_job(workspace.home, job.id, ("running",), state="finished")
    return get_run(workspace, run.id)
