"""Workspaces: known by an unguessable token alone, bounded, expiring, and gone when deleted."""

import io
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import RunConfig
from medcore.errors import LimitError, StoreError
from medcore.store import (
    count_runs,
    create_run,
    delete_dataset,
    delete_run,
    delete_workspace,
    expire_workspaces,
    find_workspace,
    get_dataset_row,
    get_job,
    get_run,
    inside,
    list_datasets,
    list_jobs,
    list_runs,
    load_dataset,
    local_workspace,
    open_workspace,
    rename_dataset,
    rename_run,
    save_dataset,
    save_settings,
    set_run_summary,
    stage_upload,
    workspace_usage,
)
from medcore.store.home import writing
from medcore.store.jobs import add_job
from medcore.store.tables import workspaces
from tests.store_tables import a_table

DAY = 86400.0


def last_seen(workspace, days_ago: float) -> None:
    with writing(workspace.home) as connection:
        mine = workspaces.update().where(workspaces.c.id == workspace.id)
        connection.execute(mine.values(seen=time.time() - days_ago * DAY))


def test_a_visitor_comes_back_by_the_token(home):
    first = open_workspace(home, None)
    again = open_workspace(home, first.id)
    assert (again.id, again.kind, again.folder) == (first.id, "visitor", first.folder)


def test_tokens_are_long_and_never_alike(lite_home):
    tokens = {open_workspace(lite_home, None).id for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) * 4 >= 128 for token in tokens)


@pytest.mark.parametrize(
    "token",
    ["", "local", "..", "../local", "a" * 32 + "\n", "A" * 32, "0" * 32, "0" * 31, "²" * 32],
)
def test_a_wrong_token_opens_nothing(lite_home, token):
    local_workspace(lite_home)
    with pytest.raises(StoreError):
        open_workspace(lite_home, token)


def test_the_local_workspace_is_one_and_never_expires(home):
    first, again = local_workspace(home), local_workspace(home)
    assert first.id == again.id == "local"
    last_seen(first, 1000)
    assert local_workspace(home).expires is None
    assert expire_workspaces(home) == 0


def test_one_visitor_reaches_nothing_of_anothers(workspace):
    stranger = open_workspace(workspace.home, None)
    row = save_dataset(workspace, a_table())
    run = create_run(workspace, RunConfig(), row.id, "mine", "key")
    job = add_job(workspace, "run", {}, run.id)
    assert list_datasets(stranger) == list_runs(stranger) == list_jobs(stranger) == []
    assert count_runs(stranger) == 0
    for reach in (get_dataset_row, load_dataset, delete_dataset):
        with pytest.raises(StoreError):
            reach(stranger, row.id)
    for reach in (get_run, delete_run):
        with pytest.raises(StoreError):
            reach(stranger, run.id)
    with pytest.raises(StoreError):
        rename_dataset(stranger, row.id, "taken")
    with pytest.raises(StoreError):
        save_settings(stranger, row.id, RunConfig())
    with pytest.raises(StoreError):
        rename_run(stranger, run.id, "taken")
    set_run_summary(stranger, run.id, {"n": 1})
    with pytest.raises(Exception, match="no job"):
        get_job(stranger, job.id)
    assert get_dataset_row(workspace, row.id).name == "heart"
    assert (get_run(workspace, run.id).name, get_run(workspace, run.id).summary) == ("mine", {})


def test_usage_counts_files_rows_and_what_waits(workspace):
    row = save_dataset(workspace, a_table())
    run = create_run(workspace, RunConfig(), row.id, "r", "k")
    add_job(workspace, "run", {}, run.id)
    usage = workspace_usage(workspace)
    assert (usage.datasets, usage.runs, usage.queued) == (1, 1, 1)
    assert usage.bytes == sum(p.stat().st_size for p in workspace.folder.rglob("*") if p.is_file())
    assert usage.limit_bytes == 2048 * 2**20


def test_a_full_allowance_refuses_more_and_keeps_what_is_there(lite, monkeypatch):
    row = save_dataset(lite, a_table())
    stage_upload(lite, "big.csv", io.BytesIO(b"x" * 2**21))
    monkeypatch.setenv("MEDCORE_LIMIT_MB", "1")
    with pytest.raises(LimitError, match="may keep 1 MB"):
        save_dataset(lite, a_table(name="other"))
    with pytest.raises(LimitError):
        create_run(lite, RunConfig(), row.id, "r", "k")
    assert load_dataset(lite, row.id).name == "heart"


def test_a_data_set_that_goes_over_the_allowance_leaves_nothing(lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_LIMIT_MB", "1")
    with pytest.raises(LimitError):
        save_dataset(lite, a_table(rows=300_000))
    assert list_datasets(lite) == []
    assert workspace_usage(lite).bytes == 0


def test_an_unvisited_workspace_expires_with_rows_and_files(home):
    old, young = open_workspace(home, None), open_workspace(home, None)
    save_dataset(old, a_table())
    last_seen(old, 31)
    last_seen(young, 29)
    assert expire_workspaces(home) == 1
    assert not old.folder.exists()
    assert find_workspace(home, old.id) is None
    with pytest.raises(StoreError, match="deleted or expired"):
        open_workspace(home, old.id)
    assert open_workspace(home, young.id).expires == pytest.approx(time.time() + 30 * DAY, abs=60)


def test_an_expired_workspace_is_not_revived_by_being_asked_for(home):
    old = open_workspace(home, None)
    last_seen(old, 31)
    for _ in range(2):
        with pytest.raises(StoreError, match="deleted or expired"):
            open_workspace(home, old.id)


def test_a_workspace_at_work_does_not_expire(home):
    old = open_workspace(home, None)
    add_job(old, "import", {})
    last_seen(old, 31)
    assert expire_workspaces(home) == 0


def test_the_days_kept_come_from_the_environment(lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_KEEP_DAYS", "3")
    assert open_workspace(lite.home, lite.id).expires == pytest.approx(
        time.time() + 3 * DAY, abs=60
    )


def test_deleting_a_workspace_leaves_no_row_and_no_file(workspace):
    other = open_workspace(workspace.home, None)
    for each in (workspace, other):
        row = save_dataset(each, a_table())
        run = create_run(each, RunConfig(), row.id, "r", "k")
        add_job(each, "run", {}, run.id)
    delete_workspace(workspace)
    assert not workspace.folder.exists()
    assert [path.name for path in other.folder.parent.iterdir()] == [other.id]
    assert list_datasets(workspace) == list_runs(workspace) == list_jobs(workspace) == []
    assert len(list_datasets(other)) == len(list_runs(other)) == len(list_jobs(other)) == 1


def test_nothing_can_be_put_into_a_deleted_workspace(workspace):
    delete_workspace(workspace)
    with pytest.raises(StoreError, match="deleted"):
        save_dataset(workspace, a_table())
    with pytest.raises(StoreError, match="deleted"):
        create_run(workspace, RunConfig(), "d", "r", "k")
    with pytest.raises(StoreError, match="deleted"):
        add_job(workspace, "run", {})
    assert not any(path.is_file() for path in workspace.folder.rglob("*"))


def test_leftovers_of_broken_off_writes_go_after_a_day(lite):
    kept = stage_upload(lite, "new.csv", io.BytesIO(b"a"))
    old = stage_upload(lite, "old.csv", io.BytesIO(b"a"))
    half = lite.folder / "datasets" / "x" / ".12.tmp"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    for path in (old.parent, half):
        os.utime(path, (time.time() - 2 * DAY,) * 2)
    expire_workspaces(lite.home)
    assert (kept.exists(), old.exists(), half.exists()) == (True, False, False)


@given(st.text(max_size=300))
def test_a_staged_uploads_name_never_leads_out(lite_upload, name):
    path = stage_upload(lite_upload, name, io.BytesIO(b"data"))
    assert path.read_bytes() == b"data"
    assert path.parent.parent == lite_upload.folder / "uploads"
    assert path.name not in ("", ".", "..")


@pytest.fixture(scope="module")
def lite_upload(tmp_path_factory):
    from medcore.store import open_home

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(tmp_path_factory.mktemp("home")))
        home = open_home()
        yield open_workspace(home, None)
        home.close()


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "datasets/../../local"])
def test_a_path_that_leads_out_of_the_workspace_is_refused(lite, path):
    with pytest.raises(StoreError, match="not in the workspace"):
        inside(lite, path)


def test_a_link_that_leads_out_of_the_workspace_is_refused(lite, tmp_path):
    lite.folder.mkdir(parents=True)
    (lite.folder / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="not in the workspace"):
        inside(lite, "link/x")
