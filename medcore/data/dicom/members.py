"""The files of what was brought, known by their place: a zip file's, a folder's, or one file."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from medcore.data.dicom.pictures import is_dicom
from medcore.data.media.rasters import is_raster
from medcore.data.media.volumes import is_nifti, is_tiff
from medcore.data.media.zips import check_entries, is_listed
from medcore.errors import DataError

HEAD = 512
TABLES = (".csv", ".tsv", ".xlsx", ".parquet")
ENDINGS = (".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".gz")
# The first element of a DICOM file without a preamble: of group 2 or 8, little or big endian.
BARE = (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08")
What = Literal["dicom", "image", "table", "other"]


@dataclass(frozen=True)
class Member:
    """One file; `number` is its place, from 1 on, and all that is ever said of its name."""

    number: int
    name: str
    read: Callable[[], bytes]
    head: bytes

    @property
    def label(self) -> str:
        """Return what a sentence calls the file: its place, and its ending if an ordinary one."""
        ending = PurePosixPath(self.name).suffix.lower()
        return f"File {self.number:,}" + (f" ({ending})" if ending in ENDINGS else "")

    @property
    def what(self) -> What:
        """Return what the file is, by its first bytes, and by its name where they do not tell."""
        name = self.name.lower()
        if PurePosixPath(name).name == "dicomdir":
            return "other"
        if is_dicom(self.head, name) or name.endswith(".ima"):
            return "dicom"
        if is_raster(self.head, name) or is_tiff(self.head, name) or is_nifti(self.head, name):
            return "image"
        if name.endswith(TABLES):
            return "table"
        bare = self.head.startswith(BARE) and "." not in PurePosixPath(name).name
        return "dicom" if bare else "other"


@contextmanager
def open_members(path: Path) -> Iterator[Sequence[Member]]:
    """Give the files of a zip file, a folder, or a file by itself, in the order of their names.

    Raises `DataError` for a zip file that is not to be trusted; nothing is unpacked to the disk.
    """
    if path.is_dir():
        found = sorted(Path(place) / name for place, _, names in os.walk(path) for name in names)
        inner = [(str(file.relative_to(path).as_posix()), file) for file in found]
        yield [
            Member(place, name, file.read_bytes, _head(file))
            for place, (name, file) in enumerate(inner, 1)
            if is_listed(name)
        ]
    elif not zipfile.is_zipfile(path):
        yield [Member(1, path.name, path.read_bytes, _head(path))]
    else:
        with _whole(path), zipfile.ZipFile(path) as archive:
            entries = check_entries(archive.infolist(), path.name)
            yield [
                Member(
                    place, str(name), partial(_read_entry, archive, entry), _peek(archive, entry)
                )
                for place, (entry, name) in enumerate(sorted(entries, key=lambda e: str(e[1])), 1)
            ]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _peek(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        return file.read(HEAD)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError):
        raise DataError("is damaged inside the zip file") from None


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        reason = str(error).rstrip(".")
        raise DataError(f"'{path.name}' is not a whole zip file ({reason}).") from None
