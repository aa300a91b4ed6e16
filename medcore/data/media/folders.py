"""Folders of images: one folder a class, or a table that names the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from medcore.data.kinds import infer_columns, settle_types
from medcore.data.media.files import MediaFolder
from medcore.data.media.pictures import decode_image, is_image
from medcore.data.media.tables import media_dataset
from medcore.data.media.zips import MOST_ENTRIES, is_listed
from medcore.data.table import read_table
from medcore.errors import DataError
from medcore.records import Column, Dataset, LedgerEntry

TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".dta", ".sav", ".sas7bdat")
PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val",
         "validation": "val", "dev": "val", "test": "test", "testing": "test"}  # fmt: skip
SHOWN = 8


@dataclass(frozen=True)
class Decoded:
    """Images kept, name by their path in the folder; `reasons` why the others could not be."""

    kept: dict[str, str]
    reasons: dict[str, str]


def read_folder(
    root: Path, media: Path, *, name: str, source: str, sha256: str = "", names: bool = True
) -> Dataset:
    """Read a folder of images as a data set.

    With a table that names the files: its columns, and image. Else image, file, and what the
    folders tell: label (folder-per-class), split (train/val/test above), patient (a level below).
    Without `names` no file's name is kept or told: names may be those of patients. Raises
    `DataError` when there is no image that can be read.
    """
    root, tables, images = _list_files(root)
    if not images:
        raise DataError(f"'{source}' holds no image; PNG, JPEG and the like are read.")
    sha256 = sha256 or _hash_files(root, [*tables, *images])
    decoded = _decode(root, images, MediaFolder(media), names)
    if not decoded.kept:
        first = next(iter(decoded.reasons.values()))
        raise DataError(f"No image of '{source}' can be read: {first}")
    if tables:
        return _join_table(root, tables, decoded, name, source, sha256, media, names)
    frame, columns = _describe_paths(images)
    frame["image"] = frame["file"].map(decoded.kept).astype("string")
    columns = [column for column in columns if names or column.name != "file"]
    entries = _unreadable(decoded, len(frame), len(columns))
    return media_dataset(
        frame[frame["image"].notna()], columns, name, source, sha256, media, entries
    )


def _list_files(root: Path) -> tuple[Path, list[str], list[str]]:
    """Return the folder in which things differ, and the tables and images in it, in order."""
    files: list[str] = []
    for place, folders, names in os.walk(root):
        folders.sort()
        inner = Path(place).relative_to(root)
        files += [(inner / name).as_posix() for name in names]
        if len(files) > MOST_ENTRIES:
            raise DataError(f"The folder holds more than {MOST_ENTRIES:,} files; divide it.")
    files = sorted(file for file in files if is_listed(file))
    while files and all("/" in file for file in files):
        tops = {file.split("/", 1)[0] for file in files}
        if len(tops) > 1:
            break
        top = tops.pop()
        deeper = [file.split("/", 1)[1] for file in files]
        if not all("/" in file for file in deeper) and not any(f.endswith(TABLES) for f in deeper):
            break
        root, files = root / top, deeper
    tables = [file for file in files if file.lower().endswith(TABLES) and "/" not in file]
    return root, tables, [file for file in files if is_image(file)]


def _hash_files(root: Path, files: list[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with (root / file).open("rb") as stream:
            digest.update(f"{file}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()


def _decode(root: Path, images: list[str], folder: MediaFolder, names: bool) -> Decoded:
    kept, reasons = {}, {}
    for place, file in enumerate(images, 1):
        told = file if names else f"image {place:,}"
        try:
            kept[file] = folder.add(decode_image(root / file, told).pixels)
        except DataError as error:
            reasons[file] = str(error)
        except MemoryError:
            reasons[file] = f"'{told}' needs more memory than there is."
    return Decoded(kept, reasons)


def _unreadable(decoded: Decoded, rows: int, columns: int) -> tuple[LedgerEntry, ...]:
    if not decoded.reasons:
        return ()
    shown = list(decoded.reasons.values())
    more = f" And {len(shown) - SHOWN:,} more." if len(shown) > SHOWN else ""
    reason = f"{len(shown):,} images cannot be read: {' '.join(shown[:SHOWN])}{more}"
    left = rows - len(decoded.reasons)
    return (LedgerEntry("unreadable images", reason, rows, left, columns, columns),)


def _describe_paths(images: list[str]) -> tuple[pd.DataFrame, list[Column]]:
    """Return file, and label, split and patient where the folders tell them."""
    parts = [list(PurePosixPath(file).parts[:-1]) for file in images]
    frame = pd.DataFrame({"file": pd.Series(images, dtype="string")})
    columns = [Column("image", "image", "input", note="The pictures.")]
    if all(part and part[0].lower() in PARTS for part in parts):
        split = pd.Series([PARTS[part.pop(0).lower()] for part in parts], dtype="string")
        frame["split"] = split
        note = "Named by the folders train, val and test: holds the division into parts."
        columns.append(Column("split", "category", "ignored", note=note))
    named = [part[0] if part else None for part in parts]
    if any(named):
        frame["label"] = pd.Series(named, dtype="string")
        columns.append(Column("label", "category", "outcome", note="The names of the folders."))
    if all(len(part) == 2 for part in parts):
        frame["patient"] = pd.Series([part[1] for part in parts], dtype="string")
        note = "The folders within each class: one a patient."
        columns.append(Column("patient", "category", "patient", note=note))
    note = "Where the picture was, to find it again; no model looks at it."
    columns.append(Column("file", "category", "ignored", note=note))
    return frame, columns


def _join_table(
    root: Path, tables: list[str], decoded: Decoded, name: str, source: str, sha256: str,
    media: Path, names: bool,
) -> Dataset:  # fmt: skip
    if len(tables) > 1:
        raise DataError(
            f"'{source}' holds {len(tables)} tables; leave the one that names the images."
        )
    table = read_table(root / tables[0], least_columns=1)
    column, files = _find_files(table, decoded, source, names)
    frame, notes = settle_types(table.frame.copy())
    kept = files.map(decoded.kept, na_action="ignore").astype("string")
    taken = "image" if "image" not in frame.columns else "image_medcore"
    if column == "image":
        frame, taken = frame.rename(columns={"image": "file"}), "image"
        column = "file"
    frame[taken] = kept
    columns = [
        _as_file(found) if found.name == column else found
        for found in infer_columns(frame.drop(columns=taken), notes)
    ]
    columns.append(Column(taken, "image", "input", note=f"The pictures that '{column}' names."))
    columns = [found for found in columns if names or found.name != column]
    entries = _unmatched(frame, kept, files, decoded, len(columns))
    return media_dataset(frame, columns, name, source, sha256, media, entries)


def _as_file(column: Column) -> Column:
    note = "Where the picture was, to find it again; no model looks at it."
    return Column(column.name, "category", "ignored", note=note)


def _find_files(
    table: Dataset, decoded: Decoded, source: str, names: bool
) -> tuple[str, pd.Series]:
    """Return the column that names most images, and the image's path of each row."""
    known = [*decoded.kept, *decoded.reasons]
    best, found = "", pd.Series(dtype="string")
    for key in _spellings():
        paths: dict[str, str | None] = {}
        for file in known:
            word = key(file)
            # Two files of one name in different folders: the name alone does not tell.
            paths[word] = file if word not in paths else None
        for column in table.columns:
            words = table.frame[column.name].astype("string").str.strip().str.replace("\\", "/")
            files = words.str.lower().map(paths, na_action="ignore")
            # A yes/no column may hold the words 0 and 1, which are files too, but few.
            if files.nunique() > found.nunique():
                best, found = column.name, files
        if found.notna().any():
            return best, found
    raise DataError(
        f"No column of the table in '{source}' names its images; one column must hold the files' "
        + (f"names, such as '{known[0]}'." if names else "names.")
    )


def _spellings() -> Iterator:
    """Yield ways to write a file's name, the most exact first."""
    yield lambda file: file.lower()
    yield lambda file: PurePosixPath(file).name.lower()
    yield lambda file: PurePosixPath(file).stem.lower()


def _unmatched(
    frame: pd.DataFrame, kept: pd.Series, files: pd.Series, decoded: Decoded, columns: int
) -> tuple[LedgerEntry, ...]:
    rows, entries = len(frame), list(_unreadable(decoded, len(frame), columns))
    entries = [LedgerEntry(e.step, e.reason, rows, rows, columns, columns) for e in entries]
    without = int(kept.isna().sum())
    if without:
        reason = f"{without:,} rows have no image that can be read; the image counts as missing."
        entries.append(LedgerEntry("rows without image", reason, rows, rows, columns, columns))
    spare = len(set(decoded.kept) - set(files.dropna()))
    if spare:
        reason = f"{spare:,} images are named by no row and are not used."
        entries.append(LedgerEntry("images without row", reason, rows, rows, columns, columns))
    return tuple(entries)
