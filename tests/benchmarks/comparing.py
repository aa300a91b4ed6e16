"""Opening Compare with 1,000 judged runs, beside opening it with the two that it compares.

The page's script in a fresh process, without network or browser, as the server runs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import sqlalchemy as sa

from medcore.config import change_config
from medcore.store import Workspace, open_home, open_workspace, run_folder
from medcore.store.home import reading, writing
from medcore.store.tables import runs
from tests.benchmarks import Row
from tests.finished_runs import finish_run

RUNS, REAL = 1000, 6
ENTRY = Path(__file__).parents[2] / "streamlit_app.py"
CHILD = """
import logging, statistics, sys, time
logging.disable()
from streamlit.testing.v1 import AppTest
from streamlit.runtime.pages_manager import PagesManager
made = PagesManager.__init__
def make(self, *arguments, **options):
    made(self, *arguments, **options)
    PagesManager.uses_pages_directory = False
PagesManager.__init__ = make
app = AppTest.from_file(sys.argv[1], default_timeout=120)
app.query_params["workspace"] = sys.argv[2]
app.run()
app.switch_page("pages/compare.py")
times = []
for _ in range(6):
    started = time.perf_counter()
    app.run()
    times.append(time.perf_counter() - started)
    said = [element.value for kind in (app.title, app.exception, app.error) for element in kind]
    assert said == ["Compare"], said
assert len(app.dataframe[0].value) == int(sys.argv[3]), len(app.dataframe[0].value)
print(times[0], statistics.median(times[1:]))
"""


def rows() -> Iterator[Row]:
    """Yield the seconds of the first and of later runs of the page."""
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"MEDCORE_HOME": folder}),
    ):
        workspace = open_workspace(open_home(), None)
        finish_run(workspace, "binary")
        finish_run(workspace, "rival")
        few = _open(workspace, 2)
        _fill(workspace)
        many = _open(workspace, RUNS)
    yield Row("comparing: first run of Compare, 1,000 runs, s", many[0], "<= 2.5",
              "what a page may take", f"with 2 runs {few[0]:.2f} s")  # fmt: skip
    yield Row("comparing: later run of Compare, 1,000 runs, s", many[1], "<= 1.0",
              "half a second of patience, doubled", f"with 2 runs {few[1]:.2f} s")  # fmt: skip


def _open(workspace: Workspace, expected: int) -> tuple[float, float]:
    command = [sys.executable, "-c", CHILD, str(ENTRY), workspace.id, str(expected)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ENTRY.parent)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    first, later = done.stdout.split()[-2:]
    return float(first), float(later)


def _fill(workspace: Workspace) -> None:
    """Copy a judged run's row until there are 1,000, each with other settings and figures."""
    with reading(workspace.home) as connection:
        row = dict(connection.execute(sa.select(runs)).mappings().first())
    from medcore.config import load_config

    config = load_config(row["config"])
    values = []
    for place in range(RUNS - 2):
        changes = {"seed": place, "train.epochs": 1 + place % 50, "model.width": 8 + place % 7}
        own = change_config(config, changes).model_dump(mode="json")
        metrics = {
            name: {**metric, "value": (metric["value"] or 0.5) * (0.5 + place / RUNS / 2)}
            for name, metric in row["summary"]["metrics"].items()
        }
        summary = {**row["summary"], "metrics": metrics}
        identity = f"{place:016x}"
        values.append(
            row | {"id": identity, "name": f"Run {place}", "config": own, "summary": summary,
                   "created": row["created"] + place}
        )  # fmt: skip
        if place < REAL or place >= RUNS - 2 - REAL:
            shutil.copytree(run_folder(workspace, row["id"]), run_folder(workspace, identity))
    with writing(workspace.home) as connection:
        connection.execute(runs.insert(), values)
