"""Folders of images or recordings: one folder a class, or a table that names the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pandas as pd

from medcore.data.kinds import infer_columns, settle_types
from medcore.data.media.account import count_things, say_files, write_audit
from medcore.data.media.classes import find_people, read_places, say_classes
from medcore.data.media.files import MediaFolder
from medcore.data.media.formats import FORMATS, Format, find_format, is_media
from medcore.data.media.looks import is_telling
from medcore.data.media.said import add_texts, find_texts
from medcore.data.media.tables import media_dataset
from medcore.data.media.zips import MOST_ENTRIES, is_listed
from medcore.data.table import read_table
from medcore.errors import DataError
from medcore.records import Column, Dataset, LedgerEntry

TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".dta", ".sav", ".sas7bdat")
# Texts that explain a collection, and no table of it.
ABOUT = ("readme", "license", "licence", "copying", "changelog", "about")
SHOWN = 8


@dataclass(frozen=True)
class Decoded:
    """Files kept, name by their path in the folder; `reasons` why the others could not be.

    `facts` are what is known of each that is kept, by column.
    """

    format: Format
    kept: dict[str, str]
    reasons: dict[str, str]
    facts: dict[str, Mapping[str, object]]


def read_folder(
    root: Path, media: Path, *, name: str, source: str, sha256: str = "", names: bool = True,
    parts: bool = False, listed: bool = False, folders: bool | None = None,
) -> Dataset:  # fmt: skip
    """Read a folder of images, or of recordings, as a data set.

    With a table that names the files: its columns, and image or audio. Else image or audio, file,
    and what the folders tell: label (folder-per-class), split (train/val/test above), patient (a
    level below); where no folder tells a class, the parts of names such as `7_ann_3.wav`. Where
    recordings have texts of the same names, said, and the folders tell the speaker. Images'
    `folders` are classes, or (False) patients; None: as it looks.
    Without `names` no file's name is kept or told: names may be those of patients; `parts` keeps
    their parts all the same, and `listed` says of each row at which place its file came. Raises
    `DataError` when there is none that can be read.
    """
    root, tables, files, count = _list_files(root)
    format = find_format(files, root)
    wanted = [file for file in files if format.holds(file)]
    if not wanted:
        kinds = "; ".join(f"for {found.things} {found.read}" for found in FORMATS)
        raise DataError(f"'{source}' holds no image and no recording that is read: {kinds}.")
    texts = find_texts(root, wanted) if format.kind == "audio" else {}
    spoken = {PurePosixPath(file).with_suffix(".txt").as_posix() for file in texts}
    tables = [table for table in tables if table not in spoken]
    sha256 = sha256 or _hash_files(root, [*tables, *files, *sorted(spoken)])
    decoded = _decode(root, wanted, format, MediaFolder(media), names)
    if not decoded.kept:
        first = next(iter(decoded.reasons.values()))
        raise DataError(f"No {format.things[:-1]} of '{source}' can be read: {first}")
    if tables:
        dataset = _join_table(root, tables, decoded, name, source, sha256, media, names)
    else:
        told = (names, parts, listed, folders)
        dataset = _list_rows(decoded, wanted, texts, name, source, sha256, media, *told)
    if decoded.reasons:
        write_audit(media, {"refused": list(decoded.reasons.values())})
    others = count - len(wanted) - len(tables) - len(spoken)
    brought = say_files(
        format.things[:-1], read=len(decoded.kept), refused=len(decoded.reasons),
        tables=len(tables), texts=len(spoken), others=others,
    )  # fmt: skip
    first = replace(dataset.ledger[0], reason=f"Read from {source}, {brought}.")
    dataset = replace(dataset, ledger=(first, *dataset.ledger[1:]))
    return _note_others(dataset, format, others)


def _list_rows(
    decoded: Decoded, files: list[str], texts: Mapping[str, str], name: str, source: str,
    sha256: str, media: Path, names: bool, parts: bool, listed: bool, folders: bool | None,
) -> Dataset:  # fmt: skip
    """Return a row for each file that could be read."""
    kept = [file for file in files if file in decoded.kept]
    frame, columns, said = _describe_paths(kept, decoded.format, names or parts, folders)
    if texts:
        frame, columns = add_texts(frame, columns, texts)
        said = []
    frame, facts = _add_facts(frame, frame["file"], decoded)
    kind = decoded.format.kind
    frame[kind] = frame["file"].map(decoded.kept).astype("string")
    if listed and not names:
        thing = decoded.format.things[:-1].capitalize()
        places = {file: f"{thing} {place:,}" for place, file in enumerate(files, 1)}
        frame["file"] = frame["file"].map(places).astype("string")
    columns = [c for c in columns if names or listed or c.name != "file"] + facts
    rows, width = len(frame), len(columns)
    entries = [LedgerEntry("folders", sentence, rows, rows, width, width) for sentence in said]
    entries = [*_unreadable(decoded, len(files), width), *entries]
    return media_dataset(frame, columns, name, source, sha256, media, entries)


def _add_facts(
    frame: pd.DataFrame, files: pd.Series, decoded: Decoded
) -> tuple[pd.DataFrame, list[Column]]:
    """Add what is known of the files themselves, beside columns of the same name."""
    columns = []
    for column in decoded.format.facts:
        free = column.name if column.name not in frame.columns else f"{column.name}_medcore"
        known = {file: facts[column.name] for file, facts in decoded.facts.items()}
        kind = "float64" if column.kind == "number" else "string"
        values = files.map(known, na_action="ignore").astype(kind)
        if not is_telling(column, values):
            continue
        frame[free] = values
        columns.append(replace(column, name=free))
    return frame, columns


def _note_others(dataset: Dataset, format: Format, count: int) -> Dataset:
    if not count:
        return dataset
    are = (
        f"is no {format.things[:-1]} and was" if count == 1 else f"are no {format.things} and were"
    )
    reason = f"{count_things(count, 'file')} {are} not read; if of use, bring them apart."
    rows, width = len(dataset.frame), len(dataset.columns)
    entry = LedgerEntry("other files", reason, rows, rows, width, width)
    return replace(dataset, ledger=(*dataset.ledger, entry))


def _list_files(root: Path) -> tuple[Path, list[str], list[str], int]:
    """Return the folder in which things differ, the tables and media in it, in order, and how many
    files it holds in all."""
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
        inner = {file.split("/", 1)[0] for file in deeper if "/" in file and is_media(file)}
        # A file beside the classes' folders does not make a class of what holds them all.
        whole = len(inner) > 1 or all("/" in file for file in deeper)
        if not whole and not any(map(_is_table, deeper)):
            break
        root, files = root / top, deeper
    tables = [file for file in files if _is_table(file) and "/" not in file]
    return root, tables, [file for file in files if is_media(file)], len(files)


def _is_table(file: str) -> bool:
    path = PurePosixPath(file.lower())
    return path.suffix in TABLES and not (path.suffix == ".txt" and path.stem in ABOUT)


def _hash_files(root: Path, files: list[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with (root / file).open("rb") as stream:
            digest.update(f"{file}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()


def _decode(
    root: Path, files: list[str], format: Format, folder: MediaFolder, names: bool
) -> Decoded:
    decoded = Decoded(format, {}, {}, {})
    for place, file in enumerate(files, 1):
        told = file if names else f"{format.things[:-1]} {place:,}"
        try:
            kept = format.keep(root / file, told, folder)
        except DataError as error:
            decoded.reasons[file] = str(error)
        except MemoryError:
            decoded.reasons[file] = f"'{told}' needs more memory than there is."
        else:
            decoded.kept[file], decoded.facts[file] = kept.name, kept.facts
    return decoded


def _unreadable(decoded: Decoded, rows: int, columns: int) -> tuple[LedgerEntry, ...]:
    if not decoded.reasons:
        return ()
    shown = list(decoded.reasons.values())
    more = f" And {len(shown) - SHOWN:,} more." if len(shown) > SHOWN else ""
    things = decoded.format.things
    count = count_things(len(shown), things[:-1])
    reason = f"{count} cannot be read: {' '.join(shown[:SHOWN])}{more}"
    left = rows - len(decoded.reasons)
    return (LedgerEntry(f"unreadable {things}", reason, rows, left, columns, columns),)


def _describe_paths(
    files: list[str], format: Format, parts: bool, folders: bool | None
) -> tuple[pd.DataFrame, list[Column], list[str]]:
    """Return file, and label, split and patient where the folders tell them; and what to say of it.

    With `parts`, where no folder tells a class, also what the files' names are made of.
    """
    places, said = read_places(files), []
    if format.kind == "image":
        places, said = find_people(places, folders)
    frame = pd.DataFrame({"file": pd.Series(files, dtype="string")})
    columns = [Column(format.kind, format.kind, "input", note=f"The {format.things}.")]
    for name, values, role, note in (
        ("split", places.split, "ignored",
         "Named by the folders train, val and test: holds the division into parts."),
        ("label", places.label, "outcome", "The names of the folders."),
        ("patient", places.patient, "patient", "The folders within: one a patient."),
    ):  # fmt: skip
        if any(values):
            frame[name] = pd.Series(values, dtype="string")
            columns.append(Column(name, "category", role, note=note))
    if any(places.label):
        said = say_classes(places, format.things[:-1])
    elif parts:
        for name, values in name_parts(files).items():
            frame[name] = pd.Series(values, dtype="string")
            note = "A part of the files' names; choose what it is for."
            columns.append(Column(name, "category", "ignored", note=note))
    columns.append(_as_file(Column("file", "category", "ignored")))
    return frame, columns, said


def name_parts(files: Sequence[str]) -> dict[str, list[str]]:
    """Return what the files' names are made of, where all are made alike; else nothing.

    A part that is the same everywhere, or another in every file, tells nothing and is left out.

    >>> name_parts(["7_ann_0.wav", "3_ann_1.wav", "7_bob_2.wav"])
    {'name_1': ['7', '3', '7'], 'name_2': ['ann', 'ann', 'bob']}
    """
    cut = [PurePosixPath(file).stem.replace("-", "_").split("_") for file in files]
    if len({len(words) for words in cut}) != 1:
        return {}
    parts = {f"name_{place}": list(words) for place, words in enumerate(zip(*cut, strict=True), 1)}
    return {n: words for n, words in parts.items() if 1 < len(set(words)) < len(words)}


def _join_table(
    root: Path, tables: list[str], decoded: Decoded, name: str, source: str, sha256: str,
    media: Path, names: bool,
) -> Dataset:  # fmt: skip
    if len(tables) > 1:
        raise DataError(
            f"'{source}' holds {len(tables)} tables; leave the one that names the "
            f"{decoded.format.things}."
        )
    table = read_table(root / tables[0], least_columns=1)
    column, files = _find_files(table, decoded, source, names)
    frame, notes = settle_types(table.frame.copy())
    kept = files.map(decoded.kept, na_action="ignore").astype("string")
    kind, things = decoded.format.kind, decoded.format.things
    taken = kind if kind not in frame.columns else f"{kind}_medcore"
    if column == kind:
        frame, taken = frame.rename(columns={kind: "file"}), kind
        column = "file"
    columns = [
        _as_file(found) if found.name == column else found for found in infer_columns(frame, notes)
    ]
    frame, facts = _add_facts(frame, files, decoded)
    frame[taken] = kept
    columns.append(Column(taken, kind, "input", note=f"The {things} that '{column}' names."))
    columns = [found for found in columns if names or found.name != column] + facts
    entries = _unmatched(frame, kept, files, decoded, len(columns))
    return media_dataset(frame, columns, name, source, sha256, media, entries)


def _as_file(column: Column) -> Column:
    note = "Where the file was, to find it again; no model looks at it."
    return Column(column.name, "category", "ignored", note=note)


def _find_files(
    table: Dataset, decoded: Decoded, source: str, names: bool
) -> tuple[str, pd.Series]:
    """Return the column that names most files, and the path of each row's."""
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
        f"No column of the table in '{source}' names its {decoded.format.things}; one column must "
        "hold the files' " + (f"names, such as '{known[0]}'." if names else "names.")
    )


def _spellings() -> Iterator:
    """Yield ways to write a file's name, the most exact first."""
    yield lambda file: file.lower()
    yield lambda file: PurePosixPath(file).name.lower()
    yield lambda file: PurePosixPath(file).stem.lower()


def _unmatched(
    frame: pd.DataFrame, kept: pd.Series, files: pd.Series, decoded: Decoded, columns: int
) -> tuple[LedgerEntry, ...]:
    things = decoded.format.things
    thing = things[:-1]
    rows, entries = len(frame), list(_unreadable(decoded, len(frame), columns))
    entries = [LedgerEntry(e.step, e.reason, rows, rows, columns, columns) for e in entries]
    without = int(kept.isna().sum())
    if without:
        have, they = ("row has", "it stays") if without == 1 else ("rows have", "they stay")
        reason = (
            f"{without:,} {have} no {thing} that can be read; {they}, with the {thing} missing."
        )
        entries.append(LedgerEntry(f"rows without {thing}", reason, rows, rows, columns, columns))
    spare = len(set(decoded.kept) - set(files.dropna()))
    if spare:
        are = ("is", "is") if spare == 1 else ("are", "are")
        reason = (
            f"{count_things(spare, thing)} {are[0]} named by no row of the table and {are[1]} not "
            "used."
        )
        entries.append(LedgerEntry(f"{things} without row", reason, rows, rows, columns, columns))
    return tuple(entries)
