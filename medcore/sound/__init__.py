"""Sound: any recording as 16 kHz mono, and what a spectrogram shows of it."""

from medcore.sound.reading import (
    ENDINGS,
    QUALITIES,
    RATE,
    Sound,
    judge_quality,
    kept_seconds,
    most_minutes,
    read_kept,
    read_part,
    read_sound,
    write_flac,
    write_wav,
)
from medcore.sound.spectra import (
    HOP,
    SILENCE,
    cepstra,
    count_frames,
    holds_sound,
    limit_pitch,
    log_mel,
    mel_bands,
)

__all__ = [
    "ENDINGS",
    "HOP",
    "QUALITIES",
    "RATE",
    "SILENCE",
    "Sound",
    "cepstra",
    "count_frames",
    "holds_sound",
    "judge_quality",
    "kept_seconds",
    "limit_pitch",
    "log_mel",
    "mel_bands",
    "most_minutes",
    "read_kept",
    "read_part",
    "read_sound",
    "write_flac",
    "write_wav",
]
