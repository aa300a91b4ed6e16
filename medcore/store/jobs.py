"""Jobs as rows; a state changes only by compare-and-set, so that two workers never share one.

queued → running → finished | failed
   ↓        ↓
stopped ← stopping

A worker's right to a job is its `attempt`: one that was given up for dead and comes back finds a
higher number in the row and leaves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from medcore.errors import JobError, LimitError
from medcore.store.home import Home, new_id, reading, writing
from medcore.store.tables import jobs, runs
from medcore.store.workspaces import QUEUE_LIMIT, Workspace, check_alive, limit

State = Literal["queued", "running", "stopping", "finished", "failed", "stopped"]
# Short jobs have places of their own, so that nobody's upload waits for another's training.
Lane = Literal["long", "short"]
ACTIVE = ("queued", "running", "stopping")
AT_WORK = ("running", "stopping")
ENDED = ("finished", "failed", "stopped")
# The kinds whose state is the run's own; a prediction with a run does not change the run.
MAKING = ("run", "judge")


@dataclass(frozen=True)
class Job:
    """One piece of background work; `run` is what it is about, if any; times are epoch seconds.

    `memory` is what the worker last saw, in bytes: own, available, total.
    """

    id: str
    workspace: str
    kind: str
    lane: Lane
    state: State
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
    host: str | None
    pid: int | None
    pid_started: float | None
    heartbeat: float | None
    memory: dict[str, int]

    @property
    def active(self) -> bool:
        """Whether the job waits or is at work."""
        return self.state in ACTIVE


def add_job(
    workspace: Workspace,
    kind: str,
    payload: dict[str, Any],
    run: str | None = None,
    lane: Lane = "long",
    *,
    before: tuple[State, ...] = (),
) -> Job:
    """Queue a job; raises `LimitError` when too many wait already.

    `before`: the states in which the run may be; `JobError` when it is in another, so that of
    two that judge the same run one wins.
    """
    with writing(workspace.home) as connection:
        if run is not None and before:
            mine = (runs.c.id == run) & (runs.c.workspace == workspace.id)
            state = connection.execute(sa.select(runs.c.state).where(mine)).scalar()
            if state not in before:
                raise JobError(f"This cannot be done with a run that is {state or 'deleted'}.")
        identity = insert_job(connection, workspace, kind, payload, run, lane)
    return read_job(workspace.home, identity)


def insert_job(
    connection: sa.Connection,
    workspace: Workspace,
    kind: str,
    payload: dict[str, Any],
    run: str | None,
    lane: Lane,
) -> str:
    """Queue a job inside the caller's transaction and return its id; for errors see `add_job`."""
    check_alive(connection, workspace)
    waiting = sa.select(sa.func.count()).where(
        jobs.c.workspace == workspace.id, jobs.c.state == "queued"
    )
    most = limit("MEDCORE_QUEUE_LIMIT", QUEUE_LIMIT)
    if connection.execute(waiting).scalar_one() >= most:
        raise LimitError(f"{most} jobs are waiting already; wait for one or stop one.")
    identity = new_id()
    values = {
        "id": identity,
        "workspace": workspace.id,
        "kind": kind,
        "lane": lane,
        "state": "queued",
        "run": run,
        "payload": payload,
        "result": {},
        "created": time.time(),
        "fraction": 0.0,
        "message": "Waiting",
        "attempt": 0,
        "memory": {},
    }
    connection.execute(jobs.insert().values(values))
    mirror_state(connection, kind, run, "queued")
    return identity


def read_job(home: Home, identity: str) -> Job:
    """Return a job of any workspace (for workers); raises `JobError` when there is none."""
    with reading(home) as connection:
        row = connection.execute(sa.select(jobs).where(jobs.c.id == identity)).first()
    if row is None:
        shown = "".join(c if c.isprintable() else "?" for c in identity[:40])
        raise JobError(f"There is no job '{shown}'; it may have been deleted.")
    return job_of_row(row)


def get_job(workspace: Workspace, identity: str) -> Job:
    """Return a job of the workspace; raises `JobError` when there is none."""
    job = read_job(workspace.home, identity)
    if job.workspace != workspace.id:
        raise JobError(f"There is no job '{identity}'; it may have been deleted.")
    return job


def list_jobs(
    workspace: Workspace, *, active_only: bool = False, kind: str | None = None, limit: int = 100
) -> list[Job]:
    """Return the workspace's jobs, or those of a kind, the newest first."""
    query = sa.select(jobs).where(jobs.c.workspace == workspace.id)
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    if active_only:
        query = query.where(jobs.c.state.in_(ACTIVE))
    with reading(workspace.home) as connection:
        found = connection.execute(query.order_by(jobs.c.created.desc()).limit(limit))
        return [job_of_row(row) for row in found]


def job_folder(home: Home, job: Job) -> Path:
    """Return where a job's log and results are."""
    return home.folder / "workspaces" / job.workspace / "jobs" / job.id


def job_of_run(workspace: Workspace, run: str) -> Job | None:
    """Return the newest job that makes or judges a run."""
    query = sa.select(jobs).where(
        jobs.c.workspace == workspace.id, jobs.c.run == run, jobs.c.kind.in_(MAKING)
    )
    with reading(workspace.home) as connection:
        row = connection.execute(query.order_by(jobs.c.created.desc()).limit(1)).first()
    return None if row is None else job_of_row(row)


def active_jobs(home: Home) -> list[Job]:
    """Return the queued, running and stopping jobs of all workspaces, the oldest first."""
    query = sa.select(jobs).where(jobs.c.state.in_(ACTIVE)).order_by(jobs.c.created, jobs.c.id)
    with reading(home) as connection:
        return [job_of_row(row) for row in connection.execute(query)]


def job_of_row(row: sa.Row) -> Job:
    """Return the record of a row."""
    return Job(**row._mapping)


def change_job(
    home: Home,
    identity: str,
    before: tuple[State, ...],
    *,
    of_attempt: int | None = None,
    unstarted: bool = False,
    **values: Any,
) -> bool:
    """Set values if the job's state is one of `before`; tell whether it was.

    With `of_attempt` also only while the row's attempt is that one, with `unstarted` only while no
    worker took it. A new `state` is mirrored in the row of the run that the job makes.
    """
    mine = (jobs.c.id == identity) & jobs.c.state.in_(before)
    if of_attempt is not None:
        mine &= jobs.c.attempt == of_attempt
    if unstarted:
        mine &= jobs.c.pid.is_(None)
    if values.get("state") in ENDED:
        values = {"ended": time.time(), "seconds_left": None} | values
    with writing(home) as connection:
        changed = connection.execute(jobs.update().where(mine).values(**values)).rowcount == 1
        if changed and "state" in values:
            about = sa.select(jobs.c.kind, jobs.c.run).where(jobs.c.id == identity)
            kind, run = connection.execute(about).one()
            mirror_state(connection, kind, run, values["state"])
    return changed


def mirror_state(connection: sa.Connection, kind: str, run: str | None, state: State) -> None:
    """Give the run that a job makes the job's state."""
    if run is not None and kind in MAKING:
        connection.execute(runs.update().where(runs.c.id == run).values(state=state))


def read_state(home: Home, identity: str, attempt: int) -> State | None:
    """Return the state of a job for the worker that has this attempt; None when it lost it."""
    mine = (jobs.c.id == identity) & (jobs.c.attempt == attempt)
    with reading(home) as connection:
        return connection.execute(sa.select(jobs.c.state).where(mine)).scalar()


def take_job(home: Home, identity: str, host: str, pid: int, pid_started: float) -> Job:
    """Make this process the job's worker; raises `JobError` when that is not possible any more."""
    job = read_job(home, identity)
    values = {"pid": pid, "pid_started": pid_started, "host": host, "heartbeat": time.time()}
    fresh = claim_values(host, job.attempt) | values
    claimed = change_job(
        home, identity, ("running",), of_attempt=job.attempt, unstarted=True, **values
    ) or change_job(home, identity, ("queued",), of_attempt=job.attempt, **fresh)
    if claimed:
        return read_job(home, identity)
    job = read_job(home, identity)
    if job.state in AT_WORK:
        raise JobError(f"Job '{identity}' is at work already, in process {job.pid}.")
    raise JobError(f"Job '{identity}' is {job.state}; there is nothing to do.")


def claim_values(host: str, attempt: int) -> dict[str, Any]:
    """Return what a waiting job's row becomes when a worker of `host` is to start on it."""
    now = time.time()
    return {
        "state": "running", "host": host, "pid": None, "pid_started": None, "started": now,
        "heartbeat": now, "attempt": attempt + 1, "message": "Starting", "ended": None,
        "error": None, "memory": {},
    }  # fmt: skip
