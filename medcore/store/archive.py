"""A whole workspace as one file, and back; an archive from elsewhere is not trusted."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import sqlalchemy as sa

from medcore.config import load_config
from medcore.errors import StoreError
from medcore.store.home import disk_error, new_id, reading, writing
from medcore.store.tables import SCHEMA_VERSION, datasets, runs
from medcore.store.workspaces import Workspace, check_space

INDEX = "medcore.json"
ENTRY = re.compile(r"(datasets|runs)/([0-9a-f]{16})/([\w.\-]+(/[\w.\-]+){0,3})")
MOST_BYTES, MOST_ENTRIES, MOST_RATIO = 4 * 2**30, 100_000, 500
ENDED = ("finished", "stopped", "failed")


def export_workspace(workspace: Workspace, target: Path) -> Path:
    """Write the workspace's data sets and ended runs into one zip file and return its path."""
    with reading(workspace.home) as connection:
        kept = {
            "datasets": _rows(connection, datasets, workspace),
            "runs": [r for r in _rows(connection, runs, workspace) if r["state"] in ENDED],
        }
    names = {f"{part}/{row['id']}" for part, rows in kept.items() for row in rows}
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(INDEX, json.dumps({"version": SCHEMA_VERSION, **kept}))
            for name in sorted(names):
                for path in sorted((workspace.folder / name).rglob("*")):
                    if path.is_file() and "checkpoints" not in path.parts:
                        archive.write(path, path.relative_to(workspace.folder).as_posix())
    except OSError as error:
        target.unlink(missing_ok=True)
        raise disk_error(error, target) from None
    return target


def _rows(connection: sa.Connection, table: sa.Table, workspace: Workspace) -> list[dict]:
    found = connection.execute(sa.select(table).where(table.c.workspace == workspace.id))
    return [{k: v for k, v in row._mapping.items() if k != "workspace"} for row in found]


def import_workspace(workspace: Workspace, archive: Path) -> dict[str, int]:
    """Add an exported workspace's data sets and runs to this one; ids are made anew.

    Raises `StoreError` for anything that is not an archive of medcore's own making.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            index = _read_index(opened, archive.name)
            entries = _check_entries(opened, archive.name)
            check_space(workspace, sum(entry.file_size for entry in entries))
            ids = {row["id"]: new_id() for part in ("datasets", "runs") for row in index[part]}
            _unpack(opened, entries, workspace, ids)
    except (zipfile.BadZipFile, EOFError, zipfile.zlib.error):
        raise _refused(archive.name, "it is not a whole zip file") from None
    except OSError as error:
        raise disk_error(error, archive) from None
    try:
        with writing(workspace.home) as connection:
            for part, table in (("datasets", datasets), ("runs", runs)):
                for row in index[part]:
                    connection.execute(table.insert().values(_own(row, workspace, ids)))
    except sa.exc.SQLAlchemyError:
        raise _refused(archive.name, "its list does not fit") from None
    return {part: len(index[part]) for part in ("datasets", "runs")}


def _refused(name: str, why: str) -> StoreError:
    return StoreError(f"'{name}' is not an export of a medcore workspace: {why}.")


def _read_index(opened: zipfile.ZipFile, name: str) -> dict[str, list[dict[str, Any]]]:
    try:
        info = opened.getinfo(INDEX)
        if info.file_size > 2**27:
            raise _refused(name, "its list is too large")
        index = json.loads(opened.read(info))
        if index["version"] > SCHEMA_VERSION:
            raise StoreError(f"'{name}' comes from a newer version of medcore; update medcore.")
        for part, table in (("datasets", datasets), ("runs", runs)):
            wanted = {column.name for column in table.columns} - {"workspace"}
            for row in index[part]:
                if set(row) != wanted or not re.fullmatch("[0-9a-f]{16}", row["id"]):
                    raise _refused(name, "its list does not fit")
        for row in index["runs"]:
            load_config(row["config"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _refused(name, "its list is missing or damaged") from None
    return index


def _check_entries(opened: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in opened.infolist() if entry.filename != INDEX]
    if len(entries) > MOST_ENTRIES or sum(e.file_size for e in entries) > MOST_BYTES:
        raise _refused(name, "it would unfold too far")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if not ENTRY.fullmatch(entry.filename) or ".." in path.parts:
            raise _refused(name, f"it holds '{entry.filename[:60]}'")
        if entry.file_size > 2**24 and entry.file_size > MOST_RATIO * entry.compress_size:
            raise _refused(name, "it would unfold too far")
    return entries


def _unpack(
    opened: zipfile.ZipFile,
    entries: list[zipfile.ZipInfo],
    workspace: Workspace,
    ids: dict[str, str],
) -> None:
    for entry in entries:
        found = ENTRY.fullmatch(entry.filename)
        assert found is not None
        part, old, rest = found.group(1, 2, 3)
        if old not in ids:
            continue
        target = workspace.folder / part / ids[old] / rest
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(entry) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)


def _own(row: dict[str, Any], workspace: Workspace, ids: dict[str, str]) -> dict[str, Any]:
    own = {**row, "id": ids[row["id"]], "workspace": workspace.id}
    if "dataset" in own:
        own["dataset"] = ids.get(own["dataset"], own["dataset"])
    return own
