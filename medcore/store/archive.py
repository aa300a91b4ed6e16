"""A whole workspace as one file, and back; an archive from elsewhere is not trusted."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from medcore.config import load_config
from medcore.errors import ConfigError, MedcoreError, StoreError
from medcore.store.datasets import CACHE, TABLE, read_description
from medcore.store.files import disk_error, remove_folder, replacing
from medcore.store.home import new_id, reading, writing
from medcore.store.jobs import ENDED
from medcore.store.tables import SCHEMA_VERSION, datasets, runs
from medcore.store.texts import list_text_ids
from medcore.store.workspaces import Workspace, check_alive, check_space

INDEX = "medcore.json"
PARTS = {"datasets": datasets, "runs": runs}
# Texts have no rows: a folder is all there is of them.
TEXTS = "texts"
# No hidden file, no way up, nothing that any system reads as more than a name.
NAME = r"[^./\\:*?\"<>|\x00-\x1f][^/\\:*?\"<>|\x00-\x1f]{0,199}"
ENTRY = re.compile(rf"(datasets|runs|{TEXTS})/([0-9a-f]{{16}})/({NAME}(?:/{NAME}){{0,5}})")
MOST_INDEX, MOST_ENTRIES, MOST_RATIO, SMALL = 64 * 2**20, 200_000, 1000, 2**20


def _check_config(values: dict[str, Any]) -> dict[str, Any]:
    try:
        load_config(values)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return values


Id = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
Digest = Annotated[str, Field(max_length=64)]
Name = Annotated[str, Field(max_length=500)]
Time = Annotated[float, Field(ge=0, lt=1e11)]
Settings = Annotated[dict[str, Any], AfterValidator(_check_config)]
Figure = str | int | float | None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    id: Id
    name: Name
    created: Time


class _DatasetEntry(_Entry):
    rows: Annotated[int, Field(ge=0, lt=2**31)]
    columns: Annotated[int, Field(ge=0, lt=2**31)]
    sha256: Digest
    source: Name
    settings: Settings


class _RunEntry(_Entry):
    key: Digest
    dataset: Annotated[str, Field(max_length=64)]
    state: Annotated[str, Field(pattern=f"^({'|'.join(ENDED)})$")]
    config: Settings
    summary: dict[str, Figure | dict[str, dict[str, Figure]]]


class _TextEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: Id


class _Index(BaseModel):
    version: int
    datasets: list[_DatasetEntry]
    runs: list[_RunEntry]
    texts: list[_TextEntry] = []


def export_workspace(workspace: Workspace, target: Path) -> Path:
    """Write the workspace's data sets, ended runs and texts into one zip file; return its path.

    Raises `StoreError` when the disk is full; a file that was at `target` is then still there.
    """
    with reading(workspace.home) as connection:
        kept = {part: _rows(connection, table, workspace) for part, table in PARTS.items()}
    kept["runs"] = [row for row in kept["runs"] if row["state"] in ENDED]
    kept[TEXTS] = [{"id": identity} for identity in list_text_ids(workspace)]
    with replacing(target) as file:
        _pack(workspace, kept, file)
    return target


def _rows(connection: sa.Connection, table: sa.Table, workspace: Workspace) -> list[dict]:
    found = connection.execute(sa.select(table).where(table.c.workspace == workspace.id))
    return [{k: v for k, v in row._mapping.items() if k != "workspace"} for row in found]


def _pack(workspace: Workspace, kept: dict[str, list[dict]], file: BinaryIO) -> None:
    options = {"compresslevel": 1, "strict_timestamps": False}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        archive.writestr(INDEX, json.dumps({"version": SCHEMA_VERSION, **kept}))
        for part, rows in kept.items():
            for row in rows:
                folder = workspace.folder / part / row["id"]
                for path in sorted(folder.rglob("*")):
                    name = path.relative_to(workspace.folder).as_posix()
                    # What does not match is a temporary file of a write that goes on,
                    # and what is in the cache is made again from the media.
                    kept = ENTRY.fullmatch(name) and name.split("/")[2] != CACHE
                    if path.is_file() and kept:
                        archive.write(path, name)


def import_workspace(workspace: Workspace, archive: Path) -> dict[str, int]:
    """Add an exported workspace's data sets, runs and texts to this one; ids are made anew.

    Returns how many of each. Raises `StoreError` for anything that is not an archive of medcore's
    own making, `LimitError` when it would not fit; nothing of it is kept then.
    """
    staging = workspace.folder / f".{new_id()}.tmp"
    try:
        with zipfile.ZipFile(archive) as opened:
            index = _read_index(opened, archive.name)
            entries = _check_entries(opened, archive.name)
            check_space(workspace, sum(entry.file_size for entry in entries))
            rows = {"datasets": index.datasets, "runs": index.runs, TEXTS: index.texts}
            ids = {row.id: new_id() for part in rows.values() for row in part}
            _unpack(opened, entries, staging, ids)
        for row in index.datasets:
            _check_dataset(staging / "datasets" / ids[row.id], archive.name)
        _settle(workspace, staging, index, ids)
    except (zipfile.BadZipFile, EOFError, zlib.error, ValueError):
        raise _refused(archive.name, "it is not a whole zip file") from None
    except OSError as error:
        raise disk_error(error, archive) from None
    finally:
        remove_folder(staging)
    return {part: len(found) for part, found in rows.items()}


def _refused(name: str, why: str) -> StoreError:
    return StoreError(f"'{name}' is not an export of a medcore workspace: {why}.")


def _read_index(opened: zipfile.ZipFile, name: str) -> _Index:
    try:
        info = opened.getinfo(INDEX)
    except KeyError:
        raise _refused(name, "it has no list of what it holds") from None
    if info.file_size > MOST_INDEX or info.flag_bits & 1:
        raise _refused(name, "its list cannot be read")
    try:
        values = json.loads(opened.read(info))
        version = values["version"] if isinstance(values, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise StoreError(f"'{name}' comes from a newer version of medcore; update medcore.")
        index = _Index.model_validate(values)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"][:3])
        raise _refused(name, f"its list is wrong at '{where[:60]}'") from None
    except (ValueError, KeyError, RecursionError, NotImplementedError):
        raise _refused(name, "its list cannot be read") from None
    ids = [row.id for row in (*index.datasets, *index.runs, *index.texts)]
    if len(ids) != len(set(ids)):
        raise _refused(name, "its list names something twice")
    return index


def _check_entries(opened: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in opened.infolist() if entry.filename != INDEX]
    if len(entries) > MOST_ENTRIES:
        raise _refused(name, "it holds too many files")
    if len({entry.filename for entry in entries}) != len(entries):
        raise _refused(name, "it holds a file twice")
    for entry in entries:
        known = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if not ENTRY.fullmatch(entry.filename) or entry.flag_bits & 1 or not known:
            shown = "".join(c if c.isprintable() else "?" for c in entry.filename[:60])
            raise _refused(name, f"it holds '{shown}'")
        if entry.file_size > SMALL and entry.file_size > MOST_RATIO * entry.compress_size:
            raise _refused(name, "it would unfold too far")
    return entries


def _unpack(
    opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], staging: Path, ids: dict[str, str]
) -> None:
    for entry in entries:
        found = ENTRY.fullmatch(entry.filename)
        assert found is not None
        part, old, rest = found.group(1, 2, 3)
        if old not in ids:
            continue
        target = staging / part / ids[old] / rest
        target.parent.mkdir(parents=True, exist_ok=True)
        # zipfile gives no more bytes than the entry says it has, and they were counted.
        with opened.open(entry) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file)


def _check_dataset(folder: Path, name: str) -> None:
    try:
        read_description(folder)
        if not (folder / TABLE).is_file():
            raise StoreError("no table")
    except StoreError:
        raise _refused(name, "a data set in it is damaged") from None


def _settle(workspace: Workspace, staging: Path, index: _Index, ids: dict[str, str]) -> None:
    """Move the unpacked folders to their places and insert their rows; both or neither."""
    moved: list[Path] = []
    try:
        for part in (*PARTS, TEXTS):
            for row in getattr(index, part):
                source, target = (base / part / ids[row.id] for base in (staging, workspace.folder))
                source.mkdir(parents=True, exist_ok=True)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)
                moved.append(target)
        with writing(workspace.home) as connection:
            check_alive(connection, workspace)
            for part, table in PARTS.items():
                for row in getattr(index, part):
                    connection.execute(table.insert().values(_own(row, workspace, ids)))
    except (MedcoreError, OSError):
        for folder in moved:
            remove_folder(folder)
        raise


def _own(row: _Entry, workspace: Workspace, ids: dict[str, str]) -> dict[str, Any]:
    own = row.model_dump() | {"id": ids[row.id], "workspace": workspace.id}
    if "dataset" in own:
        own["dataset"] = ids.get(own["dataset"], own["dataset"])
    return own
