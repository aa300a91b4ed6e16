"""A table beside images: its rows find their images by file name, number or identifier.

The column that names them is not kept, nor others that hold what the files' own names or headers
identify their image by: names of files and accession numbers tell who somebody is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import pandas as pd

from medcore.data.dicom.pseudonyms import Pseudonyms
from medcore.errors import DataError
from medcore.records import Column, Dataset

WAYS = ("file", "file name", "name without ending", "folder", "image UID", "series UID",
        "study UID", "accession number", "patient ID")  # fmt: skip
IDENTIFYING = tuple(way for way in WAYS if way not in ("name without ending", "folder"))


@dataclass(frozen=True)
class Keys:
    """What may name one image in a table, by the ways of `WAYS`; never written anywhere."""

    words: Mapping[str, frozenset[str]]


def path_keys(names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return how the files of an image may be named in a table."""
    paths = [PurePosixPath(name.lower()) for name in names]
    folders = {part for path in paths for part in path.parts[:-1]}
    folders |= {str(parent) for path in paths for parent in path.parents}
    return {
        "file": frozenset(str(path) for path in paths),
        "file name": frozenset(path.name for path in paths),
        "name without ending": frozenset(path.name.split(".", 1)[0] for path in paths),
        "folder": frozenset(folders - {"."}),
    }


def join_table(
    images: pd.DataFrame, keys: Sequence[Keys], table: Dataset, pseudonyms: Pseudonyms
) -> tuple[pd.DataFrame, list[Column], list[str]]:
    """Return images with the table's columns beside, the columns' records, and what is to be said.

    `keys` belong to the rows of `images`. Rows of the table without an image stay, with the image
    missing; images that no row names stay, with the table's columns missing.
    """
    column, way, words = _find_column(keys, table)
    rows = _match(keys, way, words, column)
    telling = _find_identifiers(keys, rows, table, column)
    beside = table.frame.reset_index(drop=True).drop(columns=[column, *telling])
    columns = [found for found in table.columns if found.name not in (column, *telling)]
    for found in [found for found in columns if found.role == "patient"]:
        names = beside[found.name].astype("string")
        beside[found.name] = names.map(pseudonyms.patient, na_action="ignore")
    clash = [name for name in beside.columns if name in images.columns]
    beside = beside.rename(columns={name: f"{name}_in_table" for name in clash})
    columns = [
        replace(c, name=f"{c.name}_in_table", role="ignored") if c.name in clash else c
        for c in columns
    ]
    joined = images.assign(_row=rows).merge(
        beside, how="outer", left_on="_row", right_index=True, sort=False
    )
    said = [f"Rows and images were matched by the table's column '{column}' ({way})."]
    if telling:
        said.append(f"Left out because they identify images: {', '.join(telling)}.")
    if lone := int(rows.isna().sum()):
        are = "image is" if lone == 1 else "images are"
        said.append(
            f"{lone:,} {are} named by no row of the table, so that no outcome is known: set "
            "aside in training."
        )
    if spare := int(len(beside) - rows.dropna().nunique()):
        row, have, they = (
            ("row", "has", "it stays") if spare == 1 else ("rows", "have", "they stay")
        )
        said.append(
            f"{spare:,} {row} of the table {have} no image that can be read; {they}, with the "
            "image missing."
        )
    return joined.drop(columns="_row").reset_index(drop=True), columns, said


def _find_identifiers(
    keys: Sequence[Keys], rows: pd.Series, table: Dataset, named: str
) -> list[str]:
    """Return the other columns that hold an identifier of the very image of their row.

    Those with the role patient stay, under pseudonyms.
    """
    pairs = [(key, int(row)) for key, row in zip(keys, rows, strict=True) if not pd.isna(row)]
    found = []
    for column in table.columns:
        if column.name == named or column.role == "patient":
            continue
        words = _words(table.frame[column.name]).reset_index(drop=True)
        known = [(key, words[row]) for key, row in pairs if not pd.isna(words[row])]
        for way in IDENTIFYING:
            if known and all(word in key.words.get(way, ()) for key, word in known):
                found.append(column.name)
                break
    return found


def _find_column(keys: Sequence[Keys], table: Dataset) -> tuple[str, str, pd.Series]:
    """Return the column that tells most images apart, and how; raises `DataError` if none does."""
    best = (0, "", "", pd.Series(dtype="string"))
    for way in WAYS:
        known = frozenset().union(*(key.words.get(way, frozenset()) for key in keys))
        for column in table.frame.columns:
            words = _words(table.frame[column])
            # Not how many rows: a column of patients names a patient with two images twice.
            found = words[words.isin(known)].nunique()
            if found > best[0]:
                best = (found, column, way, words)
    if not best[0]:
        raise DataError(
            "No column of the table names the images; one column must hold the files' names, "
            "accession numbers or patient IDs."
        )
    return best[1], best[2], best[3]


def _words(values: pd.Series) -> pd.Series:
    text = values.astype("string").str.strip().str.lower().str.replace("\\", "/")
    # A whole number that was read as a float is still the same identifier.
    return text.str.replace(r"\.0$", "", regex=True) if values.dtype.kind == "f" else text


def _match(keys: Sequence[Keys], way: str, words: pd.Series, column: str) -> pd.Series:
    """Return each image's row of the table, NA where no row names it."""
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        if pd.isna(word):
            continue
        if word in places:
            raise DataError(
                f"The table's column '{column}', which names the images, names one in more than "
                "one row; keep one row an image."
            )
        places[word] = place
    found = []
    for key in keys:
        rows = {places[word] for word in key.words.get(way, ()) if word in places}
        if len(rows) > 1:
            raise DataError(
                f"The table's column '{column}' names one image in {len(rows)} rows; keep one row "
                "an image, or read single images instead of series."
            )
        found.append(rows.pop() if rows else pd.NA)
    return pd.Series(found, dtype="Int64")
