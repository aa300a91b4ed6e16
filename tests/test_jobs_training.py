"""Real work by real workers: a file becomes a run and predictions; a killed training goes on."""

import io
import os
import signal
import time

import pandas as pd
import pytest

from medcore import pipeline
from medcore.config import RunConfig, change_config
from medcore.data import load_sample
from medcore.jobs import (
    handlers,
    job_of_run,
    judge_run,
    processes,
    start_import,
    start_laboratory,
    start_prediction,
    start_run,
    stop_job,
    tend,
    tending,
    wait,
)
from medcore.laboratory import Choice
from medcore.records import Watch
from medcore.store import (
    change_job,
    get_job,
    get_run,
    list_datasets,
    list_runs,
    load_dataset,
    open_workspace,
    read_events,
    read_json,
    save_dataset,
    stage_upload,
)
from medcore.store.folder import CHECKPOINTS, EVALUATION
from tests.databases import wait_until

# A real worker, but one that keeps a checkpoint more often than every two seconds.
OFTEN = (
    "-c",
    "import sys; from medcore.train import pause; from medcore.jobs.worker import work; "
    "pause.CHECKPOINT_SECONDS = 0.2; sys.exit(work(sys.argv[1]))",
)
pytestmark = pytest.mark.usefixtures("no_process_left")
LONG = 120.0
QUICK = change_config(
    RunConfig(),
    {
        "model.name": "logistic", "evaluate.resamples": 100,
        "data.roles": {"death": "outcome", "time": "ignored"},
    },
)  # fmt: skip
EPOCHS = 60
LENGTHY = change_config(
    RunConfig(),
    {
        "model.name": "mlp", "model.width": 16, "model.layers": 1, "evaluate.resamples": 100,
        "train.epochs": EPOCHS, "train.patience": 1000, "train.batch_size": 8,
    },
)  # fmt: skip


def ended(workspace, job):
    job = wait(workspace, job.id, timeout=LONG)
    assert not job.active, job
    return job


def upload(workspace, data: bytes, name="patients.csv"):
    return stage_upload(workspace, name, io.BytesIO(data))


def uploads(workspace) -> list:
    return list((workspace.folder / "uploads").rglob("*"))


def sample_csv() -> bytes:
    return load_sample("heart_failure").frame.to_csv(index=False).encode()


@pytest.mark.slow
def test_a_file_becomes_a_data_set_a_run_and_predictions(lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_SLOTS", "2")
    bad = start_import(lite, upload(lite, b"\x00\x01\x02" * 99, "scan.csv"), "scan.csv")
    good = start_import(lite, upload(lite, sample_csv()), "patients.csv")
    good, bad = ended(lite, good), ended(lite, bad)
    assert (bad.state, list(bad.result)) == ("failed", [])
    assert bad.error.startswith("'scan.csv'")
    assert bad.error.endswith(".")
    (row,) = list_datasets(lite)
    assert (row.id, row.rows, row.name) == (good.result["dataset"], 299, "patients.csv")
    assert uploads(lite) == []

    run, cached = start_run(lite, row.id, QUICK)
    assert (run.state in ("queued", "running"), cached) == (True, False)
    assert start_run(lite, row.id, QUICK)[0].id == run.id
    job = ended(lite, job_of_run(lite, run.id))
    assert (job.state, job.error, job.fraction, job.result) == (
        "finished", None, 1.0, {"run": run.id},
    )  # fmt: skip
    assert get_run(lite, run.id).summary["metrics"]["auroc"]["value"] > 0.7
    again, cached = start_run(lite, row.id, QUICK)
    assert (again.id, cached, len(list_runs(lite))) == (run.id, True, 1)

    new = load_sample("heart_failure").frame.drop(columns="death").head(7)
    file = upload(lite, new.to_csv(index=False).encode(), "new.csv")
    done = start_prediction(lite, run.id, file, "new.csv")
    empty = start_prediction(lite, run.id, upload(lite, b"shoe,size\n1,2\n"), "shoes.csv")
    done, empty = ended(lite, done), ended(lite, empty)
    table = pd.read_csv(lite.folder / done.result["file"])
    assert list(table.columns)[: len(new.columns)] == list(new.columns)
    assert table["probability_yes"].between(0, 1).all()
    assert (empty.state, empty.error.endswith(".")) == ("failed", True)
    assert uploads(lite) == []
    assert get_run(lite, run.id).state == "finished"


def test_a_run_of_one_visitor_is_trained_anew_for_another(lite, monkeypatch):
    monkeypatch.setattr(tending, "start_worker", lambda home, job: None)
    other = open_workspace(lite.home, None)
    found = []
    for workspace in (lite, other):
        row = save_dataset(workspace, load_sample("heart_failure"))
        found.append(start_run(workspace, row.id, QUICK))
    assert [cached for _, cached in found] == [False, False]
    assert found[0][0].id != found[1][0].id


def epochs(folder) -> list[int]:
    """Return the numbers of the epochs of the network's fit, as they were told."""
    return [event["epoch"] for event in read_events(folder)[0] if "epoch" in event]


def begun(run) -> None:
    """Wait until a checkpoint of a training that goes on is kept."""
    folder = run.folder / CHECKPOINTS
    assert wait_until(lambda: any(folder.rglob("mlp*.running")), LONG)
    assert wait_until(lambda: len(epochs(run.folder)) > 5, LONG)


def figures(folder) -> dict:
    return read_json(folder, EVALUATION)["parts"]["test"]["metrics"]


@pytest.mark.slow
def test_a_killed_training_goes_on_and_a_stopped_one_keeps_its_best(lite, monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "COMMAND", OFTEN)
    monkeypatch.setenv("MEDCORE_SLOTS", "2")
    row = save_dataset(lite, load_sample("heart_failure"))
    killed, _ = start_run(lite, row.id, LENGTHY)
    stopped, _ = start_run(lite, row.id, change_config(LENGTHY, {"train.epochs": 2000}))
    for run in (killed, stopped):
        begun(run)
    os.kill(job_of_run(lite, killed.id).pid, signal.SIGKILL)
    asked = time.time()
    for _ in range(2):
        stop_job(lite, job_of_run(lite, stopped.id).id)

    job = ended(lite, job_of_run(lite, stopped.id))
    assert (job.state, job.error) == ("stopped", None)
    assert get_run(lite, stopped.id).state == "stopped"
    # Two seconds; the rest is for a machine busy with other tests. The training lasts for minutes.
    assert job.ended - asked < 20
    assert any((stopped.folder / CHECKPOINTS).rglob("mlp*.running"))
    assert not (stopped.folder / EVALUATION).exists()

    pipeline.run(LENGTHY, load_dataset(lite, row.id), folder=tmp_path / "whole")
    job = ended(lite, job_of_run(lite, killed.id))
    assert (job.state, job.attempt) == ("finished", 2)
    told = epochs(killed.folder)
    assert sorted(set(told)) == list(range(1, EPOCHS + 1))
    assert told.count(1) == 1
    assert figures(killed.folder) == figures(tmp_path / "whole")


def test_a_stopped_training_is_judged_by_its_best_epoch(lite, monkeypatch):
    monkeypatch.setattr(tending, "start_worker", lambda home, job: None)
    row = save_dataset(lite, load_sample("heart_failure"))
    run, _ = start_run(lite, row.id, LENGTHY)
    enough = Watch(stopping=lambda: len(epochs(run.folder)) > 4)
    assert handlers.train(lite, job_of_run(lite, run.id), enough) is None
    change_job(lite.home, job_of_run(lite, run.id).id, ("running",), state="stopped")
    job = judge_run(lite, run.id)
    assert handlers.judge(lite, job, Watch()) == {"run": run.id}
    assert figures(run.folder)["auroc"]["value"] > 0.5
    assert 4 < max(epochs(run.folder)) < EPOCHS


@pytest.mark.slow
def test_a_laboratory_goes_on_from_where_it_was_killed(lite):
    row = save_dataset(lite, load_sample("uci_heart"))
    choice = Choice(("median", "iterative_trees"), ("none", "class_weight"), "random_forest", 5)
    config = change_config(RunConfig(), {"evaluate.resamples": 100})
    job = start_laboratory(lite, row.id, config, choice)
    folder = lite.folder / "laboratory"
    wait_until(lambda: len(list(folder.rglob("random_forest-*.safetensors"))) > 3, LONG)
    os.kill(get_job(lite, job.id).pid, signal.SIGKILL)
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("random_forest-*.safetensors")}
    wait_until(lambda: tend(lite.home) or get_job(lite, job.id).attempt > 1, LONG)
    during = {}

    def note() -> bool:
        if folder.is_dir():
            during.update({path: path.stat().st_mtime_ns for path in kept if path.exists()})
        return not get_job(lite, job.id).active

    wait_until(note, LONG)
    job = ended(lite, job)
    assert (job.state, job.error) == ("finished", None)
    assert during == kept
    assert all(cell["reason"] is None for cell in job.result["cells"])
    assert not list(folder.iterdir())
