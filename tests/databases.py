"""Homes to test the store and the jobs in: over SQLite and over a real PostgreSQL server."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from medcore.store import Home, Workspace, open_home, open_workspace


def _postgres_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    name = shutil.which("initdb")
    return found[-1].parent if found else Path(name).parent if name else None


def _unprivileged(folder: Path) -> list[str]:
    """Return what to put before a command so that it does not run as root, which initdb refuses."""
    if os.getuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """Start a server in a folder of its own, reachable by a socket in it, and end it afterwards."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian's package postgresql)")
    # A socket's path may have 107 bytes: too few for pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="medcore-pg-"))
    as_user = _unprivileged(folder)
    data = str(folder / "data")
    make = [binaries / "initdb", "-D", data, "-U", "medcore", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*as_user, *make, "--no-sync"], check=True, capture_output=True, cwd=folder)
    quick = ["-c", "fsync=off", "-c", "listen_addresses=", "-k", str(folder)]
    # It outlives the home of the test that is the first to need it, and is no process of that.
    own = {name: value for name, value in os.environ.items() if name != "MEDCORE_HOME"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*as_user, binaries / "postgres", "-D", data, *quick], stderr=log, cwd=folder, env=own
        )
    url = sa.URL.create(
        "postgresql+psycopg", "medcore", database="postgres", query={"host": str(folder)}
    )
    try:
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(5)
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: sa.URL) -> None:
    engine, end = sa.create_engine(url), time.monotonic() + 30
    while True:
        try:
            with engine.connect():
                break
        except sa.exc.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
    engine.dispose()


def make_database(server: sa.URL, name: str) -> str:
    """Make a database on the server and return its address."""
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request, monkeypatch, tmp_path) -> Iterator[Home]:
    """An empty home over each database."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        address = make_database(server, f"t{time.monotonic_ns()}")
        monkeypatch.setenv("MEDCORE_DATABASE_URL", address)
    opened = open_home()
    yield opened
    opened.close()


@pytest.fixture
def lite_home() -> Iterator[Home]:
    """An empty home over SQLite, where the database makes no difference."""
    opened = open_home()
    yield opened
    opened.close()


@pytest.fixture
def workspace(home) -> Workspace:
    """A visitor's workspace over each database."""
    return open_workspace(home, None)


@pytest.fixture
def lite(lite_home) -> Workspace:
    """A visitor's workspace over SQLite."""
    return open_workspace(lite_home, None)


def processes_of(home: Home) -> list[psutil.Process]:
    """Return the living processes, this one apart, that work in a home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            own = process.environ().get("MEDCORE_HOME") == str(home.folder)
            if own and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until(true, seconds: float = 30.0) -> bool:
    """Tell whether `true()` becomes so within some seconds."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def no_process_left(request) -> Iterator[None]:
    """After the test no process of its home may live; whichever does is killed."""
    name = "home" if "home" in request.fixturenames else "lite_home"
    home = request.getfixturevalue(name)
    yield
    gone = wait_until(lambda: not processes_of(home), 20)
    left = processes_of(home)
    for process in left:
        process.kill()
    assert gone, left
