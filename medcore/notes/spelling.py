"""Misspelt medical words in a note: proposed with a reason, never changed by itself."""

from __future__ import annotations

import re

from medcore.lexicon import (
    Candidate,
    Lexicon,
    Proposal,
    Token,
    find_tokens,
    is_known_word,
    is_lookalike,
    protected_reason,
    suggest_words,
)
from medcore.notes.sections import Section

SURE_SCORE, NAME_SCORE = 0.85, 0.93
TITLES = re.compile(r"(?:Dr|Mr|Mrs|Ms|Prof|Nurse|Sister|St)\.?\s+$")


def find_misspellings(
    note: str, lexicon: Lexicon, sections: tuple[Section, ...] = ()
) -> list[Proposal]:
    """Return a proposal for each word that is no word and near a medical one.

    Where a drug is on either side, or several words are as near, a person must choose.

    >>> from medcore.lexicon import load_lexicon
    >>> [(p.before, p.options[0], p.sure) for p in find_misspellings(
    ...     "Pnuemonia, on hydroxizine.", load_lexicon())]
    [('Pnuemonia', 'Pneumonia', True), ('hydroxizine', 'hydroxyzine', False)]
    """
    heads = [(section.start, section.body) for section in sections if section.title]
    proposals = []
    for token in find_tokens(note):
        if any(head <= token.start < body for head, body in heads):
            continue
        if protected_reason(token.text) or is_known_word(token.text, lexicon):
            continue
        candidates = suggest_words(token.text, lexicon)
        if candidates and _is_meant(note, token, candidates[0]):
            proposals.append(_propose(token, candidates, lexicon))
    return proposals


def _is_meant(note: str, token: Token, best: Candidate) -> bool:
    """A capitalised word within a sentence may be a name, unless it is very near."""
    if token.text.isupper() and len(token.text) < 6:
        return False
    if not token.text[0].isupper() or token.text.isupper():
        return True
    before = note[max(0, token.start - 12) : token.start]
    if TITLES.search(before):
        return False
    begins = not before.strip() or before.rstrip()[-1] in ".:;!?\n-•*"
    return begins or best.score >= NAME_SCORE


def _propose(token: Token, candidates: tuple[Candidate, ...], lexicon: Lexicon) -> Proposal:
    best = candidates[0]
    words = [candidate.word for candidate in candidates]
    drugs = [word for word in words if lexicon.is_drug(word)]
    alike = [word for word in _lookalikes(best.word, lexicon) if word not in words]
    if drugs:
        reason = "a drug's name: choose"
        words += alike if lexicon.is_drug(best.word) else []
    elif len(candidates) > 1 and candidates[1].score > best.score - 0.05:
        reason = "several words are as near: choose"
    else:
        reason = "not a word; near a medical one"
    sure = not drugs and reason.startswith("not") and best.score >= SURE_SCORE
    options = tuple(dict.fromkeys(_as_written(token.text, word) for word in words))
    return Proposal(
        token.start, token.end, token.text, options, "spelling", reason, round(best.score, 2), sure
    )


def _lookalikes(word: str, lexicon: Lexicon) -> list[str]:
    if not lexicon.is_drug(word):
        return []
    listed = {other for pair in lexicon.lookalikes if word in pair for other in pair - {word}}
    return sorted(other for other in listed if is_lookalike(word, other, lexicon))


def _as_written(before: str, after: str) -> str:
    """Keep the capitals of the word that is replaced.

    >>> _as_written("PNUEMONIA", "pneumonia"), _as_written("Astma", "asthma")
    ('PNEUMONIA', 'Asthma')
    """
    if before.isupper():
        return after.upper()
    return after.capitalize() if before[0].isupper() else after
