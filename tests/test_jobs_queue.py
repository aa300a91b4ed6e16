"""The queue: who is next, what becomes of jobs whose worker died, and how long it will take."""

import subprocess
import sys
import time

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.errors import LimitError, StoreError
from medcore.jobs import processes, queue_position, submit, tend, tending, wait
from medcore.jobs.progress import Progress, estimate_seconds
from medcore.jobs.tending import MOST_ATTEMPTS, is_memory_short
from medcore.records import Event
from medcore.store import (
    add_job,
    change_job,
    claim_next,
    get_run,
    job_of_run,
    open_workspace,
    queue_run,
    read_job,
    take_job,
    waiting_order,
)

HERE = processes.this_host()
ME = (HERE, *processes.this_process())
GONE = (HERE, 2**22 - 3, 1.0)
ONE = {"long": 1, "short": 1}


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """Start no process; list the jobs for which one would have been started."""
    found = []
    monkeypatch.setattr(tending, "start_worker", lambda home, job: found.append(job.id))
    monkeypatch.setenv("MEDCORE_SLOTS", "1")
    return found


def work_on(workspace, who, attempts=1, **values):
    """Return a job that `who` took, for the last of some attempts."""
    job = add_job(workspace, "run", values.pop("payload", {}))
    change_job(workspace.home, job.id, ("queued",), attempt=attempts - 1)
    take_job(workspace.home, job.id, *who)
    if values:
        change_job(workspace.home, job.id, ("running",), **values)
    return read_job(workspace.home, job.id)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=9))
def test_workspaces_take_turns_and_the_order_that_is_told_is_the_order_of_starts(lite_home, whose):
    owners = [open_workspace(lite_home, None) for _ in range(3)]
    jobs = [add_job(owners[number], "run", {}) for number in whose]
    told = waiting_order(lite_home, "long")
    assert [queue_position(owners[0], job) for job in jobs] == [
        told.index(job.id) + 1 for job in jobs
    ]
    owner = {job.id: job.workspace for job in jobs}
    rounds = [sum(owner[e] == owner[job] for e in told[:place]) for place, job in enumerate(told)]
    assert rounds == sorted(rounds)
    for number in range(3):
        mine = [job.id for job, n in zip(jobs, whose, strict=True) if n == number]
        assert [job for job in told if job in mine] == mine

    began = []
    while (job := claim_next(lite_home, HERE, ONE)) is not None:
        began.append(job.id)
        assert claim_next(lite_home, HERE, ONE) is None
        assert queue_position(owners[0], job) == 0
        change_job(lite_home, job.id, ("running",), state="finished")
    assert began == told


def test_who_has_work_going_on_comes_after_who_has_none(workspace):
    other = open_workspace(workspace.home, None)
    work_on(workspace, ME)
    over = work_on(other, ME)
    change_job(workspace.home, over.id, ("running",), state="finished")
    mine, theirs = add_job(workspace, "run", {}), add_job(other, "run", {})
    assert waiting_order(workspace.home, "long") == [theirs.id, mine.id]
    assert claim_next(workspace.home, HERE, ONE) is None
    assert claim_next(workspace.home, HERE, {"long": 2}).id == theirs.id


def test_a_short_job_waits_for_no_long_one_and_no_machine_for_another(workspace):
    work_on(workspace, ME)
    long, short = add_job(workspace, "run", {}), add_job(workspace, "import", {}, lane="short")
    assert claim_next(workspace.home, HERE, ONE).id == short.id
    assert claim_next(workspace.home, HERE, ONE) is None
    assert claim_next(workspace.home, "another machine", ONE).id == long.id


def test_the_queue_of_a_workspace_has_an_end_and_another_may_still_come(workspace, monkeypatch):
    monkeypatch.setenv("MEDCORE_QUEUE_LIMIT", "2")
    work_on(workspace, ME)
    for _ in range(2):
        add_job(workspace, "run", {})
    with pytest.raises(LimitError, match=r"^2 jobs are waiting already; .*\.$"):
        add_job(workspace, "run", {})
    assert add_job(open_workspace(workspace.home, None), "run", {}).state == "queued"


@pytest.mark.parametrize("text", ["0", "many", "-1", "1.5"])
def test_a_number_of_slots_that_is_none_is_named(text, lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_SLOTS", text)
    with pytest.raises(StoreError, match=f"MEDCORE_SLOTS .* '{text}'"):
        tend(lite.home)


def test_a_dead_workers_job_is_taken_up_again_and_says_so(workspace, started):
    job = work_on(workspace, GONE, fraction=0.4)
    tend(workspace.home)
    again = read_job(workspace.home, job.id)
    assert started == [job.id]
    assert (again.state, again.attempt, again.pid, again.fraction) == ("running", 2, None, 0.4)


def test_after_the_last_attempt_a_job_fails_with_where_it_was(workspace, started):
    run, _ = queue_run(
        workspace, change_config(RunConfig(), {"train.batch_size": 64}), "d", "r", "k", again=False
    )
    job = job_of_run(workspace, run.id)
    change_job(workspace.home, job.id, ("queued",), attempt=MOST_ATTEMPTS - 1)
    take_job(workspace.home, job.id, *GONE)
    memory = {"own": 3 * 2**30, "available": 2**20, "total": 4 * 2**30}
    values = {"message": "TabM: epoch 3 of 9", "memory": memory}
    change_job(workspace.home, job.id, ("running",), **values)
    tend(workspace.home)
    ended = read_job(workspace.home, job.id)
    assert ended.error == (
        "Memory ran out at 'TabM: epoch 3 of 9': the worker held 3.0 of 4.0 GB when it was last "
        "seen, and was ended 3 times; choose a batch size below 64, a smaller network, or fewer "
        "rows or columns."
    )
    assert (ended.state, get_run(workspace, run.id).state, started) == ("failed", "failed", [])


def test_a_job_that_was_given_up_says_no_more_than_was_seen(workspace, started):
    job = work_on(workspace, GONE, attempts=MOST_ATTEMPTS)
    tend(workspace.home)
    error = read_job(workspace.home, job.id).error
    assert error.startswith("The worker was ended from outside 3 times, last at 'Starting'; often")
    never = add_job(workspace, "run", {})
    change_job(workspace.home, never.id, ("queued",), attempt=MOST_ATTEMPTS - 1)
    claim_next(workspace.home, HERE, ONE)
    change_job(workspace.home, never.id, ("running",), heartbeat=time.time() - 999)
    tend(workspace.home)
    assert "could not start (3 attempts)" in read_job(workspace.home, never.id).error


def test_a_dead_worker_that_was_asked_to_stop_has_stopped(workspace, started):
    job = work_on(workspace, GONE, state="stopping")
    tend(workspace.home)
    assert (read_job(workspace.home, job.id).state, started) == ("stopped", [])


@pytest.mark.parametrize(
    ("values", "dead"),
    [
        ({}, False),
        ({"pid_started": 1.0}, True),
        ({"host": "another machine"}, False),
        ({"host": "another machine", "heartbeat": 1.0}, True),
        ({"pid": None, "pid_started": None}, False),
        ({"pid": None, "pid_started": None, "heartbeat": 1.0}, True),
    ],
)
def test_a_worker_counts_as_dead_by_its_process_or_its_silence(workspace, started, values, dead):
    job = work_on(workspace, ME, **values)
    tend(workspace.home)
    assert read_job(workspace.home, job.id).attempt == (2 if dead else 1)
    assert started == ([job.id] if dead else [])


def test_a_worker_that_lives_but_is_silent_is_killed(workspace, started):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    who = (HERE, child.pid, psutil.Process(child.pid).create_time())
    job = work_on(workspace, who, heartbeat=time.time() - 30)
    tend(workspace.home)
    assert child.poll() is None
    change_job(workspace.home, job.id, ("running",), state="stopping")
    tend(workspace.home)
    assert child.wait(10) < 0
    assert read_job(workspace.home, job.id).state == "stopped"


def test_the_end_of_an_earlier_attempt_does_not_end_the_present_one(workspace, started):
    job = submit(workspace, "run", {})
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    processes._children[job.id, 0] = ended
    tend(workspace.home)
    assert read_job(workspace.home, job.id).attempt == 1
    processes._children[job.id, 1] = ended
    tend(workspace.home)
    assert read_job(workspace.home, job.id).attempt == 2
    assert (started, processes._children) == ([job.id, job.id], {})


def test_a_worker_that_cannot_be_started_fails_the_job_in_a_sentence(lite):
    lite.folder.mkdir(exist_ok=True)
    (lite.folder / "jobs").write_text("a file in the way")
    job = submit(lite, "run", {})
    assert (job.state, processes._children) == ("failed", {})
    assert job.error.startswith("'worker.log' cannot be saved")


def test_waiting_for_a_job_ends_in_time(workspace, started):
    job = work_on(workspace, ME)
    begin = time.monotonic()
    assert wait(workspace, job.id, timeout=0.3).state == "running"
    assert 0.3 <= time.monotonic() - begin < 5
    change_job(workspace.home, job.id, ("running",), state="finished")
    assert wait(workspace, job.id, timeout=60).state == "finished"


@pytest.mark.parametrize(
    ("own", "available", "short"), [(10, 50, False), (85, 15, True), (10, 9, True)]
)
def test_memory_is_short_when_little_is_left_or_most_is_held(own, available, short):
    assert is_memory_short({"own": own, "available": available, "total": 100}) is short
    assert is_memory_short({}) is False


@settings(deadline=None)
@given(st.floats(0.01, 100), st.integers(3, 60))
def test_at_a_steady_speed_the_time_left_is_exact(speed, steps):
    history = [(step / speed, step / 100) for step in range(steps + 1)]
    now = history[-1][0]
    found = estimate_seconds(history, now)
    if now < 2:
        assert found is None
    else:
        assert found == pytest.approx((100 - steps) / speed, abs=1e-3)
        assert estimate_seconds(history, now + 50) > found


def test_nobody_can_say_how_long_at_first_or_while_nothing_moves():
    assert estimate_seconds([], 0) is None
    assert estimate_seconds([(0, 0.1), (50, 0.1), (99, 0.1)], 100) is None
    assert estimate_seconds([(0, 0), (100, 1.0), (101, 1.0)], 101) == 0


def test_progress_never_falls_and_keeps_little():
    progress = Progress()
    for step in range(500):
        progress.add(Event(0.0, "train", f"step {step}", 0.9 if step == 10 else step / 600))
        assert progress.fraction == (0.9 if step >= 10 else step / 600)
    assert progress.values()["message"] == "step 499"
    assert len(progress._history) <= 65
    progress.add(Event(0.0, "train", "over", 1.7))
    assert progress.fraction == 1.0
