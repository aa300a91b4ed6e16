"""The tables of the database; every row carries its workspace."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

SCHEMA_VERSION = 1

metadata = sa.MetaData()

versions = sa.Table("medcore_version", metadata, sa.Column("version", sa.Integer, nullable=False))

workspaces = sa.Table(
    "workspaces",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("seen", sa.Float, nullable=False),
)


def _workspace() -> sa.Column:
    return sa.Column(
        "workspace",
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )


datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    _workspace(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("columns", sa.Integer, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    _workspace(),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key", sa.String(64), nullable=False, index=True),
    sa.Column("dataset", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created", sa.Float, nullable=False, index=True),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("summary", sa.JSON, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    _workspace(),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("lane", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("run", sa.String(64), index=True),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("result", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("ended", sa.Float),
    sa.Column("fraction", sa.Float, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("seconds_left", sa.Float),
    sa.Column("error", sa.Text),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("host", sa.Text),
    sa.Column("pid", sa.Integer),
    sa.Column("pid_started", sa.Float),
    sa.Column("heartbeat", sa.Float),
    sa.Column("memory", sa.JSON, nullable=False),
)

# Version reached → what to do on the way there from the version before.
MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {}


def read_version(connection: sa.Connection) -> int | None:
    """Return the version of the tables; None for an empty database."""
    if not sa.inspect(connection).has_table(versions.name):
        return None
    return connection.execute(sa.select(versions.c.version)).scalar()


def upgrade(connection: sa.Connection) -> None:
    """Make the tables, or bring older ones to this version, inside the caller's transaction."""
    found = read_version(connection)
    metadata.create_all(connection)
    if found is None:
        connection.execute(versions.insert().values(version=SCHEMA_VERSION))
        return
    for version in range(found + 1, SCHEMA_VERSION + 1):
        MIGRATIONS[version](connection)
    connection.execute(versions.update().values(version=SCHEMA_VERSION))
