"""Recordings: spectrograms a second, and four speakers' digits through the command line.

The digits are a thousand recordings of the Free Spoken Digit Dataset, in the folder of benchmark
data. Each speaker in turn is judged by a model that never heard them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.sound import HOP, RATE, count_frames, log_mel, mel_bands
from medcore.sound.spectra import FLOOR, POINTS, WINDOW
from medcore.store.folder import read_json
from tests.benchmarks import Row

DIGITS = Path(os.environ.get("MEDCORE_BENCHMARK_DATA", "../shared/data")) / (
    "speech/fsdd-4-speakers.zip"
)
SITES = ("--role", "name_2=site", "--set", "split.kind=site")
TURNS, SOUNDS = 3, 100


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
