"""Jobs as rows; a state changes only by compare-and-set, so that two workers never share one.

queued → running → finished | failed
   ↓        ↓
stopped ← stopping
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from medcore.errors import JobError, LimitError
from medcore.store.home import Home, new_id, reading, writing
from medcore.store.tables import jobs, runs
from medcore.store.workspaces import QUEUE_LIMIT, Workspace, limit

ACTIVE = ("queued", "running", "stopping")
ENDED = ("finished", "failed", "stopped")


@dataclass(frozen=True)
class Job:
    """One piece of background work; `run` is what it is about, if any; times are epoch seconds."""

    id: str
    workspace: str
    kind: str
    state: str
    run: str | None
    payload: dict[str, Any]
    result: dict[str, Any]
    created: float
    started: float | None
    ended: float | None
    fraction: float
    message: str
    seconds_left: float | None
    error: str | None
    attempt: int
    pid: int | None
    pid_started: float | None
    heartbeat: float | None


def _job(row: sa.Row) -> Job:
    return Job(**row._mapping)


def add_job(workspace: Workspace, kind: str, payload: dict[str, Any], run: str | None) -> Job:
    """Queue a job; raises `LimitError` when too many wait already."""
    waiting = sa.select(sa.func.count()).where(
        jobs.c.workspace == workspace.id, jobs.c.state == "queued"
    )
    most = limit("MEDCORE_QUEUE_LIMIT", QUEUE_LIMIT)
    values = {
        "id": new_id(),
        "workspace": workspace.id,
        "kind": kind,
        "state": "queued",
        "run": run,
        "payload": payload,
        "result": {},
        "created": time.time(),
        "fraction": 0.0,
        "message": "Waiting",
        "attempt": 0,
    }
    with writing(workspace.home) as connection:
        if connection.execute(waiting).scalar_one() >= most:
            raise LimitError(f"{most} jobs are waiting already; wait for one or stop one.")
        connection.execute(jobs.insert().values(values))
        _mirror(connection, run, "queued")
    return read_job(workspace.home, values["id"])


def read_job(home: Home, identity: str) -> Job:
    """Return a job of any workspace (for workers); raises `JobError` when there is none."""
    with reading(home) as connection:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == identity)).first()
    if row is None:
        raise JobError(f"There is no job '{identity}'.")
    return _job(row)


def get_job(workspace: Workspace, identity: str) -> Job:
    """Return a job of the workspace; raises `JobError` when there is none."""
    job = read_job(workspace.home, identity)
    if job.workspace != workspace.id:
        raise JobError(f"There is no job '{identity}'.")
    return job


def list_jobs(workspace: Workspace, *, active_only: bool = False, limit: int = 100) -> list[Job]:
    """Return the workspace's jobs, the newest first."""
    query = sa.select(jobs).where(jobs.c.workspace == workspace.id)
    if active_only:
        query = query.where(jobs.c.state.in_(ACTIVE))
    with reading(workspace.home) as connection:
        found = connection.execute(query.order_by(jobs.c.created.desc()).limit(limit))
        return [_job(row) for row in found]


def job_of_run(workspace: Workspace, run: str) -> Job | None:
    """Return the newest job about a run."""
    query = sa.select(jobs).where(jobs.c.workspace == workspace.id, jobs.c.run == run)
    with reading(workspace.home) as connection:
        row = connection.execute(query.order_by(jobs.c.created.desc()).limit(1)).first()
    return None if row is None else _job(row)


def active_jobs(home: Home) -> list[Job]:
    """Return the queued, running and stopping jobs of all workspaces, the oldest first."""
    query = sa.select(jobs).where(jobs.c.state.in_(ACTIVE)).order_by(jobs.c.created)
    with reading(home) as connection:
        return [_job(row) for row in connection.execute(query)]


def change_job(home: Home, identity: str, before: tuple[str, ...], **values: Any) -> bool:
    """Set values if the job's state is one of `before`; tell whether it was.

    A new `state` is mirrored in the row of the run that the job is about.
    """
    with writing(home) as connection:
        return _change(connection, identity, before, values)


def _change(
    connection: sa.Connection, identity: str, before: tuple[str, ...], values: dict[str, Any]
) -> bool:
    mine = (jobs.c.id == identity) & jobs.c.state.in_(before)
    changed = connection.execute(jobs.update().where(mine).values(**values)).rowcount == 1
    if changed and "state" in values:
        run = connection.execute(sa.select(jobs.c.run).where(jobs.c.id == identity)).scalar()
        _mirror(connection, run, values["state"])
    return changed


def _mirror(connection: sa.Connection, run: str | None, state: str) -> None:
    if run is not None:
        connection.execute(runs.update().where(runs.c.id == run).values(state=state))


def claim_next(home: Home, slots: int, pid: int, pid_started: float) -> Job | None:
    """Take the next waiting job for a process if a slot is free; None otherwise.

    Fair: the workspace with the fewest running jobs comes first, then the longest waiting.
    """
    now = time.time()
    with writing(home) as connection:
        query = sa.select(jobs.c.id, jobs.c.workspace, jobs.c.state).where(jobs.c.state.in_(ACTIVE))
        rows = connection.execute(query.order_by(jobs.c.created)).all()
        busy = [row.workspace for row in rows if row.state != "queued"]
        waiting = [row for row in rows if row.state == "queued"]
        if len(busy) >= slots or not waiting:
            return None
        chosen = min(waiting, key=lambda row: busy.count(row.workspace))
        values = {
            "state": "running",
            "started": now,
            "heartbeat": now,
            "pid": pid,
            "pid_started": pid_started,
            "attempt": jobs.c.attempt + 1,
        }
        _change(connection, chosen.id, ("queued",), values)
    return read_job(home, chosen.id)
