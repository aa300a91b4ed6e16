"""What pages and commands ask of the queue: put in, look, stop, wait."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from medcore.config import RunConfig
from medcore.data import MEDMNIST
from medcore.data.dicom.blanking import Rectangle
from medcore.errors import JobError
from medcore.explanation import ExplainChoice
from medcore.jobs.handlers import LANES
from medcore.jobs.tending import tend
from medcore.laboratory import Choice, MaskChoice
from medcore.records import Run
from medcore.store import (
    Job,
    Workspace,
    add_job,
    change_job,
    get_dataset_row,
    get_job,
    get_run,
    inside,
    list_jobs,
    queue_run,
    run_key,
    waiting_order,
)

WAIT_STEP, TEND_EVERY = 0.1, 1.0


def submit(
    workspace: Workspace, kind: str, payload: dict[str, Any], *, run: str | None = None
) -> Job:
    """Queue a job and start it if there is room.

    Raises `LimitError` when too many wait already, `JobError` for an unknown kind.
    """
    if kind not in LANES:
        raise JobError(f"There is no kind of job called '{kind}'.")
    job = add_job(workspace, kind, payload, run, LANES[kind])
    tend(workspace.home)
    return get_job(workspace, job.id)


def start_run(
    workspace: Workspace, dataset_id: str, config: RunConfig, *, name: str = "", again: bool = False
) -> tuple[Run, bool]:
    """Train a data set with a config; returns the run, and whether it was finished before.

    A run of this workspace with the same data, settings and versions is returned instead of
    training twice: finished with True, or still under way with False. `again` trains anyway.
    """
    row = get_dataset_row(workspace, dataset_id)
    name = name or f"{config.model.name.replace('_', ' ').capitalize()} on {row.name}"
    key = run_key(row.sha256, config)
    run, _ = queue_run(workspace, config, dataset_id, name, key, again=again)
    tend(workspace.home)
    run = get_run(workspace, run.id)
    return run, run.state == "finished"


def judge_run(workspace: Workspace, run_id: str) -> Job:
    """Judge the best state of a stopped run; raises `JobError` when the run is not stopped."""
    run = get_run(workspace, run_id)
    payload = {"dataset": run.dataset}
    job = add_job(workspace, "judge", payload, run.id, LANES["judge"], before=("stopped",))
    tend(workspace.home)
    return get_job(workspace, job.id)


def start_laboratory(
    workspace: Workspace, dataset_id: str, config: RunConfig, choice: Choice | MaskChoice
) -> Job:
    """Compare strategies on a data set, by predictions or by hidden cells; see `job.result`."""
    row = get_dataset_row(workspace, dataset_id)
    payload = {
        "dataset": row.id,
        "config": config.model_dump(mode="json"),
        "choice": choice.values(),
    }
    kind = "masking" if isinstance(choice, MaskChoice) else "laboratory"
    return submit(workspace, kind, payload)


def start_validation(
    workspace: Workspace, run_id: str, dataset_id: str, answers: Mapping[str, str]
) -> Job:
    """Judge a run on another data set; `answers` say what to do about other units, by column."""
    payload = {"dataset": get_dataset_row(workspace, dataset_id).id, "answers": dict(answers)}
    return submit(workspace, "validate", payload, run=get_run(workspace, run_id).id)


def start_optimism(workspace: Workspace, run_id: str, effort: str) -> Job:
    """Fit a run's recipe again on other patients; raises `StoreError` when its data are gone."""
    run = get_run(workspace, run_id)
    get_dataset_row(workspace, run.dataset)
    return submit(workspace, "optimism", {"effort": effort}, run=run.id)


def start_explanation(workspace: Workspace, run_id: str, choice: ExplainChoice) -> Job:
    """Find out what drives a run's model; the run's folder will hold `explanation.json`.

    One that is under way for the run is returned instead of a second. Raises `StoreError` when
    the table that the run was trained on is gone.
    """
    run = get_run(workspace, run_id)
    get_dataset_row(workspace, run.dataset)
    for job in list_jobs(workspace, active_only=True, kind="explain"):
        if job.run == run.id:
            return job
    return submit(workspace, "explain", choice.values(), run=run.id)


def start_import(
    workspace: Workspace, path: Path, name: str, wishes: Mapping[str, bool | None] | None = None
) -> Job:
    """Read a staged upload in the background; `job.result["dataset"]` will be the data set.

    `wishes`: how images are read, see `medcore.data.Wishes`; names of files and patients are not
    kept.
    """
    payload = {"path": _relative(workspace, path), "name": name}
    payload["wishes"] = {"names": False, **(wishes or {})}
    return submit(workspace, "import", payload)


def start_fetch(workspace: Workspace, name: str) -> Job:
    """Fetch a published image set; `job.result["dataset"]` will be the data set."""
    title = next((chosen.title for chosen in MEDMNIST if chosen.name == name), None)
    if title is None:
        raise JobError(f"There is no published set called '{name}'.")
    return submit(workspace, "fetch", {"set": name, "name": title})


def start_blanking(
    workspace: Workspace,
    dataset: str,
    column: str,
    rectangles: Mapping[str, Sequence[Rectangle]],
    *,
    delete: bool,
) -> Job:
    """Blank out rectangles of images, by file name; `job.result["dataset"]` is the new data set.

    `delete` removes the data set that still has what was blanked out.
    """
    boxes = {name: [list(astuple(box)) for box in found] for name, found in rectangles.items()}
    payload = {"dataset": get_dataset_row(workspace, dataset).id, "column": column}
    return submit(workspace, "blank", {**payload, "rectangles": boxes, "delete": delete})


def start_comparison(workspace: Workspace, dataset: str, column: str) -> Job:
    """Make the prints by which copies among a column's images are found."""
    payload = {"dataset": get_dataset_row(workspace, dataset).id, "column": column}
    return submit(workspace, "compare", payload)


def start_prediction(workspace: Workspace, run_id: str, path: Path, name: str) -> Job:
    """Apply a run to a staged upload; `job.result["file"]` will be the file's place."""
    payload = {"path": _relative(workspace, path), "name": name}
    return submit(workspace, "predict", payload, run=get_run(workspace, run_id).id)


def start_report(workspace: Workspace, run_id: str) -> Job:
    """Write a judged run's report, its checklists and exports into its folder."""
    return submit(workspace, "report", {}, run=get_run(workspace, run_id).id)


def start_transcription(
    workspace: Workspace, files: list[tuple[Path, str]], *, model: str = "", language: str = "",
    score: bool = False,
) -> Job:  # fmt: skip
    """Transcribe staged recordings; `job.result["texts"]` will be their texts.

    `score`: the one file is a zip of recordings with reference texts; the result holds the scores.
    """
    payload = {
        "files": [{"path": _relative(workspace, path), "name": name} for path, name in files],
        "model": model,
        "language": language,
        "score": score,
    }
    return submit(workspace, "transcribe", payload)


def start_recogniser(workspace: Workspace, dataset: str, choice: Mapping[str, Any]) -> Job:
    """Train a recogniser on a data set; `job.result` will be as of `train_recogniser`.

    `choice`: dotted settings of a `RecogniserChoice`, such as text and train.epochs.
    """
    get_dataset_row(workspace, dataset)
    return submit(workspace, "recogniser", {"dataset": dataset, "choice": dict(choice)})


def _relative(workspace: Workspace, path: Path) -> str:
    path = inside(workspace, str(path.absolute()))
    return path.relative_to(workspace.folder.resolve()).as_posix()


def queue_position(workspace: Workspace, job: Job) -> int:
    """Return a waiting job's place in the queue from 1 on; 0 when it does not wait."""
    order = waiting_order(workspace.home, job.lane)
    return order.index(job.id) + 1 if job.id in order else 0


def stop_job(workspace: Workspace, job_id: str) -> Job:
    """Ask a job to stop and return it: a waiting one is stopped at once, one at work within 2 s.

    An ended job, or one asked before, stays as it is.
    """
    home, job = workspace.home, get_job(workspace, job_id)
    _ = (
        change_job(home, job.id, ("queued",), state="stopped")
        or change_job(home, job.id, ("running",), unstarted=True, state="stopped")
        or change_job(home, job.id, ("running",), state="stopping", message="Stopping")
    )
    tend(home)
    return get_job(workspace, job.id)


def wait(workspace: Workspace, job_id: str, timeout: float) -> Job:
    """Return the job once it has ended, or as it is after `timeout` seconds."""
    end, next_tend = time.monotonic() + timeout, 0.0
    while True:
        if time.monotonic() >= next_tend:
            tend(workspace.home)
            next_tend = time.monotonic() + TEND_EVERY
        job = get_job(workspace, job_id)
        left = end - time.monotonic()
        if not job.active or left <= 0:
            return job
        time.sleep(min(WAIT_STEP, left))
