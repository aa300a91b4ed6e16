"""The database: how it is reached, and what its refusals mean in words.

SQLite (WAL) is the embedded default, PostgreSQL comes by `MEDCORE_DATABASE_URL`.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from medcore.errors import StoreError
from medcore.store.files import plain

BUSY_SECONDS = 10


def make_engine(folder: Path, address: str | None) -> sa.Engine:
    """Return an engine for `address`, or for `medcore.db` in `folder`; nothing is opened yet."""
    url = (
        _read_address(address)
        if address
        else sa.URL.create("sqlite", database=f"{folder}/medcore.db")
    )
    options: dict[str, Any] = {"json_serializer": _to_json}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": BUSY_SECONDS}
    else:
        options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": BUSY_SECONDS}}
    try:
        engine = sa.create_engine(url, **options)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"PostgreSQL needs the package {error.name}: "
            "python -m pip install -r requirements-cluster.txt."
        ) from None
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _read_address(address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
    except (exc.ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in ("sqlite", "postgresql"):
        # The address may hold a password: it is not repeated.
        raise StoreError(
            "MEDCORE_DATABASE_URL cannot be used; for PostgreSQL it looks like "
            "postgresql+psycopg://user:password@host/database."
        )
    return url


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # The driver must not open transactions by itself: writers ask for the lock at once.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that turns writer could find the database changed and fail at once.
    immediate = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def name_database(engine: sa.Engine) -> str:
    """Return how a sentence calls the database; never its password."""
    url = engine.url
    return f"'{url.database}'" + (f" on {url.host}" if url.host else "")


def explain_refusal(error: exc.DBAPIError, engine: sa.Engine) -> StoreError:
    """Return what a refusal of the database means, and what to do."""
    place = name_database(engine)
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    for prefixes, sentence in _SENTENCES:
        if code and code.startswith(prefixes):
            return StoreError(sentence.format(place))
    if engine.dialect.name == "postgresql" and not code:
        return StoreError(
            f"The database {place} cannot be reached; check the server and MEDCORE_DATABASE_URL."
        )
    return StoreError(f"The database {place} refused ({code or type(error.orig).__name__}).")


_SENTENCES = (
    (
        ("SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "57014"),
        "The database {} is locked by another program; close it, or try again in a minute.",
    ),
    (
        ("SQLITE_READONLY", "SQLITE_PERM", "25006", "42501"),
        "The database {} is read-only; allow writing to it, or set MEDCORE_HOME to another folder.",
    ),
    (
        ("SQLITE_FULL", "53100"),
        "The disk is full, so the database {} was not changed; free some space and try again. "
        "Nothing saved before was lost.",
    ),
    (
        ("SQLITE_CANTOPEN",),
        "The database {} cannot be opened; check that its folder exists and may be written to.",
    ),
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
        "The database {} is damaged; put back a backup, or move the file away to start anew.",
    ),
    (("SQLITE_IOERR",), "The disk failed while the database {} was in use; check the disk."),
)


def _to_json(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
