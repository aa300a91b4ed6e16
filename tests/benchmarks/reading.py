"""Reading a CSV of 1,000,000 × 30 beside a bare `pandas.read_csv`: time and peak memory.

Times are those of warm reads in one process, in turn; memory is the peak of a process of its own
above what it held before, as a multiple of the frame.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from medcore.data import read_table
from tests.benchmarks import Row

ROWS, NUMBERS, TURNS = 1_000_000, 26, 3

CHILD = """
import gc, pathlib, re, sys
import psutil
from medcore.data import read_table
read_table(sys.argv[2])
gc.collect()
before = psutil.Process().memory_info().rss
frame = read_table(sys.argv[1]).frame
# Of this process alone: the resource module's figure starts with that of the parent.
status = pathlib.Path("/proc/self/status").read_text()
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status).group(1)) * 1024
print((peak - before) / frame.memory_usage(deep=True).sum())
"""


def rows() -> Iterator[Row]:
    """Yield the ratio of times, and the peak of memory in frames."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "large.csv", Path(folder) / "small.csv"
        _write(path, ROWS)
        _write(small, 1000)
        yield _time_row(path)
        command = [sys.executable, "-c", CHILD, str(path), str(small)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        yield Row(
            "reading: peak memory, frames",
            float(answer.stdout.split()[-1]),
            "<= 3",
            "the frame itself (bare pandas: about 2.6)",
        )


def _write(path: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(50, 20, rows).round(3) for i in range(NUMBERS)}
    columns |= {
        "sex": rng.choice(["female", "male"], rows),
        "ward": rng.choice(["north", "south", "east", "west"], rows),
        "age": rng.integers(18, 95, rows),
        "disease": rng.choice(["no", "yes"], rows, p=[0.8, 0.2]),
    }
    csv.write_csv(pa.table(columns), path)


def _time_row(path: Path) -> Row:
    ours, theirs = [], []
    for _ in range(TURNS + 1):
        started = time.perf_counter()
        pd.read_csv(path)
        middle = time.perf_counter()
        read_table(path)
        theirs.append(middle - started)
        ours.append(time.perf_counter() - middle)
    bare, whole = statistics.median(theirs[1:]), statistics.median(ours[1:])
    return Row(
        "reading: 1,000,000 x 30 CSV, time",
        whole / bare,
        "<= 2.5",
        "a bare pandas.read_csv, warm",
        f"{whole:.2f} s against {bare:.2f} s, {path.stat().st_size / 2**20:.0f} MB",
    )
