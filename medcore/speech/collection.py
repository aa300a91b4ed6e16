"""A zip of recordings with reference texts: what is in it, unpacked within limits."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medcore.errors import DataError
from medcore.sound import ENDINGS

MOST_FILES, MOST_BYTES, MOST_TEXT = 500, 2**30, 100_000


@dataclass(frozen=True)
class Item:
    """A recording on disk, what was said in it, and by whom: the folder it lay in."""

    path: Path
    name: str
    reference: str
    speaker: str


def unpack_collection(archive: Path, folder: Path) -> list[Item]:
    """Unpack recordings that have a text of the same name (`a/1.wav` beside `a/1.txt`).

    The folder names the speaker; without folders each file's name up to `_` does. Raises
    `DataError` for what is no such zip, or too large a one.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [
                e for e in opened.infolist() if not e.is_dir() and "__MACOSX" not in e.filename
            ]
            _check(entries, archive.name)
            return _pair(opened, entries, folder, archive.name)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        raise DataError(
            f"'{archive.name}' is not a whole zip file; zip the folder again."
        ) from None


def _check(entries: list[zipfile.ZipInfo], name: str) -> None:
    size = sum(entry.file_size for entry in entries)
    if len(entries) > 2 * MOST_FILES or size > MOST_BYTES:
        raise DataError(
            f"'{name}' holds {len(entries):,} files of {size / 2**20:,.0f} MB; at most "
            f"{MOST_FILES} recordings and {MOST_BYTES // 2**20} MB are taken."
        )


def _pair(
    opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path, name: str
) -> list[Item]:
    texts = {_stem(e): e for e in entries if e.filename.lower().endswith(".txt")}
    sounds = [e for e in entries if e.filename.lower().rsplit(".", 1)[-1] in ENDINGS]
    items, alone = [], []
    for number, entry in enumerate(sounds):
        said = texts.get(_stem(entry))
        if said is None:
            alone.append(PurePosixPath(entry.filename).name)
            continue
        path = folder / f"{number}.{entry.filename.lower().rsplit('.', 1)[-1]}"
        with opened.open(entry) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        reference = opened.read(said)[:MOST_TEXT].decode("utf-8-sig", errors="replace").strip()
        place = PurePosixPath(entry.filename)
        speaker = place.parent.name or place.stem.split("_")[0]
        items.append(Item(path, entry.filename, reference, speaker))
    if alone:
        raise DataError(
            f"{len(alone)} recordings in '{name}' have no text beside them ('{alone[0]}', …); each "
            "needs a .txt file of the same name with what was said."
        )
    if not items:
        raise DataError(f"'{name}' holds no recordings with .txt files of the same names.")
    return items


def _stem(entry: zipfile.ZipInfo) -> str:
    return entry.filename.rsplit(".", 1)[0].lower()
