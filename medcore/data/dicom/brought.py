"""Whatever holds DICOM, with tables and other images beside it, to a data set without names."""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from medcore.data.dicom.arrival import Arrived, read_members
from medcore.data.dicom.burned import looks_written_on
from medcore.data.dicom.clean import CODES
from medcore.data.dicom.facts import COLUMNS
from medcore.data.dicom.intensity import stretch
from medcore.data.dicom.joining import Keys, join_table, path_keys
from medcore.data.dicom.members import Member, open_members
from medcore.data.dicom.pseudonyms import Pseudonyms
from medcore.data.kinds import list_categories, settle_types
from medcore.data.media.account import count_things, say_files, write_audit
from medcore.data.media.classes import Places, read_places, say_classes
from medcore.data.media.files import MediaFolder
from medcore.data.media.looks import LOOKS, describe_look, is_telling
from medcore.data.media.pictures import decode_image
from medcore.data.table import hash_file, read_table
from medcore.errors import DataError
from medcore.records import Column, Dataset, LedgerEntry

SHOWN = 12
LASTING = ("series", "characteristics")
PLAIN = ("series", "characteristics", "folders", "parts", "names", "listed")


@dataclass(frozen=True)
class Wishes:
    """How images shall be read.

    `series`: a row a series (a volume) instead of a row an image. `characteristics`: keep sex, age,
    height and weight. `folders`: the folders' names are the classes; None: where they look like
    it. `parts`: so are the parts of
    the names of files that are no DICOM. `names`: these names, and patients in a table, are kept as
    they are (on one's own machine). `listed`: each row says which file it is, by its name if
    `names`, else by its place; for predictions, which go back to who brought the files. `secret`:
    what pseudonyms are made with; the workspace's, so that a patient is the same in all its data
    sets.
    """

    series: bool = False
    characteristics: bool = False
    folders: bool | None = None
    parts: bool = False
    names: bool = True
    listed: bool = False
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def write(self) -> str:
        """Return the wishes as JSON, the secret too."""
        return json.dumps({**self.plain(), "secret": self.secret.hex()})

    def plain(self) -> dict[str, bool | None]:
        """Return what was wished for, without the secret."""
        return {n: getattr(self, n) for n in PLAIN}

    def lasting(self) -> tuple[str, ...]:
        """Return what new images must be read by too, to be what a model learned from."""
        return tuple(name for name in LASTING if getattr(self, name))

    @staticmethod
    def read(text: str) -> Wishes:
        """Return what `write` wrote; the defaults for nothing."""
        values = json.loads(text) if text.strip() else {}
        if "secret" in values:
            values["secret"] = bytes.fromhex(values["secret"])
        return Wishes(**values)


def holds_dicom(path: Path) -> bool:
    """Tell whether a zip file, folder or file holds DICOM."""
    with open_members(path) as members:
        return any(member.what == "dicom" for member in members)


def read_brought(
    path: Path,
    media: Path,
    *,
    name: str,
    wishes: Wishes,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Dataset:
    """Read a zip file, folder or file that holds DICOM as a data set of cleaned images.

    A row is an image (or a series), with what its header says of it and, where one table is beside,
    that table's columns. `tell` hears how many of how many files are done. Raises `DataError` when
    no image can be read.
    """
    folder, pseudonyms = MediaFolder(media), Pseudonyms(wishes.secret)
    with open_members(path) as members:
        groups = _divide(members)
        total = len(groups["dicom"]) + len(groups["image"])
        arrived = read_members(
            groups["dicom"], folder.add_bytes, pseudonyms, series=wishes.series,
            characteristics=wishes.characteristics, tell=lambda done: tell(done, total),
        )  # fmt: skip
        for member in groups["image"]:
            _read_image(member, folder, arrived)
        if not arrived.rows:
            raise DataError(_nothing(arrived, path))
        frame, columns = _tabulate(arrived)
        if wishes.listed:
            frame, columns = _list_files(frame, columns, arrived, members, wishes.names)
        said = list(arrived.notes)
        if wishes.folders or (wishes.folders is None and not groups["table"]):
            frame, columns, sentences = _label(frame, columns, arrived, bool(wishes.folders))
            said += sentences
        if groups["table"]:
            table = _read_table(groups["table"], media.parent)
            frame, more, sentences = join_table(frame, arrived.keys, table, pseudonyms)
            columns, said = [*columns, *more], [*said, *sentences]
    if others := len(groups["other"]):
        are, were = ("is", "was") if others == 1 else ("are", "were")
        said.append(
            f"{count_things(others, 'file')} {are} neither image nor table and {were} not read."
        )
    brought = say_files(
        "image", read=total - arrived.lost, refused=arrived.lost, tables=len(groups["table"]),
        others=others,
    )  # fmt: skip
    _write_audit(media, arrived)
    return _finish(frame, columns, arrived, brought, said, path, media, name, wishes)


def _divide(members: Sequence[Member]) -> dict[str, list[Member]]:
    groups: dict[str, list[Member]] = {"dicom": [], "image": [], "table": [], "other": []}
    for member in members:
        groups[member.what].append(member)
    return groups


def _read_image(member: Member, folder: MediaFolder, arrived: Arrived) -> None:
    """Add a row for an image that is no DICOM."""
    ending = "".join(PurePosixPath(member.name).suffixes[-2:]).lower()[-8:]
    with tempfile.TemporaryDirectory(dir=folder.folder.parent) as near:
        path = Path(near) / f"image{ending if ending.isascii() else ''}"
        try:
            path.write_bytes(member.read())
            picture = decode_image(path, member.label)
        except DataError as error:
            arrived.refuse(str(error))
            return
    pixels = picture.pixels
    frame = pixels[len(pixels) // 2] if picture.volume else pixels
    written = looks_written_on(stretch(frame))
    arrived.rows.append(
        {
            "image": folder.add(pixels),
            "images": len(pixels) if picture.volume else 1,
            "text_in_image": "suspected: something like letters stands near its edge"
            if written
            else "none seen",
            **describe_look(pixels, pixels.ndim == 3 and not picture.volume),
        }
    )
    arrived.keys.append(Keys(path_keys([member.name])))


def _nothing(arrived: Arrived, path: Path) -> str:
    first = f" {arrived.refused[0]}" if arrived.refused else ""
    return f"No image of '{path.name}' can be read.{first}"


def _tabulate(arrived: Arrived) -> tuple[pd.DataFrame, list[Column]]:
    """Return the rows as a table of the columns in which anything stands."""
    whole = pd.DataFrame(arrived.rows)
    frame = pd.DataFrame({"image": whole["image"].astype("string")})
    columns = [Column("image", "image", "input", note="Cleaned of what tells who it is of.")]
    for column in (*COLUMNS, *LOOKS):
        values = whole.get(column.name)
        if values is None or values.isna().all() or not is_telling(column, values):
            continue
        if column.kind == "date":
            frame[column.name] = pd.to_datetime(values)
        elif column.kind == "number":
            frame[column.name] = values.astype("float64")
        else:
            frame[column.name] = values.astype("string")
        columns.append(column)
    return frame, columns


def _list_files(
    frame: pd.DataFrame,
    columns: list[Column],
    arrived: Arrived,
    members: Sequence[Member],
    names: bool,
) -> tuple[pd.DataFrame, list[Column]]:
    """Add which file each row is, the first of a series."""
    by_name = {member.name.lower(): member for member in members}
    first = [by_name[min(keys.words["file"])] for keys in arrived.keys]
    told = [member.name if names else member.label for member in first]
    column = Column("file", "category", "ignored", note="Which file it is; no model looks at it.")
    return frame.assign(file=pd.Series(told, dtype="string")), [*columns, column]


def _label(
    frame: pd.DataFrame, columns: list[Column], arrived: Arrived, wished: bool
) -> tuple[pd.DataFrame, list[Column], list[str]]:
    """Add the class, and the part, that each image's folder is named for; say what was done.

    Unless `wished` for, only where each folder holds several patients: no folder that is named for
    one becomes a class.
    """
    places = read_places([min(keys.words["file"]) for keys in arrived.keys])
    if len(places.classes) < 2:
        if wished:
            raise DataError(
                "The folders do not tell classes apart: fewer than two hold images. Bring them "
                "again without that choice."
            )
        return frame, columns, []
    if not wished and (few := _of_one_patient(frame, places)):
        return frame, columns, [
            f"The folders are not taken for classes, and their names were not kept: {few:,} of "
            f"{len(places.classes):,} hold images of one patient alone and may be named for "
            "patients. If they are classes, bring the files again and say so."
        ]  # fmt: skip
    found = [("label", places.label, "outcome", "The folders' names.")]
    if all(places.split):
        found.append(("split", places.split, "ignored", "Named by the folders train, val, test."))
    for name, values, role, note in found:
        frame = frame.assign(**{name: pd.Series(values, dtype="string")})
        columns = [*columns, Column(name, "category", role, note=note)]
    return frame, columns, say_classes(places, "image")


def _of_one_patient(frame: pd.DataFrame, places: Places) -> int:
    """Return how many folders hold images of fewer than two patients who are known."""
    if "patient" not in frame.columns:
        return len(places.classes)
    patients = frame["patient"].groupby(pd.Series(places.label, index=frame.index)).nunique()
    return int((patients < 2).sum())


def _read_table(tables: Sequence[Member], near: Path) -> Dataset:
    if len(tables) > 1:
        raise DataError(
            f"There are {len(tables)} tables beside the images; leave the one that names them."
        )
    with tempfile.TemporaryDirectory(dir=near) as folder:
        path = Path(folder) / f"table{PurePosixPath(tables[0].name).suffix.lower()}"
        path.write_bytes(tables[0].read())
        return read_table(path, least_columns=1)


def _write_audit(media: Path, arrived: Arrived) -> None:
    removed = {"methods": CODES, "elements": arrived.audit.rows()}
    write_audit(media, removed | {"refused": arrived.refused})


def _finish(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    arrived: Arrived,
    brought: str,
    said: Sequence[str],
    path: Path,
    media: Path,
    name: str,
    wishes: Wishes,
) -> Dataset:
    settled, notes = settle_types(frame[[c.name for c in columns if c.name != "image"]])
    frame = pd.concat([frame["image"], settled], axis=1)
    columns = [
        Column(c.name, c.kind, c.role, c.unit, list_categories(frame[c.name])
               if c.kind == "category" else (), " ".join((c.note, notes.get(c.name, ""))).strip())
        for c in columns
    ]  # fmt: skip
    count, width = len(frame), len(columns)
    entries = [_entry("read", f"Read from {path.name}, {brought}; what tells who somebody is was "
                      "removed.",
                      count + len(arrived.refused), count, width)]  # fmt: skip
    if arrived.refused:
        entries.append(_entry("unreadable images", _list(arrived.refused), count, count, width))
    entries += [_entry("images", sentence, count, count, width) for sentence in said]
    return Dataset(name, path.name, _digest(path, wishes), frame, tuple(columns), tuple(entries),
                   media, reading=wishes.lasting())  # fmt: skip


def _entry(step: str, reason: str, before: int, after: int, width: int) -> LedgerEntry:
    return LedgerEntry(step, reason, before, after, width, width)


def _list(refused: Sequence[str]) -> str:
    more = f" And {len(refused) - SHOWN:,} more." if len(refused) > SHOWN else ""
    files = "1 file or series" if len(refused) == 1 else f"{len(refused):,} files or series"
    return f"{files} could not be read: {' '.join(refused[:SHOWN])}{more}"


def _digest(path: Path, wishes: Wishes) -> str:
    """Return the hash of what was brought and of how it was read."""
    digest = hashlib.sha256(json.dumps(wishes.plain()).encode())
    for file in [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file()):
        digest.update(hash_file(file).encode())
    return digest.hexdigest()
