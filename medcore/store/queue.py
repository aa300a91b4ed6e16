"""Who is next: workspaces take turns, and short jobs do not wait for long ones."""

from __future__ import annotations

import time
from collections.abc import Mapping

import sqlalchemy as sa

from medcore.store.home import Home, reading, writing
from medcore.store.jobs import (
    ACTIVE,
    AT_WORK,
    Job,
    Lane,
    claim_values,
    job_of_row,
    mirror_state,
)
from medcore.store.tables import jobs


def claim_next(home: Home, host: str, slots: Mapping[Lane, int]) -> Job | None:
    """Reserve the next waiting job for a worker of this machine; None without one or a free slot.

    `slots`: how many jobs of each lane may be at work on this machine.
    """
    free = _free_lanes(_standing(home), host, slots)
    if not free:
        return None
    with writing(home) as connection:
        rows = connection.execute(_STANDING).all()
        for lane in _free_lanes(rows, host, slots):
            chosen = _in_order(connection, rows, lane)[0]
            row = next(row for row in rows if row.id == chosen)
            values = claim_values(host, row.attempt)
            connection.execute(jobs.update().where(jobs.c.id == chosen).values(**values))
            mirror_state(connection, row.kind, row.run, "running")
            return job_of_row(connection.execute(sa.select(jobs).where(jobs.c.id == chosen)).one())
    return None


def waiting_order(home: Home, lane: Lane) -> list[str]:
    """Return the ids of a lane's waiting jobs in the order in which they will start."""
    with reading(home) as connection:
        return _in_order(connection, connection.execute(_STANDING).all(), lane)


_STANDING = (
    sa.select(
        jobs.c.id, jobs.c.workspace, jobs.c.kind, jobs.c.lane, jobs.c.state, jobs.c.run,
        jobs.c.attempt, jobs.c.host,
    )
    .where(jobs.c.state.in_(ACTIVE))
    .order_by(jobs.c.created, jobs.c.id)
)  # fmt: skip


def _standing(home: Home) -> list[sa.Row]:
    with reading(home) as connection:
        return list(connection.execute(_STANDING))


def _free_lanes(rows: list[sa.Row], host: str, slots: Mapping[Lane, int]) -> list[Lane]:
    busy = [row.lane for row in rows if row.state in AT_WORK and row.host == host]
    waiting = {row.lane for row in rows if row.state == "queued"}
    return [lane for lane, most in slots.items() if lane in waiting and busy.count(lane) < most]


def _in_order(connection: sa.Connection, rows: list[sa.Row], lane: Lane) -> list[str]:
    """Order waiting jobs fairly: workspaces take turns.

    First the workspace with the fewest jobs at work, then the one whose last start is longest
    ago, then the job that waits longest.
    """
    rows = [row for row in rows if row.lane == lane]
    waiting = [row for row in rows if row.state == "queued"]
    busy: dict[str, int] = {}
    for row in rows:
        busy[row.workspace] = busy.get(row.workspace, 0) + (row.state != "queued")
    query = sa.select(jobs.c.workspace, sa.func.max(jobs.c.started)).where(
        jobs.c.workspace.in_({row.workspace for row in waiting}), jobs.c.lane == lane
    )
    last = {row[0]: row[1] or 0.0 for row in connection.execute(query.group_by(jobs.c.workspace))}
    order, clock = [], time.time()
    while waiting:
        chosen = min(waiting, key=lambda row: (busy[row.workspace], last[row.workspace]))
        waiting.remove(chosen)
        order.append(chosen.id)
        clock += 1
        busy[chosen.workspace] += 1
        last[chosen.workspace] = clock
    return order
