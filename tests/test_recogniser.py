"""A recogniser of one's own: learns a language of tones, is judged by speaker, is used again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from medcore.__main__ import main
from medcore.config import AudioConfig, TrainConfig
from medcore.data.media import MediaFolder
from medcore.errors import ConfigError, DataError, FitError, StoreError
from medcore.prepare.hearing import fit_frames
from medcore.recogniser import (
    RESULT,
    RecogniserChoice,
    holds_recogniser,
    load_recogniser,
    read_recogniser_choice,
    train_recogniser,
    write_measure,
)
from medcore.recogniser.tokens import learn_tokens, plain_text, read_tokens
from medcore.recogniser.work import draw_turns
from medcore.records import Column, Dataset, Watch
from medcore.sound import RATE, SILENCE, Sound, read_kept, write_flac
from medcore.store import read_json
from medcore.train.passes import Lesson, draw_batches
from medcore.train.spelling import Spoken, room_for

PITCHES = {"a": 400.0, "b": 800.0, "c": 1500.0}


def spell_out(rng, text):
    """Return a text as tones: a pitch a letter, a pause between two of the same."""
    parts = []
    for letter in text:
        time = np.arange(round(0.08 * RATE)) / RATE
        pitch = PITCHES[letter] * rng.uniform(0.95, 1.05)
        parts += [0.3 * np.sin(2 * np.pi * pitch * time), np.zeros(round(0.03 * RATE))]
    samples = np.concatenate(parts)
    return (samples + rng.normal(0, 0.003, len(samples))).astype(np.float32)


def tone_texts(folder, rows=160, seed=0):
    """Return recordings of short texts in tones, by eight speakers."""
    rng, media = np.random.default_rng(seed), MediaFolder(folder / "media")
    texts = ["".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(rows)]
    kept = [media.add_bytes(write_flac(spell_out(rng, text)), "flac") for text in texts]
    frame = pd.DataFrame({"audio": kept, "said": texts}).astype("string")
    frame["speaker"] = pd.Series([f"s{row % 8}" for row in range(rows)], dtype="string")
    columns = (Column("audio", "audio", "input"), Column("said", "text", "ignored"),
               Column("speaker", "category", "ignored"))  # fmt: skip
    return Dataset("Tones", "tones", "0" * 64, frame, columns, (), media.folder)


STILL = AudioConfig(bands=32, time_mask=0, pitch_mask=0, shift=0.05, pitch=0.0, noise=0.2)
QUICK = RecogniserChoice(
    text="said", speaker="speaker", width=48, audio=STILL,
    train=TrainConfig(epochs=25, batch_size=16, learning_rate=1e-2, patience=25),
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    dataset, events = tone_texts(folder), []
    result = train_recogniser(dataset, QUICK, folder / "run", Watch(events.append))
    return folder / "run", dataset, result, events


def test_it_learns_and_is_judged_on_speakers_it_never_heard(trained):
    folder, dataset, result, events = trained
    cer = result["measures"]["cer_raw"]
    assert cer["value"] < 0.1 and cer["low"] <= cer["value"] <= cer["high"]
    assert result["rows"] == {"test": 40, "validation": 40, "train": 80}
    tested = {row["speaker"] for row in result["texts"]}
    assert len(tested) == 2 and len(result["texts"]) == 40
    assert all(dataset.frame["said"][row["row"]] == row["said"] for row in result["texts"])
    assert read_json(folder, RESULT)["counts"] == result["counts"]
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_what_is_kept_hears_the_same_again(trained):
    folder, dataset, result, _ = trained
    assert holds_recogniser(folder) and not holds_recogniser(folder.parent)
    own = load_recogniser(folder)
    for row in result["texts"][:5]:
        samples = read_kept(dataset.media / dataset.frame["audio"][row["row"]])
        assert own.hear(samples) == row["heard"]
        said = own.transcribe(Sound(samples))
        assert said.text == row["heard"] and said.segments and not said.proposals
    (folder / "speller.safetensors").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="cannot be read"):
        load_recogniser(folder)


def test_rows_that_cannot_be_learned_from_are_counted_not_dropped(tmp_path):
    dataset = tone_texts(tmp_path, 40)
    frame = dataset.frame.copy()
    frame.loc[0, "said"], frame.loc[1, "audio"], frame.loc[2, "said"] = pd.NA, pd.NA, "…"
    frame.loc[3, "said"] = "abc" * 80
    choice = QUICK.model_copy(update={"train": TrainConfig(epochs=1, batch_size=16)})
    result = train_recogniser(replace(dataset, frame=frame), choice, tmp_path / "run")
    said = " ".join(result["ledger"])
    assert "3 rows have no recording or no text" in said
    used, listed = sum(result["rows"].values()), "longer than their recordings" in said
    assert used == 37 - listed


def test_the_same_seed_gives_the_same_recogniser(tmp_path):
    dataset = tone_texts(tmp_path, 40)
    choice = QUICK.model_copy(update={"train": TrainConfig(epochs=2, batch_size=16)})
    for name in ("one", "two"):
        train_recogniser(dataset, choice, tmp_path / name)
    one, two = (load_recogniser(tmp_path / name).arrays for name in ("one", "two"))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_in_turns_everybody_is_judged_by_one_that_never_heard_them_and_all_teach_the_last(tmp_path):
    dataset, events = tone_texts(tmp_path, 48), []
    owner = dataset.frame["speaker"].astype(str)
    choice = QUICK.model_copy(update={"turns": True, "train": TrainConfig(epochs=1)})
    turns = draw_turns(owner, choice)
    assert sorted(np.concatenate([turn["test"] for turn in turns])) == list(range(48))
    for turn in turns:
        assert set(owner[turn["test"]]).isdisjoint(owner[np.r_[turn["train"], turn["validation"]]])
        assert len(np.unique(np.concatenate(list(turn.values())))) == 48
    assert not len(turns[-1]["test"]) and len(turns) == 6
    result = train_recogniser(dataset, choice, tmp_path / "run", Watch(events.append))
    assert sorted(row["row"] for row in result["texts"]) == list(range(48))
    assert result["counts"]["speakers"] == 8 and result["measures"]["wer"]["low"] is not None
    assert "the one that is kept has learned from all" in " ".join(result["sentences"])
    assert any(event.message.startswith("Turn 5 of 5") for event in events)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert not list((tmp_path / "run").glob("checkpoint*"))


def test_of_few_speakers_none_is_spared_for_deciding_when_to_stop():
    owner = pd.Series([f"s{row % 4}" for row in range(40)])
    (parts,) = draw_turns(owner, QUICK)
    assert {part: owner[rows].nunique() for part, rows in parts.items()}["test"] == 1
    assert owner[parts["train"]].nunique() == 3 and len(parts["validation"]) == 3


def test_a_stop_leaves_no_recogniser(tmp_path):
    dataset = tone_texts(tmp_path, 40)
    stopped = train_recogniser(dataset, QUICK, tmp_path / "run", Watch(stopping=lambda: True))
    assert stopped is None and not holds_recogniser(tmp_path / "run")


def test_a_stopped_one_goes_on_to_the_recogniser_of_one_that_was_not(tmp_path):
    dataset, seen = tone_texts(tmp_path, 40), []
    choice = QUICK.model_copy(update={"train": TrainConfig(epochs=4, batch_size=8)})
    train_recogniser(dataset, choice, tmp_path / "whole")
    # The stop comes within a pass: every look counts, also those between two of its steps.
    watch = Watch(seen.append, lambda: any(event.epoch for event in seen))
    assert train_recogniser(dataset, choice, tmp_path / "cut", watch) is None
    later = []
    assert train_recogniser(dataset, choice, tmp_path / "cut", Watch(later.append))
    passes = [event.epoch.epoch for event in later if event.epoch]
    assert passes[0] > 1 and passes[-1] == 4
    whole, cut = (load_recogniser(tmp_path / name).arrays for name in ("whole", "cut"))
    assert all(np.array_equal(whole[name], cut[name]) for name in whole)


def test_without_clipping_gradients_are_whole_not_gone(tmp_path):
    choice = QUICK.model_copy(update={"train": TrainConfig(epochs=3, batch_size=8, clip_norm=0)})
    events = []
    train_recogniser(tone_texts(tmp_path, 40), choice, tmp_path / "run", Watch(events.append))
    losses = [event.epoch.train_loss for event in events if event.epoch]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"text": "diagnosis"}, ConfigError, "no column 'diagnosis'"),
        ({"speaker": "doctor"}, ConfigError, "no column 'doctor'"),
        ({"rows": 5}, DataError, "5 recordings with a text are too few"),
        ({"people": 2}, DataError, "2 speakers are too few"),
        ({"media": None}, DataError, "no recordings in this data set"),
        ({"texts": "7"}, FitError, "nothing to tell apart"),
    ],
)
def test_what_cannot_be_trained_is_a_sentence(tmp_path, change, error, words):
    dataset = tone_texts(tmp_path, change.pop("rows", 40))
    frame = dataset.frame
    if people := change.pop("people", None):
        frame = frame.assign(speaker=[f"s{row % people}" for row in range(len(frame))])
    if text := change.pop("texts", None):
        frame = frame.assign(said=text)
    dataset = replace(dataset, frame=frame, media=change.pop("media", dataset.media))
    with pytest.raises(error, match=words):
        train_recogniser(dataset, QUICK.model_copy(update=change), tmp_path / "run")
    with pytest.raises(ConfigError, match="beam"):
        read_recogniser_choice({"text": "said", "beam": 0})


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_tokens_write_and_read_a_text_and_survive_as_values(kind):
    texts = ["no evidence of effusion", "evidence of pneumonia", "give 25 mg metoprolol"] * 5
    tokens = learn_tokens(texts, kind, 60)
    for text in texts:
        written = tokens.write(text)
        assert 0 not in written and max(written) < tokens.size
        assert tokens.read(written) == text
    again = read_tokens(tokens.values())
    assert again.write(texts[0]) == tokens.write(texts[0])
    assert len(learn_tokens(texts, "bpe", 60).write(texts[0])) < len(texts[0])


def test_texts_are_plain_whatever_their_marks():
    assert plain_text("Ödem: 5-mg  Dr.’s _x_") == "ödem 5 mg dr 's x"


def test_a_long_recording_is_heard_piece_by_piece(trained, tmp_path):
    dataset = trained[1]
    samples = read_kept(dataset.media / dataset.frame["audio"][0])
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    fresh = tone_texts(tmp_path, 40)
    choice = QUICK.model_copy(update={"train": TrainConfig(epochs=1), "beam": 1})
    train_recogniser(fresh, choice, tmp_path / "run")
    said = load_recogniser(tmp_path / "run").transcribe(Sound(np.zeros(60 * RATE, np.float32)))
    assert said.text == "" and said.segments == ()


def test_the_command_line_trains_one_and_transcribes_with_it(tmp_path, capsys):
    rng, folder = np.random.default_rng(1), tmp_path / "in"
    folder.mkdir()
    texts = ["ab", "ba", "c", "abc"] * 8
    for number, text in enumerate(texts):
        soundfile.write(folder / f"{number}.wav", spell_out(rng, text), RATE)
    table = pd.DataFrame({"file": [f"{n}.wav" for n in range(32)], "said": texts})
    table.to_csv(folder / "rows.csv", index=False)
    given = ["--set", "train.epochs=2", "--set", "width=16", "-o", str(tmp_path / "own")]
    assert main(["recogniser", str(folder), "--text", "said", *given]) == 0
    out, err = capsys.readouterr()
    assert out.strip().splitlines()[-1] == str(tmp_path / "own")
    assert "Of 100 words said" in err and "32 rows brought" in err
    asked = ["-o", str(tmp_path / "t.json"), "--model", str(tmp_path / "own")]
    assert main(["transcribe", str(folder / "0.wav"), *asked]) == 0
    said = read_json(tmp_path, "t.json")[0]
    assert said["model"] == "a recogniser of your own" and isinstance(said["text"], str)
    assert main(["recogniser", str(folder), "--text", "nothing", *given]) == 2
    assert "no column 'nothing'" in capsys.readouterr().err


def test_batches_hold_every_row_once_and_rows_of_about_the_same_size():
    sizes = np.random.default_rng(0).integers(20, 400, 200)
    lesson = Lesson(200, lambda *_: None, lambda _: None, "", sizes)
    batches = draw_batches(lesson, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(range(200))
    filled = sum(len(batch) * sizes[batch].max() for batch in batches)
    alone = [
        np.random.default_rng(2).permutation(200)[start : start + 16] for start in range(0, 200, 16)
    ]
    assert filled < 0.75 * sum(len(batch) * sizes[batch].max() for batch in alone)
    firsts = [int(sizes[batch].max()) for batch in batches]
    assert firsts != sorted(firsts)


def test_a_batch_shows_the_whole_of_each_recording_and_little_else():
    frames = np.array([30, 60, 200])
    whole = room_for(200, 0.05)
    spectra = np.full((3, 4, whole), SILENCE, np.float16)
    for row, count in enumerate(frames):
        spectra[row] = fit_frames(np.zeros((4, count), np.float16), whole)
    spoken = Spoken(spectra, frames, np.arange(3), np.ones((3, 1), np.int64), np.ones(3, np.int64))
    values, _, _ = spoken.read(np.array([0, 1]), torch.device("cpu"))
    assert values.shape == (2, 4, 80)
    assert (values[:, 0] == 0).sum(dim=1).tolist() == [30, 60]


def test_a_figure_that_is_the_same_for_every_speaker_is_not_told_as_certain():
    none = {"value": 0.0, "low": 0.0, "high": 0.0, "n": 160, "reason": ""}
    assert write_measure(none) == "0.0 (no interval: it is the same for every speaker)"
    assert write_measure(none | {"low": None}).startswith("0.0 (no interval: it needs two")
    assert write_measure(none | {"value": 0.1, "high": 0.25}) == "10.0 (0.0–25.0)"
