"""What keeps the queue moving: dead workers are noticed, waiting jobs started.

Called at the start of a server, a page and a command, and by every worker; any number may do so
at the same time.
"""

from __future__ import annotations

import time

from medcore.errors import MedcoreError
from medcore.jobs.processes import (
    end_orphans,
    end_process,
    ended_children,
    is_same_process,
    slots,
    start_worker,
    this_host,
)
from medcore.store import Home, Job, active_jobs, change_job, claim_next, run_config
from medcore.strategies import NETWORKS

MOST_ATTEMPTS = 3
# Seconds without a sign of life after which a worker counts as dead: one whose process lives is
# killed first; one of another machine cannot be looked at.
STALE, STALE_STOPPING, START_SECONDS = 60.0, 5.0, 60.0


def tend(home: Home) -> None:
    """Resume or give up the jobs of dead workers, then start waiting jobs while there is room."""
    codes = ended_children()
    for job in active_jobs(home):
        if job.state != "queued" and _is_dead(job, codes):
            _recover(home, job, codes.get((job.id, job.attempt)))
    room = {"long": slots(), "short": slots()}
    while (job := claim_next(home, this_host(), room)) is not None:
        try:
            start_worker(home, job)
        except MedcoreError as error:
            change_job(
                home, job.id, ("running",), of_attempt=job.attempt, state="failed", error=str(error)
            )


def _is_dead(job: Job, codes: dict[tuple[str, int], int]) -> bool:
    silent = time.time() - (job.heartbeat or 0.0)
    if job.host != this_host():
        return silent > STALE
    if job.pid is None or job.pid_started is None:
        return (job.id, job.attempt) in codes or silent > START_SECONDS
    if not is_same_process(job.pid, job.pid_started):
        end_orphans(job.pid, job.pid_started)
        return True
    if silent > (STALE_STOPPING if job.state == "stopping" else STALE):
        end_process(job.pid, job.pid_started)
        return True
    return False


def _recover(home: Home, job: Job, code: int | None) -> None:
    if job.state == "stopping":
        change_job(home, job.id, ("stopping",), of_attempt=job.attempt, state="stopped")
    elif job.attempt < MOST_ATTEMPTS:
        values = {"state": "queued", "pid": None, "pid_started": None, "seconds_left": None}
        message = "Interrupted; goes on from where it was"
        change_job(home, job.id, ("running",), of_attempt=job.attempt, message=message, **values)
    else:
        error = _explain(home, job, code)
        change_job(home, job.id, ("running",), of_attempt=job.attempt, state="failed", error=error)


def _explain(home: Home, job: Job, code: int | None) -> str:
    """Say why a job was given up, no surer than what was seen allows."""
    if job.pid is None:
        return (
            f"The worker process could not start ({job.attempt} attempts); the file worker.log in "
            "the job's folder says why."
        )
    where = f" at '{job.message}'" if job.message else ""
    advice = _advice(home, job)
    if is_memory_short(job.memory):
        own, total = (job.memory[name] / 2**30 for name in ("own", "total"))
        return (
            f"Memory ran out{where}: the worker held {own:.1f} of {total:.1f} GB when it was last "
            f"seen, and was ended {job.attempt} times; {advice}."
        )
    how = f" (signal {-code})" if code is not None and code < 0 else ""
    return (
        f"The worker was ended from outside {job.attempt} times{how}, last{where}; often this is "
        f"because memory ran out: {advice}, or try again."
    )


def is_memory_short(memory: dict[str, int]) -> bool:
    """Tell whether a worker's last look at memory makes running out of it the likely end."""
    if not memory:
        return False
    return memory["available"] < 0.1 * memory["total"] or memory["own"] > 0.8 * memory["total"]


def _advice(home: Home, job: Job) -> str:
    config = run_config(home, job.run) if job.run else None
    if config is None:
        return "use a smaller file"
    if config.model.name in NETWORKS:
        return (
            f"choose a batch size below {config.train.batch_size}, a smaller network, or fewer "
            "rows or columns"
        )
    return "choose a simpler model, or fewer rows or columns"
