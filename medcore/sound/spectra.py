"""Log-mel spectrograms: how strong each band of pitches is, a hundred times a second.

Frames of 25 ms under a Hann window, every 10 ms; power of a 512-point Fourier transform; triangles
of equal width on the mel scale, mel = 2595 log10(1 + f / 700) (O'Shaughnessy 1987), of height 1;
natural logarithm.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from medcore.sound.reading import RATE

WINDOW, HOP, POINTS = 400, 160, 512
LOWEST = 50.0
# Below this power a band counts as silent: 16 bits cannot tell it from rounding.
FLOOR = 1e-7
SILENCE = float(np.log(FLOOR))
# A frame this much weaker than the loudest one holds no sound (in nepers of power; 50 dB).
QUIETER = 50 / 10 * np.log(10)
# Frames transformed at once, so that an hour of sound needs no more memory than its spectrogram.
AT_ONCE = 4096


def to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Return pitches on the mel scale.

    >>> round(float(to_mel(1000.0)), 1)
    1000.0
    """
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


def to_hertz(mel: np.ndarray) -> np.ndarray:
    """Return what `to_mel` came from."""
    return 700.0 * (10.0 ** (np.asarray(mel) / 2595.0) - 1.0)


@lru_cache(8)
def mel_bands(bands: int, highest: float = RATE / 2) -> np.ndarray:
    """Return the triangles, float32 (257 frequencies, bands), from 50 Hz to `highest`.

    A triangle too narrow for any frequency of the transform takes the nearest one.
    """
    edges = to_hertz(np.linspace(to_mel(LOWEST), to_mel(highest), bands + 2))
    pitch = np.fft.rfftfreq(POINTS, 1 / RATE)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    found = np.minimum((pitch - low) / (middle - low), (high - pitch) / (high - middle))
    found = np.maximum(found, 0.0)
    empty = np.flatnonzero(~found.any(axis=0))
    found[np.abs(pitch - middle[empty]).argmin(axis=0), empty] = 1.0
    return found.astype(np.float32)


def count_frames(samples: int) -> int:
    """Return how many frames so many samples give; the last is filled up with silence.

    >>> count_frames(400), count_frames(401), count_frames(16000)
    (1, 2, 99)
    """
    return 1 + max(0, -(-(samples - WINDOW) // HOP))


def log_mel(samples: np.ndarray, bands: int = 64, highest: float = RATE / 2) -> np.ndarray:
    """Return a log-mel spectrogram, float32 (bands, frames), of 16 kHz samples in [-1, 1]."""
    frames = count_frames(len(samples))
    filled = np.zeros((frames - 1) * HOP + WINDOW, dtype=np.float32)
    filled[: len(samples)] = samples
    cut = np.lib.stride_tricks.sliding_window_view(filled, WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    triangles, found = mel_bands(bands, highest), np.empty((bands, frames), dtype=np.float32)
    for start in range(0, frames, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        spectrum = np.fft.rfft(cut[rows] * window, POINTS)
        power = spectrum.real**2 + spectrum.imag**2
        found[:, rows] = np.log(np.maximum(power @ triangles, FLOOR)).T
    return found


def limit_pitch(samples: np.ndarray, highest: float) -> np.ndarray:
    """Return 16 kHz samples without what lies above `highest` Hz."""
    if highest >= RATE / 2 or not len(samples):
        return samples
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) > highest] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def holds_sound(spectrogram: np.ndarray) -> np.ndarray:
    """Return which frames hold sound, bool (frames,); all of them where none stands out."""
    loud = np.logaddexp.reduce(spectrogram.astype(np.float64), axis=0)
    found = (loud > loud.max() - QUIETER) & (spectrogram.max(axis=0) > SILENCE + 1e-3)
    return found if found.any() else np.ones_like(found)


def cepstra(spectrogram: np.ndarray, count: int = 20) -> np.ndarray:
    """Return the first mel-frequency cepstral coefficients, float32 (count, frames).

    The orthonormal cosine transform (DCT-II) of the log-mel bands.
    """
    bands = len(spectrogram)
    order, place = np.arange(count)[:, None], np.arange(bands)[None, :]
    wave = np.cos(np.pi * order * (2 * place + 1) / (2 * bands)) * np.sqrt(2 / bands)
    wave[0] /= np.sqrt(2)
    return (wave.astype(np.float32) @ spectrogram).astype(np.float32)
