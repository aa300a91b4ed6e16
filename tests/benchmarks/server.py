"""The Streamlit server after a browser has opened the home page: memory, packages, seconds.

Memory and packages are those of a real server's process that a real browser has opened; seconds
are those of the home page's script in a fresh process, without the network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from tests.benchmarks import Row
from tests.test_browser import CHROMIUM, FLAGS, start_server

ENTRY = Path(__file__).parents[2] / "streamlit_app.py"
HEAVY = ("libtorch", "/sklearn/", "/scipy/")

CHILD = """
import logging, statistics, sys, time
logging.disable()
import streamlit
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(sys.argv[1], default_timeout=60)
times = []
for _ in range(9):
    started = time.perf_counter()
    app.run()
    times.append(time.perf_counter() - started)
    assert app.title
heavy = [name for name in ("torch", "sklearn", "scipy", "pydicom") if name in sys.modules]
print(times[0], statistics.median(times[1:]), ",".join(heavy) or "none")
"""


def rows() -> Iterator[Row]:
    """Yield megabytes, heavy packages, seconds of the first run, milliseconds of later ones."""
    with tempfile.TemporaryDirectory() as home:
        resident, loaded = _open_in_browser(home)
        yield Row("server: resident after home, MB", resident, "<= 250", "the Cloud's 2.7 GB")
        yield Row(
            "server: heavy libraries loaded",
            len(loaded),
            "<= 0",
            "torch, scikit-learn and SciPy in its memory map",
            ", ".join(loaded),
        )
        environment = os.environ | {"MEDCORE_HOME": f"{home}/other"}
        command = [sys.executable, "-c", CHILD, str(ENTRY)]
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment, cwd=ENTRY.parent
        )
        first, later, heavy = answer.stdout.split()[-3:]
    yield Row("server: first run of home, s", float(first), "<= 1.5", "a visitor's patience")
    yield Row("server: later run of home, ms", 1000 * float(later), "<= 200", "", f"heavy: {heavy}")


def _open_in_browser(home: str) -> tuple[float, list[str]]:
    process, address = start_server(home)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page()
            page.goto(address)
            page.get_by_text("Start with real patients").wait_for(timeout=60_000)
            page.wait_for_timeout(1000)
            server = psutil.Process(process.pid)
            resident = server.memory_info().rss / 2**20
            maps = Path(f"/proc/{process.pid}/maps").read_text()
            browser.close()
    finally:
        process.terminate()
        process.wait(20)
    return resident, [name for name in HEAVY if name in maps]
