"""A run over recordings from end to end: judged, kept, applied to new sounds."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from medcore import pipeline
from medcore.apply import open_run, predict_file, predict_patient
from medcore.checks import check_dataset
from medcore.config import RunConfig, change_config, preset_config
from medcore.errors import DataError, FitError
from medcore.explanation.images import look_at
from medcore.explanation.sounds import explain_sound
from medcore.explanation.subject import open_subject
from medcore.figures.sounds import draw_pitches
from medcore.models import saliency
from medcore.models.audio import find_sound
from medcore.prepare import fit_preparation, prepare_rows
from medcore.prepare.audio import choose_audio_encoder, hear_item
from medcore.prepare.hearing import (
    Spectra,
    fit_frames,
    hear_states,
    load_spectra,
    loudest_part,
    plain_features,
)
from medcore.records import Column, Watch
from medcore.sound import RATE, SILENCE, limit_pitch, write_flac
from medcore.speech.listening import load_listener
from medcore.train import TrainedNetwork
from tests.tone_rows import sing, tone_dataset

CLASSES = ("lower", "upper")
SETTINGS = {
    "train.epochs": 6, "train.batch_size": 16, "train.learning_rate": 3e-3, "audio.bands": 32,
    "evaluate.resamples": 100, "audio.encoder": "crnn",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A judged run of the convolutional-recurrent net over tones, and its data set."""
    folder = tmp_path_factory.mktemp("run")
    dataset = tone_dataset(folder, 100)
    speakers = pd.Series([f"s{row % 10}" for row in range(100)], dtype="string")
    frame = dataset.frame.assign(speaker=speakers)
    columns = (*dataset.columns, Column("speaker", "category", "patient"))
    dataset = replace(dataset, frame=frame, columns=columns)
    config = change_config(RunConfig(), {**SETTINGS, "model.name": "crnn"})
    evaluation = pipeline.run(config, dataset, Watch(), folder=folder / "run")
    return folder / "run", dataset, evaluation


def write_new(path, count=5):
    rng = np.random.default_rng(9)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            near = path.with_name(f"{number}.wav")
            soundfile.write(near, sing(rng, rising=bool(number % 2)), RATE)
            archive.write(near, f"new/{number}.wav")
    return path


def test_tones_are_told_apart_and_no_speaker_is_in_two_parts(finished):
    folder, dataset, evaluation = finished
    assert evaluation.parts["test"].metrics["auroc"].value > 0.9
    assert set(evaluation.baselines) == {"prevalence", "logistic"}
    parts = json.loads((folder / "split.json").read_text())["parts"]
    speakers = [set(dataset.frame.loc[rows, "speaker"]) for rows in parts.values() if rows]
    assert sum(map(len, speakers)) == 10


def test_new_recordings_come_back_with_predictions_in_their_order(finished, tmp_path):
    deployed = open_run(finished[0])
    predict_file(deployed, write_new(tmp_path / "new.zip"), tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["file"].tolist() == [f"new/{n}.wav" for n in range(5)]
    assert table["predicted"].tolist() == ["lower", "upper", "lower", "upper", "lower"]
    assert "audio" not in table.columns and "scan" not in table.columns
    said = predict_patient(deployed, {"scan": str(tmp_path / "3.wav")})
    place = said["classes"].index("upper")
    assert said["value"][place] == pytest.approx(table["probability_upper"][3], abs=1e-12)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(DataError, match=r"'broken\.wav' cannot be read as sound"):
        predict_patient(deployed, {"scan": str(tmp_path / "broken.wav")})
    nothing = predict_patient(deployed, {"scan": None})
    assert sum(nothing["value"]) == pytest.approx(1)


def test_the_second_time_nothing_is_heard_again(tmp_path, monkeypatch):
    dataset = tone_dataset(tmp_path, 12)
    config = change_config(RunConfig(), SETTINGS)
    first = fit_preparation(dataset, np.arange(8), config, CLASSES)
    prepare_rows(first, dataset)

    def refuse(*_):
        raise AssertionError("heard again")

    monkeypatch.setattr("medcore.prepare.hearing.read_kept", refuse)
    assert fit_preparation(dataset, np.arange(8), config, CLASSES) == first
    prepare_rows(first, dataset)
    with pytest.raises(AssertionError, match="heard again"):
        load_spectra(dataset.media, sorted(set(dataset.frame["scan"])),
                     replace(first.kinds[0].spectra, bands=20))  # fmt: skip


def test_long_recordings_are_heard_where_they_are_loudest_and_short_ones_filled_up():
    rng = np.random.default_rng(0)
    found = rng.normal(-12, 0.1, (4, 100)).astype(np.float32)
    found[:, 60:70] = 0
    assert np.array_equal(fit_frames(found, 10), found[:, 60:70])
    filled = fit_frames(found, 120)
    assert (
        np.array_equal(filled[:, 10:110], found) and (filled[:, :10] == np.float32(SILENCE)).all()
    )


def test_a_recogniser_hears_the_loudest_part_of_a_long_recording():
    rng, listener = np.random.default_rng(0), load_listener()
    sound = sing(rng, True)
    long = np.concatenate([rng.normal(0, 1e-4, 20 * RATE).astype(np.float32), sound])
    part = loudest_part(long, len(sound))
    assert np.array_equal(part, sound)
    heard = hear_states(long, listener, Spectra(64, len(sound) // 160, 8000.0))
    assert np.corrcoef(heard, listener.hear(sound))[0, 1] > 0.99


def test_the_longest_training_recording_decides_how_much_is_heard(tmp_path):
    dataset = tone_dataset(tmp_path, 10)
    long = write_flac(sing(np.random.default_rng(1), True, seconds=1.5))
    (dataset.media / dataset.frame.loc[9, "scan"]).write_bytes(long)
    config = change_config(RunConfig(), SETTINGS)
    fits = [fit_preparation(dataset, np.arange(n), config, CLASSES).kinds[0] for n in (9, 10)]
    assert fits[0].spectra.frames < 45 and fits[1].spectra.frames > 145
    said = change_config(config, {"audio.seconds": 0.2})
    assert fit_preparation(dataset, np.arange(9), said, CLASSES).kinds[0].spectra.frames == 19


def test_the_frozen_recogniser_is_the_default_where_one_is_at_hand(monkeypatch):
    assert choose_audio_encoder(RunConfig()) == "recogniser"
    assert preset_config("quick", None, ["audio"]).train.epochs == 15
    monkeypatch.setattr("medcore.speech.listening.bundled_model", lambda: None)
    assert choose_audio_encoder(RunConfig()) == "crnn"
    named = change_config(RunConfig(), {"model.name": "recogniser"})
    assert choose_audio_encoder(named) == "recogniser"


def test_what_a_recogniser_hears_goes_under_any_head(tmp_path):
    dataset = tone_dataset(tmp_path, 30)
    values = {**SETTINGS, "audio.encoder": "recogniser", "model.name": "logistic"}
    preparation = fit_preparation(
        dataset, np.arange(20), change_config(RunConfig(), values), CLASSES
    )
    block = prepare_rows(preparation, dataset).blocks["scan"]
    assert block.values.shape == (30, 768) and block.traits["encoder"] == "recogniser"
    seen = block.gather(np.arange(20))
    mean, spread = block.scale
    assert np.allclose(seen.mean(axis=0), mean, atol=1e-4)
    assert np.allclose(block.plain[:20, :-1], (seen - mean) / spread, atol=1e-5)
    fit = preparation.kinds[0]
    samples = soundfile.read(dataset.media / dataset.frame["scan"][3], dtype="float32")[0]
    assert np.array_equal(hear_item(fit, samples), block.gather(np.array([3]))[0])
    other = replace(fit, model={**fit.model, "digest": "0" * 64, "label": "a large one"})
    (tmp_path / "cache").rename(tmp_path / "old")
    with pytest.raises(DataError, match="through the speech model 'a large one'"):
        prepare_rows(replace(preparation, kinds=(other,)), dataset)


def test_what_a_recogniser_hears_does_not_hang_on_silence_around_it():
    listener, sound = load_listener(), sing(np.random.default_rng(0), True)
    alone = listener.hear(sound)
    later = listener.hear(np.concatenate([sound, np.zeros(RATE, np.float32)]))
    assert np.corrcoef(alone, later)[0, 1] > 0.99


def test_no_device_is_heard_above_the_highest_pitch(tmp_path):
    """White noise beyond 4 kHz changes nothing that any model sees when 4 kHz is the limit."""
    rng = np.random.default_rng(0)
    low = limit_pitch(rng.normal(0, 0.1, RATE // 2).astype(np.float32), 3500.0)
    noise = rng.normal(0, 0.02, len(low)).astype(np.float32)
    high = low + noise - limit_pitch(noise, 4500.0)
    heard = [plain_features(samples, 4000.0) for samples in (low, high)]
    assert np.allclose(*heard, atol=1e-3)
    assert not np.allclose(plain_features(low), plain_features(high), atol=0.1)
    listener = load_listener()
    states = [listener.hear(limit_pitch(samples, 4000.0)) for samples in (low, high)]
    assert np.corrcoef(*states)[0, 1] > 0.999


def test_recordings_that_are_all_the_same_are_refused_in_a_sentence(tmp_path):
    dataset = tone_dataset(tmp_path, 10)
    silent = write_flac(np.zeros(RATE, np.float32))
    for name in dataset.frame["scan"]:
        (dataset.media / name).write_bytes(silent)
    with pytest.raises(FitError, match="is the same"):
        fit_preparation(dataset, np.arange(8), change_config(RunConfig(), SETTINGS), CLASSES)


def test_a_damaged_kept_recording_is_named(tmp_path):
    dataset = tone_dataset(tmp_path, 10)
    (dataset.media / dataset.frame.loc[2, "scan"]).write_bytes(b"fLaC nothing")
    with pytest.raises(DataError, match=str(dataset.frame.loc[2, "scan"])):
        fit_preparation(dataset, np.arange(8), change_config(RunConfig(), SETTINGS), CLASSES)


def test_checks_name_poor_recordings_and_a_device_that_gives_the_outcome_away(tmp_path):
    dataset = tone_dataset(tmp_path, 40)
    upper = dataset.frame["place"] == "upper"
    frame = dataset.frame.assign(
        sound_quality=pd.Series(["too short", "all but silent", "overdriven"] + ["good"] * 37),
        sound_rate=np.where(upper, 8000.0, 16000.0), sound_seconds=[11.0] + [0.4] * 39,
    )  # fmt: skip
    columns = (*dataset.columns, Column("sound_rate", "number", "ignored"),
               Column("sound_quality", "category", "ignored"),
               Column("sound_seconds", "number", "ignored"))  # fmt: skip
    found = check_dataset(replace(dataset, frame=frame, columns=columns))
    codes = [finding.code for finding in found]
    assert codes.count("poor_sound") == 3 and "long_sound" in codes
    device = next(finding for finding in found if finding.code == "sample_rate")
    assert device.severity == "stop" and "4,000 Hz" in device.detail
    assert "equal_sounds" not in codes
    twice = frame.assign(scan=frame["scan"].mask(frame.index == 1, frame["scan"][0]))
    twins = check_dataset(replace(dataset, frame=twice, columns=columns))
    copies = next(finding for finding in twins if finding.code == "equal_sounds")
    assert copies.evidence["rows"] == 2 and "1 recording" in copies.title
    mixed = frame.assign(sound_rate=np.where(np.arange(40) % 2, 8000.0, 16000.0))
    again = check_dataset(replace(dataset, frame=mixed, columns=columns))
    assert "sample_rate" not in [finding.code for finding in again]


def test_covering_a_stretch_of_time_shows_where_the_network_listened(finished):
    folder, dataset, _ = finished
    subject = open_subject(folder, dataset)
    said = explain_sound(subject, 3, "scan", "upper")
    assert len(said["fall"]) == len(said["starts"]) and said["seconds"] == pytest.approx(0.4)
    assert said["starts"][0] == 0 and max(said["starts"]) < 0.4
    assert np.abs(said["fall"]).max() == pytest.approx(1)
    assert np.array(said["spectrogram"]).shape[0] == 64
    assert -1 <= said["likeness"] <= 1 and said["weight"] == pytest.approx(1)


def test_gradients_show_the_pitch_that_the_classes_differ_in_and_add_up(finished):
    folder, dataset, _ = finished
    subject = open_subject(folder, dataset)
    told = explain_sound(subject, 3, "scan", "upper")["pitches"]
    values = np.array(told["values"])
    assert values.shape == (32, 39) and np.abs(values).max() == pytest.approx(1)
    assert told["highest"] == 8000 and -1 <= told["likeness"] <= 1
    figure, table = draw_pitches({"pitches": told, "seconds": 0.4}, "upper")
    assert len(table) == 32 and len(figure.data) == 1
    model = subject.deployed.model
    network = next(m for m in model.members if isinstance(m.fitted, TrainedNetwork))
    row = prepare_rows(model.preparations[network.preparation], dataset, np.array([3]))
    look = look_at(saliency, network.fitted, row, "scan", 0)
    item = look.inputs[look.key].values
    sound = find_sound(item)[:, None]
    mean = (item * sound).sum(2, keepdim=True) / sound.sum(2, keepdim=True)
    with torch.no_grad():
        flat = look.score(torch.where(sound, mean, item))
        whole = look.score(item)
    gained = saliency.sound_gradients(look).sum()
    assert gained == pytest.approx(float(whole - flat), rel=0.05, abs=0.02)
