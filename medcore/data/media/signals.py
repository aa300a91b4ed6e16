"""Waveforms such as an ECG: regularly sampled, one or several channels, from .npy or CSV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medcore.errors import DataError

FEWEST, MOST_CHANNELS, MOST_BYTES = 4, 64, 256 * 2**20
# An image is hardly ever so much longer than wide.
LONGER = 8
TIMES = ("time", "t", "seconds", "sample", "index", "")


def is_signal(name: str) -> bool:
    """Tell whether a file is named like a waveform; a CSV file is one in a folder of its own.

    >>> is_signal("ecg/17.csv"), is_signal("patients.csv"), is_signal("17.npy")
    (True, False, True)
    """
    low = name.lower()
    return low.endswith(".npy") or ("/" in low and low.endswith(".csv"))


def is_long(path: Path) -> bool:
    """Tell whether an array has the shape of a waveform: one side, or one much longer."""
    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (OSError, ValueError, EOFError):
        return False
    return len(shape) == 1 or (len(shape) == 2 and LONGER * min(shape) <= max(shape))


def decode_signal(path: Path, told: str) -> np.ndarray:
    """Return a waveform, float32 (samples, channels), NaN where a sample is missing.

    Of an array the longer side is time; of a CSV file each column is a channel, except one that
    counts the time. Raises `DataError` with a sentence that calls the file `told`.
    """
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"'{told}' is larger than {MOST_BYTES // 2**20} MB; shorten it.")
    values = _read_array(path, told) if path.suffix.lower() == ".npy" else _read_csv(path, told)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.dtype.kind not in "iufb":
        raise DataError(f"'{told}' holds no waveform: numbers by time and channel are needed.")
    if values.shape[0] < values.shape[1]:
        values = values.T
    samples, channels = values.shape
    if samples < FEWEST or channels > MOST_CHANNELS:
        raise DataError(
            f"'{told}' has {samples:,} samples of {channels:,} channels; {FEWEST} samples and at "
            f"most {MOST_CHANNELS} channels are needed."
        )
    values = values.astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    if np.isnan(values).all():
        raise DataError(f"'{told}' holds no number.")
    return np.ascontiguousarray(values)


def _read_array(path: Path, told: str) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise DataError(f"'{told}' cannot be read as a NumPy array; save it again.") from None


def _read_csv(path: Path, told: str) -> np.ndarray:
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline().strip().split(",")
        named = any(not _is_number(word) for word in first)
        frame = pd.read_csv(path, header=0 if named else None)
        frame = frame[[c for c in frame.columns if str(c).strip().lower() not in TIMES]]
        return frame.to_numpy(np.float64)
    except (OSError, ValueError, pd.errors.ParserError):
        raise DataError(
            f"'{told}' cannot be read as a waveform: a CSV file with numbers only is needed, a "
            "column for each channel."
        ) from None


def _is_number(word: str) -> bool:
    try:
        float(word or "nan")
    except ValueError:
        return False
    return True


def read_signal(media: Path, name: str) -> np.ndarray:
    """Return a kept waveform, float32 (samples, channels); raises `DataError` when it is gone."""
    try:
        return np.load(media / name, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise DataError(f"The waveform '{name}' is not there any more; bring it again.") from None
