"""Read a file that nobody vouches for in a child process with limits on memory and time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pandas as pd
import psutil

from medcore.data.dicom.brought import Wishes
from medcore.data.sources import read_source
from medcore.errors import DataError, MedcoreError
from medcore.records import Column, Dataset, LedgerEntry

SECONDS, MEGABYTES_A_SECOND = 300, 1
SPARE_BYTES = 2 * 2**30
MEDIA, PROGRESS = "media", "progress"


def read_table_isolated(
    path: Path,
    *,
    name: str,
    stopping: Callable[[], bool] = lambda: False,
    folder: Path | None = None,
    least_columns: int = 2,
    wishes: Wishes | None = None,
    tell: Callable[[float], None] = lambda _: None,
) -> Dataset:
    """Read a table, or images, in a child process; raises `DataError` when it refuses or breaks.

    `folder`: where the data set's media go, to stay there as long as they are needed; by default
    beside the file. `wishes`: how images are read; `tell` hears the share that is done.
    """
    keep = Path(tempfile.mkdtemp(dir=folder or path.parent))
    try:
        child = subprocess.Popen(
            [
                sys.executable, "-m", "medcore.data.isolation", str(path.absolute()), name,
                str(keep.absolute()), str(least_columns),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # What parsers say of a file quotes it: it goes nowhere.
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError), child.stdin:
            child.stdin.write((wishes or Wishes()).write().encode())
        _wait(child, path, keep, stopping, tell)
        dataset = _collect(keep, path)
    except BaseException:
        shutil.rmtree(keep, ignore_errors=True)
        raise
    if dataset.media is None:
        shutil.rmtree(keep, ignore_errors=True)
    return dataset


def _wait(
    child: subprocess.Popen,
    path: Path,
    keep: Path,
    stopping: Callable[[], bool],
    tell: Callable[[float], None],
) -> None:
    until, told = time.monotonic() + _seconds(path), 0.0
    while child.poll() is None:
        if (done := _read_progress(keep)) > told:
            tell(told := done)
        if stopping() or time.monotonic() > until:
            child.kill()
            child.wait()
            why = (
                "Reading was stopped" if stopping() else f"It took over {_seconds(path) // 60} min"
            )
            raise DataError(f"'{path.name}' was not read: {why}.")
        time.sleep(0.05)


def _read_progress(keep: Path) -> float:
    with contextlib.suppress(OSError, ValueError):
        return float((keep / PROGRESS).read_text())
    return 0.0


def _write_progress(keep: Path, done: int, total: int) -> None:
    near = keep / f".{PROGRESS}.tmp"
    near.write_text(f"{done / max(total, 1):.4f}")
    os.replace(near, keep / PROGRESS)


def _seconds(path: Path) -> int:
    """Return how long reading may take: images are slow where there are many."""
    megabytes = sum(file.stat().st_size for file in _files(path)) // 2**20
    return SECONDS + megabytes // MEGABYTES_A_SECOND


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]


def _collect(folder: Path, path: Path) -> Dataset:
    answer = folder / "answer.json"
    if not answer.is_file():
        raise DataError(
            f"'{path.name}' could not be read: it broke the reader or needed too much memory. "
            "Save a table as CSV, or bring fewer or smaller images, and try again."
        )
    values = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in values:
        raise DataError(values["error"])
    columns = [Column(**c) for c in values["columns"]]
    ledger = [LedgerEntry(**{**e, "columns": tuple(e["columns"])}) for e in values["ledger"]]
    frame = pd.read_parquet(folder / "table.parquet")
    media = folder / MEDIA if values["media"] else None
    told = values["name"], values["source"], values["sha256"]
    reading = tuple(values["reading"])
    return Dataset(*told, frame, tuple(columns), tuple(ledger), media, reading=reading)


def main(source: str, name: str, target: str, least_columns: str = "2") -> None:
    """What the child does: read, and leave the table and its description in `target`."""
    _set_limits(Path(source))
    folder = Path(target)
    try:
        wishes = Wishes.read(sys.stdin.read())
        dataset = read_source(
            Path(source), folder / MEDIA, name=name, least_columns=int(least_columns),
            wishes=wishes, tell=partial(_write_progress, folder),
        )  # fmt: skip
        dataset.frame.to_parquet(folder / "table.parquet")
        values = {
            "name": dataset.name,
            "source": dataset.source,
            "sha256": dataset.sha256,
            "media": dataset.media is not None,
            "reading": dataset.reading,
            "columns": [asdict(column) for column in dataset.columns],
            "ledger": [asdict(entry) for entry in dataset.ledger],
        }
    except MedcoreError as error:
        values = {"error": str(error)}
    except MemoryError:
        values = {"error": f"'{Path(source).name}' needs more memory than there is; shorten it."}
    (folder / "answer.json").write_text(json.dumps(values), encoding="utf-8")
    # Threads of libraries must not outlive the answer.
    os._exit(0)


def _set_limits(path: Path) -> None:
    """Limit this process: what it takes already, twenty times the file, and spare; and seconds."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    largest = max((file.stat().st_size for file in _files(path)), default=0)
    most = psutil.Process().memory_info().vms + 20 * largest + SPARE_BYTES
    with contextlib.suppress(ValueError, OSError):  # nor has every macOS
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    seconds = _seconds(path)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
