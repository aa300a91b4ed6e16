"""Whatever was brought: a table, a MedMNIST file, images or recordings, many or one."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from medcore.data.dicom.brought import Wishes, holds_dicom, read_brought
from medcore.data.dicom.pictures import is_dicom
from medcore.data.dicom.pseudonyms import Pseudonyms
from medcore.data.kinds import list_categories
from medcore.data.media.arrays import is_array_file, read_arrays
from medcore.data.media.files import MediaFolder
from medcore.data.media.folders import read_folder
from medcore.data.media.formats import find_format, is_media
from medcore.data.media.looks import is_telling
from medcore.data.media.pictures import HEAD_BYTES
from medcore.data.media.tables import media_dataset
from medcore.data.media.zips import unpack_zip
from medcore.data.table import hash_file, read_table
from medcore.errors import DataError
from medcore.records import Column, Dataset


def holds_media(path: Path) -> bool:
    """Tell whether a source is more than a table: it is then read in a process of its own."""
    return path.is_dir() or _is_archive(path) or (path.is_file() and _is_media_file(path))


def _is_media_file(path: Path) -> bool:
    with path.open("rb") as file:
        return is_media(path.name) or is_dicom(file.read(HEAD_BYTES), path.name.lower())


def _is_archive(path: Path) -> bool:
    """Tell a zip file from a spreadsheet, which is a zip file too."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return not any(name.startswith("xl/") for name in archive.namelist())
    except zipfile.BadZipFile:
        return True


def read_source(
    path: Path,
    media: Path,
    *,
    name: str | None = None,
    least_columns: int = 2,
    wishes: Wishes | None = None,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Dataset:
    """Read whatever `path` is; cleaned images go into the folder `media`.

    `tell` hears how many of how many files are done. Raises `DataError` with a sentence on what is
    wrong and what to do.
    """
    name, wishes = name or path.stem, wishes or Wishes()
    if not path.is_dir() and (
        not path.is_file() or not path.stat().st_size or not holds_media(path)
    ):
        return read_table(path, name=name, least_columns=least_columns)
    if path.is_file() and is_array_file(path):
        return read_arrays(path, media, name=name, sha256=hash_file(path))
    if holds_dicom(path):
        return read_brought(path, media, name=name, wishes=wishes, tell=tell)
    return _without_names(_read_media(path, media, name, wishes), wishes)


def _read_media(path: Path, media: Path, name: str, wishes: Wishes) -> Dataset:
    if path.is_dir():
        return read_folder(
            path,
            media,
            name=name,
            source=path.name,
            names=wishes.names,
            parts=wishes.parts,
            listed=wishes.listed,
            folders=wishes.folders,
        )
    digest = hash_file(path)
    if not _is_archive(path):
        return _read_single(path, media, name, digest)
    folder = media.parent / "unpacked"
    try:
        unpack_zip(path, folder)
        if not any(folder.rglob("*")):
            raise DataError(f"'{path.name}' is an empty archive.")
        return read_folder(
            folder, media, name=name, source=path.name, sha256=digest, names=wishes.names,
            parts=wishes.parts, listed=wishes.listed, folders=wishes.folders,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_single(path: Path, media: Path, name: str, sha256: str) -> Dataset:
    format = find_format([path.name], path.parent)
    kept = format.keep(path, path.name, MediaFolder(media))
    frame = pd.DataFrame({format.kind: [kept.name], "file": [path.name]}).astype("string")
    frame = frame.assign(**kept.facts)
    columns = [Column(format.kind, format.kind, "input"), Column("file", "category", "ignored")]
    columns += [fact for fact in format.facts if is_telling(fact, frame[fact.name])]
    return media_dataset(frame, columns, name, path.name, sha256, media)


def _without_names(dataset: Dataset, wishes: Wishes) -> Dataset:
    """Put pseudonyms where a table, or the folders, name patients."""
    patients = [column.name for column in dataset.with_role("patient")]
    if wishes.names or not patients:
        return dataset
    frame, pseudonyms = dataset.frame.copy(), Pseudonyms(wishes.secret)
    for column in patients:
        words = frame[column].astype("string")
        frame[column] = words.map(pseudonyms.patient, na_action="ignore").astype("string")
    columns = tuple(
        replace(column, categories=list_categories(frame[column.name]))
        if column.name in patients and column.kind == "category"
        else column
        for column in dataset.columns
    )
    return replace(dataset, frame=frame, columns=columns)
