"""Which medical word a misspelt or misheard one may stand for, by letters and by sound."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from medcore.lexicon.terms import Lexicon

LEAST_LETTERS, LEAST_SCORE, MOST_CANDIDATES = 5, 0.78, 3
# Letter groups that sound alike in English and medical Latin, in the order they are replaced.
SOUNDS = (
    (r"^(?:ps|pt|pn|kn|gn|wr|x)", lambda m: {"ps": "s", "pt": "t", "x": "s", "wr": "r"}.get(
        m.group(), "n")),
    (r"(?<=[aeo])w", ""), (r"ph", "f"), (r"gh(?=t|$)", ""), (r"rh", "r"),
    (r"sch|sc(?=[eiy])", "s"), (r"tch|ch|ck", "k"),
    (r"c(?=[eiy])", "s"), (r"[cq]u?", "k"), (r"x", "ks"), (r"z", "s"), (r"th", "t"),
    (r"tio|sio", "sho"), (r"[vw]", "f"), (r"b", "p"), (r"d", "t"), (r"[gj]", "k"),
    (r"(?<=[a-z])h", ""), (r"(?<=[a-z])[aeiouy]+", ""), (r"^[aeiouy]+", "a"), (r"(.)\1+", r"\1"),
)  # fmt: skip
# A word that ends so is formed as medicine forms words; another ending makes another word of it.
FORMED = re.compile(
    r"(?:itis|osis|oses|pathy|pathic|ectomy|otomy|ostomy|plasty|gram|graphy|scopy|emia|aemia|emic|"
    r"uria|algia|algic|esthesia|phobia|plegia|oma|genic|trophy|trophic|tensive|penia|megaly|lysis|"
    r"ia|ic|ive|ous|al|oid)$"
)


@dataclass(frozen=True)
class Candidate:
    """A word that may be meant; `score` from 0 to 1 says how near it is."""

    word: str
    score: float


@functools.lru_cache(maxsize=100_000)
def sound_key(text: str) -> str:
    """Return how a word sounds, its vowels aside; words that sound alike share it.

    >>> sound_key("pneumonia") == sound_key("newmonya")
    True
    >>> sound_key("azithromycin") == sound_key("asithro mysin")
    True
    """
    key = re.sub(r"[^a-z]", "", text.lower())
    for pattern, sound in SOUNDS:
        key = re.sub(pattern, sound, key)
    return key


def similarity(left: str, right: str) -> float:
    """Return how alike two words are, from letters (with swaps) and sound; 1 when equal."""
    letters = OSA.normalized_similarity(left, right)
    sound = JaroWinkler.similarity(sound_key(left), sound_key(right))
    return 0.65 * letters + 0.35 * sound


def suggest_words(word: str, lexicon: Lexicon) -> tuple[Candidate, ...]:
    """Return medical words that a misspelt word may stand for, the nearest first.

    >>> from medcore.lexicon.terms import load_lexicon
    >>> [candidate.word for candidate in suggest_words("metropolol", load_lexicon())]
    ['metoprolol']
    """
    lower = word.lower().replace("’", "'")
    if len(lower) < LEAST_LETTERS or any(c.isdigit() for c in lower):
        return ()
    pool = _pool(lexicon.words)
    near = process.extract(
        lower, pool, scorer=OSA.normalized_similarity, score_cutoff=0.7, limit=12
    )
    scored = [Candidate(other, similarity(lower, other)) for other, _, _ in near]
    good = [c for c in scored if c.score >= LEAST_SCORE and _is_near(lower, c.word)]
    return tuple(sorted(good, key=lambda c: (-c.score, c.word))[:MOST_CANDIDATES])


@functools.lru_cache(maxsize=8)
def _pool(words: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(word for word in words if len(word) >= LEAST_LETTERS and word.isalpha()))


def _is_near(word: str, other: str) -> bool:
    """A short word may differ by one letter only, a long one by three; never in a whole ending."""
    ending = FORMED.search(word)
    if ending and not other.endswith(ending.group()):
        return False
    if ending:
        word, other = word[: ending.start()], other[: -len(ending.group())]
    return OSA.distance(word, other) <= (1 if len(word) < 7 else 2 if len(word) < 11 else 3)


def is_lookalike(left: str, right: str, lexicon: Lexicon) -> bool:
    """Tell whether two drug names are mixed up in practice, or are near enough to be."""
    left, right = left.lower(), right.lower()
    if left == right or not (lexicon.is_drug(left) and lexicon.is_drug(right)):
        return False
    return frozenset((left, right)) in lexicon.lookalikes or similarity(left, right) >= 0.8
