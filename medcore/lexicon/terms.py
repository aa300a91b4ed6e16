"""The vocabulary: terms with their kind and group, abbreviations, and plain English beside them."""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from medcore.lexicon.tokens import Token, find_tokens

FOLDER = Path(__file__).parent
MOST_WORDS = 6
TermKind = Literal["drug", "finding", "own"]
# What people write for a whole class of drugs.
CLASS_WORDS = {
    "sulfa": "sulfonamide antibiotic", "sulpha": "sulfonamide antibiotic",
    "sulfonamide": "sulfonamide antibiotic", "sulfonamides": "sulfonamide antibiotic",
    "penicillins": "penicillin", "pcn": "penicillin", "pen": "penicillin",
    "nsaid": "nsaid", "nsaids": "nsaid", "anti-inflammatories": "nsaid",
    "cephalosporin": "cephalosporin", "cephalosporins": "cephalosporin",
    "macrolides": "macrolide", "quinolones": "fluoroquinolone", "fluoroquinolones":
    "fluoroquinolone", "statins": "statin", "statin": "statin", "opioids": "opioid",
    "opiates": "opioid", "ace inhibitors": "ace inhibitor", "ace inhibitor": "ace inhibitor",
    "acei": "ace inhibitor", "beta blockers": "beta blocker", "tetracyclines": "tetracycline",
    "benzodiazepines": "benzodiazepine", "aminoglycosides": "aminoglycoside",
    "carbapenems": "carbapenem", "salicylates": "salicylate", "steroids": "corticosteroid",
}  # fmt: skip
ENDINGS = (
    "'s", "s", "es", "ed", "d", "ing", "ly", "al", "ally", "ic", "ous", "oid", "er", "ness", "ment",
)  # fmt: skip
BEGINNINGS = (
    "non", "re", "un", "pre", "post", "anti", "hyper", "hypo", "sub", "inter", "intra", "extra",
    "over", "under", "trans", "peri", "micro", "infra", "retro", "para", "supra", "mid",
)  # fmt: skip


@dataclass(frozen=True)
class Term:
    """One way a thing is written: its standard name, what it is, and its group or drug class."""

    written: str
    name: str
    kind: TermKind
    group: str


@dataclass(frozen=True)
class Meaning:
    """What an abbreviation may stand for, in which sections and beside which words."""

    text: str
    sections: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """A term in a text."""

    term: Term
    start: int
    end: int


@dataclass(frozen=True)
class Lexicon:
    """All that is known of words; keys are in small letters, abbreviations in capitals."""

    terms: Mapping[str, Term]
    abbreviations: Mapping[str, tuple[Meaning, ...]]
    lookalikes: frozenset[frozenset[str]]
    crossed: Mapping[str, frozenset[str]]
    words: frozenset[str]
    english: frozenset[str]

    def is_drug(self, word: str) -> bool:
        """Tell whether a word is a drug's name."""
        term = self.terms.get(word.lower())
        return term is not None and term.kind == "drug"


def load_lexicon(own: Iterable[str] = ()) -> Lexicon:
    """Return the lexicon with a user's lines: a term each, or "ABBREVIATION = meaning".

    >>> lexicon = load_lexicon(["Wellbeing clinic", "WBC = Wellbeing clinic"])
    >>> lexicon.terms["lasix"].name, lexicon.terms["wellbeing clinic"].kind
    ('furosemide', 'own')
    >>> [meaning.text for meaning in lexicon.abbreviations["WBC"]]
    ['Wellbeing clinic']
    """
    lexicon = _shipped()
    lines = [line.strip() for line in own if line.strip() and not line.startswith("#")]
    if not lines:
        return lexicon
    terms, short = dict(lexicon.terms), dict(lexicon.abbreviations)
    for line in lines:
        left, sign, right = (part.strip() for part in line.partition("="))
        if sign and right:
            short[_short_key(left)] = (Meaning(right),)
        else:
            terms.setdefault(left.lower(), Term(left.lower(), left, "own", "own"))
    words = lexicon.words | words_of(terms)
    return replace(lexicon, terms=terms, abbreviations=short, words=words)


@functools.cache
def _shipped() -> Lexicon:
    terms: dict[str, Term] = {}
    crossed: dict[str, set[str]] = {}
    for line in _lines("drugs.txt"):
        if ">" in line:
            left, right = (part.strip() for part in line.split(">"))
            crossed.setdefault(left, set()).add(right)
            continue
        group, _, names = line.partition(":")
        for name in names.split(","):
            _add(terms, [part.strip() for part in name.split("=")], "drug", group.strip())
    group = ""
    for line in _lines("findings.txt", comments=True):
        if line.startswith("#"):
            group = line[1:].strip()
        else:
            _add(terms, [part.strip() for part in line.split("=")], "finding", group)
    short = dict(_read_meaning(line) for line in _lines("abbreviations.txt"))
    pairs = frozenset(frozenset(line.split()) for line in _lines("lookalikes.txt"))
    frozen = {name: frozenset(others) for name, others in crossed.items()}
    words = words_of(terms) | {word for line in _lines("words.txt") for word in line.split()}
    return Lexicon(terms, short, pairs, frozen, words, _english())


def _lines(name: str, *, comments: bool = False) -> list[str]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and (comments or line[0] != "#")]


def _add(terms: dict[str, Term], ways: list[str], kind: TermKind, group: str) -> None:
    for way in ways:
        terms.setdefault(way.lower(), Term(way.lower(), ways[0], kind, group))


def _read_meaning(line: str) -> tuple[str, tuple[Meaning, ...]]:
    short, *meanings = (part.strip() for part in line.split("|"))
    return _short_key(short), tuple(_split_meaning(meaning) for meaning in meanings)


def _short_key(short: str) -> str:
    return short.upper()


def _split_meaning(text: str) -> Meaning:
    text, _, words = text.partition("~")
    text, _, sections = text.partition("@")
    return Meaning(text.strip(), frozenset(sections.split()), frozenset(words.split()))


def words_of(terms: Iterable[str]) -> frozenset[str]:
    """Return the single words of written terms."""
    return frozenset(token.lower for written in terms for token in find_tokens(written))


@functools.cache
def _english() -> frozenset[str]:
    """Return everyday English words (symspellpy's list, MIT licence)."""
    place = importlib.resources.files("symspellpy") / "frequency_dictionary_en_82_765.txt"
    lines = place.read_text(encoding="utf-8-sig").splitlines()
    return frozenset(line.split(" ", 1)[0] for line in lines)


def is_known_word(word: str, lexicon: Lexicon) -> bool:
    """Tell whether a word is English or medical, with the usual endings and beginnings.

    >>> lexicon = load_lexicon()
    >>> is_known_word("oesophageal", lexicon), is_known_word("pneumonai", lexicon)
    (True, False)
    """
    lower = word.lower().replace("’", "'")
    if _is_listed(lower, lexicon) or _is_listed(_americanise(lower), lexicon):
        return True
    parts = lower.split("-")
    if len(parts) > 1:
        return all(len(part) < 3 or is_known_word(part, lexicon) for part in parts)
    for beginning in BEGINNINGS:
        rest = lower.removeprefix(beginning)
        if rest != lower and len(rest) > 3 and _has_stem(_americanise(rest), lexicon):
            return True
    return _has_stem(_americanise(lower), lexicon)


def _is_listed(word: str, lexicon: Lexicon) -> bool:
    return word in lexicon.english or word in lexicon.words


def _has_stem(word: str, lexicon: Lexicon) -> bool:
    if _is_listed(word, lexicon):
        return True
    stems = [word[: -len(end)] for end in ENDINGS if word.endswith(end)]
    stems += [word[:-3] + "y"] if word.endswith("ies") else []
    long = [stem for stem in stems if len(stem) > 3]
    return any(_is_listed(stem, lexicon) or _is_listed(stem + "e", lexicon) for stem in long)


def _americanise(word: str) -> str:
    word = re.sub(r"([ao])e(?=[a-z]{2})", "e", word)
    word = re.sub(r"is(?=e|ed|ing|ation)", "iz", word) if len(word) > 6 else word
    return word.replace("our", "or").replace("phoea", "phea") if len(word) > 5 else word


def find_terms(text: str, lexicon: Lexicon, start: int = 0, end: int | None = None) -> list[Found]:
    """Return the terms in a text, the longest first where they overlap, in order.

    >>> [f.term.name for f in find_terms("Denies chest pain; on Lasix.", load_lexicon())]
    ['chest pain', 'furosemide']
    """
    tokens = find_tokens(text, start, end)
    found, place = [], 0
    while place < len(tokens):
        match = _longest(tokens, place, text, lexicon)
        if match is None:
            place += 1
            continue
        found.append(match[0])
        place += match[1]
    return found


def _longest(
    tokens: list[Token], place: int, text: str, lexicon: Lexicon
) -> tuple[Found, int] | None:
    for size in range(min(MOST_WORDS, len(tokens) - place), 0, -1):
        first, last = tokens[place], tokens[place + size - 1]
        written = " ".join(text[first.start : last.end].lower().replace("’", "'").split())
        term = lexicon.terms.get(written)
        # Two letters are a term in capitals only: "pe", "af", "mi" are words elsewhere.
        if term is not None and (len(written) > 3 or not written.isalpha() or _is_short(first)):
            return Found(term, first.start, last.end), size
    return None


def _is_short(token: Token) -> bool:
    return token.text.isupper() or len(token.text) > 2
