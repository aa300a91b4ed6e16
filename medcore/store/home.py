"""Where everything is kept: the folder `MEDCORE_HOME` and the database in or beside it."""

from __future__ import annotations

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
from medcore.store.database import explain_refusal, make_engine, name_database
from medcore.store.files import disk_error, write_whole
from medcore.store.tables import SCHEMA_VERSION, read_version, upgrade

__all__ = ["Home", "disk_error", "new_id", "open_home", "reading", "write_whole", "writing"]

# Any number that no other program locks in the same database.
POSTGRES_LOCK = 0x6D656463


@dataclass(frozen=True, eq=False)
class Home:
    """An opened store: `folder` holds the files, `engine` reaches the database."""

    folder: Path
    engine: sa.Engine

    def close(self) -> None:
        """Let go of the database; a server keeps its home open."""
        self.engine.dispose()


def open_home() -> Home:
    """Open the store that the environment names, and make it if need be.

    Raises `StoreError` when the folder cannot be written, the database is locked or unreachable,
    or was made by a newer version of medcore.
    """
    given = os.environ.get("MEDCORE_HOME")
    folder = Path(given).expanduser() if given else platformdirs.user_data_path("medcore", False)
    folder = folder.absolute()
    try:
        # Patients' data: nobody else on the machine may look inside.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "workspaces").mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise disk_error(error, folder) from None
    home = Home(folder, make_engine(folder, os.environ.get("MEDCORE_DATABASE_URL")))
    try:
        _bring_up_to_date(home)
    except BaseException:
        home.close()
        raise
    return home


def _bring_up_to_date(home: Home) -> None:
    with reading(home) as connection:
        found = read_version(connection)
    if found == SCHEMA_VERSION:
        return
    if found is not None and found > SCHEMA_VERSION:
        raise StoreError(
            f"The database {name_database(home.engine)} was made by a newer version of medcore "
            f"(its tables are version {found}, this program knows {SCHEMA_VERSION}); update "
            "medcore, or set MEDCORE_HOME to another folder."
        )
    with writing(home) as connection:
        upgrade(connection)


@contextmanager
def reading(home: Home) -> Iterator[sa.Connection]:
    """Give a connection that reads one consistent state."""
    with _in_words(home), home.engine.connect() as connection:
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
        raise explain_refusal(error, home.engine) from error


def new_id(size: int = 8) -> str:
    """Return a random id of 2 × `size` hexadecimal digits, safe in paths, addresses and shells.

    >>> len(new_id())
    16
    """
    return secrets.token_hex(size)
