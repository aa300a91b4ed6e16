"""Imputers beside scikit-learn's on 10,000 × 50 with a tenth missing; networks on 10,000 × 30.

Each is fitted on all rows and then fills them, in a process of its own, which also tells its peak
of memory above what it held before.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from tests.benchmarks import Row, peak_memory

SIZES = {"knn": (10_000, 50), "iterative": (10_000, 50), "denoising_autoencoder": (10_000, 30),
         "miwae": (10_000, 30)}  # fmt: skip


def rows() -> Iterator[Row]:
    """Yield times as shares of scikit-learn's, peaks of memory, and the networks' seconds."""
    for name, limit in (("knn", "<= 1"), ("iterative", "<= 1")):
        ours, peak = _measure("ours", name)
        theirs, their_peak = _measure("sklearn", name)
        size = "{:,} x {}".format(*SIZES[name])
        detail = f"{ours:.1f} s against {theirs:.1f} s"
        yield Row(f"imputing: {name}, {size}, time", ours / theirs, limit, "scikit-learn", detail)
        detail = f"{peak:.0f} MB against {their_peak:.0f} MB"
        yield Row(
            f"imputing: {name}, {size}, memory", peak / their_peak, "", "scikit-learn", detail
        )
    for name in ("denoising_autoencoder", "miwae"):
        ours, peak = _measure("ours", name)
        size = "{:,} x {}".format(*SIZES[name])
        yield Row(f"imputing: {name}, {size}, s", ours, "", "fit and fill", f"{peak:.0f} MB")


def _measure(whose: str, name: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.benchmarks.imputing", whose, name]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = answer.stdout.split()[-2:]
    return float(seconds), float(peak)


def make_table(rows: int, columns: int) -> np.ndarray:
    """Return correlated numbers, a tenth of them missing at random."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(rows, 5)) @ rng.normal(size=(5, columns))
    table += rng.normal(0, 1, table.shape)
    table[rng.random(table.shape) < 0.1] = np.nan
    return table


def _ours(table: np.ndarray, name: str) -> Callable[[], object]:
    import pandas as pd

    from medcore.config import MissingConfig
    from medcore.prepare import fit_imputer
    from medcore.prepare.imputing import complete_frame
    from medcore.records import Column

    frame = pd.DataFrame(table, columns=[f"x{place}" for place in range(table.shape[1])])
    columns = [Column(str(column), "number", "input") for column in frame.columns]
    missing = MissingConfig(strategy=name)
    return lambda: complete_frame(fit_imputer(frame, columns, missing, 0), frame)


def _theirs(table: np.ndarray, name: str) -> Callable[[], object]:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer

    imputer = KNNImputer() if name == "knn" else IterativeImputer(max_iter=10)
    return lambda: imputer.fit(table).transform(table)


def main(whose: str, name: str) -> None:
    """Fit and fill once; print seconds and megabytes."""
    table = make_table(*SIZES[name])
    (_ours if whose == "ours" else _theirs)(table[:200], name)()
    work = (_ours if whose == "ours" else _theirs)(table, name)
    before = peak_memory()
    started = time.perf_counter()
    work()
    print(time.perf_counter() - started, peak_memory() - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
