"""Whatever was brought: a table, a MedMNIST file, a folder or zip of images, a single image."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd

from medcore.data.media.arrays import is_array_file, read_arrays
from medcore.data.media.files import MediaFolder
from medcore.data.media.folders import read_folder
from medcore.data.media.pictures import decode_image, is_image
from medcore.data.media.tables import media_dataset
from medcore.data.media.zips import unpack_zip
from medcore.data.table import hash_file, read_table
from medcore.errors import DataError
from medcore.records import Column, Dataset


def holds_media(path: Path) -> bool:
    """Tell whether a source is more than a table: it is then read in a process of its own."""
    return path.is_dir() or _is_archive(path) or (path.is_file() and is_image(path.name))


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
    path: Path, media: Path, *, name: str | None = None, least_columns: int = 2
) -> Dataset:
    """Read whatever `path` is; cleaned images go into the folder `media`.

    Raises `DataError` with a sentence on what is wrong and what to do.
    """
    name = name or path.stem
    if path.is_dir():
        return read_folder(path, media, name=name, source=path.name)
    if not path.is_file() or not path.stat().st_size or not holds_media(path):
        return read_table(path, name=name, least_columns=least_columns)
    digest = hash_file(path)
    if not _is_archive(path):
        return _read_single(path, media, name, digest)
    if is_array_file(path):
        return read_arrays(path, media, name=name, sha256=digest)
    folder = media.parent / "unpacked"
    unpack_zip(path, folder)
    if not any(folder.rglob("*")):
        raise DataError(f"'{path.name}' is an empty archive.")
    return read_folder(folder, media, name=name, source=path.name, sha256=digest)


def _read_single(path: Path, media: Path, name: str, sha256: str) -> Dataset:
    kept = MediaFolder(media).add(decode_image(path).pixels)
    frame = pd.DataFrame({"image": [kept], "file": [path.name]}).astype("string")
    columns = [Column("image", "image", "input"), Column("file", "category", "ignored")]
    return media_dataset(frame, columns, name, path.name, sha256, media)
