"""Jobs in processes of their own: stopped, killed, raced, locked out, and none left behind."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import psutil
import pytest

from medcore.errors import StoreError
from medcore.jobs import processes, stop_job, submit, tend, wait
from medcore.store import (
    add_job,
    database,
    delete_workspace,
    job_folder,
    list_datasets,
    open_home,
    open_workspace,
    read_job,
)
from medcore.store.home import writing
from medcore.store.tables import versions
from tests import slow_worker
from tests.databases import processes_of, wait_until
from tests.slow_worker import starts

pytestmark = pytest.mark.usefixtures("no_process_left")
LONG = 90.0


@pytest.fixture(autouse=True)
def _slow_workers(monkeypatch):
    monkeypatch.setattr(processes, "COMMAND", slow_worker.COMMAND)
    monkeypatch.setenv("MEDCORE_SLOTS", "2")


def ask_for(workspace, do="finish", **orders):
    return submit(workspace, "run", {"do": do, **orders})


def ended(workspace, job):
    """Return the job after it has ended."""
    job = wait(workspace, job.id, timeout=LONG)
    assert not job.active, job
    return job


def begun(workspace, *jobs) -> None:
    """Wait until the jobs' handlers are at work."""

    def all_begun() -> bool:
        return all(read_job(workspace.home, job.id).fraction == 0.4 for job in jobs)

    assert wait_until(all_begun, LONG)


def go(workspace, job) -> None:
    (job_folder(workspace.home, job) / "go").write_text("")


def log_of(workspace, job) -> str:
    return (job_folder(workspace.home, job) / processes.LOG).read_text()


def child_of(workspace, job) -> psutil.Process:
    """Return the process that a deaf handler started."""
    path = job_folder(workspace.home, job) / "child"
    assert wait_until(lambda: path.exists() and path.read_text(), LONG)
    return psutil.Process(int(path.read_text()))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_job_ends_as_its_handler_does_and_a_fault_tells_no_secret(workspace):
    asked = {do: ask_for(workspace, do) for do in ("finish", "refuse", "fall_over", "fill_up")}
    found = {do: ended(workspace, job) for do, job in asked.items()}
    done = found.pop("finish")
    assert (done.state, done.fraction, done.error) == ("finished", 1.0, None)
    assert done.result == {"pid": done.pid}
    assert {job.state for job in found.values()} == {"failed"}
    assert found["refuse"].error == "The file is of no use; bring another."
    assert found["fill_up"].error.startswith("The disk is full, so the work could not go on;")
    assert "HIV" not in found["fall_over"].error
    assert "worker.log" in found["fall_over"].error
    assert "patient 17 is HIV positive" in log_of(workspace, found["fall_over"])


def test_a_full_disk_or_memory_fails_the_job_in_a_sentence_and_keeps_nothing_half(lite):
    disk, memory = ask_for(lite, "save"), ask_for(lite, "eat")
    assert ended(lite, disk).error == (
        "The disk is full, so 'table.parquet' was not saved; free some space and try again. "
        "Nothing saved before was lost."
    )
    assert ended(lite, memory).error.startswith("Memory ran out: choose a smaller batch size")
    assert list_datasets(lite) == []
    assert not list((lite.folder / "datasets").glob("*"))


def test_a_stop_ends_a_job_whether_it_is_heeded_or_not_and_may_be_asked_twice(lite):
    heeding, deaf = ask_for(lite, "wait"), ask_for(lite, "deaf")
    begun(lite, heeding, deaf)
    child = child_of(lite, deaf)
    asked = time.time()
    for job in (heeding, deaf, heeding, deaf):
        assert stop_job(lite, job.id).state in ("stopping", "stopped")
    for job in (heeding, deaf):
        job = ended(lite, job)
        assert (job.state, job.error) == ("stopped", None)
        # Two seconds; the rest is for a machine busy with other tests. The jobs last for minutes.
        assert job.ended - asked < 20
    assert wait_until(lambda: is_gone(child))


def test_of_three_workers_on_one_job_one_works_and_two_say_why_not(workspace):
    job = add_job(workspace, "run", {})
    command = [sys.executable, *slow_worker.COMMAND, job.id]
    environment = processes.worker_environment(workspace.home)
    workers = [
        subprocess.Popen(
            command, env=environment, cwd=processes.ROOT, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [worker.communicate(timeout=LONG)[1].strip() for worker in workers]
    assert sorted(worker.returncode for worker in workers) == [0, 2, 2]
    assert starts(workspace.home) == [(job.id, 1)]
    for text in filter(None, said):
        assert text.startswith(f"Job '{job.id}' is ")
        assert text.endswith((".", "nothing to do."))
    assert len(list(filter(None, said))) == 2


def test_the_command_refuses_unknown_jobs_and_a_newer_database_in_a_sentence(lite_home):
    def work(identity):
        done = subprocess.run(
            [sys.executable, "-m", "medcore", "work", identity],
            env=processes.worker_environment(lite_home),
            cwd=processes.ROOT,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
        return done.returncode, done.stderr.strip()

    assert work("0123") == (2, "There is no job '0123'; it may have been deleted.")
    with writing(lite_home) as connection:
        connection.execute(versions.update().values(version=99))
    code, said = work("0123")
    assert (code, "newer version of medcore" in said, "\n" in said) == (2, True, False)


def test_a_killed_worker_is_followed_by_another_until_there_were_too_many(lite):
    lucky, doomed = ask_for(lite, "die", until=3), ask_for(lite, "die")
    found = ended(lite, lucky)
    assert (found.state, found.result) == ("finished", {"attempt": 3})
    found = ended(lite, doomed)
    assert found.state == "failed"
    assert "ended from outside 3 times" in found.error
    assert "last at 'epoch 3 of 9'" in found.error
    for job in (lucky, doomed):
        assert [n for identity, n in starts(lite.home) if identity == job.id] == [1, 2, 3]


def test_what_a_killed_worker_had_started_is_ended_too(lite):
    job = ask_for(lite, "deaf")
    begun(lite, job)
    child = child_of(lite, job)
    os.kill(read_job(lite.home, job.id).pid, signal.SIGKILL)
    stop_job(lite, job.id)
    assert ended(lite, job).state == "stopped"
    assert wait_until(lambda: is_gone(child))


def test_workspaces_take_turns_and_nobody_needs_to_look(lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_SLOTS", "1")
    other = open_workspace(lite.home, None)
    first = ask_for(lite, "wait")
    begun(lite, first)
    mine = [ask_for(lite), ask_for(lite)]
    theirs = ask_for(other)
    go(lite, first)

    def all_ended() -> bool:
        return not any(read_job(lite.home, job.id).active for job in (*mine, theirs))

    assert wait_until(all_ended, LONG)
    order = [identity for identity, _ in starts(lite.home)]
    assert order == [first.id, theirs.id, mine[0].id, mine[1].id]


def test_a_deleted_workspace_takes_its_workers_and_files_along(lite_home):
    heard, unheard = open_workspace(lite_home, None), open_workspace(lite_home, None)
    job = ask_for(heard, "deaf")
    vanishing = ask_for(unheard, "vanish")
    begun(heard, job)
    child = child_of(heard, job)
    delete_workspace(heard)
    assert wait_until(lambda: not processes_of(lite_home), LONG)
    assert is_gone(child)
    assert (vanishing.id, 1) in starts(lite_home)
    assert not heard.folder.exists()
    assert not unheard.folder.exists()


def test_a_locked_database_is_told_and_ends_no_work(lite, monkeypatch):
    monkeypatch.setenv("TEST_BUSY_SECONDS", "0.2")
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    job = ask_for(lite, "wait")
    begun(lite, job)
    impatient = open_home()
    other = sqlite3.connect(lite.home.folder / "medcore.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"^The database .* is locked by another program; .*\.$"):
        stop_job(replace(lite, home=impatient), job.id)
    assert wait_until(lambda: "pulse: The database" in log_of(lite, job), LONG)
    other.execute("ROLLBACK")
    other.close()
    impatient.close()
    go(lite, job)
    assert ended(lite, job).state == "finished"


def test_a_worker_that_hangs_before_it_begins_is_not_waited_for(lite, monkeypatch):
    monkeypatch.setattr(processes, "COMMAND", ("-c", "raise SystemExit(7)"))
    job = ended(lite, ask_for(lite))
    assert job.error.startswith("The worker process could not start (3 attempts)")
    tend(lite.home)
    assert starts(lite.home) == []
