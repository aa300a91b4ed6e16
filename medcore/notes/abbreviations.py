"""Abbreviations and what they stand for here: sections and words nearby decide, or a person."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medcore.lexicon import Lexicon, Meaning, Proposal, find_tokens
from medcore.lexicon.tokens import split_words
from medcore.notes.sections import Section, section_at

NEAR_CHARACTERS = 70
SHORT = re.compile(
    r"(?<![\w./-])(?:[A-Z][A-Za-z]{1,6}|[a-z]/[a-z]|(?:[a-z]\.){2,3}[a-z]?\.?|[a-z]{2,3}|U)(?![\w/-])"
)
# In small letters these are words of their own.
LOWER_TOO = frozenset(
    split_words(
        "bid tid qid qhs prn h/o s/p c/o r/o w/o y/o f/u hx dx sx tx fx abd qd b.i.d. t.i.d. "
        "q.i.d. "
        "p.r.n. p.o. q.d. q.h.s. htn copd gerd cad chf"
    )
)
NUMERAL = re.compile(r"[IVX]+")
COUNTED = re.compile(
    r"(?:grade|stage|type|class|level|phase|category|factor|axis|nerves?|cn|nyha|part)s?"
    r"(?:\s+[IVX]+[ABab]?\s*(?:,|and|or|to|through|/|-|–)?)*\s*$",
    re.IGNORECASE,
)
NEARER = 1.9


def find_abbreviations(
    note: str, lexicon: Lexicon, sections: tuple[Section, ...]
) -> list[Proposal]:
    """Return a proposal for each abbreviation; one with several likely meanings is not sure.

    >>> from medcore.lexicon import load_lexicon
    >>> from medcore.notes.sections import find_sections
    >>> note = "HTN. PT to improve gait and strengthening. MS stable."
    >>> found = find_abbreviations(note, load_lexicon(), find_sections(note))
    >>> [(p.before, p.options[0], p.sure) for p in found][:2]
    [('HTN', 'hypertension', True), ('PT', 'physical therapy', True)]
    >>> found[2].sure, len(found[2].options)
    (False, 5)
    """
    heads = [(section.start, section.body) for section in sections if section.title]
    proposals = []
    for start, end, meanings in _find_short(note, lexicon):
        if any(head <= start < body for head, body in heads):
            continue
        ranked = _rank(note, start, end, meanings, section_at(sections, start))
        best, second = ranked[0], ranked[1] if len(ranked) > 1 else None
        sure = second is None or best[0] >= second[0] + NEARER
        reason = "one meaning" if second is None else _why(best, sure)
        score = 0.95 if second is None else min(0.9, best[0] / 6 + 0.3) if sure else 1 / len(ranked)
        proposals.append(
            Proposal(
                start, end, note[start:end], tuple(meaning.text for _, meaning, _ in ranked),
                "abbreviation", reason, round(score, 2), sure,
            )
        )  # fmt: skip
    return proposals


def _find_short(note: str, lexicon: Lexicon) -> Iterator[tuple[int, int, tuple[Meaning, ...]]]:
    for match in SHORT.finditer(note):
        text = match.group()
        if text.islower() and text.rstrip(".") not in LOWER_TOO and text not in LOWER_TOO:
            continue
        if (
            not text.islower()
            and text != text.upper()
            and text.upper() not in ("FHX", "NSAIDS", "LFTS")
        ):
            continue
        meanings = lexicon.abbreviations.get(text.upper())
        if meanings and not any(test(note, *match.span()) for test in (_is_shouted, _is_numeral)):
            yield match.start(), match.end(), meanings


def _is_numeral(note: str, start: int, end: int) -> bool:
    """Tell whether letters count something, such as a grade or a cranial nerve."""
    before = note[max(0, start - 40) : start]
    return bool(NUMERAL.fullmatch(note[start:end]) and COUNTED.search(before))


def _is_shouted(note: str, start: int, end: int) -> bool:
    """Among words that are all in capitals, capitals tell nothing."""
    if note[start:end].islower():
        return False
    around = [
        t.text for t in find_tokens(note[max(0, start - 40) : start] + " " + note[end : end + 40])
    ][1:-1]
    long = [word for word in around if len(word) > 5]
    return len(long) > 1 and all(word.isupper() for word in long)


def _rank(
    note: str, start: int, end: int, meanings: tuple[Meaning, ...], section: str
) -> list[tuple[float, Meaning, str]]:
    near = note[max(0, start - NEAR_CHARACTERS) : start] + note[end : end + NEAR_CHARACTERS]
    words = {token.lower for token in find_tokens(near)}
    section = {"past": "history", "beginning": ""}.get(section, section)
    ranked = []
    for place, meaning in enumerate(meanings):
        hits = words & meaning.words
        score = 2.0 * len(hits) + (1.5 if section in meaning.sections else 0)
        why = ", ".join(sorted(hits)) or (section if section in meaning.sections else "")
        ranked.append((score - place / 100, meaning, why))
    return sorted(ranked, key=lambda entry: -entry[0])


def _why(best: tuple[float, Meaning, str], sure: bool) -> str:
    return f"because of: {best[2]}" if sure and best[2] else "several meanings: choose"
