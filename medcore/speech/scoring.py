"""How well speech was understood: word and letter errors, and those that matter to patients.

Errors are summed over all recordings before dividing (corpus level), by jiwer. Intervals resample
speakers, because what one speaker says is alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from medcore.config import generator
from medcore.errors import DataError
from medcore.lexicon import Lexicon, find_terms, find_tokens, protected_reason

NORMALISER = "small letters, no punctuation, hyphens as blanks, number words up to 999 as digits"
SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
NUMBERS = {word: number for number, word in enumerate(SMALL)}
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBERS |= {word: 10 * number for number, word in enumerate(TENS, 2)}
SHORT_UNITS = {"milligram": "mg", "milligrams": "mg", "microgram": "mcg", "micrograms": "mcg"}
RESAMPLES = 1000


@dataclass(frozen=True)
class Recording:
    """What was said (`reference`), what was heard, and by whom it was said."""

    reference: str
    heard: str
    speaker: str


@dataclass(frozen=True)
class SpeechMeasure:
    """A figure with its interval over speakers; where undefined, `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True)
class SpeechScore:
    """`measures` by name; `counts`: words, substitutions, deletions, insertions and the rest."""

    measures: dict[str, SpeechMeasure]
    counts: dict[str, int]


def normalise(text: str) -> str:
    """Return a text as the normalised error rates compare it; numbers up to 999 as digits.

    >>> normalise("Metoprolol twenty-five milligrams, two doses, one hundred and twenty.")
    'metoprolol 25 mg 2 doses 120'
    """
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower().replace("’", "'"))
    words = re.sub(r"(?<!\d)\.|\.(?!\d)|[^\w\s.']", " ", text).split()
    return " ".join(SHORT_UNITS.get(word, word) for word in _read_numbers(words))


def _read_numbers(words: list[str]) -> list[str]:
    """Return words with spoken numbers as digits: "twenty five", "one hundred and twenty"."""
    done: list[str] = []
    number: int | None = None
    for place, word in enumerate([*words, ""]):
        new = NUMBERS.get(word)
        follows = number is not None and new is not None
        if word == "hundred" and number is not None and number < 10:
            number *= 100
        elif follows and (number % 100 == 0 < number or (number % 10 == 0 < number and new < 10)):
            number += new
        elif (
            word == "and"
            and number
            and number % 100 == 0
            and words[place + 1 : place + 2]
            and (words[place + 1] in NUMBERS)
        ):
            continue
        else:
            done += [] if number is None else [str(number)]
            number = new
            done += [word] if new is None and word else []
    return done


# Per recording: errors and what they are divided by, for every measure.
_Parts = dict[str, tuple[float, float]]


def score_recordings(
    recordings: Sequence[Recording], lexicon: Lexicon, *, seed: int = 0
) -> SpeechScore:
    """Return error rates, recall of medical terms, numbers kept, and flipped negations."""
    if not recordings:
        raise DataError("There are no recordings with reference texts to score.")
    empty = [r for r in recordings if not normalise(r.reference)]
    if empty:
        raise DataError("A reference text holds no words; every recording needs what was said.")
    parts = [_count(recording, lexicon) for recording in recordings]
    speakers = [recording.speaker for recording in recordings]
    names = ("wer", "cer", "wer_raw", "cer_raw", "term_recall", "number_accuracy")
    measures = {name: _measure(name, parts, speakers, seed) for name in names}
    counts = Counter[str]()
    for part in parts:
        counts.update({name: int(part[name][0]) for name in part if name not in names})
    counts["words"] = int(sum(part["wer"][1] for part in parts))
    counts["recordings"], counts["speakers"] = len(parts), len(set(speakers))
    return SpeechScore(measures, dict(counts))


def _count(recording: Recording, lexicon: Lexicon) -> _Parts:
    import jiwer

    said, heard = normalise(recording.reference), normalise(recording.heard)
    words = jiwer.process_words(said, heard)
    letters = jiwer.process_characters(said, heard)
    raw = jiwer.process_words(recording.reference.strip(), recording.heard.strip())
    raw_letters = jiwer.process_characters(recording.reference.strip(), recording.heard.strip())
    outputs = {"wer": words, "cer": letters, "wer_raw": raw, "cer_raw": raw_letters}
    parts: _Parts = {name: _rate(output) for name, output in outputs.items()}
    parts |= {
        "substitutions": (words.substitutions, 1),
        "deletions": (words.deletions, 1),
        "insertions": (words.insertions, 1),
        "flipped_negations": (count_flips(said, heard), 1),
    }
    return parts | _count_terms(recording, lexicon) | {"number_accuracy": _count_numbers(words)}


def _rate(output) -> tuple[float, float]:
    errors = output.substitutions + output.deletions + output.insertions
    return float(errors), float(output.hits + output.substitutions + output.deletions)


def _count_terms(recording: Recording, lexicon: Lexicon) -> _Parts:
    said, heard = (
        Counter(found.term.name for found in find_terms(text, lexicon))
        for text in (recording.reference, recording.heard)
    )
    right = sum((said & heard).values())
    return {
        "term_recall": (float(right), float(sum(said.values()))),
        "inserted_terms": (float(sum((heard - said).values())), 1),
    }


def _count_numbers(words) -> tuple[float, float]:
    """Return how many numbers and units were kept, and how many there were."""
    said = words.references[0]
    kept = set()
    for chunk in words.alignments[0]:
        if chunk.type == "equal":
            kept |= set(range(chunk.ref_start_idx, chunk.ref_end_idx))
    places = [p for p, word in enumerate(said) if protected_reason(word) in ("number", "unit")]
    return float(sum(place in kept for place in places)), float(len(places))


def count_flips(said: str, heard: str) -> int:
    """Return how often a negation was lost or added.

    >>> count_flips("no evidence of effusion", "evidence of effusion")
    1
    """
    counts = [
        Counter(t.lower for t in find_tokens(text) if protected_reason(t.text) == "negation")
        for text in (said, heard)
    ]
    lost, added = sum((counts[0] - counts[1]).values()), sum((counts[1] - counts[0]).values())
    return max(lost, added)


def _measure(name: str, parts: list[_Parts], speakers: list[str], seed: int) -> SpeechMeasure:
    top = np.array([part[name][0] for part in parts])
    bottom = np.array([part[name][1] for part in parts])
    if not bottom.sum():
        return SpeechMeasure(None, None, None, 0, "nothing of the kind was said")
    value = float(top.sum() / bottom.sum())
    count = int(bottom.sum())
    unique, owner = np.unique(speakers, return_inverse=True)
    if len(unique) < 2:
        return SpeechMeasure(value, None, None, count, "an interval needs two speakers or more")
    sums = [np.bincount(owner, weights=values) for values in (top, bottom)]
    rng = generator(seed, "speech", name)
    drawn = rng.integers(len(unique), size=(RESAMPLES, len(unique)))
    tops, bottoms = (values[drawn].sum(axis=1) for values in sums)
    rates = tops[bottoms > 0] / bottoms[bottoms > 0]
    low, high = (float(edge) for edge in np.quantile(rates, [0.025, 0.975]))
    return SpeechMeasure(value, low, high, count)


def compare_scores(
    plain: SpeechScore, corrected: SpeechScore, choose: Callable[[SpeechScore], float | None]
) -> float | None:
    """Return by how much a figure rose from plain to corrected."""
    before, after = choose(plain), choose(corrected)
    return None if before is None or after is None else after - before
