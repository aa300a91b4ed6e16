"""Sound of any kind as 16 kHz mono float32, read piece by piece so that memory stays bounded."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medcore.errors import DataError, StoreError

RATE = 16_000
MOST_MINUTES = 60
BLOCK = 65_536
# Shorter than that, a recording holds next to nothing to learn from.
LEAST_HEARD = 0.1
LEAST_SECONDS, CLIPPED_LEVEL, CLIPPED_SHARE, QUIET_LEVEL = 0.3, 0.999, 0.001, 0.005
QUALITIES = ("good", "too short", "overdriven", "all but silent")
ENDINGS = ("wav", "flac", "mp3", "ogg", "m4a", "opus")


@dataclass(frozen=True, eq=False)
class Sound:
    """`samples`: float32 in [-1, 1], 16 kHz, mono; `notes` are sentences about its quality.

    `rate` is that of the file, in Hz, and `quality` one word of `QUALITIES`.
    """

    samples: np.ndarray
    notes: tuple[str, ...] = ()
    rate: int = RATE
    quality: str = "good"

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / RATE


def most_minutes() -> int:
    """Return the longest recording that is taken (`MEDCORE_SPEECH_MINUTES`)."""
    text = os.environ.get("MEDCORE_SPEECH_MINUTES", "")
    if text and (not text.isdecimal() or int(text) < 1):
        raise StoreError(f"MEDCORE_SPEECH_MINUTES must be a whole number from 1 on, not '{text}'.")
    return int(text) if text else MOST_MINUTES


def read_sound(path: Path) -> Sound:
    """Read a WAV, FLAC, MP3, OGG or M4A file.

    Raises `DataError` when it is empty, too long, a video, or no sound at all.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There is no file '{path}'; check the name.")
    if not path.stat().st_size:
        raise DataError(f"'{path.name}' is empty; record it again.")
    blocks: list[np.ndarray] = []
    count, rate, most = 0, RATE, most_minutes() * 60 * RATE
    for block, rate in _resampled(path):  # noqa: B007 - the last one's rate is the file's
        blocks.append(block)
        count += len(block)
        if count > most:
            raise _too_long(path, count / RATE, "more than ")
    if not count:
        raise DataError(f"'{path.name}' holds no sound; record it again.")
    samples = np.clip(np.concatenate(blocks), -1.0, 1.0).astype(np.float32, copy=False)
    return Sound(samples, tuple(_describe(samples)), rate, judge_quality(samples))


def judge_quality(samples: np.ndarray) -> str:
    """Return the word of `QUALITIES` for samples, the gravest fault first.

    >>> judge_quality(np.zeros(16000, np.float32))
    'all but silent'
    """
    if not len(samples) or float(np.max(np.abs(samples))) < QUIET_LEVEL:
        return "all but silent"
    if len(samples) / RATE < LEAST_HEARD:
        return "too short"
    clipped = float(np.mean(np.abs(samples) >= CLIPPED_LEVEL))
    return "overdriven" if clipped > CLIPPED_SHARE else "good"


def _too_long(path: Path, seconds: float, more: str = "") -> DataError:
    hours, minutes = divmod(round(seconds / 60), 60)
    length = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return DataError(
        f"'{path.name}' lasts {more}{length}; at most {most_minutes()} min are taken. Cut it into "
        "parts."
    )


def _resampled(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Yield blocks at 16 kHz, each with the rate that the file has."""
    import soxr

    blocks = _read_blocks(path)
    stream, rate, kept = None, 0, RATE
    for block, given, kept in blocks:
        if stream is None or given != rate:
            stream, rate = soxr.ResampleStream(given, RATE, 1, dtype="float32"), given
        yield stream.resample_chunk(np.ascontiguousarray(block, dtype=np.float32)), kept
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True), kept


def _read_blocks(path: Path) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield mono blocks with their rate and the file's: by soundfile, else by PyAV."""
    import soundfile

    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError:
        yield from _read_by_av(path)
        return
    with file:
        if 0 < file.frames < 2**60 and file.frames / file.samplerate > most_minutes() * 60:
            raise _too_long(path, file.frames / file.samplerate)
        try:
            for block in file.blocks(BLOCK, dtype="float32", always_2d=True):
                yield np.nan_to_num(block.mean(axis=1)), file.samplerate, file.samplerate
        except soundfile.LibsndfileError:
            raise DataError(f"'{path.name}' is damaged; record or export it again.") from None


def _read_by_av(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    import av

    try:
        with av.open(str(path)) as container:
            shown = [s for s in container.streams.video if "ATTACHED_PIC" not in _disposition(s)]
            if shown:
                raise DataError(f"'{path.name}' is a video; export its sound as WAV or M4A.")
            if not container.streams.audio:
                raise DataError(f"'{path.name}' holds no sound; record it again.")
            yield from _decode(container, path)
    except (av.FFmpegError, ValueError):
        raise DataError(
            f"'{path.name}' cannot be read as sound; bring WAV, FLAC, MP3, OGG or M4A."
        ) from None


def _disposition(stream) -> str:
    return str(getattr(stream, "disposition", "")).upper()


def _decode(container, path: Path) -> Iterator[tuple[np.ndarray, int, int]]:
    import av

    if container.duration and container.duration / av.time_base > most_minutes() * 60:
        raise _too_long(path, container.duration / av.time_base)
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    for frame in container.decode(audio=0):
        for piece in resampler.resample(frame):
            yield piece.to_ndarray()[0], RATE, frame.sample_rate


def _describe(samples: np.ndarray) -> Iterator[str]:
    """Yield what makes a recording hard to understand."""
    seconds = len(samples) / RATE
    if seconds < LEAST_SECONDS:
        yield f"It lasts {seconds:.1f} s, too short to hold a word."
    clipped = float(np.mean(np.abs(samples) >= CLIPPED_LEVEL))
    if clipped > CLIPPED_SHARE:
        yield f"It is overdriven: {clipped:.1%} of it is cut off. Record with less gain."
    if float(np.max(np.abs(samples))) < QUIET_LEVEL:
        yield "It is all but silent; check the microphone."


def write_wav(samples: np.ndarray) -> bytes:
    """Return samples as a 16-bit WAV file."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def write_flac(samples: np.ndarray) -> bytes:
    """Return samples as a FLAC file: what is kept to listen to again."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def kept_seconds(path: Path) -> float:
    """Return how long a kept file lasts, from its header; raises `DataError` if damaged."""
    import soundfile

    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, OSError):
        raise DataError(
            f"The kept recording '{path.name}' cannot be read; bring the data again."
        ) from None


def read_kept(path: Path) -> np.ndarray:
    """Return the samples of a kept file, float32 at 16 kHz; raises `DataError` if damaged."""
    import soundfile

    try:
        return soundfile.read(path, dtype="float32")[0]
    except (soundfile.LibsndfileError, OSError):
        raise DataError(
            f"The kept recording '{path.name}' cannot be read; bring the data again."
        ) from None


def read_part(path: Path, start: float, end: float) -> np.ndarray:
    """Return the seconds from `start` to `end` of a kept FLAC file."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        first = max(0, min(file.frames, int(start * RATE)))
        file.seek(first)
        return file.read(max(0, int(end * RATE) - first), dtype="float32")
