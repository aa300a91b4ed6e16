"""Copies among 100,000 rows of 30 inputs: seconds beside comparing every pair, and peak memory.

Every pair is compared for a few rows and scaled, being the same work for each. One row in a
thousand of the test part is a near copy, so that there is something to find.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from medcore.checks.twins import find_twins
from tests.benchmarks import Row

ROWS, COLUMNS, TEST, LOOPED = 100_000, 30, 20_000, 100

CHILD = """
import pathlib, re
from medcore.checks.twins import find_twins
from tests.benchmarks.certificate import a_table
table, rows, others = a_table()
find_twins(table, rows, others)
status = pathlib.Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status).group(1)) / 1024)
"""


def rows() -> Iterator[Row]:
    """Yield how many times faster than every pair, the share found, and the peak in MB."""
    table, new, old = a_table()
    started = time.perf_counter()
    found = find_twins(table, new, old)
    ours = time.perf_counter() - started
    values = table.frame.to_numpy()
    started = time.perf_counter()
    for row in new[:LOOPED]:
        (np.abs(values[old] - values[row]).max(axis=1) < 0.03).any()
    pairs = (time.perf_counter() - started) * TEST / LOOPED
    yield Row(
        "certificate: near copies, times faster", pairs / ours, ">= 20", "comparing every pair",
        f"ours {ours:.2f} s, pairs {pairs:.0f} s from {LOOPED} rows",
    )  # fmt: skip
    planted = TEST // 1000
    yield Row("certificate: near copies found", len(found) / planted, ">= 1", f"{planted} planted")
    answer = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True
    )
    peak = float(answer.stdout.split()[-1])
    yield Row("certificate: 100,000 x 30, peak MB", peak, "<= 600", "a worker's 1.2 GB")


def a_table():
    """Return a data set, the ids of its test rows, and those of the others."""
    import pandas as pd

    from medcore.records import Column, Dataset

    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS, COLUMNS))
    order = rng.permutation(ROWS)
    new, old = order[:TEST], order[TEST:]
    planted = TEST // 1000
    values[new[:planted]] = values[old[:planted]] + rng.normal(0, 1e-3, (planted, COLUMNS))
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(COLUMNS)])
    columns = tuple(Column(name, "number", "input") for name in frame)
    return Dataset("t", "t", "0", frame, columns), new, old
