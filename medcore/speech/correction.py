"""Medical words that may have been said where recognition was unsure; proposals, never changes.

Two sources name candidates: terms of the vocabulary that sound and look like a stretch of unsure
words, and a second pass that hears with the likeliest of them as hot words. Hot words alone invent
terms that nobody said, so each candidate is put to the sound again: the model gives the likelihood
of the sentence with the term and of the sentence as heard, both with the term in its prompt (which
takes out the rarity of the word), and the difference, with the likeness, makes the confidence.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA, Indel

from medcore.lexicon import Lexicon, Proposal, find_terms, protected_reason, sound_key
from medcore.speech.recognizer import Encoded, Heard, Recognizer, iterate_words
from medcore.speech.transcript import Word

# Words below this are unsure; windows of up to five words are compared with every term.
UNSURE, MOST_WORDS, LEAST_LIKENESS = 0.85, 5, 0.6
LEAST_CANDIDATES, CANDIDATES_PER_SECOND, HOT_WORDS, TERMS_PER_PROMPT = 8, 0.5, 20, 8
# Chosen on synthetic voices (tests.benchmarks.speech): likelihood difference, likeness, constant.
BY_LIKELIHOOD, BY_LIKENESS, LIKENESS_CENTRE, CONSTANT = 0.6, 7.0, 0.70, -4.2
DEFAULT_CONFIDENCE, LEAST_CONFIDENCE = 0.5, 0.0065
LEAST_LETTERS = 5
OPPOSITES = re.compile(r"^(hyper|hypo|in|un|non|a|an|pre|post|sub|supra|inter|intra)(?=\w{4})")


@dataclass(frozen=True)
class Corrections:
    """Proposals for one piece, and what the second pass heard."""

    proposals: tuple[Proposal, ...]
    biased: str


@dataclass(frozen=True)
class _Candidate:
    words: tuple[Word, ...]
    term: str
    likeness: float
    again: bool = False

    @property
    def span(self) -> tuple[int, int]:
        return self.words[0].start, self.words[-1].end


def propose_corrections(
    heard: Heard,
    piece: np.ndarray,
    recognizer: Recognizer,
    lexicon: Lexicon,
) -> Corrections:
    """Return what may have been said instead of unsure words of one piece of sound."""
    words = list(iterate_words(heard))
    if not words or min(word.confidence for word in words) >= UNSURE:
        return Corrections((), heard.text.strip())
    length = len(piece) / 16_000
    most = max(LEAST_CANDIDATES, int(length * CANDIDATES_PER_SECOND))
    alike = _alike(words, heard.text, lexicon)
    hot = list(dict.fromkeys(candidate.term for candidate in alike))[:HOT_WORDS]
    biased = ""
    if hot:
        biased = recognizer.hear_biased(piece, ", ".join(hot), heard.text)
    again = _heard_again(words, biased, lexicon)
    pool = {(c.span, c.term): c for c in (*alike[:most], *again)}
    encoded = recognizer.encode(piece)
    scored = _score(list(pool.values()), heard, encoded, recognizer)
    return Corrections(tuple(_choose(scored, heard, lexicon)), biased)


def _alike(words: list[Word], text: str, lexicon: Lexicon) -> list[_Candidate]:
    """Return each term's likeliest place among the unsure words, the most alike first."""
    windows = [
        tuple(words[start : start + size])
        for size in range(1, MOST_WORDS + 1)
        for start in range(len(words) - size + 1)
    ]
    windows = [window for window in windows if _may_change(window)]
    written = [_letters("".join(word.text for word in window)) for window in windows]
    windows = [window for window, letters in zip(windows, written, strict=True) if letters]
    written = [letters for letters in written if letters]
    terms, letters, keys = _vocabulary(lexicon)
    if not windows or not terms:
        return []
    sounds = process.cdist(
        [sound_key(w) for w in written], keys, scorer=OSA.normalized_similarity, dtype=np.float32
    )
    shapes = process.cdist(written, letters, scorer=Indel.normalized_similarity, dtype=np.float32)
    likeness = (sounds + shapes) / 2
    best = likeness.argmax(axis=0)
    order = np.argsort(-likeness.max(axis=0), kind="stable")
    lower, found = text.lower(), []
    for place in order:
        value = float(likeness[best[place], place])
        if value < LEAST_LIKENESS:
            break
        candidate = _Candidate(windows[best[place]], terms[place], value)
        if terms[place] not in lower and _is_another(candidate, lexicon):
            found.append(candidate)
    return found


def _vocabulary(lexicon: Lexicon) -> tuple[list[str], list[str], list[str]]:
    """Return the terms worth listening for, their letters and how they sound."""
    terms = [term for term in lexicon.terms if len(_letters(term)) >= LEAST_LETTERS]
    return terms, [_letters(term) for term in terms], [sound_key(term) for term in terms]


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def _may_change(window: tuple[Word, ...]) -> bool:
    """Numbers stay as they are, and so do words that recognition is sure of."""
    if any(re.fullmatch(r"[\d.,:/%]+", word.text) for word in window):
        return False
    return min(word.confidence for word in window) < UNSURE


def _is_another(candidate: _Candidate, lexicon: Lexicon) -> bool:
    """Leave out what would replace a term that was heard, other forms of a word, its opposite."""
    own = [_letters(word.text) for word in candidate.words]
    term = _letters(candidate.term)
    written = " ".join(word.text.strip(".,;:?!") for word in candidate.words)
    for found in find_terms(written, lexicon):
        if _letters(found.term.written) not in term:
            return False
    for word in own:
        if word in lexicon.words and word[:5] == term[:5]:
            return False
        if word in lexicon.words and OPPOSITES.sub("", word) == OPPOSITES.sub("", term):
            return False
    return True


def _heard_again(words: list[Word], biased: str, lexicon: Lexicon) -> list[_Candidate]:
    """Return the terms of the second pass that the first has not, with the words they replace."""
    again = re.findall(r"\S+", biased)
    plain = [_letters(word.text) for word in words]
    matcher = difflib.SequenceMatcher(a=plain, b=[_letters(w) for w in again], autojunk=False)
    found = []
    for tag, a, b, c, d in matcher.get_opcodes():
        window = tuple(words[a:b])
        if tag != "replace" or len(window) > MOST_WORDS + 1 or not _may_change(window):
            continue
        phrase = " ".join(again[c:d])
        for match in find_terms(phrase, lexicon):
            likeness = _likeness(window, match.term.written)
            candidate = _Candidate(window, match.term.written, likeness, again=True)
            if likeness >= 0.4 and _is_another(candidate, lexicon):
                found.append(candidate)
    return found


def _likeness(window: tuple[Word, ...], term: str) -> float:
    letters = _letters("".join(word.text for word in window))
    sound = OSA.normalized_similarity(sound_key(letters), sound_key(term))
    return (sound + Indel.normalized_similarity(letters, _letters(term))) / 2


def _score(
    pool: list[_Candidate], heard: Heard, encoded: Encoded, recognizer: Recognizer
) -> list[tuple[float, _Candidate]]:
    """Return each candidate with how sure the sound is of it, from 0 to 1."""
    scored = []
    for group in batched(pool, TERMS_PER_PROMPT):
        prompt = " " + ", ".join(dict.fromkeys(candidate.term for candidate in group)) + "."
        texts = [heard.text, *(_changed(candidate, heard) for candidate in group)]
        before, *after = recognizer.log_likelihoods(encoded, prompt, texts)
        scored += [
            (_confidence(value - before, candidate), candidate)
            for value, candidate in zip(after, group, strict=True)
        ]
    return scored


def _changed(candidate: _Candidate, heard: Heard) -> str:
    start, end = (place - _offset(heard) for place in candidate.span)
    tail = re.search(r"[.,;:?!]*$", heard.text[:end])
    return heard.text[:start] + candidate.term + (tail.group() if tail else "") + heard.text[end:]


def _offset(heard: Heard) -> int:
    """Return where the piece begins in the whole text."""
    return heard.words[0].start - len(heard.text) + len(heard.text.lstrip())


def _confidence(difference: float, candidate: _Candidate) -> float:
    score = BY_LIKELIHOOD * difference + CONSTANT
    score += BY_LIKENESS * (candidate.likeness - LIKENESS_CENTRE)
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def batched(items: list[_Candidate], size: int) -> list[list[_Candidate]]:
    """Return the items in groups of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def _choose(
    scored: Iterable[tuple[float, _Candidate]], heard: Heard, lexicon: Lexicon
) -> list[Proposal]:
    """Return one proposal a place, the surest; what overlaps it joins its options."""
    kept: list[tuple[float, _Candidate, list[str]]] = []
    # Of spellings that are as sure, the one that is nearer to what was heard comes first.
    order = sorted(scored, key=lambda pair: (-round(pair[0], 1), -pair[1].likeness))
    for confidence, candidate in order:
        if confidence < LEAST_CONFIDENCE:
            continue
        start, end = candidate.span
        rival = next((k for k in kept if k[1].span[0] < end and start < k[1].span[1]), None)
        if rival is None:
            kept.append((confidence, candidate, [candidate.term]))
        elif rival[1].span == candidate.span and len(rival[2]) < 3:
            rival[2].append(candidate.term)
    proposals = [_propose(*entry, heard, lexicon) for entry in kept]
    return sorted(proposals, key=lambda proposal: proposal.start)


def _propose(
    confidence: float, candidate: _Candidate, terms: list[str], heard: Heard, lexicon: Lexicon
) -> Proposal:
    start, end = candidate.span
    before = heard.text[start - _offset(heard) : end - _offset(heard)]
    tail = re.search(r"[.,;:?!]*$", before)
    bare = before[: tail.start()] if tail else before
    protected = {
        reason
        for word in candidate.words
        if (reason := protected_reason(word.text.strip(".,;:?!")))
    }
    drugs = [t for t in (*terms, bare.lower()) if lexicon.is_drug(t)]
    reason = "sounds alike, and heard so the second time" if candidate.again else "sounds alike"
    if protected:
        reason += f"; replaces a {' and a '.join(sorted(protected))}"
    if drugs:
        reason += "; a drug's name"
    sure = confidence >= DEFAULT_CONFIDENCE and not protected and not drugs
    capital = bare[:1].isupper() and start == 0
    options = tuple(t[0].upper() + t[1:] if capital else t for t in terms)
    return Proposal(
        start, start + len(bare), bare, options, "heard", reason, round(confidence, 3), sure
    )
