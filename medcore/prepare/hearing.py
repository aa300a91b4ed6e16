"""What is heard of recordings, computed once and kept beside the data set as memory-mapped files.

A file's name is the hash of the recordings' names, which stand for their content, and of the
settings: whoever asks for the same again finds it, and training starts at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medcore.sound import HOP, RATE, SILENCE, cepstra, holds_sound, limit_pitch, log_mel, read_kept

VERSION = 1
THREADS = 4
COEFFICIENTS = 20
PLAIN_NAMES = (
    *(f"cepstral coefficient {place}, {what}" for what in ("mean", "spread", "change")
      for place in range(1, COEFFICIENTS + 1)),
    "length (log s)",
    "share of time with sound",
    "loudness",
)  # fmt: skip


@dataclass(frozen=True)
class Spectra:
    """What every recording of a column is brought to: `bands` up to `highest` Hz, `frames`."""

    bands: int
    frames: int
    highest: float


def load_kept(
    media: Path, told: Sequence[Any], shape: tuple[int, ...], kind: str,
    make: Callable[[int], np.ndarray], threads: int = THREADS,
) -> tuple[np.ndarray, str]:  # fmt: skip
    """Return an array of `shape` whose rows are `make(place)`, and its digest; made once.

    `told` is all that decides it, ready for JSON.
    """
    digest = hashlib.sha256(json.dumps([VERSION, kind, list(shape), *told]).encode()).hexdigest()
    kept = media.parent / "cache" / f"{digest[:32]}.npy"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        near = kept.with_suffix(f".{os.getpid()}.tmp")
        values = np.lib.format.open_memmap(near, mode="w+", dtype=kind, shape=shape)

        def fill(place: int) -> None:
            values[place] = make(place)

        with ThreadPoolExecutor(min(threads, os.cpu_count() or 1)) as pool:
            for _ in pool.map(fill, range(len(values))):
                pass
        values.flush()
        os.replace(near, kept)
    return np.load(kept, mmap_mode="r", allow_pickle=False), digest[:32]


def load_spectra(media: Path, names: Sequence[str], spectra: Spectra) -> tuple[np.ndarray, str]:
    """Return log-mel spectrograms, float16 (items, bands, frames), and their digest."""

    def make(place: int) -> np.ndarray:
        return hear_spectrum(read_kept(media / names[place]), spectra)

    shape = (len(names), spectra.bands, spectra.frames)
    return load_kept(media, [asdict(spectra), list(names)], shape, "float16", make)


def hear_spectrum(samples: np.ndarray, spectra: Spectra) -> np.ndarray:
    """Return one recording's spectrogram (bands, frames): its loudest part, or filled up."""
    return fit_frames(log_mel(samples, spectra.bands, spectra.highest), spectra.frames)


def fit_frames(found: np.ndarray, frames: int) -> np.ndarray:
    """Return a spectrogram of so many frames: cut to its loudest part, or silence around it.

    >>> fit_frames(np.zeros((1, 2)), 4)[0].round(1).tolist()
    [-16.1, 0.0, 0.0, -16.1]
    """
    start, have = first_frame(found, frames), found.shape[1]
    if have > frames:
        return found[:, start : start + frames]
    out = np.full((len(found), frames), SILENCE, dtype=found.dtype)
    out[:, -start : have - start] = found
    return out


def first_frame(found: np.ndarray, frames: int) -> int:
    """Return which frame of a spectrogram comes first in so many: below 0 where silence does."""
    have = found.shape[1]
    if have <= frames:
        return -((frames - have) // 2)
    power = np.concatenate([[0.0], np.exp(found.astype(np.float64)).sum(axis=0).cumsum()])
    return int(np.argmax(power[frames:] - power[:-frames]))


def hear_states(samples: np.ndarray, listener: Any, spectra: Spectra) -> np.ndarray:
    """Return what a pretrained encoder hears of one recording's loudest part, (width,)."""
    part = loudest_part(samples, spectra.frames * HOP)
    return listener.hear(limit_pitch(part, spectra.highest))


def loudest_part(samples: np.ndarray, most: int) -> np.ndarray:
    """Return the stretch of at most so many samples that holds most power, the first of equals.

    >>> loudest_part(np.array([1.0, 0.0, 2.0, 2.0, 0.0]), 2).tolist()
    [2.0, 2.0]
    """
    if len(samples) <= most:
        return samples
    power = np.concatenate([[0.0], np.square(samples, dtype=np.float64).cumsum()])
    start = int(np.argmax(power[most:] - power[:-most]))
    return samples[start : start + most]


def load_plain(media: Path, names: Sequence[str], highest: float) -> np.ndarray:
    """Return the simple features of recordings, float32 (items, features), see `PLAIN_NAMES`."""

    def make(place: int) -> np.ndarray:
        return plain_features(read_kept(media / names[place]), highest)

    shape = (len(names), len(PLAIN_NAMES))
    return load_kept(media, [highest, list(names)], shape, "float32", make)[0]


def plain_features(samples: np.ndarray, highest: float = RATE / 2) -> np.ndarray:
    """Return the simple features of one recording: what its cepstra do where there is sound."""
    samples = limit_pitch(samples, highest)
    found = log_mel(samples, highest=highest)
    heard = holds_sound(found)
    curves = cepstra(found, COEFFICIENTS)[:, heard]
    change = np.diff(curves, axis=1) if curves.shape[1] > 1 else np.zeros((COEFFICIENTS, 1))
    loud = np.log(np.mean(np.square(samples, dtype=np.float64)) + 1e-9)
    rest = [np.log(max(len(samples), 1) / RATE), heard.mean(), loud]
    curves = (curves.mean(axis=1), curves.std(axis=1), change.std(axis=1))
    return np.concatenate([*curves, rest]).astype(np.float32)


def load_states(
    media: Path, names: Sequence[str], listener: Any, spectra: Spectra
) -> tuple[np.ndarray, str]:
    """Return what a pretrained encoder hears, float32 (items, width), and its digest."""

    def make(place: int) -> np.ndarray:
        return hear_states(read_kept(media / names[place]), listener, spectra)

    told = [listener.digest, spectra.highest, spectra.frames, list(names)]
    return load_kept(media, told, (len(names), listener.width), "float32", make, threads=1)
