"""Data sets come back exactly as they were kept, and a full disk loses nothing."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.errors import LimitError, StoreError
from medcore.records import Column, Dataset
from medcore.store import (
    delete_dataset,
    drop_upload,
    get_dataset_row,
    list_datasets,
    load_dataset,
    load_settings,
    open_home,
    open_workspace,
    queue_run,
    rename_dataset,
    save_dataset,
    save_settings,
    stage_upload,
)
from medcore.store.home import new_id
from tests.full_disk import fill_disk
from tests.store_tables import a_table


def assert_equal(found: Dataset, kept: Dataset) -> None:
    """Compare two data sets to the last bit, dtypes and row ids included."""
    pd.testing.assert_frame_equal(found.frame, kept.frame, check_exact=True)
    assert [str(t) for t in found.frame.dtypes] == [str(t) for t in kept.frame.dtypes]
    assert (found.name, found.source, found.sha256) == (kept.name, kept.source, kept.sha256)
    assert found.columns == kept.columns
    assert found.ledger == kept.ledger


def test_a_data_set_comes_back_as_it_was(workspace):
    kept = a_table()
    row = save_dataset(workspace, kept)
    assert (row.name, row.rows, row.columns) == ("heart", 59, 5)
    assert_equal(load_dataset(workspace, row.id), kept)


CELLS = {
    "float64": st.floats(),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "string": st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=20)),
    "str": st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=20)),
    "datetime64[s]": st.one_of(
        st.just(np.datetime64("NaT")),
        st.just(np.datetime64("0001-01-01T00:00:00")),
        st.integers(-(10**9), 10**9).map(lambda s: np.datetime64(s, "s")),
    ),
    "datetime64[us]": st.integers(-(10**15), 10**15).map(lambda s: np.datetime64(s, "us")),
}


@st.composite
def tables(draw) -> Dataset:
    names = draw(
        st.lists(
            st.one_of(
                st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
                st.sampled_from(["__index_level_0__", "index", "row_id", "level_0"]),
            ),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    ids = draw(st.lists(st.integers(0, 10**6), max_size=6, unique=True))
    frame = pd.DataFrame(index=pd.Index(sorted(ids), dtype="int64"))
    for name in names:
        dtype = draw(st.sampled_from(sorted(CELLS)))
        cells = [draw(CELLS[dtype]) for _ in ids]
        frame[name] = pd.Series(cells, index=frame.index, dtype=dtype)
    columns = tuple(Column(name, "text", "input") for name in names)
    return Dataset("t", "t.csv", new_id(32), frame, columns)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(tmp_path_factory.mktemp("home")))
        home = open_home()
        yield open_workspace(home, None)
        home.close()


@settings(max_examples=60, deadline=None)
@given(kept=tables())
def test_any_table_comes_back_as_it_was(shelf, kept):
    row = save_dataset(shelf, kept)
    assert_equal(load_dataset(shelf, row.id), kept)


def test_the_same_data_under_the_same_name_is_kept_once(workspace):
    first, again = save_dataset(workspace, a_table()), save_dataset(workspace, a_table())
    assert first == again
    assert save_dataset(workspace, a_table("other")).id != first.id
    assert [row.name for row in list_datasets(workspace)] == ["other", "heart"]


def test_a_new_name_goes_with_the_data_set(workspace):
    row = save_dataset(workspace, a_table())
    rename_dataset(workspace, row.id, "  Heart\n2024\x00 ")
    assert get_dataset_row(workspace, row.id).name == "Heart 2024"
    assert load_dataset(workspace, row.id).name == "Heart 2024"
    rename_dataset(workspace, row.id, "   ")
    assert get_dataset_row(workspace, row.id).name == "Unnamed"


def test_settings_are_kept_for_each_data_set(workspace):
    first, other = save_dataset(workspace, a_table()), save_dataset(workspace, a_table("other"))
    assert load_settings(workspace, first.id) == RunConfig()
    agreed = change_config(RunConfig(), {"data.roles": {"death": "outcome"}, "train.epochs": 7})
    save_settings(workspace, first.id, agreed)
    assert load_settings(workspace, first.id) == agreed
    assert load_settings(workspace, other.id) == RunConfig()


def test_a_deleted_data_set_is_gone_with_its_files(workspace):
    row = save_dataset(workspace, a_table())
    delete_dataset(workspace, row.id)
    assert list_datasets(workspace) == []
    assert not any(path.is_file() for path in workspace.folder.rglob("*"))
    with pytest.raises(StoreError, match="deleted"):
        delete_dataset(workspace, row.id)


def test_a_data_set_with_a_waiting_run_is_not_deleted(workspace):
    row = save_dataset(workspace, a_table())
    queue_run(workspace, RunConfig(), row.id, "patient run", "key", again=False)
    with pytest.raises(StoreError, match="patient run"):
        delete_dataset(workspace, row.id)
    assert load_dataset(workspace, row.id).name == "heart"


@pytest.mark.parametrize("room", [0, 1, 500, 3000, 5000])
def test_a_full_disk_leaves_nothing_half_written_and_loses_nothing_old(lite, monkeypatch, room):
    old = save_dataset(lite, a_table("old"))
    before = sorted(lite.folder.rglob("*"))
    fill_disk(monkeypatch, room)
    with pytest.raises(StoreError, match="disk is full"):
        save_dataset(lite, a_table("new"))
    assert sorted(lite.folder.rglob("*")) == before
    assert [row.name for row in list_datasets(lite)] == ["old"]
    assert_equal(load_dataset(lite, old.id), a_table("old"))


def test_a_damaged_table_is_told_in_a_sentence(lite):
    row = save_dataset(lite, a_table())
    path = next(lite.folder.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match="'heart' cannot be read"):
        load_dataset(lite, row.id)
    next(lite.folder.rglob("table.json")).write_text("{")
    with pytest.raises(StoreError):
        load_dataset(lite, row.id)


def test_an_upload_keeps_its_bytes_and_its_ending(lite):
    path = stage_upload(
        lite, r"C:\data\Pätienten (1)" + "x" * 200 + ".csv", io.BytesIO(b"a,b\n1,2")
    )
    assert path.read_bytes() == b"a,b\n1,2"
    assert path.suffix == ".csv"
    drop_upload(path)
    assert not path.parent.exists()


def test_an_upload_over_the_limit_leaves_nothing(lite, monkeypatch):
    monkeypatch.setenv("MEDCORE_UPLOAD_MB", "1")
    with pytest.raises(LimitError, match="larger than 1 MB"):
        stage_upload(lite, "x.csv", io.BytesIO(b"x" * (2**20 + 1)))
    assert not any(path.is_file() for path in lite.folder.rglob("*"))
    stage_upload(lite, "x.csv", io.BytesIO(b"x" * 2**20))


def test_an_upload_on_a_full_disk_leaves_nothing(lite, monkeypatch):
    fill_disk(monkeypatch, 1000)
    with pytest.raises(StoreError, match="disk is full"):
        stage_upload(lite, "x.csv", io.BytesIO(b"x" * 5000))
    assert not any(path.is_file() for path in lite.folder.rglob("*"))
