"""A disk with little room: what the store writes beyond it is refused as a full disk does."""

import errno
import io
from pathlib import Path

from medcore.store import files


class _Full(io.FileIO):
    """A file on a disk with `room` bytes left for all files together."""

    room = 0

    def write(self, data) -> int:
        size = memoryview(data).nbytes
        if size > _Full.room:
            written = super().write(memoryview(data).cast("B")[: _Full.room])
            _Full.room -= written
            raise OSError(errno.ENOSPC, "No space left on device")
        _Full.room -= size
        return super().write(data)


def fill_disk(monkeypatch, room: int) -> None:
    """Leave `room` bytes on the disk for what the store writes from now on."""
    _Full.room = room

    def open_new(path: Path):
        return _Full(path, "xb")

    monkeypatch.setattr(files, "open_new", open_new)
