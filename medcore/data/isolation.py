"""Read a file that nobody vouches for in a child process with limits on memory and time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import psutil

from medcore.data.table import read_table
from medcore.errors import DataError, MedcoreError
from medcore.records import Column, Dataset, LedgerEntry

SECONDS = 300
SPARE_BYTES = 2 * 2**30


def read_table_isolated(
    path: Path, *, name: str, stopping: Callable[[], bool] = lambda: False
) -> Dataset:
    """Read a table file in a child process; raises `DataError` when it refuses or breaks."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        child = subprocess.Popen(
            [sys.executable, "-m", "medcore.data.isolation", str(path), name, folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        _wait(child, path, stopping)
        return _collect(Path(folder), path)


def _wait(child: subprocess.Popen, path: Path, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while child.poll() is None:
        if stopping() or time.monotonic() > until:
            child.kill()
            child.communicate()
            why = "Reading was stopped" if stopping() else f"It took over {SECONDS // 60} min"
            raise DataError(f"'{path.name}' was not read: {why}.")
        time.sleep(0.05)
    child.communicate()


def _collect(folder: Path, path: Path) -> Dataset:
    answer = folder / "answer.json"
    if not answer.is_file():
        raise DataError(
            f"'{path.name}' could not be read: it broke the reader or needed too much memory. "
            "Save it as CSV and try again."
        )
    values = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in values:
        raise DataError(values["error"])
    columns = [Column(**{**c, "categories": tuple(c["categories"])}) for c in values["columns"]]
    ledger = [LedgerEntry(**{**e, "columns": tuple(e["columns"])}) for e in values["ledger"]]
    frame = pd.read_parquet(folder / "table.parquet")
    return Dataset(
        values["name"], values["source"], values["sha256"], frame, tuple(columns), tuple(ledger)
    )


def main(source: str, name: str, target: str) -> None:
    """What the child does: read, and leave the table and its description in `target`."""
    _set_limits(Path(source))
    folder = Path(target)
    try:
        dataset = read_table(source, name=name)
        dataset.frame.to_parquet(folder / "table.parquet")
        values = {
            "name": dataset.name,
            "source": dataset.source,
            "sha256": dataset.sha256,
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
    most = psutil.Process().memory_info().vms + 20 * path.stat().st_size + SPARE_BYTES
    with contextlib.suppress(ValueError, OSError):  # nor has every macOS
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


if __name__ == "__main__":
    main(*sys.argv[1:])
