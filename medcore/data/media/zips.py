"""Zip files from anywhere: checked before a byte is unpacked."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from medcore.errors import DataError

MOST_ENTRIES, MOST_BYTES, MOST_RATIO = 50_000, 4 * 2**30, 200
# A black slice folds a thousandfold and harms nobody.
SMALL = 16 * 2**20
IGNORED = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


def unpack_zip(path: Path, folder: Path) -> None:
    """Unpack a zip file into a new folder; raises `DataError` for one that is not to be trusted."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = check_entries(archive.infolist(), path.name)
            for entry, place in entries:
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        reason = str(error).rstrip(".")
        raise DataError(f"'{path.name}' is not a whole zip file ({reason}).") from None
    except FileExistsError:
        raise DataError(f"'{path.name}' holds a file twice; pack it again.") from None


def is_listed(name: str) -> bool:
    """Tell whether a file is more than a file system's own leftovers."""
    parts = PurePosixPath(name).parts
    return not any(part in IGNORED or part.startswith("._") for part in parts)


def check_entries(
    found: list[zipfile.ZipInfo], name: str
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Return the entries worth reading with their places; `DataError` if they cannot be trusted."""
    if len(found) > MOST_ENTRIES:
        raise DataError(
            f"'{name}' holds {len(found):,} files; at most {MOST_ENTRIES:,} are read. Divide it."
        )
    size = sum(entry.file_size for entry in found)
    if size > MOST_BYTES:
        raise DataError(f"'{name}' would unfold to {size / 2**30:,.1f} GB; make it smaller.")
    kept = []
    for entry in found:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in entry.filename:
            raise DataError(
                f"'{name}' holds a file whose name leads out of it (with '..', say); nothing of it "
                "was unpacked. Pack the files again from one folder."
            )
        if entry.flag_bits & 1:
            raise DataError(f"'{name}' is locked with a password; bring it without one.")
        if entry.file_size > SMALL and entry.file_size > MOST_RATIO * max(1, entry.compress_size):
            times = entry.file_size // max(1, entry.compress_size)
            raise DataError(
                f"'{name}' holds a file of {entry.file_size / 2**20:,.0f} MB that was packed "
                f"{times:,} times smaller: it would unfold too far to be trusted, and nothing was "
                "unpacked. Pack the files again without it."
            )
        link = stat.S_ISLNK(entry.external_attr >> 16)
        if not entry.is_dir() and not link and is_listed(entry.filename):
            kept.append((entry, place))
    return kept
