"""What each kind of job does. A handler returns its result for the job's row, or None if stopped.

Heavy packages are imported inside: the server knows this table without loading them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medcore.config import load_config
from medcore.errors import JobError, StoreError
from medcore.records import Dataset, Evaluation, Event, Watch
from medcore.store import (
    Job,
    Lane,
    Workspace,
    drop_upload,
    get_run,
    inside,
    job_folder,
    load_dataset,
    read_json,
    save_dataset,
    set_run_summary,
    workspace_secret,
    write_json,
)
from medcore.store.files import remove_folder
from medcore.store.folder import OPTIMISM, REPORT, SPLIT, VALIDATIONS

MOST_TEXTS = 300
Handler = Callable[[Workspace, Job, Watch], dict[str, Any] | None]


def import_table(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any]:
    """Read an upload into a data set; the upload itself is deleted afterwards, come what may."""
    from medcore.data import Wishes, read_table_isolated

    path = inside(workspace, job.payload["path"])
    if not path.is_file():
        raise JobError("The uploaded file is not there any more; upload it again.")
    try:
        name = job.payload["name"]
        said = f"Reading {name}"

        def tell(share: float) -> None:
            watch.emit(Event(time.time(), "read", said, 0.05 + 0.8 * share))

        tell(0.0)
        wishes = Wishes(**job.payload.get("wishes", {}), secret=workspace_secret(workspace))
        dataset = read_table_isolated(
            path, name=name, stopping=watch.stopping, wishes=wishes, tell=tell
        )
        watch.emit(Event(time.time(), "save", f"Saving {name}", 0.9))
        return {"dataset": save_dataset(workspace, dataset).id}
    finally:
        drop_upload(path)


def fetch_set(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any]:
    """Fetch a published image set and read it into a data set."""
    from medcore.data import MEDMNIST, read_table_isolated
    from medcore.data.medmnist import fetch_medmnist

    chosen = next(chosen for chosen in MEDMNIST if chosen.name == job.payload["set"])
    path = workspace.folder / "uploads" / job.id / f"{chosen.name}.npz"

    def tell(share: float) -> None:
        watch.emit(Event(time.time(), "fetch", f"Fetching {chosen.title}", 0.6 * share))

    try:
        fetch_medmnist(chosen, path, tell=tell, stopping=watch.stopping)
        watch.emit(Event(time.time(), "read", f"Reading {chosen.title}", 0.65))
        dataset = read_table_isolated(path, name=chosen.title, stopping=watch.stopping)
        return {"dataset": save_dataset(workspace, dataset).id}
    finally:
        drop_upload(path)


def train(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Train and judge a run."""
    return _run(workspace, job, watch, judge_only=False)


def judge(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Judge the best state of a stopped run."""
    return _run(workspace, job, watch, judge_only=True)


def _run(
    workspace: Workspace, job: Job, watch: Watch, *, judge_only: bool
) -> dict[str, Any] | None:
    from medcore import pipeline

    if job.run is None:
        raise JobError("This job names no run.")
    run = get_run(workspace, job.run)
    dataset = load_dataset(workspace, run.dataset)
    evaluation = pipeline.run(run.config, dataset, watch, folder=run.folder, judge_only=judge_only)
    if evaluation is None:
        return None
    set_run_summary(workspace, run.id, summarise(evaluation))
    return {"run": run.id}


def predict_file(workspace: Workspace, job: Job, _: Watch) -> dict[str, Any]:
    """Write an uploaded file with a run's predictions beside it into the job's folder."""
    from medcore import apply
    from medcore.data import Wishes

    if job.run is None:
        raise JobError("This job names no run.")
    run = get_run(workspace, job.run)
    path = inside(workspace, job.payload["path"])
    if not path.is_file():
        raise JobError("The uploaded file is not there any more; upload it again.")
    stem = Path(job.payload["name"]).stem
    target = job_folder(workspace.home, job) / f"{stem}_predicted.csv"
    completed = target.with_name(f"{stem}_completed.csv")
    wishes = Wishes(names=False, secret=workspace_secret(workspace))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        match = apply.predict_file(apply.open_run(run.folder), path, target, completed, wishes)
    finally:
        drop_upload(path)
    return {
        "file": target.relative_to(workspace.folder).as_posix(),
        "completed": completed.relative_to(workspace.folder).as_posix(),
        "missing": list(match.missing),
        "extra": list(match.extra),
        "sentences": list(match.sentences),
    }


def validate(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Judge a run on another data set; the result is kept in the run's folder."""
    from medcore.validation.work import validate_run

    if job.run is None:
        raise JobError("This job names no run.")
    run = get_run(workspace, job.run)
    new = load_dataset(workspace, job.payload["dataset"])
    target = run.folder / VALIDATIONS / job.id
    told = {"dataset": job.payload["dataset"]}
    evaluation = validate_run(run.folder, new, job.payload["answers"], target, watch, told)
    return None if evaluation is None else {"validation": job.id}


def report(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any]:
    """Write a run's report beside it; its data may be gone by then."""
    from medcore.report import write_report

    if job.run is None:
        raise JobError("This job names no run.")
    run = get_run(workspace, job.run)
    watch.emit(Event(time.time(), "report", f"Writing the report of {run.name}", 0.1))
    dataset = None
    with contextlib.suppress(StoreError):
        dataset = load_dataset(workspace, run.dataset)
    written = write_report(run.folder, run.folder / REPORT, title=run.name, dataset=dataset)
    return {"files": list(written.files)}


def optimism(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Look for luck and optimism in a run; what was fitted is kept until the end."""
    from medcore.optimism import EFFORTS
    from medcore.optimism.work import find_optimism
    from medcore.split import read_split

    if job.run is None:
        raise JobError("This job names no run.")
    run, effort = get_run(workspace, job.run), job.payload["effort"]
    dataset = load_dataset(workspace, run.dataset)
    split = read_split(read_json(run.folder, SPLIT))
    folder = run.folder / "refits" / effort
    found = find_optimism(dataset, run.config, split, EFFORTS[effort], folder, watch)
    if found is None:
        return None
    write_json(run.folder, OPTIMISM, found)
    remove_folder(folder.parent)
    return {"run": run.id}


def laboratory(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Compare strategies; what was fitted is kept until the end, for a restart."""
    from medcore.laboratory import read_choice
    from medcore.laboratory.work import run_laboratory

    config, choice = load_config(job.payload["config"]), read_choice(job.payload["choice"])
    dataset = load_dataset(workspace, job.payload["dataset"])
    folder = _bench_folder(workspace, job, dataset)
    result = run_laboratory(dataset, config, choice, watch, folder)
    if result is not None:
        remove_folder(folder)
    return result


def masking(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Hide known cells and compare how well strategies fill them."""
    from medcore.laboratory import read_mask_choice
    from medcore.laboratory.masking import run_masking

    config, choice = load_config(job.payload["config"]), read_mask_choice(job.payload["choice"])
    dataset = load_dataset(workspace, job.payload["dataset"])
    folder = _bench_folder(workspace, job, dataset)
    result = run_masking(dataset, config, choice, watch, folder)
    if result is not None:
        remove_folder(folder)
    return result


def _bench_folder(workspace: Workspace, job: Job, dataset: Dataset) -> Path:
    """Return where a comparison keeps finished work; the same comparison finds it again."""
    asked = [dataset.sha256, job.payload["config"], job.payload["choice"]]
    text = json.dumps(asked, sort_keys=True)
    return workspace.folder / "laboratory" / hashlib.sha256(text.encode()).hexdigest()[:16]


def explain(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Write what drives a run's model into its folder."""
    from medcore.explanation import read_explain_choice
    from medcore.explanation.work import explain_run

    if job.run is None:
        raise JobError("This job names no run.")
    run = get_run(workspace, job.run)
    dataset = load_dataset(workspace, run.dataset)
    choice = read_explain_choice(job.payload)
    result = explain_run(run.folder, dataset, choice, watch)
    return None if result is None else {"run": run.id}


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """Return what lists show of a run: task, patients, and every metric of the test part."""
    test = evaluation.parts.get("test")
    summary: dict[str, Any] = {"task": evaluation.task, "positive": evaluation.positive}
    if evaluation.effect is not None:
        return summary | _summarise_effect(evaluation.effect)
    if test is None:
        return summary
    metrics = {
        name: {"value": metric.value, "low": metric.low, "high": metric.high}
        for name, metric in test.metrics.items()
    }
    return summary | {"n": test.n, "events": test.events, "metrics": metrics}


def _summarise_effect(effect: Mapping[str, Any]) -> dict[str, Any]:
    sides = ("value", "low", "high")
    metrics = {
        name: {side: figure[side] for side in sides}
        for name, figure in effect.items()
        if isinstance(figure, Mapping) and "method" in figure
    }
    return {"n": effect["patients"], "events": None, "metrics": metrics}


def transcribe(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Turn recordings into texts, or score a zip of them."""
    from medcore.jobs.speech import transcribe_files

    return transcribe_files(workspace, job, watch)


def recogniser(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Train a recogniser of one's own on a data set; it is kept in the job's folder."""
    from medcore.recogniser import read_changes, train_recogniser

    dataset = load_dataset(workspace, job.payload["dataset"])
    choice = read_changes(job.payload["choice"])
    result = train_recogniser(dataset, choice, job_folder(workspace.home, job), watch)
    if result is None:
        return None
    # The file holds all texts; lists of jobs are read often, and show those heard wrongly.
    texts = sorted(result["texts"], key=lambda row: row["said"] == row["heard"])
    return result | {"texts": texts[:MOST_TEXTS]}


def blank(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Blank out parts of a data set's images."""
    from medcore.jobs.pictures import blank_out

    return blank_out(workspace, job, watch)


def compare(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Make the prints by which copies among a data set's images are found."""
    from medcore.jobs import pictures

    return pictures.compare(workspace, job, watch)


HANDLERS: Mapping[str, Handler] = {
    "import": import_table,
    "fetch": fetch_set,
    "blank": blank,
    "compare": compare,
    "run": train,
    "judge": judge,
    "predict": predict_file,
    "validate": validate,
    "optimism": optimism,
    "laboratory": laboratory,
    "report": report,
    "masking": masking,
    "explain": explain,
    "transcribe": transcribe,
    "recogniser": recogniser,
}
LANES: Mapping[str, Lane] = {
    "import": "short",
    "fetch": "short",
    "blank": "short",
    "compare": "short",
    "run": "long",
    "judge": "long",
    "predict": "short",
    "validate": "short",
    "optimism": "long",
    "laboratory": "long",
    "report": "short",
    "masking": "long",
    "explain": "short",
    "transcribe": "short",
    "recogniser": "long",
}
