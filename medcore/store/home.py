"""Where everything is kept: the folder `MEDCORE_HOME` and the database in or beside it."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import sqlalchemy as sa
from sqlalchemy import exc

from medcore.errors import StoreError
from medcore.store.tables import SCHEMA_VERSION, metadata, versions

BUSY_SECONDS = 10
POSTGRES_LOCK = 0x6D656463


@dataclass(frozen=True, eq=False)
class Home:
    """An opened store: `folder` holds the files, `engine` reaches the database."""

    folder: Path
    engine: sa.Engine


def open_home() -> Home:
    """Open the store that the environment names, and make it if need be.

    Raises `StoreError` when the folder cannot be written, the database is locked or unreachable,
    or was made by a newer version of medcore.
    """
    folder = Path(os.environ.get("MEDCORE_HOME") or platformdirs.user_data_path("medcore"))
    try:
        (folder / "workspaces").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {folder} cannot be made: {error.strerror}.") from None
    url = os.environ.get("MEDCORE_DATABASE_URL") or f"sqlite:///{folder / 'medcore.db'}"
    home = Home(folder, _make_engine(url))
    with writing(home) as connection:
        metadata.create_all(connection)
        found = connection.execute(sa.select(versions.c.version)).scalar()
        if found is None:
            connection.execute(versions.insert().values(version=SCHEMA_VERSION))
        elif found > SCHEMA_VERSION:
            raise StoreError(
                f"The database was made by a newer version of medcore (its tables are version "
                f"{found}, this program knows {SCHEMA_VERSION}); update medcore."
            )
    return home


def _make_engine(url: str) -> sa.Engine:
    try:
        if not url.startswith("sqlite"):
            return sa.create_engine(url, pool_pre_ping=True)
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            f"MEDCORE_DATABASE_URL cannot be used ({error}); for PostgreSQL write "
            "postgresql+psycopg://… and install requirements-cluster.txt."
        ) from None

    @sa.event.listens_for(engine, "connect")
    def _configure(connection, _record) -> None:
        # The driver must not open transactions by itself: writers ask for the lock at once.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection) -> None:
        immediate = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def reading(home: Home) -> Iterator[sa.Connection]:
    """Give a connection that reads one consistent state."""
    with _in_words(home), home.engine.begin() as connection:
        yield connection


@contextmanager
def writing(home: Home) -> Iterator[sa.Connection]:
    """Give a connection whose changes happen together or not at all, one writer at a time."""
    with _in_words(home), home.engine.connect() as raw:
        connection = raw.execution_options(writes=True)
        with connection.begin():
            if home.engine.dialect.name == "postgresql":
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({POSTGRES_LOCK})"))
            yield connection


@contextmanager
def _in_words(home: Home) -> Iterator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        raise StoreError(_explain(str(error.orig), home)) from error


def _explain(message: str, home: Home) -> str:
    lowered = message.lower()
    if "locked" in lowered or "busy" in lowered:
        return "The database is locked by another program; close it, or try again in a minute."
    if "full" in lowered:
        return f"The disk of {home.folder} is full; free some space, nothing saved was lost."
    if "readonly" in lowered or "unable to open" in lowered:
        return f"The database in {home.folder} cannot be written; check the folder's permissions."
    if "not a database" in lowered or "malformed" in lowered:
        return f"The database in {home.folder} is damaged; restore it from a backup."
    return f"The database cannot be reached ({message.splitlines()[0].rstrip('.')})."


def new_id(size: int = 8) -> str:
    """Return a random id of 2 × `size` hexadecimal digits, safe in paths, addresses and shells."""
    return secrets.token_hex(size)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all; raises `StoreError` on a full disk."""
    near = path.with_name(f".{path.name}.{new_id(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with near.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(near, path)
    except OSError as error:
        near.unlink(missing_ok=True)
        raise disk_error(error, path) from None


def disk_error(error: OSError, path: Path) -> StoreError:
    """Return what a failed write means, in a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"The disk is full, so '{path.name}' was not saved; free some space and try again. "
            "Nothing saved before was lost."
        )
    return StoreError(f"'{path.name}' cannot be saved: {error.strerror or error}.")
