"""Dictation: sound to text, and proposals that make the text more accurate.

The plain pass is the text. Nothing in it changes without a click; proposals are the lexicon's.
faster-whisper is loaded by workers only.
"""

from medcore.sound import (
    ENDINGS,
    RATE,
    Sound,
    most_minutes,
    read_part,
    read_sound,
    write_flac,
    write_wav,
)
from medcore.speech.collection import Item, unpack_collection
from medcore.speech.isolation import read_sound_isolated
from medcore.speech.recognizer import (
    NO_MODEL,
    Recognizer,
    SpeechModel,
    bundled_model,
    find_model,
    transcribe,
)
from medcore.speech.scoring import (
    NORMALISER,
    Recording,
    SpeechMeasure,
    SpeechScore,
    normalise,
    score_recordings,
)
from medcore.speech.transcript import Segment, Transcript, Word, read_transcript, transcript_json

__all__ = [
    "ENDINGS",
    "NORMALISER",
    "NO_MODEL",
    "RATE",
    "Item",
    "Recognizer",
    "Recording",
    "Segment",
    "Sound",
    "SpeechMeasure",
    "SpeechModel",
    "SpeechScore",
    "Transcript",
    "Word",
    "bundled_model",
    "find_model",
    "most_minutes",
    "normalise",
    "read_part",
    "read_sound",
    "read_sound_isolated",
    "read_transcript",
    "score_recordings",
    "transcribe",
    "transcript_json",
    "unpack_collection",
    "write_flac",
    "write_wav",
]
