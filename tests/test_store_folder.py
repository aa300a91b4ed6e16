"""A run's folder: files whole or not there, events that survive a kill, predictions as kept."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import RunConfig
from medcore.errors import StoreError
from medcore.records import Epoch, Event, Predictions
from medcore.store import (
    append_event,
    read_columns,
    read_config,
    read_events,
    read_json,
    read_predictions,
    write_config,
    write_json,
    write_predictions,
)
from medcore.store.files import plain, replacing, write_whole
from tests.full_disk import fill_disk


def an_event(message: str = "Fitting", fraction: float = 0.5, loss: float = 0.1) -> Event:
    epoch = Epoch("tabm", 3, 10, loss, None, 1e-3, 0.2, True)
    return Event(1.7e9, "fit", message, fraction, epoch)


def test_events_come_back_in_order_with_their_epoch(tmp_path):
    for number in range(3):
        append_event(tmp_path, an_event(f"Schritt {number} ≥"))
    events, end = read_events(tmp_path)
    assert [event["message"] for event in events] == [f"Schritt {n} ≥" for n in range(3)]
    assert (events[0]["fit"], events[0]["train_loss"]) == ("tabm", 0.1)
    append_event(tmp_path, an_event("more"))
    assert [event["message"] for event in read_events(tmp_path, end)[0]] == ["more"]
    assert read_events(tmp_path / "nowhere") == ([], 0)


def test_a_loss_that_is_no_number_is_null(tmp_path):
    append_event(tmp_path, an_event(loss=float("nan")))
    line = (tmp_path / "events.jsonl").read_text()
    assert "NaN" not in line
    assert json.loads(line)["train_loss"] is None


@given(st.data())
def test_events_survive_a_cut_at_any_byte_and_writing_goes_on(events_folder, data):
    path = events_folder / "events.jsonl"
    path.unlink(missing_ok=True)
    for number in range(4):
        append_event(events_folder, an_event(f"Schritt {number} ≥"))
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = whole[:cut].count(b"\n")
    events, end = read_events(events_folder)
    assert [event["message"] for event in events] == [f"Schritt {n} ≥" for n in range(kept)]
    append_event(events_folder, an_event("resumed"))
    later = [event["message"] for event in read_events(events_folder, end)[0]]
    # A line cut just before its end is whole after all.
    assert later in (["resumed"], [f"Schritt {kept} ≥", "resumed"])
    assert len(read_events(events_folder)[0]) == kept + len(later)


@pytest.fixture(scope="module")
def events_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("events")


@pytest.mark.parametrize("room", range(0, 40, 3))
def test_a_file_on_a_full_disk_stays_as_it_was(tmp_path, monkeypatch, room):
    path = tmp_path / "evaluation.json"
    write_whole(path, b"old")
    fill_disk(monkeypatch, room)
    with pytest.raises(StoreError, match=r"disk is full.*'evaluation.json'"):
        write_whole(path, b"x" * 40)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_broken_off_by_any_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "x"
    write_whole(path, b"old")
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_config_comes_back_equal(tmp_path):
    write_config(tmp_path, RunConfig())
    assert read_config(tmp_path) == RunConfig()


@pytest.mark.parametrize("text", ["", "{", "\x00", "\udcff"])
def test_a_damaged_file_is_told_in_a_sentence(tmp_path, text):
    (tmp_path / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StoreError, match="damaged"):
        read_config(tmp_path)
    (tmp_path / "dataset.json").write_text('{"columns": [{"nonsense": 1}]}')
    with pytest.raises(StoreError, match="damaged"):
        read_columns(tmp_path)


def test_a_missing_file_is_told_in_a_sentence(tmp_path):
    with pytest.raises(StoreError, match=r"'split.json' is missing"):
        read_json(tmp_path, "split.json")
    with pytest.raises(StoreError, match="cannot be read"):
        read_predictions(tmp_path)


def test_json_holds_no_figure_that_others_cannot_read(tmp_path):
    write_json(tmp_path, "x.json", {"a": np.float64("inf"), "b": np.arange(2), "c": (1, None)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [0, 1], "c": [1, None]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_plain_values_are_always_json(value):
    assert plain(plain(value)) == plain(value)
    json.dumps(plain(value), allow_nan=False)


@pytest.mark.parametrize("positive", ["yes", None])
def test_predictions_come_back_as_they_were(tmp_path, positive):
    frame = pd.DataFrame(
        {
            "row_id": [3, 9],
            "patient": pd.Series(["a", None], dtype="string"),
            "part": ["test", "train"],
            "outcome": ["no", "yes"],
            "p_no": [0.1, 0.2 + 1e-16],
            "p_yes": [0.9, np.nan],
        }
    )
    kept = Predictions("binary", ("no", "yes"), positive, frame)
    write_predictions(tmp_path, kept)
    found = read_predictions(tmp_path)
    pd.testing.assert_frame_equal(found.frame, frame, check_exact=True)
    assert (found.task, found.classes, found.positive) == ("binary", ("no", "yes"), positive)
    assert "p_yes" in pd.read_parquet(tmp_path / "predictions.parquet").columns


def test_predictions_without_their_meaning_are_refused(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "predictions.parquet")
    with pytest.raises(StoreError, match="cannot be read"):
        read_predictions(tmp_path)
