"""Runs of a workspace: a row for lists, a folder for everything else."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from medcore.config import RunConfig, load_config
from medcore.errors import MedcoreError, StoreError
from medcore.records import Run
from medcore.store.environment import package_version
from medcore.store.files import remove_folder
from medcore.store.folder import write_config
from medcore.store.home import Home, new_id, reading, writing
from medcore.store.jobs import ACTIVE, AT_WORK, insert_job
from medcore.store.tables import jobs, runs
from medcore.store.workspaces import Workspace, check_alive, check_space, clean_name

PACKAGES = ("torch", "scikit-learn", "numpy", "pandas", "tabm")
RECIPE_VERSION = 1


@dataclass(frozen=True)
class RunRow:
    """A judged run as a long list shows it; `config` is what was kept, without later settings."""

    id: str
    name: str
    dataset: str
    created: float
    config: Mapping[str, Any]
    summary: Mapping[str, Any]


def run_key(sha256: str, config: RunConfig) -> str:
    """Return what makes a run the same: data, settings, and the versions that compute it."""
    parts = {"data": sha256, "config": config.model_dump(mode="json"), "recipe": RECIPE_VERSION}
    parts |= {name: package_version(name) for name in PACKAGES}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def create_run(workspace: Workspace, config: RunConfig, dataset: str, name: str, key: str) -> Run:
    """Make a run's row and folder; raises `LimitError` over the allowance."""
    check_space(workspace)
    identity = new_id()
    try:
        write_config(run_folder(workspace, identity), config)
        with writing(workspace.home) as connection:
            check_alive(connection, workspace)
            row = _new_row(workspace, identity, config, dataset, name, key)
            connection.execute(runs.insert().values(row))
    except MedcoreError:
        remove_folder(run_folder(workspace, identity))
        raise
    return get_run(workspace, identity)


def _new_row(
    workspace: Workspace, identity: str, config: RunConfig, dataset: str, name: str, key: str
) -> dict[str, Any]:
    return {
        "id": identity,
        "workspace": workspace.id,
        "name": clean_name(name, "Unnamed run"),
        "key": key,
        "dataset": dataset,
        "state": "queued",
        "created": time.time(),
        "config": config.model_dump(mode="json"),
        "summary": {},
    }


def queue_run(
    workspace: Workspace, config: RunConfig, dataset: str, name: str, key: str, *, again: bool
) -> tuple[Run, bool]:
    """Make a run and its waiting job, or return the one that is there already and True.

    Without `again` a finished, waiting or running run with the same key is returned; of two who
    ask at the same moment one makes it.
    """
    found = None if again else _find_same(workspace, key)
    if found is None:
        check_space(workspace)
        identity = new_id()
        try:
            write_config(run_folder(workspace, identity), config)
            with writing(workspace.home) as connection:
                found = None if again else _same(connection, workspace, key)
                if found is None:
                    row = _new_row(workspace, identity, config, dataset, name, key)
                    connection.execute(runs.insert().values(row))
                    payload = {"dataset": dataset}
                    insert_job(connection, workspace, "run", payload, identity, "long")
        except MedcoreError:
            remove_folder(run_folder(workspace, identity))
            raise
        if found is None:
            return get_run(workspace, identity), False
        remove_folder(run_folder(workspace, identity))
    return get_run(workspace, found), True


def _find_same(workspace: Workspace, key: str) -> str | None:
    with reading(workspace.home) as connection:
        return _same(connection, workspace, key)


def _same(connection: sa.Connection, workspace: Workspace, key: str) -> str | None:
    """Return the newest run with the key that has ended well or is under way."""
    query = sa.select(runs.c.id).where(
        runs.c.workspace == workspace.id, runs.c.key == key, runs.c.state.in_(("finished", *ACTIVE))
    )
    return connection.execute(query.order_by(runs.c.created.desc())).scalar()


def run_folder(workspace: Workspace, identity: str) -> Path:
    """Return where a run's files are."""
    return workspace.folder / "runs" / identity


def _mine(workspace: Workspace) -> sa.Select:
    return sa.select(runs).where(runs.c.workspace == workspace.id)


def _run(workspace: Workspace, row: sa.Row) -> Run:
    return Run(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        state=row.state,
        folder=run_folder(workspace, row.id),
        config=load_config(row.config),
        dataset=row.dataset,
        created=row.created,
        summary=row.summary,
    )


def get_run(workspace: Workspace, identity: str) -> Run:
    """Return a run; raises `StoreError` when it is not in the workspace."""
    with reading(workspace.home) as connection:
        row = connection.execute(_mine(workspace).where(runs.c.id == identity)).first()
    if row is None:
        raise StoreError("This run is not in the workspace (deleted?); choose another.")
    return _run(workspace, row)


def run_config(home: Home, identity: str) -> RunConfig | None:
    """Return the config of a run of any workspace (for those who tend the queue)."""
    with reading(home) as connection:
        query = sa.select(runs.c.config).where(runs.c.id == identity)
        values = connection.execute(query).scalar()
    return None if values is None else load_config(values)


def list_runs(
    workspace: Workspace, *, limit: int = 50, offset: int = 0, search: str = ""
) -> list[Run]:
    """Return runs, the newest first; `search` looks at names, without regard to case."""
    query = _mine(workspace).order_by(runs.c.created.desc()).limit(limit).offset(offset)
    if search:
        query = query.where(runs.c.name.icontains(search, autoescape=True))
    with reading(workspace.home) as connection:
        return [_run(workspace, row) for row in connection.execute(query)]


def list_judged(workspace: Workspace, limit: int) -> list[RunRow]:
    """Return the finished runs, the newest first; quicker than `list_runs` where they are many."""
    wanted = (runs.c.id, runs.c.name, runs.c.dataset, runs.c.created, runs.c.config, runs.c.summary)
    query = sa.select(*wanted).where(runs.c.workspace == workspace.id, runs.c.state == "finished")
    with reading(workspace.home) as connection:
        found = connection.execute(query.order_by(runs.c.created.desc()).limit(limit))
        return [RunRow(*row) for row in found]


def count_runs(workspace: Workspace) -> int:
    """Return how many runs the workspace has."""
    query = sa.select(sa.func.count()).where(runs.c.workspace == workspace.id)
    with reading(workspace.home) as connection:
        return connection.execute(query).scalar_one()


def find_cached_run(workspace: Workspace, key: str) -> Run | None:
    """Return the workspace's newest finished run with this key, if any."""
    query = _mine(workspace).where(runs.c.key == key, runs.c.state == "finished")
    with reading(workspace.home) as connection:
        row = connection.execute(query.order_by(runs.c.created.desc())).first()
    return None if row is None else _run(workspace, row)


def rename_run(workspace: Workspace, identity: str, name: str) -> None:
    """Give a run another name."""
    get_run(workspace, identity)
    _update(workspace, identity, name=clean_name(name, "Unnamed run"))


def set_run_summary(workspace: Workspace, identity: str, summary: Mapping[str, Any]) -> None:
    """Keep the leading figures that lists show."""
    _update(workspace, identity, summary=dict(summary))


def _update(workspace: Workspace, identity: str, **values: object) -> None:
    mine = (runs.c.id == identity) & (runs.c.workspace == workspace.id)
    with writing(workspace.home) as connection:
        connection.execute(runs.update().where(mine).values(**values))


def delete_run(workspace: Workspace, identity: str) -> None:
    """Delete a run's rows and files; raises `StoreError` while a job works on it."""
    run = get_run(workspace, identity)
    mine = (jobs.c.run == identity) & (jobs.c.workspace == workspace.id)
    with writing(workspace.home) as connection:
        busy = sa.select(jobs.c.kind).where(mine, jobs.c.state.in_(AT_WORK))
        if connection.execute(busy).first() is not None:
            raise StoreError(f"'{run.name}' is in use by a running job; stop it before deleting.")
        connection.execute(jobs.delete().where(mine))
        own = (runs.c.id == identity) & (runs.c.workspace == workspace.id)
        connection.execute(runs.delete().where(own))
    remove_folder(run.folder)
