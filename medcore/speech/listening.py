"""What a pretrained recogniser hears: its encoder's states, pooled over the frames that hold sound.

The encoder stays as it is. Whisper's sees spectrograms of up to thirty seconds; short ones are
filled up with silence to three seconds and the next whole second, since it has learned from
recordings that end in silence, and whole half minutes would take forty times as long.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from medcore.errors import DataError
from medcore.sound import RATE, holds_sound, log_mel
from medcore.speech.recognizer import FILES, SpeechModel, bundled_model, find_model

VERSION = 1
# Frames of 10 ms.
LEAST_FRAMES, WHOLE, MOST_FRAMES = 300, 100, 3000


def has_recognizer(place: str = "") -> bool:
    """Tell whether a speech model is at hand in a folder, without loading or fetching one."""
    if place:
        return (Path(place).expanduser() / FILES[0]).is_file()
    return bundled_model() is not None


class Listener:
    """A loaded encoder; `digest` stands for its weights, `label` is what people read."""

    def __init__(self, found: SpeechModel) -> None:
        from faster_whisper import WhisperModel

        from medcore.speech.recognizer import load_whisper

        self.label = found.label
        self.model: WhisperModel = load_whisper(WhisperModel, found)
        self.digest = _hash_weights(Path(found.place))
        # Two states of ten milliseconds' silence: their width is the model's.
        self.width = 2 * self._encode(np.zeros(RATE // 50, np.float32)).shape[1]

    def hear(self, samples: np.ndarray) -> np.ndarray:
        """Return mean and standard deviation of the states, float32 (width,).

        Over the frames that hold sound, of the first thirty seconds.
        """
        samples = samples[: MOST_FRAMES // 100 * RATE]
        heard = holds_sound(log_mel(samples))
        states = self._encode(samples)
        # One state for two frames; sound in either makes it count.
        pairs = np.zeros(2 * len(states), dtype=bool)
        pairs[: min(len(heard), len(pairs))] = heard[: len(pairs)]
        counted = states[pairs.reshape(-1, 2).any(axis=1)]
        counted = counted if len(counted) else states
        return np.concatenate([counted.mean(axis=0), counted.std(axis=0)]).astype(np.float32)

    def _encode(self, samples: np.ndarray) -> np.ndarray:
        features = self.model.feature_extractor(samples, padding=0)
        wanted = -(-features.shape[1] // WHOLE) * WHOLE
        wanted = min(max(wanted, LEAST_FRAMES), MOST_FRAMES)
        filled = np.full((len(features), wanted), features.min(), dtype=np.float32)
        filled[:, : features.shape[1]] = features[:, :wanted]
        return np.array(self.model.encode(filled), dtype=np.float32)[0]


@lru_cache(1)
def load_listener(place: str = "") -> Listener:
    """Return the encoder of the speech model that `place` names, see `find_model`.

    Raises `DataError` when there is none.
    """
    return Listener(find_model(place))


def check_listener(listener: Listener, digest: str, label: str) -> None:
    """Raise `DataError` unless it is the encoder that a model was trained with."""
    if listener.digest != digest:
        raise DataError(
            f"This model hears through the speech model '{label}', and '{listener.label}' is at "
            "hand: name the one it was trained with in MEDCORE_SPEECH_MODEL."
        )


def _hash_weights(folder: Path) -> str:
    path = folder / FILES[0]
    if not path.is_file():
        return hashlib.sha256(str(folder).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
