"""A whole report, export and its check included, of the recommended model on 920 patients."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from medcore.config import preset_config
from medcore.data import load_sample
from medcore.pipeline import run
from medcore.report import write_report
from tests.benchmarks import Row


def rows() -> Iterator[Row]:
    """Yield the seconds of a report, and its size beside one that carries Plotly's program."""
    from plotly.offline import get_plotlyjs

    dataset = load_sample("uci_heart")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "run", Path(folder) / "report"
        run(preset_config("quick"), dataset, folder=source)
        write_report(source, target, dataset=dataset)
        started = time.perf_counter()
        report = write_report(source, target, dataset=dataset)
        seconds = time.perf_counter() - started
        size = (target / "report.html").stat().st_size
    yield Row("report: all files, s", seconds, "<= 5", "a reader's patience", report.export)
    whole = len(get_plotlyjs().encode())
    detail = f"{size / 1024:.0f} KB"
    yield Row("report: share of Plotly's program", size / whole, "<= 0.1", "plotly.js", detail)
