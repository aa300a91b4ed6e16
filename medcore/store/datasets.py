"""Data sets of a workspace: a Parquet file, its description, and the settings agreed on for it."""

from __future__ import annotations

import io
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import sqlalchemy as sa

from medcore.config import RunConfig, load_config
from medcore.errors import LimitError, StoreError
from medcore.records import Column, Dataset, LedgerEntry
from medcore.store.files import disk_error, remove_folder, write_whole
from medcore.store.folder import read_json, write_json
from medcore.store.home import new_id, reading, writing
from medcore.store.tables import datasets
from medcore.store.workspaces import UPLOAD_MB, Workspace, check_space, limit

TABLE, DESCRIPTION = "table.parquet", "table.json"


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
    clean = re.sub(r"[^\w.\- ]", "_", Path(file_name).name).strip(". ") or "upload"
    path = workspace.folder / "uploads" / new_id() / clean[-120:]
    allowed = limit("MEDCORE_UPLOAD_MB", UPLOAD_MB) * 2**20
    check_space(workspace)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while chunk := stream.read(2**20):
                file.write(chunk)
                if file.tell() > allowed:
                    raise LimitError(
                        f"'{file_name}' is larger than {allowed // 2**20} MB, which is the most "
                        "that is taken; leave out columns or rows."
                    )
    except (OSError, LimitError) as error:
        remove_folder(path.parent)
        raise disk_error(error, path) if isinstance(error, OSError) else error from None
    return path


def drop_upload(path: Path) -> None:
    """Delete a staged upload and its folder."""
    remove_folder(path.parent)


def save_dataset(workspace: Workspace, dataset: Dataset) -> DatasetRow:
    """Keep a data set; the same content under the same name is kept once.

    Raises `StoreError` when the disk is full, `LimitError` over the allowance.
    """
    with reading(workspace.home) as connection:
        query = _mine(workspace).where(
            datasets.c.sha256 == dataset.sha256, datasets.c.name == dataset.name
        )
        if (row := connection.execute(query).first()) is not None:
            return _row(row)
    check_space(workspace)
    identity = new_id()
    folder = _folder(workspace, identity)
    buffer = io.BytesIO()
    frame = dataset.frame.copy(deep=False)
    frame.attrs = {}
    frame.to_parquet(buffer)
    try:
        write_whole(folder / TABLE, buffer.getvalue())
        write_json(folder, DESCRIPTION, _describe(dataset))
    except StoreError:
        remove_folder(folder)
        raise
    values = {
        "id": identity,
        "workspace": workspace.id,
        "name": dataset.name,
        "rows": len(dataset.frame),
        "columns": len(dataset.columns),
        "created": time.time(),
        "sha256": dataset.sha256,
        "source": dataset.source,
        "settings": {},
    }
    with writing(workspace.home) as connection:
        connection.execute(datasets.insert().values(values))
    return get_dataset_row(workspace, identity)


def load_dataset(workspace: Workspace, identity: str) -> Dataset:
    """Return a kept data set as it was saved."""
    get_dataset_row(workspace, identity)
    folder = _folder(workspace, identity)
    values = read_json(folder, DESCRIPTION)
    try:
        frame = pd.read_parquet(folder / TABLE)
    except (OSError, ValueError):
        raise StoreError(
            f"The table of '{values['name']}' cannot be read; bring it again."
        ) from None
    columns = [Column(**{**c, "categories": tuple(c["categories"])}) for c in values["columns"]]
    ledger = [LedgerEntry(**{**e, "columns": tuple(e["columns"])}) for e in values["ledger"]]
    return Dataset(
        values["name"], values["source"], values["sha256"], frame, tuple(columns), tuple(ledger)
    )


def _describe(dataset: Dataset) -> dict:
    return {
        "name": dataset.name,
        "source": dataset.source,
        "sha256": dataset.sha256,
        "columns": [asdict(column) for column in dataset.columns],
        "ledger": [asdict(entry) for entry in dataset.ledger],
    }


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
    _update(workspace, identity, name=name.strip()[:200] or "Unnamed")


def save_settings(workspace: Workspace, identity: str, config: RunConfig) -> None:
    """Keep what was agreed on for a data set: roles, kinds, repairs, model settings."""
    _update(workspace, identity, settings=config.model_dump(mode="json"))


def _update(workspace: Workspace, identity: str, **values: object) -> None:
    get_dataset_row(workspace, identity)
    with writing(workspace.home) as connection:
        connection.execute(datasets.update().where(datasets.c.id == identity).values(**values))


def load_settings(workspace: Workspace, identity: str) -> RunConfig:
    """Return the settings kept for a data set, the defaults at first."""
    return load_config(_one(workspace, identity).settings)


def delete_dataset(workspace: Workspace, identity: str) -> None:
    """Delete a data set's row and files; runs trained on it stay."""
    get_dataset_row(workspace, identity)
    with writing(workspace.home) as connection:
        connection.execute(datasets.delete().where(datasets.c.id == identity))
    remove_folder(_folder(workspace, identity))
