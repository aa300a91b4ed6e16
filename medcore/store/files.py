"""Files that are either whole or not there: a temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from medcore.errors import StoreError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


def disk_error(error: OSError, path: Path) -> StoreError:
    """Return what a failed write means, in a sentence."""
    if error.errno in FULL:
        return StoreError(
            f"The disk is full, so '{path.name}' was not saved; free some space and try again. "
            "Nothing saved before was lost."
        )
    if error.errno in CLOSED:
        return StoreError(
            f"'{path.name}' cannot be saved, because its folder is read-only; allow writing to it, "
            "or set MEDCORE_HOME to another folder."
        )
    reason = error.strerror or str(error) or type(error).__name__
    return StoreError(f"'{path.name}' cannot be saved ({reason.rstrip('.')}); try again.")


def open_new(path: Path) -> BinaryIO:
    """Open a file that must not exist yet, for writing bytes."""
    return path.open("xb")


@contextlib.contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Give a file that becomes `path` in one go at the end; after an error `path` is as it was.

    `sync` waits until the bytes are on the disk, so that even a power cut leaves old or new.
    Raises `StoreError` when the disk refuses.
    """
    near = path.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_new(near) as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(near, path)
        if sync:
            _sync_folder(path.parent)
    except OSError as error:
        _forget(near)
        raise disk_error(error, path) from error
    except BaseException:
        _forget(near)
        raise


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file so that it is there whole or not at all; raises `StoreError` on a full disk."""
    with replacing(path, sync=sync) as file:
        file.write(data)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; what is not finite becomes None.

    >>> plain({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, str | int):
        return value
    return str(value)


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder; what vanishes meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def copy_folder(source: Path, target: Path) -> None:
    """Copy the files of a folder; on one disk they are the same files under a second name."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        try:
            try:
                os.link(path, target / path.name)
            except OSError:
                shutil.copyfile(path, target / path.name)
        except OSError as error:
            raise disk_error(error, path) from error


def remove_folder(folder: Path) -> None:
    """Remove a folder and all in it; it is gone under its name at once.

    What the disk refuses to remove stays under a temporary name, for the next clean-up.
    """
    aside = folder.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        os.replace(folder, aside)
    except FileNotFoundError:
        return
    except OSError:
        aside = folder
    shutil.rmtree(aside, ignore_errors=True)
