"""What was heard: words with times and confidence, segments with their warnings, proposals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from medcore.errors import DataError
from medcore.lexicon import Proposal

# Beyond these a segment is likely an invention; the limits are those of Whisper's own decoder.
NO_SPEECH, LOG_PROBABILITY, COMPRESSION = 0.6, -1.0, 2.4


@dataclass(frozen=True)
class Word:
    """A word with its place in the text, its seconds in the sound, and how sure it is (0 to 1)."""

    text: str
    start: int
    end: int
    from_second: float
    to_second: float
    confidence: float


@dataclass(frozen=True)
class Segment:
    """A stretch of speech; `doubt` says why it may be invented, "" where nothing says so."""

    start: int
    end: int
    from_second: float
    to_second: float
    doubt: str = ""


@dataclass(frozen=True)
class Transcript:
    """The plain pass's text, and what belongs to it.

    `biased` is the text of the second pass, which heard with the vocabulary in its ear; it is a
    source of proposals and never shown as what was said. `seconds`: of sound; `took`: of work.
    """

    text: str
    words: tuple[Word, ...]
    segments: tuple[Segment, ...]
    proposals: tuple[Proposal, ...]
    biased: str
    notes: tuple[str, ...]
    seconds: float
    took: float
    model: str

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of work for a second of sound."""
        return self.took / self.seconds if self.seconds else None


def doubt_segment(no_speech: float, log_probability: float, compression: float) -> str:
    """Return why a segment may be invented; "" where nothing says so.

    >>> doubt_segment(0.1, -0.3, 1.2), doubt_segment(0.1, -0.3, 3.0)
    ('', 'it repeats itself')
    """
    reasons = []
    if no_speech > NO_SPEECH:
        reasons.append("there may be no speech here")
    if log_probability < LOG_PROBABILITY:
        reasons.append("the words are guessed")
    if compression > COMPRESSION:
        reasons.append("it repeats itself")
    return " and ".join(reasons)


def transcript_json(transcript: Transcript) -> dict[str, Any]:
    """Return a transcript as plain values."""
    values = asdict(transcript)
    return values | {"real_time_factor": transcript.real_time_factor}


def read_transcript(values: Mapping[str, Any]) -> Transcript:
    """Return a transcript from plain values; raises `DataError` when they are damaged."""
    try:
        known = {key: value for key, value in values.items() if key != "real_time_factor"}
        made = Transcript(**known)
        return replace(
            made,
            words=tuple(Word(**word) for word in made.words),
            segments=tuple(Segment(**segment) for segment in made.segments),
            proposals=tuple(
                Proposal(**{**proposal, "options": tuple(proposal["options"])})
                for proposal in made.proposals
            ),
            notes=tuple(made.notes),
        )
    except (TypeError, KeyError):
        raise DataError("A kept dictation is damaged; transcribe it again.") from None
