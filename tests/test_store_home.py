"""The home: opened by anyone at once; what disk and database refuse ends in one sentence."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from medcore.errors import MedcoreError, StoreError
from medcore.store import (
    database,
    list_runs,
    local_workspace,
    open_home,
    open_workspace,
)
from medcore.store.home import writing
from medcore.store.tables import versions, workspaces

ROOT = Path(__file__).parents[1]


def assert_one_sentence(error) -> str:
    """Return the message after checking that it is one line that ends like a sentence."""
    text = str(error.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert "sqlite3" not in text
    return text


def test_a_home_is_opened_again_with_what_was_in_it(home):
    first = open_workspace(home, None)
    again = open_home()
    assert open_workspace(again, first.id).created == first.created
    again.close()


def test_nobody_else_on_the_machine_may_look_inside(lite_home):
    assert stat.S_IMODE(lite_home.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((lite_home.folder / "workspaces").stat().st_mode) == 0o700


def test_several_processes_open_a_new_home_at_once(home, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "fresh"))
    if home.engine.dialect.name == "postgresql":
        with writing(home) as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    code = "from medcore.store import *; local_workspace(open_home())"
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ends = [(process.communicate(timeout=60)[1], process.returncode) for process in started]
    assert ends == [("", 0)] * 3


def test_a_database_of_a_newer_version_is_refused_and_left_alone(home):
    local_workspace(home)
    with writing(home) as connection:
        connection.execute(versions.update().values(version=99))
    with pytest.raises(StoreError, match="newer version of medcore") as error:
        open_home()
    assert "99" in assert_one_sentence(error)
    with writing(home) as connection:
        assert connection.execute(sa.select(versions.c.version)).scalar() == 99
        assert connection.execute(sa.select(workspaces.c.id)).scalars().all() == ["local"]


def test_a_locked_database_is_told_in_a_sentence(lite_home, monkeypatch):
    workspace = local_workspace(lite_home)
    lite_home.close()
    other = sqlite3.connect(lite_home.folder / "medcore.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with pytest.raises(StoreError, match="locked by another program") as error:
        open_home()
    assert_one_sentence(error)
    other.execute("ROLLBACK")
    other.close()
    assert list_runs(workspace) == []


def test_a_lock_that_is_let_go_in_time_is_waited_for(lite_home):
    other = sqlite3.connect(lite_home.folder / "medcore.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    code = "from medcore.store import *; print(local_workspace(open_home()).id)"
    waiting = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(2)
    other.execute("COMMIT")
    other.close()
    assert waiting.communicate(timeout=30)[0].strip() == "local"


def test_a_read_only_database_is_told_in_a_sentence(lite_home, monkeypatch):
    workspace = open_workspace(lite_home, None)
    path = lite_home.folder / "medcore.db"
    monkeypatch.setenv("MEDCORE_DATABASE_URL", f"sqlite:///file:{path}?mode=ro&uri=true")
    readable = open_home()
    assert open_workspace(readable, workspace.id).id == workspace.id
    with pytest.raises(StoreError, match="read-only") as error:
        open_workspace(readable, None)
    assert_one_sentence(error)
    readable.close()


def test_a_full_disk_is_told_in_a_sentence_and_nothing_is_lost(lite_home):
    workspace = open_workspace(lite_home, None)

    @sa.event.listens_for(lite_home.engine, "begin")
    def _fill(connection):
        # The file may not grow any more: SQLite itself then says that the disk is full.
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    with pytest.raises(StoreError, match="disk is full") as error:
        for _ in range(2000):
            open_workspace(lite_home, None)
    assert_one_sentence(error)
    sa.event.remove(lite_home.engine, "begin", _fill)
    assert open_workspace(lite_home, workspace.id).id == workspace.id


def test_a_file_that_is_no_database_is_told_in_a_sentence(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "medcore.db").write_bytes(b"patients, lots of them\n" * 100)
    with pytest.raises(StoreError, match="damaged") as error:
        open_home()
    assert_one_sentence(error)
    assert (home / "medcore.db").read_bytes().startswith(b"patients")


def test_a_home_that_cannot_be_made_is_told_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StoreError) as error:
        open_home()
    assert_one_sentence(error)


@pytest.mark.parametrize(
    "address",
    ["nonsense", "mysql://me:secret@host/x", "postgresql+psycopg://me:secret@127.0.0.1:1/x"],
)
def test_a_wrong_address_is_told_without_its_password(address, monkeypatch):
    monkeypatch.setenv("MEDCORE_DATABASE_URL", address)
    with pytest.raises(StoreError) as error:
        open_home()
    assert "secret" not in assert_one_sentence(error)


def test_a_transaction_that_fails_leaves_nothing(home):
    with pytest.raises(ZeroDivisionError), writing(home) as connection:
        row = {"id": "x", "kind": "visitor", "created": 0.0, "seen": 0.0}
        connection.execute(workspaces.insert().values(row))
        raise ZeroDivisionError
    with writing(home) as connection:
        assert connection.execute(sa.select(workspaces.c.id)).first() is None


def test_a_limit_that_is_no_number_is_named(lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_KEEP_DAYS", "soon")
    with pytest.raises(MedcoreError, match="MEDCORE_KEEP_DAYS"):
        open_workspace(lite.home, lite.id)


def test_opening_and_closing_leaves_no_open_files():
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    open_home().close()
    before = count()
    for _ in range(5):
        home = open_home()
        local_workspace(home)
        home.close()
    assert count() == before
