"""Runs: made once, found again, listed fast, gone when deleted."""

import threading

import pytest

from medcore.config import RunConfig, change_config
from medcore.errors import LimitError, StoreError
from medcore.store import (
    change_job,
    count_runs,
    create_run,
    delete_run,
    find_cached_run,
    get_run,
    job_of_run,
    list_judged,
    list_runs,
    open_workspace,
    queue_run,
    read_config,
    rename_run,
    run_key,
    runs,
    set_run_summary,
)
from tests.full_disk import fill_disk

CONFIG = change_config(RunConfig(), {"train.epochs": 3, "data.roles": {"death": "outcome"}})


def finish(workspace, run) -> None:
    job = job_of_run(workspace, run.id)
    assert change_job(workspace.home, job.id, ("queued",), state="finished")


def test_a_run_waits_with_its_job_and_its_config_in_its_folder(workspace):
    run, known = queue_run(workspace, CONFIG, "d", "first", "key", again=False)
    assert (run.state, run.name, run.config, known) == ("queued", "first", CONFIG, False)
    assert read_config(run.folder) == CONFIG
    job = job_of_run(workspace, run.id)
    assert (job.kind, job.state, job.payload) == ("run", "queued", {"dataset": "d"})


def test_the_same_run_is_not_made_twice(workspace):
    first, _ = queue_run(workspace, CONFIG, "d", "first", "key", again=False)
    assert queue_run(workspace, CONFIG, "d", "again", "key", again=False) == (first, True)
    finish(workspace, first)
    again, known = queue_run(workspace, CONFIG, "d", "again", "key", again=False)
    assert (again.id, again.state, known) == (first.id, "finished", True)
    other, known = queue_run(workspace, CONFIG, "d", "anew", "key", again=True)
    assert (other.id != first.id, known) == (True, False)
    assert count_runs(workspace) == 2


def test_a_failed_or_stopped_run_does_not_stand_in_for_another(workspace):
    first, _ = queue_run(workspace, CONFIG, "d", "first", "key", again=False)
    change_job(workspace.home, job_of_run(workspace, first.id).id, ("queued",), state="stopped")
    assert get_run(workspace, first.id).state == "stopped"
    assert find_cached_run(workspace, "key") is None
    assert queue_run(workspace, CONFIG, "d", "again", "key", again=False)[1] is False


def test_a_cached_run_of_another_visitor_is_never_found(workspace):
    run, _ = queue_run(workspace, CONFIG, "d", "first", "key", again=False)
    finish(workspace, run)
    stranger = open_workspace(workspace.home, None)
    assert find_cached_run(workspace, "key").id == run.id
    assert find_cached_run(stranger, "key") is None
    assert queue_run(stranger, CONFIG, "d", "mine", "key", again=False)[1] is False


def test_of_many_who_start_the_same_run_at_once_one_wins(workspace):
    barrier, found = threading.Barrier(6), []

    def start() -> None:
        barrier.wait()
        found.append(queue_run(workspace, CONFIG, "d", "r", "key", again=False))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.id for run, _ in found}) == 1
    assert sorted(known for _, known in found) == [False] + [True] * 5
    assert [path.name for path in (workspace.folder / "runs").iterdir()] == [found[0][0].id]


def test_the_key_changes_with_data_settings_and_versions(monkeypatch):
    key = run_key("a", CONFIG)
    assert key == run_key("a", change_config(CONFIG, {}))
    assert key != run_key("b", CONFIG)
    assert key != run_key("a", change_config(CONFIG, {"train.epochs": 4}))
    monkeypatch.setattr(runs, "package_version", lambda name: "another")
    assert key != run_key("a", CONFIG)


def test_runs_are_listed_newest_first_and_searched_by_name(workspace):
    for name in ("Heart one", "100 % sure", "heart_two"):
        create_run(workspace, CONFIG, "d", name, name)
    assert [run.name for run in list_runs(workspace)] == ["heart_two", "100 % sure", "Heart one"]
    assert [run.name for run in list_runs(workspace, search="HEART")] == ["heart_two", "Heart one"]
    assert [run.name for run in list_runs(workspace, search="%")] == ["100 % sure"]
    assert [run.name for run in list_runs(workspace, search="_")] == ["heart_two"]
    assert [run.name for run in list_runs(workspace, limit=1, offset=1)] == ["100 % sure"]
    assert count_runs(workspace) == 3


def test_names_and_summaries_are_kept(workspace):
    run = create_run(workspace, CONFIG, "d", "r", "k")
    rename_run(workspace, run.id, " Better\nname ")
    set_run_summary(workspace, run.id, {"n": 5, "metrics": {"auroc": {"value": float("nan")}}})
    run = get_run(workspace, run.id)
    assert run.name == "Better name"
    assert run.summary == {"n": 5, "metrics": {"auroc": {"value": None}}}


def test_a_deleted_run_is_gone_with_its_job_and_files(workspace):
    run, _ = queue_run(workspace, CONFIG, "d", "r", "k", again=False)
    delete_run(workspace, run.id)
    assert list_runs(workspace) == []
    assert job_of_run(workspace, run.id) is None
    assert not run.folder.exists()


def test_a_run_at_work_is_not_deleted(workspace):
    run, _ = queue_run(workspace, CONFIG, "d", "r", "k", again=False)
    job = job_of_run(workspace, run.id)
    change_job(workspace.home, job.id, ("queued",), state="running")
    with pytest.raises(StoreError, match="stop it"):
        delete_run(workspace, run.id)
    assert read_config(run.folder) == CONFIG


def test_a_run_that_cannot_be_kept_leaves_nothing(lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_QUEUE_LIMIT", "1")
    kept, _ = queue_run(lite, CONFIG, "d", "r", "k", again=False)
    with pytest.raises(LimitError, match="1 jobs are waiting"):
        queue_run(lite, CONFIG, "d", "r", "other", again=False)
    monkeypatch.setenv("MEDCORE_QUEUE_LIMIT", "9")
    fill_disk(monkeypatch, 100)
    for make in (
        lambda: queue_run(lite, CONFIG, "d", "r", "other", again=False),
        lambda: create_run(lite, CONFIG, "d", "r", "other"),
    ):
        with pytest.raises(StoreError, match="disk is full"):
            make()
    assert [run.id for run in list_runs(lite)] == [kept.id]
    assert [path.name for path in (lite.folder / "runs").iterdir()] == [kept.id]


def test_judged_runs_are_listed_newest_first_without_the_others(home, workspace):
    made = [queue_run(workspace, CONFIG, "d", f"Run {i}", str(i), again=False)[0] for i in range(3)]
    for place in (0, 2):
        finish(workspace, made[place])
        set_run_summary(workspace, made[place].id, {"task": "binary"})
    found = list_judged(workspace, 10)
    assert [row.name for row in found] == ["Run 2", "Run 0"]
    assert found[0].config == CONFIG.model_dump(mode="json")
    assert found[0].summary == {"task": "binary"}
    assert len(list_judged(workspace, 1)) == 1
    assert list_judged(open_workspace(home, None), 10) == []
