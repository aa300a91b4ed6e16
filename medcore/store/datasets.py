"""Data sets of a workspace: a Parquet file, its description, and the settings agreed on for it."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import sqlalchemy as sa

from medcore.config import RunConfig, load_config
from medcore.errors import LimitError, MedcoreError, StoreError
from medcore.records import Column, Dataset, LedgerEntry
from medcore.store.files import copy_folder, folder_bytes, remove_folder, replacing
from medcore.store.folder import read_json, write_json
from medcore.store.home import new_id, reading, writing
from medcore.store.jobs import ACTIVE
from medcore.store.tables import datasets, runs
from medcore.store.workspaces import (
    UPLOAD_MB,
    Workspace,
    check_alive,
    check_space,
    clean_name,
    limit,
)

TABLE, DESCRIPTION = "table.parquet", "table.json"
MEDIA, CACHE = "media", "cache"


@dataclass(frozen=True)
class DatasetRow:
    """A data set as a list shows it."""

    id: str
    name: str
    rows: int
    columns: int
    created: float
    sha256: str
    source: str


def stage_upload(workspace: Workspace, file_name: str, stream: BinaryIO) -> Path:
    """Write an upload beside the data sets and return its path; the name is cleaned.

    Raises `LimitError` over the size or the allowance, `StoreError` when the disk is full.
    """
    clean = re.sub(r"[^\w.\- ]", "_", re.split(r"[/\\]", file_name)[-1]).strip(". ") or "upload"
    # Cut from the left: the ending says what the file is. A letter may take four bytes.
    path = workspace.folder / "uploads" / new_id() / clean[-60:]
    allowed = limit("MEDCORE_UPLOAD_MB", UPLOAD_MB) * 2**20
    check_space(workspace)
    try:
        with replacing(path) as file:
            while chunk := stream.read(2**20):
                file.write(chunk)
                if file.tell() > allowed:
                    raise LimitError(
                        f"'{clean}' is larger than {allowed // 2**20} MB, which is the most that "
                        "is taken; leave out columns or rows."
                    )
    except StoreError:
        remove_folder(path.parent)
        raise
    return path


def stage_images(workspace: Workspace, files: Sequence[tuple[str, BinaryIO]]) -> Path:
    """Write uploaded images beside the data sets as one zip file, and return its path.

    The names of the files are inside only, until they are read: they may be those of patients.
    Raises as `stage_upload` does.
    """
    if len(files) == 1 and files[0][0].lower().endswith((".zip", ".npz")):
        return stage_upload(workspace, f"upload{files[0][0][-4:].lower()}", files[0][1])
    with tempfile.TemporaryFile() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for place, (name, stream) in enumerate(files):
                name = f"{place}_{name}" if name in archive.namelist() else name
                with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                    shutil.copyfileobj(stream, entry)
        packed.seek(0)
        return stage_upload(workspace, "upload.zip", packed)


def drop_upload(path: Path) -> None:
    """Delete a staged upload and its folder."""
    remove_folder(path.parent)


def save_dataset(workspace: Workspace, dataset: Dataset) -> DatasetRow:
    """Keep a data set; the same content under the same name is kept once.

    Raises `StoreError` when the disk is full, `LimitError` over the allowance.
    """
    name = clean_name(dataset.name, "Unnamed")
    same = (datasets.c.sha256 == dataset.sha256) & (datasets.c.name == name)
    with reading(workspace.home) as connection:
        row = connection.execute(_mine(workspace).where(same)).first()
    if row is not None:
        return _row(row)
    check_space(workspace, folder_bytes(dataset.media) if dataset.media else 0)
    identity = new_id()
    folder = _folder(workspace, identity)
    try:
        if dataset.media is not None:
            copy_folder(dataset.media, folder / MEDIA)
        with replacing(folder / TABLE) as file:
            frame = dataset.frame.copy(deep=False)
            frame.attrs = {}
            frame.to_parquet(file, index=True)
        write_json(folder, DESCRIPTION, _describe(dataset))
        check_space(workspace)
        _insert(workspace, identity, name, dataset)
    except MedcoreError:
        remove_folder(folder)
        raise
    return get_dataset_row(workspace, identity)


def _insert(workspace: Workspace, identity: str, name: str, dataset: Dataset) -> None:
    values = {
        "id": identity,
        "workspace": workspace.id,
        "name": name,
        "rows": len(dataset.frame),
        "columns": len(dataset.columns),
        "created": time.time(),
        "sha256": dataset.sha256,
        "source": dataset.source,
        "settings": {},
    }
    with writing(workspace.home) as connection:
        check_alive(connection, workspace)
        connection.execute(datasets.insert().values(values))


def load_dataset(workspace: Workspace, identity: str) -> Dataset:
    """Return a kept data set as it was saved, under the name it has now."""
    row = get_dataset_row(workspace, identity)
    folder = _folder(workspace, identity)
    columns, ledger, dtypes, reading = read_description(folder)
    try:
        frame = pd.read_parquet(folder / TABLE)
        # Parquet has no dates in whole seconds, for example.
        changed = {c: t for c, t in dtypes.items() if str(frame[c].dtype) != t}
        frame = frame.astype(changed)
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"The table of '{row.name}' cannot be read; bring it again.") from None
    media = folder / MEDIA if (folder / MEDIA).is_dir() else None
    told = row.name, row.source, row.sha256
    cache = folder / CACHE
    return Dataset(*told, frame, columns, ledger, media, cache=cache, reading=reading)


def _describe(dataset: Dataset) -> dict:
    return {
        "columns": [asdict(column) for column in dataset.columns],
        "ledger": [asdict(entry) for entry in dataset.ledger],
        "dtypes": {name: str(dtype) for name, dtype in dataset.frame.dtypes.items()},
        "reading": list(dataset.reading),
    }


def read_description(
    folder: Path,
) -> tuple[tuple[Column, ...], tuple[LedgerEntry, ...], dict[str, str], tuple[str, ...]]:
    """Return columns, ledger, the table's dtypes and how images were read; the table stays shut."""
    values = read_json(folder, DESCRIPTION)
    try:
        columns = [Column(**c) for c in values["columns"]]
        ledger = [LedgerEntry(**{**e, "columns": tuple(e["columns"])}) for e in values["ledger"]]
        reading = tuple(map(str, values.get("reading", ())))
        return tuple(columns), tuple(ledger), dict(values["dtypes"]), reading
    except (KeyError, TypeError, ValueError):
        raise StoreError("The description of a data set is damaged; bring it again.") from None


def _folder(workspace: Workspace, identity: str) -> Path:
    return workspace.folder / "datasets" / identity


def _mine(workspace: Workspace) -> sa.Select:
    return sa.select(datasets).where(datasets.c.workspace == workspace.id)


def _row(row: sa.Row) -> DatasetRow:
    return DatasetRow(row.id, row.name, row.rows, row.columns, row.created, row.sha256, row.source)


def list_datasets(workspace: Workspace) -> list[DatasetRow]:
    """Return the workspace's data sets, the newest first."""
    with reading(workspace.home) as connection:
        found = connection.execute(_mine(workspace).order_by(datasets.c.created.desc()))
        return [_row(row) for row in found]


def _one(workspace: Workspace, identity: str) -> sa.Row:
    with reading(workspace.home) as connection:
        row = connection.execute(_mine(workspace).where(datasets.c.id == identity)).first()
    if row is None:
        raise StoreError("This data set is not in the workspace (deleted?); choose another.")
    return row


def get_dataset_row(workspace: Workspace, identity: str) -> DatasetRow:
    """Return one data set's row; raises `StoreError` when it is not in the workspace."""
    return _row(_one(workspace, identity))


def rename_dataset(workspace: Workspace, identity: str, name: str) -> None:
    """Give a data set another name."""
    _update(workspace, identity, name=clean_name(name, "Unnamed"))


def save_settings(workspace: Workspace, identity: str, config: RunConfig) -> None:
    """Keep what was agreed on for a data set: roles, kinds, repairs, model settings."""
    _update(workspace, identity, settings=config.model_dump(mode="json"))


def _update(workspace: Workspace, identity: str, **values: object) -> None:
    get_dataset_row(workspace, identity)
    with writing(workspace.home) as connection:
        mine = (datasets.c.id == identity) & (datasets.c.workspace == workspace.id)
        connection.execute(datasets.update().where(mine).values(**values))


def load_settings(workspace: Workspace, identity: str) -> RunConfig:
    """Return the settings kept for a data set, the defaults at first."""
    return load_config(_one(workspace, identity).settings)


def delete_dataset(workspace: Workspace, identity: str) -> None:
    """Delete a data set's row and files; ended runs on it stay.

    Raises `StoreError` while a run on it waits or is at work.
    """
    row = get_dataset_row(workspace, identity)
    in_use = sa.select(runs.c.name).where(
        runs.c.workspace == workspace.id, runs.c.dataset == identity, runs.c.state.in_(ACTIVE)
    )
    with writing(workspace.home) as connection:
        if (run := connection.execute(in_use).scalar()) is not None:
            raise StoreError(f"'{row.name}' is in use by the run '{run}'; stop that run first.")
        mine = (datasets.c.id == identity) & (datasets.c.workspace == workspace.id)
        connection.execute(datasets.delete().where(mine))
    remove_folder(_folder(workspace, identity))
