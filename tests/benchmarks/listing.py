"""Listing 1,000 runs with their settings and figures, as the Workspace page asks for them."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from unittest.mock import patch

from medcore.config import RunConfig
from medcore.store import Workspace, count_runs, list_runs, open_home, open_workspace
from medcore.store.home import writing
from medcore.store.tables import runs
from tests.benchmarks import Row

RUNS, TURNS = 1000, 5


def rows() -> Iterator[Row]:
    """Yield the milliseconds of listing all, and of the page's first twenty with their count."""
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"MEDCORE_HOME": folder}),
    ):
        workspace = open_workspace(open_home(), None)
        _fill(workspace)
        whole = _median(lambda: list_runs(workspace, limit=RUNS))
        page = _median(lambda: (count_runs(workspace), list_runs(workspace, limit=20)))
    yield Row("listing: 1,000 runs, ms", whole, "<= 300", "what a page may take")
    yield Row("listing: the first twenty of 1,000, ms", page, "", "the Workspace page")


def _fill(workspace: Workspace) -> None:
    metric = {"value": 0.8, "low": 0.7, "high": 0.9}
    summary = {"task": "binary", "metrics": {f"metric_{i}": metric for i in range(24)}}
    row = {
        "workspace": workspace.id, "key": "k", "dataset": "d", "state": "finished",
        "config": RunConfig().model_dump(mode="json"), "summary": summary,
    }  # fmt: skip
    values = [
        row | {"id": f"{place:016x}", "name": f"Run {place}", "created": 1.7e9 + place}
        for place in range(RUNS)
    ]
    with writing(workspace.home) as connection:
        connection.execute(runs.insert(), values)


def _median(call) -> float:
    times = []
    for _ in range(TURNS):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)
