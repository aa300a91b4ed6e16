"""Jobs as rows: a state changes only from where it is said to be, by whom it may."""

import threading
import time

import pytest

from medcore.config import RunConfig, change_config
from medcore.errors import JobError, LimitError, StoreError
from medcore.jobs import judge_run, processes, start_import, stop_job, submit, tending, wait
from medcore.store import (
    add_job,
    change_job,
    claim_next,
    get_job,
    get_run,
    job_of_run,
    list_jobs,
    open_workspace,
    queue_run,
    read_job,
    read_state,
    take_job,
)

CONFIG = change_config(RunConfig(), {"data.roles": {"death": "outcome"}})
HERE = processes.this_host()
ME = (HERE, *processes.this_process())


@pytest.fixture
def no_workers(monkeypatch) -> list[str]:
    """Start no process; list the jobs for which one would have been started."""
    started = []
    monkeypatch.setattr(tending, "start_worker", lambda home, job: started.append(job.id))
    return started


def race(*calls) -> list:
    """Make calls at the same moment, each in a thread, and return what came back."""
    barrier, found = threading.Barrier(len(calls)), [None] * len(calls)

    def one(place, call):
        barrier.wait()
        try:
            found[place] = call()
        except (JobError, LimitError) as error:
            found[place] = error

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def running(workspace, who=ME, **values):
    """Return a job that `who` works on."""
    job = add_job(workspace, "run", {}, lane="long")
    take_job(workspace.home, job.id, *who)
    if values:
        change_job(workspace.home, job.id, ("running",), **values)
    return read_job(workspace.home, job.id)


def test_a_state_changes_only_from_where_it_is_said_to_be(workspace):
    job = add_job(workspace, "run", {})
    assert not change_job(workspace.home, job.id, ("running",), state="finished", fraction=1.0)
    assert read_job(workspace.home, job.id) == job
    assert change_job(workspace.home, job.id, ("running", "queued"), state="failed", error="no")
    ended = read_job(workspace.home, job.id)
    assert (ended.state, ended.error, ended.active) == ("failed", "no", False)
    assert ended.ended == pytest.approx(time.time(), abs=60)
    assert not change_job(workspace.home, job.id, ("queued", "running"), state="running")


def test_of_many_who_take_a_job_one_gets_it_and_the_others_are_told(workspace):
    job = add_job(workspace, "run", {})
    who = [(HERE, 1000 + number, 5.0) for number in range(6)]
    found = race(*(lambda one=one: take_job(workspace.home, job.id, *one) for one in who))
    lost = [error for error in found if isinstance(error, JobError)]
    (won,) = [taken for taken in found if taken not in lost]
    assert len(lost) == 5
    assert {str(error) for error in lost} == {
        f"Job '{job.id}' is at work already, in process {won.pid}."
    }
    kept = read_job(workspace.home, job.id)
    assert (kept.state, kept.attempt, kept.pid) == ("running", 1, won.pid)


def test_a_stop_and_an_end_at_once_leave_one_of_them(workspace):
    for _ in range(5):
        job = running(workspace)
        stopped, ended = race(
            lambda: change_job(workspace.home, job.id, ("running",), state="stopping"),  # noqa: B023
            lambda: change_job(workspace.home, job.id, ("running",), state="finished"),  # noqa: B023
        )
        assert stopped != ended
        state = read_job(workspace.home, job.id).state
        assert state == ("stopping" if stopped else "finished")


def test_of_many_who_claim_each_job_is_claimed_once_and_no_more_than_there_is_room_for(workspace):
    waiting = {add_job(workspace, "run", {}).id for _ in range(4)}
    slots = {"long": 3, "short": 3}
    found = race(*(lambda: claim_next(workspace.home, HERE, slots) for _ in range(8)))
    claimed = [job.id for job in found if job is not None]
    assert len(claimed) == len(set(claimed)) == 3
    assert set(claimed) < waiting
    assert sorted(job.state for job in list_jobs(workspace)) == ["queued"] + ["running"] * 3


@pytest.mark.parametrize("state", ["finished", "failed", "stopped"])
def test_an_ended_job_is_not_taken_again(workspace, state):
    job = add_job(workspace, "run", {})
    change_job(workspace.home, job.id, ("queued",), state=state)
    with pytest.raises(JobError, match=f"'{job.id}' is {state}; there is nothing to do"):
        take_job(workspace.home, job.id, *ME)


def test_a_job_that_does_not_exist_is_told_in_one_printable_line(lite):
    with pytest.raises(JobError) as error:
        take_job(lite.home, "x\n\x1b[31m" + "y" * 500, *ME)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 120


def test_a_worker_given_up_for_dead_has_no_right_to_its_job_any_more(workspace):
    job = running(workspace)
    change_job(workspace.home, job.id, ("running",), state="queued", pid=None)
    again = take_job(workspace.home, job.id, HERE, 77, 1.0)
    assert again.attempt == job.attempt + 1
    assert read_state(workspace.home, job.id, job.attempt) is None
    assert read_state(workspace.home, job.id, again.attempt) == "running"
    late = {"of_attempt": job.attempt, "state": "finished"}
    assert not change_job(workspace.home, job.id, ("running",), **late)


def test_a_run_has_the_state_of_the_job_that_makes_it_and_of_no_other(workspace):
    run, _ = queue_run(workspace, CONFIG, "d", "r", "k", again=False)
    job = job_of_run(workspace, run.id)
    take_job(workspace.home, job.id, *ME)
    assert get_run(workspace, run.id).state == "running"
    change_job(workspace.home, job.id, ("running",), state="finished")
    other = add_job(workspace, "predict", {}, run.id, "short")
    change_job(workspace.home, other.id, ("queued",), state="failed")
    assert get_run(workspace, run.id).state == "finished"
    assert job_of_run(workspace, run.id).id == job.id


def test_only_a_stopped_run_is_judged_and_only_once(workspace, no_workers):
    run, _ = queue_run(workspace, CONFIG, "d", "r", "k", again=False)
    with pytest.raises(JobError, match="queued"):
        judge_run(workspace, run.id)
    change_job(workspace.home, job_of_run(workspace, run.id).id, ("queued",), state="stopped")
    found = race(*(lambda: judge_run(workspace, run.id) for _ in range(4)))
    assert sum(isinstance(each, JobError) for each in found) == 3
    assert [job.kind for job in list_jobs(workspace)] == ["judge", "run"]


def test_another_visitor_sees_and_stops_nothing(workspace, no_workers):
    job = add_job(workspace, "run", {})
    stranger = open_workspace(workspace.home, None)
    for look in (get_job, stop_job, lambda *a: wait(*a, timeout=0)):
        with pytest.raises(JobError, match="There is no job"):
            look(stranger, job.id)
    assert list_jobs(stranger) == []
    assert get_job(workspace, job.id).state in ("queued", "running")


def test_a_waiting_job_is_stopped_at_once_and_stays_so(workspace, monkeypatch):
    monkeypatch.setenv("MEDCORE_SLOTS", "1")
    busy = running(workspace)
    run, _ = queue_run(workspace, CONFIG, "d", "r", "k", again=False)
    job = job_of_run(workspace, run.id)
    assert stop_job(workspace, job.id).state == "stopped"
    assert get_run(workspace, run.id).state == "stopped"
    assert stop_job(workspace, job.id).state == "stopped"
    assert read_job(workspace.home, busy.id).state == "running"


def test_a_job_at_work_is_asked_to_stop_and_may_be_asked_again(workspace, no_workers):
    job = running(workspace)
    for _ in range(2):
        asked = stop_job(workspace, job.id)
        assert (asked.state, asked.message) == ("stopping", "Stopping")


def test_a_job_whose_worker_has_not_come_up_is_stopped_at_once(workspace, no_workers):
    job = submit(workspace, "run", {})
    assert (job.state, job.pid) == ("running", None)
    assert stop_job(workspace, job.id).state == "stopped"
    with pytest.raises(JobError, match="is stopped"):
        take_job(workspace.home, job.id, *ME)


def test_an_unknown_kind_and_a_foreign_file_are_refused_in_a_sentence(lite, no_workers, tmp_path):
    with pytest.raises(JobError, match="no kind of job called 'dance'"):
        submit(lite, "dance", {})
    for path in (tmp_path / "x.csv", lite.folder / ".." / "other" / "x.csv"):
        with pytest.raises(StoreError, match="not in the workspace"):
            start_import(lite, path, "x.csv")
    assert list_jobs(lite) == []
