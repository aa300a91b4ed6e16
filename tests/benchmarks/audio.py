"""Recordings: spectrograms a second, and four speakers' digits through the command line.

The digits are a thousand recordings of the Free Spoken Digit Dataset, in the folder of benchmark
data. Each speaker in turn is judged by a model that never heard them.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from medcore.data import open_dataset
from medcore.lexicon import load_lexicon
from medcore.recogniser import load_recogniser, read_changes, train_recogniser
from medcore.sound import HOP, RATE, count_frames, log_mel, mel_bands, read_kept
from medcore.sound.spectra import FLOOR, POINTS, WINDOW
from medcore.speech import Recording, score_recordings
from medcore.store.folder import read_json
from tests.benchmarks import Row

DIGITS = Path(os.environ.get("MEDCORE_BENCHMARK_DATA", "../shared/data")) / (
    "speech/fsdd-4-speakers.zip"
)
SITES = ("--role", "name_2=site", "--set", "split.kind=site")
TURNS, SOUNDS = 3, 100
SPOKEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def rows() -> Iterator[Row]:
    """Yield the ratio, and the accuracies where the data are at hand."""
    yield _spectrograms()
    if not DIGITS.is_file():
        yield Row("audio: digits", float("nan"), "", f"no {DIGITS.name} at hand: skipped")
        return
    for name, options, least in (
        ("frozen recogniser, each speaker apart", (*SITES, "--set", "model.name=recogniser"), 0.93),
        ("frozen recogniser, random split", ("--set", "model.name=recogniser"), 0.97),
        ("from scratch, random split", ("--set", "model.name=crnn"), 0.97),
        ("from scratch, each speaker apart", (*SITES, "--set", "model.name=crnn"), None),
    ):
        value, detail = run_digits(*options)
        limit = "" if least is None else f">= {least}"
        yield Row(f"audio: {name}", value, limit, "logistic regression on cepstra", detail)
    yield from _words()


def run_digits(*options: str) -> tuple[float, str]:
    """Return the accuracy on test recordings, and that of each speaker and of the baseline."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", "medcore", "run", str(DIGITS), "--outcome", "name_1",
             "--set", "task=multiclass", *options],
            env={**os.environ, "MEDCORE_HOME": home}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        folder = Path(done.stdout.strip().splitlines()[-1])
        evaluation = read_json(folder, "evaluation.json")
        told = pd.read_parquet(folder / "predictions.parquet")
        source = pd.read_parquet(next(Path(home).rglob("datasets/*/table.parquet")))
    told = told[(told["model"] == "model") & (told["part"] == "test")]
    classes = [name for name in told.columns if name.startswith("p_")]
    called = np.array([name[2:] for name in classes])[told[classes].to_numpy().argmax(axis=1)]
    right = pd.Series(called == told["outcome"].to_numpy())
    speakers = right.groupby(source.loc[told["row_id"], "name_2"].to_numpy()).mean()
    metric = evaluation["parts"]["test"]["metrics"]["accuracy"]
    simple = evaluation["baselines"]["logistic"]["metrics"]["accuracy"]["value"]
    apart = ", ".join(f"{name} {value:.3f}" for name, value in speakers.items())
    detail = f"{metric['low']:.3f} to {metric['high']:.3f}; {apart}; simple {simple:.3f}"
    return metric["value"], detail


def _words() -> Iterator[Row]:
    """Yield the word error rates of a recogniser of one's own, for digits alone and joined."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        write_digits(folder / "in")
        dataset = open_dataset(str(folder / "in"))
        told = {"text": "said", "speaker": "part", "train.epochs": 25}
        result = train_recogniser(dataset, read_changes(told), folder / "random")
        speaker = dict(zip(dataset.frame.index, dataset.frame["speaker"], strict=True))
        texts = [row | {"speaker": str(speaker[row["row"]])} for row in result["texts"]]
        own = replace(load_recogniser(folder / "random"), beam=1)
        column = next(column.name for column in dataset.columns if column.kind == "audio")
        kept = [dataset.media / str(dataset.frame[column][row["row"]]) for row in texts]
        plain = [row | {"heard": own.hear(read_kept(path))}
                 for row, path in zip(texts, kept, strict=True)]  # fmt: skip
        against = "words heard wrong, missed or added, of those said"
        yield Row("audio: own recogniser, random split, beam", *_rate(texts, "<= 0.1", against))
        yield Row("audio: own recogniser, random split, greedy", *_rate(plain, "<= 0.1", against))
        told = {"text": "said", "speaker": "speaker", "turns": True, "train.epochs": 15}
        result = train_recogniser(dataset, read_changes(told), folder / "turns")
        name = "audio: own recogniser, each speaker apart"
        yield Row(name, *_rate(result["texts"], "", against))


def _rate(texts: list[dict], limit: str, against: str) -> tuple[float, str, str, str]:
    """Return a row's word error rate, and its interval, letters and speakers in words."""
    recordings = [Recording(text["said"], text["heard"], text["speaker"]) for text in texts]
    lexicon = load_lexicon([])
    measures = score_recordings(recordings, lexicon).measures
    words, letters = measures["wer_raw"], measures["cer_raw"]
    apart = []
    for name in sorted({recording.speaker for recording in recordings}):
        some = [recording for recording in recordings if recording.speaker == name]
        apart.append(f"{name} {score_recordings(some, lexicon).measures['wer_raw'].value:.3f}")
    detail = f"{words.low:.3f} to {words.high:.3f}; letters {letters.value:.3f}; "
    return words.value, limit, against, detail + ", ".join(apart)


def write_digits(folder: Path, groups: int = 8, joined: int = 20) -> None:
    """Write digits with what was said, alone and two to four of one speaker joined.

    Each speaker's recordings are divided into `groups` first, the column `part`, so that joined
    ones of different groups have none in common.
    """
    folder.mkdir(parents=True)
    rng, clips = np.random.default_rng(0), {}
    with zipfile.ZipFile(DIGITS) as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".wav")):
            digit, speaker, _ = Path(name).stem.split("_")
            samples, rate = soundfile.read(io.BytesIO(archive.read(name)), dtype="float32")
            clips.setdefault(speaker, []).append((SPOKEN[int(digit)], samples))
    rows = []
    for speaker, items in clips.items():
        for group, part in enumerate(np.array_split(rng.permutation(len(items)), groups)):
            chosen = [[place] for place in part]
            chosen += [rng.choice(part, rng.integers(2, 5), replace=False) for _ in range(joined)]
            for number, places in enumerate(chosen):
                pauses = [np.zeros(int(rate * rng.uniform(0.02, 0.25))) for _ in places]
                pieces = [p for place, pause in zip(places, pauses, strict=True)
                          for p in (items[place][1], pause)]  # fmt: skip
                name = f"{speaker}_{group}_{number}.wav"
                soundfile.write(folder / name, np.concatenate(pieces), rate)
                said = " ".join(items[place][0] for place in places)
                rows.append({"file": name, "said": said, "speaker": speaker,
                             "part": f"{speaker}{group}"})  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "said.csv", index=False)


def _spectrograms() -> Row:
    rng = np.random.default_rng(0)
    sounds = [rng.normal(0, 0.1, RATE).astype(np.float32) for _ in range(SOUNDS)]
    ours = _least(lambda: [log_mel(sound) for sound in sounds])
    naive = _least(lambda: [_frame_by_frame(sound) for sound in sounds])
    detail = f"{SOUNDS / ours:,.0f} seconds of sound a second"
    return Row("audio: spectrograms, naive loop / ours", naive / ours, ">= 2",
               "a loop over frames with NumPy", detail)  # fmt: skip


def _frame_by_frame(samples: np.ndarray) -> np.ndarray:
    window, triangles = np.hanning(WINDOW + 1)[:-1], mel_bands(64)
    found = np.empty((64, count_frames(len(samples))))
    for frame in range(found.shape[1]):
        cut = samples[frame * HOP : frame * HOP + WINDOW]
        cut = np.pad(cut, (0, WINDOW - len(cut)))
        power = np.abs(np.fft.rfft(cut * window, POINTS)) ** 2
        found[:, frame] = np.log(np.maximum(power @ triangles, FLOOR))
    return found


def _least(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TURNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
