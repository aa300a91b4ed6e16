"""A trained recogniser of one's own: kept in a folder, and listened with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from medcore.errors import StoreError
from medcore.models.ctc import Speller, decode_beam, decode_greedily
from medcore.prepare.hearing import Spectra, fit_frames
from medcore.recogniser.tokens import Tokens, read_tokens
from medcore.sound import QUALITIES, RATE, Sound, judge_quality, log_mel
from medcore.speech.recognizer import find_pieces
from medcore.speech.transcript import Segment, Transcript
from medcore.store.folder import read_json, write_json
from medcore.train.spelling import room_for, spell

LABEL = "a recogniser of your own"
SILENT = QUALITIES[-1]
SPEC, WEIGHTS = "speller.json", "speller.safetensors"


@dataclass(frozen=True, eq=False)
class OwnRecogniser:
    """A small recogniser: its network's spec and weights, spectrograms, tokens, and the beam."""

    spec: dict
    spectra: dict
    tokens: Tokens
    beam: int
    arrays: dict[str, np.ndarray]

    @property
    def label(self) -> str:
        """What people read."""
        return LABEL

    @cached_property
    def network(self) -> Speller:
        """The network with its weights."""
        import torch

        with torch.random.fork_rng(devices=[]):
            network = Speller(self.spec)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in self.arrays.items()})
        return network.requires_grad_(False).eval()

    def read(self, spectrum: np.ndarray) -> str:
        """Return the text of one spectrogram (bands, frames)."""
        said = spell(self.network, spectrum[None])[0]
        found = decode_greedily(said) if self.beam == 1 else decode_beam(said, self.beam)
        return self.tokens.read(found)

    def hear(self, samples: np.ndarray) -> str:
        """Return what was said in 16 kHz samples of at most half a minute."""
        found = log_mel(samples, self.spectra["bands"], self.spectra["highest"])
        frames = room_for(found.shape[1], 0.0)
        return self.read(fit_frames(found, frames).astype(np.float16))

    def transcribe(self, sound: Sound) -> Transcript:
        """Return what was said in a recording, piece by piece of speech; words have no times."""
        text, segments, started = "", [], time.monotonic()
        # What voice detection does not take for speech is heard as one piece where it is short.
        pieces = find_pieces(sound.samples) or [(0, len(sound.samples))][: sound.seconds < 30]
        for start, end in pieces:
            piece = sound.samples[start:end]
            # Silence is nobody's word, whatever a network would spell.
            said = "" if judge_quality(piece) == SILENT else self.hear(piece)
            if not said:
                continue
            begin = len(text) + bool(text)
            text = f"{text} {said}".strip()
            segments.append(Segment(begin, len(text), start / RATE, end / RATE))
        return Transcript(
            text, (), tuple(segments), (), "", sound.notes, sound.seconds,
            time.monotonic() - started, self.label,
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """Keep the recogniser in a folder, weights as safetensors."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        values = {"spec": self.spec, "spectra": self.spectra, "tokens": self.tokens.values(),
                  "beam": self.beam}  # fmt: skip
        write_json(folder, SPEC, values)
        whole = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        save_file(whole, folder / WEIGHTS)


def holds_recogniser(folder: Path) -> bool:
    """Tell whether a folder holds a recogniser that was trained here."""
    return (Path(folder) / SPEC).is_file()


def load_recogniser(folder: Path) -> OwnRecogniser:
    """Return the recogniser that a folder holds; raises `StoreError` when it is damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = Path(folder)
    try:
        values: dict[str, Any] = read_json(folder, SPEC)
        arrays = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"The recogniser in '{folder}' cannot be read: {error}.") from None
    Spectra(**values["spectra"])
    return OwnRecogniser(
        values["spec"], values["spectra"], read_tokens(values["tokens"]), values["beam"], arrays
    )
