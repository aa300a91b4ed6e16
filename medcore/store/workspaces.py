"""Workspaces: who sees what, how much may be kept, and for how long."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from medcore.errors import LimitError, StoreError
from medcore.store.files import folder_bytes, remove_folder
from medcore.store.home import Home, new_id, reading, writing
from medcore.store.tables import datasets, jobs, runs, workspaces

LOCAL, SECRET = "local", "secret"
TOKEN = re.compile(r"[0-9a-f]{32}")
DAY, SEEN_EVERY = 86400.0, 3600.0
KEEP_DAYS, LIMIT_MB, QUEUE_LIMIT, UPLOAD_MB = 30, 2048, 20, 500


@dataclass(frozen=True, eq=False)
class Workspace:
    """A visitor's, or the command line's, data sets, runs and jobs; `expires`: epoch seconds."""

    home: Home
    id: str
    kind: str
    created: float
    expires: float | None
    folder: Path


@dataclass(frozen=True)
class Usage:
    """What a workspace keeps, and may keep."""

    bytes: int
    limit_bytes: int
    datasets: int
    runs: int
    queued: int


def limit(name: str, default: int) -> int:
    """Return a limit from the environment; raises `StoreError` if it is not a whole number."""
    text = os.environ.get(name, "")
    if text and not text.isdecimal():
        raise StoreError(f"{name} must be a whole number, not '{text}'.")
    return int(text) if text else default


def open_workspace(home: Home, token: str | None) -> Workspace:
    """Return the visitor's workspace, or a new one without a token.

    Raises `StoreError` for a token that is malformed, unknown or expired.
    """
    if token is None:
        token = new_id(16)
        _insert(home, token, "visitor")
    if not TOKEN.fullmatch(token):
        raise StoreError("This address holds no valid workspace; start a new one from Home.")
    found = find_workspace(home, token)
    if found is None or (found.expires is not None and found.expires < time.time()):
        raise StoreError(
            "This workspace does not exist any more (deleted or expired); start a new one."
        )
    return found


def local_workspace(home: Home) -> Workspace:
    """Return the workspace of the command line, which never expires."""
    found = find_workspace(home, LOCAL)
    if found is None:
        _insert(home, LOCAL, "local")
        found = find_workspace(home, LOCAL)
    assert found is not None
    return found


def get_workspace(home: Home, identity: str) -> Workspace:
    """Return the workspace a job belongs to; raises `StoreError` when it is deleted."""
    found = find_workspace(home, identity)
    if found is None:
        raise StoreError("The workspace of this job does not exist any more.")
    return found


def _insert(home: Home, token: str, kind: str) -> None:
    now = time.time()
    with writing(home) as connection:
        known = connection.execute(sa.select(workspaces.c.id).where(workspaces.c.id == token))
        if known.first() is None:
            row = {"id": token, "kind": kind, "created": now, "seen": now}
            connection.execute(workspaces.insert().values(row))


def find_workspace(home: Home, token: str) -> Workspace | None:
    """Return a workspace by its id, or None; being looked for in time counts as a visit."""
    with reading(home) as connection:
        row = connection.execute(sa.select(workspaces).where(workspaces.c.id == token)).first()
    if row is None:
        return None
    days = limit("MEDCORE_KEEP_DAYS", KEEP_DAYS)
    now, seen = time.time(), row.seen
    in_time = row.kind == LOCAL or now <= seen + days * DAY
    if in_time and now - seen > SEEN_EVERY:
        with writing(home) as connection:
            update = workspaces.update().where(workspaces.c.id == token)
            connection.execute(update.values(seen=now))
        seen = now
    expires = None if row.kind == LOCAL else seen + days * DAY
    return Workspace(home, row.id, row.kind, row.created, expires, _folder(home, row.id))


def _folder(home: Home, token: str) -> Path:
    return home.folder / "workspaces" / token


def workspace_usage(workspace: Workspace) -> Usage:
    """Return what the workspace keeps on disk and in the database."""

    def count(table: sa.Table, *where: sa.ColumnElement) -> sa.Select:
        return sa.select(sa.func.count()).where(table.c.workspace == workspace.id, *where)

    with reading(workspace.home) as connection:
        counts = [
            connection.execute(query).scalar_one()
            for query in (count(datasets), count(runs), count(jobs, jobs.c.state == "queued"))
        ]
    return Usage(folder_bytes(workspace.folder), _limit_bytes(), *counts)


def _limit_bytes() -> int:
    return limit("MEDCORE_LIMIT_MB", LIMIT_MB) * 2**20


def clean_name(text: str, otherwise: str) -> str:
    """Return a name for people as it may be kept: one line, at most 200 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:200] or otherwise


def inside(workspace: Workspace, relative: str) -> Path:
    """Return a path below the workspace's folder; raises `StoreError` for one that leads out."""
    path = (workspace.folder / relative).resolve()
    if not path.is_relative_to(workspace.folder.resolve()):
        raise StoreError("This file is not in the workspace; choose another.")
    return path


def workspace_secret(workspace: Workspace) -> bytes:
    """Return the random bytes that the workspace's pseudonyms are made with; never exported."""
    path = workspace.folder / SECRET
    if not path.is_file():
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            near = path.with_name(f".{new_id()}.tmp")
            near.write_bytes(secrets.token_bytes(32))
            # Linked, not renamed: of two who make it at once, one wins for both.
            try:
                os.link(near, path)
            finally:
                near.unlink()
    return path.read_bytes()


def check_alive(connection: sa.Connection, workspace: Workspace) -> None:
    """Raise `StoreError` when the workspace was deleted meanwhile."""
    query = sa.select(workspaces.c.id).where(workspaces.c.id == workspace.id)
    if connection.execute(query).first() is None:
        raise StoreError("This workspace was deleted or has expired; start a new one from Home.")


def check_space(workspace: Workspace, more: int = 0) -> None:
    """Raise `LimitError` when `more` bytes would go over the workspace's allowance."""
    used, allowed = folder_bytes(workspace.folder), _limit_bytes()
    if used + more > allowed:
        raise LimitError(
            f"This workspace keeps {used / 2**20:,.0f} MB and may keep {allowed / 2**20:,.0f} MB; "
            "delete data sets or runs on the Workspace page first."
        )


def delete_workspace(workspace: Workspace) -> None:
    """Delete the workspace's rows and files; it cannot be undone.

    A worker that is busy in it finds its job gone and ends within a second or two.
    """
    with writing(workspace.home) as connection:
        for table in (jobs, runs, datasets):
            connection.execute(table.delete().where(table.c.workspace == workspace.id))
        connection.execute(workspaces.delete().where(workspaces.c.id == workspace.id))
        # Inside: should the program be killed now, the rows stay and name what is left.
        remove_folder(workspace.folder)


def expire_workspaces(home: Home) -> int:
    """Delete the visitors' workspaces that nobody opened for the days that are kept.

    Also removes what broken-off writes and deletions left. Returns how many workspaces went.
    """
    border = time.time() - limit("MEDCORE_KEEP_DAYS", KEEP_DAYS) * DAY
    busy = sa.select(jobs.c.workspace).where(jobs.c.state.in_(("queued", "running", "stopping")))
    old = sa.select(workspaces.c.id).where(
        workspaces.c.kind == "visitor", workspaces.c.seen < border, workspaces.c.id.not_in(busy)
    )
    with reading(home) as connection:
        tokens = [row.id for row in connection.execute(old)]
    for token in tokens:
        delete_workspace(Workspace(home, token, "visitor", 0, None, _folder(home, token)))
    _sweep(home.folder / "workspaces")
    return len(tokens)


def _sweep(folder: Path) -> None:
    """Remove temporary files, and uploads that nothing reads any more, when a day old."""
    border = time.time() - DAY
    for path in (*folder.rglob(".*.tmp"), *folder.glob("*/uploads/*")):
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime < border:
                remove_folder(path) if path.is_dir() else path.unlink()
