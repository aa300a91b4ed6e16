"""Text into words and sentences, and which words nothing may change by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

WORD = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:['’\-][^\W\d_]+)*", re.UNICODE)
# A full stop after these does not end a sentence.
SHORT = {
    "dr", "mr", "mrs", "ms", "st", "vs", "no", "fig", "approx", "e.g", "i.e", "prof", "p.o",
    "b.i.d", "t.i.d", "q.i.d", "p.r.n", "q.d", "q.h.s", "a.m", "p.m", "jr", "sr",
}  # fmt: skip
END = re.compile(
    r"[.!?]+(?=\s|$)|\n\s*\n|\n(?=\s*(?:[-•*]|\d+[.)])\s)|\n(?=[A-Z][A-Za-z /&]{1,40}:)"
)


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a list that is written as one text."""
    return tuple(text.split())


NEGATIONS = frozenset(
    split_words(
        "no not none never without denies denied deny denying negative neg absent nor neither "
        "cannot "
        "can't don't doesn't didn't isn't wasn't hasn't haven't won't ruled excluded"
    )
)
LATERALITY = frozenset(
    split_words(
        "left right bilateral bilaterally unilateral l r lt rt ipsilateral contralateral both"
    )
)
UNITS = frozenset(
    split_words(
        "mg mcg ug µg g gram grams kg ml l dl mmol mol mmhg cm mm m inch inches feet ft lb lbs "
        "pound "
        "pounds unit units iu meq mol/l mg/dl mmol/l g/dl percent hour hours hr hrs day days week "
        "weeks month months year years minute minutes min bpm celsius fahrenheit milligram "
        "milligrams "
        "microgram micrograms milliliter milliliters millilitre millilitres tablet tablets puffs "
        "drops "
        "daily twice once bid tid qid qd qhs"
    )
)
NUMBERS = frozenset(
    split_words(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen "
        "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
        "hundred thousand half quarter double single first second third"
    )
)


@dataclass(frozen=True)
class Token:
    """A word or number, and where it stands."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word in small letters, with a plain apostrophe."""
        return self.text.lower().replace("’", "'")


def find_tokens(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """Return the words and numbers between two places, in order.

    >>> [token.text for token in find_tokens("BP 128/74, afebrile; doesn't smoke.")]
    ['BP', '128/74', 'afebrile', "doesn't", 'smoke']
    """
    stop = len(text) if end is None else end
    return [Token(m.group(), m.start(), m.end()) for m in WORD.finditer(text, start, stop)]


def find_sentences(text: str) -> list[tuple[int, int]]:
    """Return the places of sentences and list items, without the blanks around them.

    >>> text = "Seen by Dr. Hall. BP 1.5 mg.\\n- No fever"
    >>> [text[a:b] for a, b in find_sentences(text)]
    ['Seen by Dr. Hall.', 'BP 1.5 mg.', '- No fever']
    """
    places, start = [], 0
    for match in END.finditer(text):
        before = text[max(start, match.start() - 8) : match.start()].lower().split()
        if match.group().startswith(".") and before and before[-1].lstrip("(") in SHORT:
            continue
        places.append((start, match.end()))
        start = match.end()
    places.append((start, len(text)))
    return [trimmed for place in places if (trimmed := _trim(text, *place)) is not None]


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    whole = text[start:end]
    if not (bare := whole.strip()):
        return None
    first = start + whole.index(bare)
    return first, first + len(bare)


def protected_reason(word: str) -> str | None:
    """Return why a word is never changed without a click, or None; drugs are the lexicon's to tell.

    >>> protected_reason("Left"), protected_reason("12.5"), protected_reason("cough")
    ('laterality', 'number', None)
    """
    lower = word.lower().replace("’", "'")
    if any(c.isdigit() for c in lower) or lower in NUMBERS:
        return "number"
    if lower in UNITS:
        return "unit"
    if lower in LATERALITY:
        return "laterality"
    return "negation" if lower in NEGATIONS or lower.endswith("n't") else None
