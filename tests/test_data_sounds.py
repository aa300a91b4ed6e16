"""Recordings arrive as images do: a zip or folder with folders as classes, a table, or names."""

import wave
import zipfile

import numpy as np
import pytest
import soundfile

from medcore.data import Wishes, open_dataset, read_cells
from medcore.data.media.folders import name_parts, read_folder
from medcore.data.sources import read_source
from medcore.errors import DataError
from medcore.sound import QUALITIES, RATE, judge_quality, kept_seconds, read_kept
from tests.tone_rows import sing


def write_sounds(folder, names, *, rate=8000):
    """Write a sound of its own under each name; return them."""
    rng, sounds = np.random.default_rng(0), {}
    for name in names:
        sounds[name] = sing(rng, rising=True)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sounds[name], rate)
    return sounds


def zip_folder(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_folders_are_classes_and_the_file_tells_length_rate_and_quality(tmp_path):
    names = ["cough/a.wav", "cough/b.wav", "calm/a.flac"]
    write_sounds(tmp_path / "in", names, rate=RATE)
    dataset = open_dataset(zip_folder(tmp_path / "in", tmp_path / "sounds.zip"))
    kinds = {column.name: (column.kind, column.role) for column in dataset.columns}
    assert kinds["audio"] == ("audio", "input") and kinds["label"] == ("category", "outcome")
    assert kinds["sound_rate"] == ("number", "ignored")
    frame = dataset.frame.set_index("file")
    assert frame["label"].to_dict() == {
        "calm/a.flac": "calm", "cough/a.wav": "cough", "cough/b.wav": "cough",
    }  # fmt: skip
    assert frame["sound_seconds"].to_numpy() == pytest.approx(0.4)
    assert set(frame["sound_quality"]) == {"good"} and set(frame["sound_rate"]) == {RATE}
    assert "audio" not in read_cells(tmp_path / "sounds.zip", dataset).columns


def test_the_rate_told_is_that_of_the_file_and_the_sound_kept_has_ours(tmp_path):
    write_sounds(tmp_path / "in", ["a/1.wav", "b/2.wav"], rate=8000)
    dataset = read_folder(tmp_path / "in", tmp_path / "media", name="n", source="s")
    assert dataset.frame["sound_rate"].tolist() == [8000, 8000]
    kept = tmp_path / "media" / dataset.frame["audio"][0]
    assert kept_seconds(kept) == pytest.approx(0.8, abs=0.01)
    assert len(read_kept(kept)) == pytest.approx(0.8 * RATE, abs=100)


def test_a_table_names_the_files_by_path_name_or_stem(tmp_path):
    sounds = write_sounds(tmp_path / "in", ["x_1.wav", "x_2.wav", "x_3.wav"], rate=RATE)
    table = "recording,person,ill\nx_2,p1,yes\nx_1,p1,no\nx_9,p2,no\n"
    (tmp_path / "in" / "rows.csv").write_text(table)
    dataset = read_source(tmp_path / "in", tmp_path / "media")
    assert dataset.frame["person"].tolist() == ["p1", "p1", "p2"]
    assert dataset.frame["audio"].notna().tolist() == [True, True, False]
    kept = read_kept(dataset.media / dataset.frame["audio"][0])
    assert np.allclose(kept, sounds["x_2.wav"], atol=1e-4)
    said = " ".join(entry.reason for entry in dataset.ledger)
    assert "1 row has no recording" in said and "1 recording is named by no row" in said


def test_names_made_of_parts_become_columns_where_no_folder_is_a_class(tmp_path):
    write_sounds(tmp_path / "in", [f"{d}_{s}_{i}.wav" for d in "37" for s in "ab" for i in "01"])
    dataset = read_source(tmp_path / "in", tmp_path / "media")
    assert dataset.frame["name_1"].tolist() == ["3"] * 4 + ["7"] * 4
    assert dataset.frame["name_2"].tolist() == ["a", "a", "b", "b"] * 2
    assert dataset.column("name_1").role == "ignored"
    hidden = read_source(tmp_path / "in", tmp_path / "m2", wishes=Wishes(names=False))
    assert not any(name.startswith(("name_", "file")) for name in hidden.frame.columns)
    asked = read_source(tmp_path / "in", tmp_path / "m3", wishes=Wishes(names=False, parts=True))
    assert "name_2" in asked.frame.columns and "file" not in asked.frame.columns


def test_names_that_are_made_differently_or_tell_nothing_become_no_columns():
    assert name_parts(["1_a.wav", "2.wav"]) == {}
    assert name_parts(["a_1.wav", "a_2.wav"]) == {}


def test_what_a_file_says_of_somebody_is_not_kept(tmp_path):
    (tmp_path / "in" / "a").mkdir(parents=True)
    for name, rising in (("1", True), ("2", False)):
        path = tmp_path / "in" / "a" / f"{name}.flac"
        with soundfile.SoundFile(path, "w", RATE, 1) as file:
            file.title, file.artist = "Visit of Mrs Smith", "Dr Jones"
            file.write(sing(np.random.default_rng(1), rising))
    assert b"Smith" in path.read_bytes()
    dataset = read_source(tmp_path / "in", tmp_path / "media")
    for file in dataset.media.iterdir():
        assert b"Smith" not in file.read_bytes() and b"Jones" not in file.read_bytes()
        assert len(file.stem) == 32


def test_equal_sounds_have_one_name(tmp_path):
    write_sounds(tmp_path / "in", ["a/1.wav"])
    (tmp_path / "in" / "a" / "2.wav").write_bytes((tmp_path / "in" / "a" / "1.wav").read_bytes())
    assert read_source(tmp_path / "in", tmp_path / "media").frame["audio"].nunique() == 1


def test_files_that_cannot_be_read_are_named_and_the_others_stay(tmp_path):
    write_sounds(tmp_path / "in", ["a/good.wav"])
    (tmp_path / "in" / "a" / "empty.wav").write_bytes(b"")
    (tmp_path / "in" / "b").mkdir()
    soundfile.write(tmp_path / "in" / "b" / "none.wav", np.zeros(0, np.float32), RATE)
    (tmp_path / "in" / "b" / "text.mp3").write_text("no sound at all" * 99)
    (tmp_path / "in" / "b" / "picture.png").write_bytes(b"\x89PNG")
    dataset = read_source(tmp_path / "in", tmp_path / "media")
    assert dataset.frame["file"].tolist() == ["a/good.wav"]
    said = " ".join(entry.reason for entry in dataset.ledger)
    for words in ("3 recordings cannot", "'a/empty.wav' is empty", "'b/none.wav' holds no sound",
                  "'b/text.mp3' cannot be read as sound", "1 file is no recording"):  # fmt: skip
        assert words in said
    hidden = read_source(tmp_path / "in", tmp_path / "m2", wishes=Wishes(names=False))
    told = " ".join(entry.reason for entry in hidden.ledger)
    assert "empty.wav" not in told and "'recording 1' is empty" in told


def test_three_hours_are_refused_with_the_figure_and_the_others_stay(tmp_path):
    write_sounds(tmp_path / "in", ["a/good.wav"])
    with wave.open(str(tmp_path / "in" / "a" / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(1000)
        file.writeframes(b"\x80" * (3 * 3600 * 1000))
    dataset = read_source(tmp_path / "in", tmp_path / "media")
    assert len(dataset.frame) == 1
    assert "lasts 3 h 0 min; at most 60 min" in " ".join(e.reason for e in dataset.ledger)


def test_a_folder_without_anything_to_hear_or_see_is_refused(tmp_path):
    (tmp_path / "readme.md").write_text("nothing")
    with pytest.raises(DataError, match="no image and no recording"):
        read_source(tmp_path, tmp_path / "media")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.wav").write_text("no sound")
    with pytest.raises(DataError, match=r"No recording of 'in' can be read: 'text\.wav'"):
        read_source(tmp_path / "in", tmp_path / "media")


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (np.zeros(RATE), "all but silent"),
        (0.5 * np.ones(800), "too short"),
        (np.tile([1.0, -1.0], RATE), "overdriven"),
        (0.5 * np.sin(np.arange(RATE)), "good"),
    ],
)
def test_quality_is_told_from_the_samples(samples, word):
    assert judge_quality(samples.astype(np.float32)) == word and word in QUALITIES


def test_texts_beside_recordings_are_what_was_said_and_folders_their_speakers(tmp_path):
    names = ["ann/1.wav", "ann/2.wav", "bob/1.wav"]
    write_sounds(tmp_path / "in", names)
    (tmp_path / "in/ann/1.txt").write_text("\ufeffno effusion\n", encoding="utf-8")
    (tmp_path / "in/bob/1.txt").write_text("clear lungs", encoding="utf-8")
    wishes = Wishes(names=False)
    path = zip_folder(tmp_path / "in", tmp_path / "spoken.zip")
    dataset = read_source(path, tmp_path / "media", wishes=wishes)
    roles = {column.name: (column.kind, column.role) for column in dataset.columns}
    assert roles["said"] == ("text", "ignored") and roles["speaker"] == ("category", "patient")
    assert "label" not in roles and "file" not in dataset.frame
    ann, same, bob = dataset.frame["speaker"]
    # Who spoke is told as patients are: by a code, never by name.
    assert ann == same != bob and not {"ann", "bob"} & {ann, bob}
    assert dataset.frame["said"].fillna("").tolist() == ["no effusion", "", "clear lungs"]


def test_a_single_folder_of_recordings_with_texts_is_no_folder_of_tables(tmp_path):
    write_sounds(tmp_path / "in", ["1.wav", "2.wav"])
    for name, text in (("1", "one"), ("2", "two, five")):
        (tmp_path / f"in/{name}.txt").write_text(text)
    dataset = read_folder(tmp_path / "in", tmp_path / "media", name="n", source="s")
    assert dataset.frame["said"].tolist() == ["one", "two, five"]
    assert "speaker" not in dataset.frame
