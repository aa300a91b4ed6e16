"""Every test works in a home of its own, with a clean environment."""

import os

import pytest
from hypothesis import settings

# Other tests may be at work beside; and what the project's check finds, it must find each time.
settings.register_profile("medcore", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("medcore")
pytest_plugins = ("tests.databases",)
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MEDCORE_")]:
        if name not in ("MEDCORE_BENCHMARK_DATA", "MEDCORE_TEST_DATABASE_URL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "home"))
