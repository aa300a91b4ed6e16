"""Memory: the recommended recipe on 100,000 × 30 in a process of its own, peak resident MB.

The page's server and the worker together must stay under 1.5 GB; the server takes up to 250 MB.
Epochs are cut short: memory does not grow with them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.benchmarks import Row

ROWS, COLUMNS = 100_000, 30
SERVER_MB = 250
LIMIT_MB = 1536 - SERVER_MB

CHILD = """
import pathlib, re, sys
import numpy as np, pandas as pd
from medcore.config import RunConfig, change_config
from medcore.predict import predict_rows
from medcore.recipes import fit_model
from medcore.records import Column, Dataset

rows, columns = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
frame = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"x{i}" for i in range(columns)])
frame[frame > 2.5] = np.nan
score = frame.fillna(0).to_numpy() @ rng.normal(size=columns) + rng.normal(size=rows)
frame["y"] = pd.Series(np.where(score > 1, "yes", "no"), dtype="string")
kinds = [Column(name, "number", "input") for name in frame.columns[:-1]]
table = Dataset("t", "t", "0", frame, (*kinds, Column("y", "category", "outcome")))
config = change_config(RunConfig(), {"train.epochs": 2, "train.batch_size": 1024})
order = rng.permutation(rows)
cuts = np.cumsum([int(rows * share) for share in (0.576, 0.16, 0.064)])
names = ("train", "validation", "calibration", "test")
parts = dict(zip(names, np.split(order, cuts), strict=True))
fitted = fit_model(table, parts, config, ("no", "yes"))
predict_rows(fitted.model, table, parts["test"])
status = pathlib.Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status).group(1)) / 1024)
"""


def rows() -> Iterator[Row]:
    """Yield the peak of the worker in MB."""
    command = [sys.executable, "-c", CHILD, str(ROWS), str(COLUMNS)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    peak = float(answer.stdout.split()[-1])
    yield Row(
        "memory: recipe on 100,000 x 30, MB",
        peak,
        f"<= {LIMIT_MB}",
        f"1.5 GB less {SERVER_MB} MB for the server",
    )
