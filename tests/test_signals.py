"""Waveforms: read from files, brought to one length, learned from, and asked about by file."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from medcore import pipeline
from medcore.apply import open_run, predict_patient
from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, open_dataset
from medcore.data.media.signals import decode_signal
from medcore.errors import DataError
from medcore.prepare import fit_preparation, load_preparation, prepare_rows, save_preparation

CLASSES = ("fast", "slow")


def draw_wave(rng, fast, samples=400):
    """Return two noisy channels of a beat that is fast or slow."""
    time = np.arange(samples) / 100 + rng.uniform(0, 1)
    beat = np.sin(2 * np.pi * (2.5 if fast else 1.2) * rng.uniform(0.9, 1.1) * time) ** 15
    waves = np.stack([beat, -0.5 * beat], axis=1)
    return (waves + rng.normal(0, 0.15, waves.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of waveforms of two lengths, with a table that names them."""
    root, rng = tmp_path_factory.mktemp("ecg"), np.random.default_rng(0)
    (root / "waves").mkdir()
    told = []
    for place in range(90):
        fast = bool(place % 2)
        wave = draw_wave(rng, fast, 400 if place % 3 else 300)
        name = f"waves/{place}"
        if place % 10:
            np.save(root / f"{name}.npy", wave if place % 4 else wave.T)
            name += ".npy"
        else:
            frame = pd.DataFrame(wave, columns=["I", "II"])
            frame.insert(0, "time", np.arange(len(wave)) / 100)
            frame.to_csv(root / f"{name}.csv", index=False)
            name += ".csv"
        told.append({"ecg": name, "age": 50 + place % 30, "beat": "fast" if fast else "slow"})
    pd.DataFrame(told).to_csv(root / "patients.csv", index=False)
    return root


def config(**changes):
    values = {
        "data.roles": {"beat": "outcome"}, "train.epochs": 5, "train.batch_size": 16,
        "series.samples": 100, "series.width": 12, "model.width": 16, "evaluate.resamples": 100,
        "train.learning_rate": 0.02,
    }  # fmt: skip
    return change_config(RunConfig(), values | changes)


@pytest.fixture(scope="module")
def dataset(folder):
    return open_dataset(folder)


def test_a_folder_of_waveforms_and_a_table_become_a_series_column(dataset):
    column = dataset.column("series")
    assert (column.kind, column.role, column.made_of) == ("series", "input", ())
    assert dataset.frame["series"].notna().all()
    facts = dataset.frame[["signal_samples", "signal_channels"]]
    assert set(map(tuple, facts.to_numpy())) == {(400.0, 2.0), (300.0, 2.0)}


def test_waveforms_get_one_length_and_survive_save_and_load(dataset, tmp_path):
    ready = configure_dataset(dataset, config())
    rows = ready.frame.index.to_numpy()
    fit = fit_preparation(ready, rows[:60], config(), CLASSES)
    save_preparation(fit, tmp_path)
    assert load_preparation(tmp_path) == fit
    block = prepare_rows(fit, ready).blocks["series"]
    assert block.values.shape[1:] == (100, 2 + 4)
    moments = block.gather(np.arange(len(rows)))
    assert set(moments[..., 0].sum(axis=1)) == {100.0, 75.0}
    assert np.abs(moments[..., 2:4].mean(axis=(0, 1))).max() < 0.2
    assert not moments[moments[..., 0] == 0].any()
    assert np.isfinite(block.plain).all()


def test_a_convolution_learns_the_beat_and_answers_for_a_file(dataset, folder, tmp_path):
    evaluation = pipeline.run(config(), dataset, folder=tmp_path)
    assert evaluation.parts["test"].metrics["auroc"].value > 0.9
    assert {"gradient_boosting", "logistic"} <= set(evaluation.baselines)
    deployed = open_run(tmp_path)
    assert {member.name for member in deployed.model.members} == {"tcn", "gradient_boosting"}
    said = predict_patient(deployed, {"age": 60, "series": str(folder / "waves" / "1.npy")})
    assert said["value"][said["classes"].index("fast")] > 0.5
    unknown = predict_patient(deployed, {"age": 60, "series": None})
    assert np.isfinite(unknown["value"]).all()


def test_a_zip_with_a_folder_a_class_is_read_too(tmp_path):
    rng = np.random.default_rng(1)
    with zipfile.ZipFile(tmp_path / "waves.zip", "w") as archive:
        for place in range(6):
            np.save(tmp_path / "one.npy", draw_wave(rng, place % 2 == 0))
            archive.write(tmp_path / "one.npy", f"{CLASSES[place % 2]}/{place}.npy")
    dataset = open_dataset(tmp_path / "waves.zip")
    assert dataset.frame["label"].tolist() == ["fast"] * 3 + ["slow"] * 3


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("words.csv", b"I,II\na,b\nc,d\n", "numbers only"),
        ("broken.npy", b"\x93NUMPY rubbish", "cannot be read as a NumPy array"),
        ("short.csv", b"1\n2\n", "4 samples"),
    ],
)
def test_a_file_that_is_no_waveform_is_refused_in_a_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        decode_signal(tmp_path / name, name)


def test_missing_samples_are_gaps_and_nothing_but_gaps_is_refused(tmp_path):
    np.save(tmp_path / "gap.npy", np.array([1.0, np.nan, np.inf, 2.0, 3.0]))
    assert np.isnan(decode_signal(tmp_path / "gap.npy", "gap")[:, 0]).tolist() == [
        False, True, True, False, False,
    ]  # fmt: skip
    np.save(tmp_path / "none.npy", np.full(9, np.nan))
    with pytest.raises(DataError, match="holds no number"):
        decode_signal(tmp_path / "none.npy", "none")
    np.save(tmp_path / "cube.npy", np.zeros((5, 5, 5)))
    with pytest.raises(DataError, match="holds no waveform"):
        decode_signal(tmp_path / "cube.npy", "cube")
