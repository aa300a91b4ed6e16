"""Places in a text that may identify a patient: rules that would rather mark too much.

The kinds follow the eighteen of the HIPAA Safe Harbor rule (45 CFR 164.514(b)(2), public) as far
as they occur in text. What is found is a help, not a proof: nothing here makes a text anonymous.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from medcore.lexicon import Lexicon, find_tokens, is_known_word
from medcore.lexicon.tokens import split_words
from medcore.notes.names import GIVEN_NAMES, SURNAMES

IdentifierKind = Literal[
    "name", "date", "age", "phone", "e-mail", "number", "address", "link", "place"
]
MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
DAY = r"(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
YEAR = r"(?:19|20)\d\d"
CAP = r"[A-Z][a-zà-öø-ÿ'’\-]+(?:[A-Z][a-zà-öø-ÿ]+)?"
INITIAL = r"(?:[A-Z]\.\s?)"
STREET = (
    r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|square|"
    r"sq|terrace|parkway|pkwy|highway|hwy|circle|crescent|close|row)"
)
STATES = split_words(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM "
    "NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY"
)
# Where a patient is moved to within a hospital, and lives with care.
WARDS = r"physical|occupational|speech|assisted|intensive|nursing|room|unit|ward|floor|surgery"
PATTERNS: tuple[tuple[IdentifierKind, re.Pattern[str]], ...] = (
    ("e-mail", re.compile(r"(?<![\w.+\-])[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,5}")),
    ("link", re.compile(r"(?:https?://|www\.)\S+[\w/]|\b(?:\d{1,3}\.){3}\d{1,3}\b")),
    ("date", re.compile(
        rf"\b(?:\d{{4}}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])|"
        rf"(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:{YEAR}|\d\d)|"
        rf"(?:0?[1-9]|1[0-2])/{YEAR})\b")),
    ("date", re.compile(
        rf"\b(?:{DAY}\s+(?:of\s+)?{MONTHS}(?:,?\s+{YEAR})?|{MONTHS}\s+{DAY}(?!\d)(?:\s*,?\s+{YEAR})?|"
        rf"{MONTHS}\s*,?\s+(?:of\s+)?{YEAR}|{DAY}-{MONTHS}-(?:{YEAR}|\d\d))\b", re.IGNORECASE)),
    ("date", re.compile(r"(?:\b(?:on|dated|date|seen|since|until|by|dob|born)\b:?\s*)"
                        r"(?P<it>(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|"
                        r"3[01]))(?![\d/])", re.IGNORECASE)),
    ("number", re.compile(r"\b\d{3}-\d{2}-\d{4}\b")),
    ("number", re.compile(
        r"\b(?:mrn|medical record(?: number| no\.?| #)?|record (?:number|no\.?|#)|patient (?:id|"
        r"no\.?|"
        r"number)|hospital (?:no\.?|number)|account(?: number| no\.?| #)?|acct\.?|accession(?: "
        r"number| "
        r"no\.?| #)?|case (?:no\.?|number|#)|chart (?:no\.?|number|#)|policy(?: number| no\.?)?|"
        r"insurance (?:id|no\.?|number)|member (?:id|no\.?)|nhs(?: number| no\.?)?|ssn|"
        r"social security(?: number)?|licen[cs]e(?: number| no\.?| plate)?|serial (?:number|no\.?)|"
        r"device (?:id|serial)|dea|npi|id|unit (?:no\.?|number)|visit (?:no\.?|number|id)|"
        r"encounter(?: number| id| no\.?)?|passport(?: number| no\.?)?|vin|specimen(?: number| "
        r"id)?)"
        r"\s*(?:is|was)?\s*[:#.=]*\s*#?\s*(?P<it>[A-Z]{0,4}[\-\s]?\d[\dA-Z]*(?:[\- ]?\d[\dA-Z]*)*)",
        re.IGNORECASE)),
    ("phone", re.compile(
        r"(?<![\w.])(?:\+\d{1,3}[\s.\-]?)?(?:\(\d{2,5}\)\s?|\d{2,5}[\s.\-])\d{3,4}[\s.\-]?\d{3,4}"
        r"(?:\s*(?:x|ext\.?)\s*\d{1,5})?(?!\w)", re.IGNORECASE)),
    ("phone", re.compile(
        r"\b(?:phone|tel(?:ephone)?|fax|pager|mobile|cell|call(?:ed)?(?: back)?(?: at| on)?|"
        r"beeper|ext"
        r"(?:ension)?)\.?\s*(?:number|no\.?|is|#)?\s*[:#]?\s*(?P<it>\+?\(?\d[\d\s().\-]{2,16}\d)",
        re.IGNORECASE)),
    ("number", re.compile(r"(?<![\w.,/\-])\d{7,12}(?![\w/]|[.,]\d|-\d)")),
    ("number", re.compile(r"\b[A-Z]{1,4}-?\d{5,10}\b")),
    ("address", re.compile(
        rf"\b\d{{1,5}}[A-Z]?\s+(?:[NSEW]\.?\s+)?(?:{CAP}\s+){{1,3}}(?i:{STREET})\b\.?(?:,?\s*(?:[Aa]pt|[Aa]partment|"
        rf"suite|unit|flat|#)\.?\s*#?\w+)?(?:,?\s+{CAP}(?:\s{CAP})?)?(?:,?\s+(?:{'|'.join(STATES)})\b)?"
        r"(?:,?\s+\d{5}(?:-\d{4})?)?")),
    ("address", re.compile(
        rf"\b{CAP}(?:\s{CAP})?,\s+(?:{'|'.join(STATES)})\b(?:\s+\d{{5}}(?:-\d{{4}})?)?")),
    ("address", re.compile(r"\b(?:P\.?\s?O\.?\s?Box\s+\d+|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2})\b")),
    ("address", re.compile(
        r"\b(?:zip(?: ?code)?|postcode)\s*:?\s*(?P<it>\w[\w\- ]{3,9}\d\w*)", re.IGNORECASE)),
    ("age", re.compile(
        r"(?<![\d./])(?P<it>9\d|1[01]\d)(?=[\s\-]*(?:years?|yrs?|yo\b|y/o|y\.o\.|year-old|-year|[FM]\b))",
        re.IGNORECASE)),
    ("age", re.compile(r"\b(?:aged?|age is|turned)\s*:?\s+(?P<it>9\d|1[01]\d)\b", re.IGNORECASE)),
    ("age", re.compile(
        r"\bninety(?:[\s-](?:one|two|three|four|five|six|seven|eight|nine))?(?=[\s-]+years?)",
        re.IGNORECASE)),
    ("place", re.compile(
        rf"\b(?:St\.\s+)?(?:(?:{CAP}|[A-Z]{{2,6}})\s+(?:(?:and|of|the)\s+)?){{1,4}}(?:Hospital|Clinic|"
        r"Medical Center|Medical Centre|Health System|Healthcare|Infirmary|Hospice|Nursing Home|"
        r"University|School|Elementary|College|Church|Prison)\b")),
    ("address", re.compile(
        r"\b(?:liv(?:es?|ed|ing)|resid(?:es?|ed|ing)|born|raised|grew up|moved|relocated|native|"
        r"visit(?:ed|ing)|travel+ed|vacation(?:ed|ing)?|resident)\s+(?:\w+\s+){0,2}?"
        r"(?:in|to|from|near|of|at)\s+"
        rf"(?!(?i:{MONTHS}|{WARDS})\b)(?P<it>(?:(?:St|Ft|Mt)\.\s+)?{CAP}(?:\s+{CAP}){{0,2}})")),
)  # fmt: skip
TITLE = r"(?:Dr|Mr|Mrs|Ms|Miss|Mx|Prof|Professor|Doctor|Sir|Nurse|Rev|Fr|Sister)\.?"
GAP = r"[ \t]+"
NAMES = (
    re.compile(
        rf"\b{TITLE}{GAP}(?P<it>{INITIAL}?{CAP}(?:{GAP}{INITIAL}?{CAP}){{0,2}}|[A-Z]\b(?!\w))"
    ),
    re.compile(
        r"\b(?i:patient(?: name)?|name|pt|attending|physician|surgeon|signed(?: by)?|dictated by|"
        r"provider|author|referred by|referring|consultant|cc|seen by|next of kin|contact|"
        rf"discussed with|reviewed with|by):\s*(?P<it>{CAP}(?:,?{GAP}{INITIAL}?{CAP}){{0,3}})"
    ),
    re.compile(
        r"\b(?i:named|called|signed by|dictated by|wife|husband|son|daughter|mother|father|brother|"
        rf"sister|partner|friend|neighbou?r|nurse|name is),?{GAP}(?P<it>{CAP}(?:{GAP}{CAP}){{0,2}})"
    ),
    re.compile(
        rf"(?P<it>{CAP}(?:{GAP}{INITIAL}?{CAP}){{1,2}}),?{GAP}"
        r"(?:MD|M\.D\.|DO|RN|NP|PA-C|PhD|FRCP|MBBS|DDS)\b"
    ),
    re.compile(r"\b(?P<it>[A-Z][A-Z'\-]+,[ \t]+[A-Z][A-Z\-]+(?:[ \t]+[A-Z]\.?)?)(?=\s|$)"),
)
# Capitalised in ordinary notes, and nobody's name.
NO_NAMES = frozenset(
    split_words(
        "mom dad grandma grandpa the this that she he her his they patient pain normal no plan "
        "follow return history "
        "review mr "
        "mrs ms dr caucasian african american hispanic asian english spanish french german "
        "medicare "
        "medicaid monday tuesday wednesday thursday friday saturday sunday january february "
        "march april "
        "may june july august september october november december christmas easter thanksgiving "
        "foley doppler holter parkinson alzheimer crohn hodgkin graves cushing addison bell "
        "babinski "
        "romberg glasgow apgar mallampati tylenol gram murphy mcburney lasegue kernig brudzinski "
        "heberden "
        "bouchard baker charcot raynaud sjogren wegener marfan down turner klinefelter tourette "
        "huntington guillain barre wernicke korsakoff ehlers danlos bence jones pap coombs allen "
        "phalen tinel lachman mcmurray finkelstein dupuytren paget barrett mallory weiss meckel "
        "hirschsprung wilms ewing kaposi burkitt epstein barr coumadin staph strep covid ct mri"
    )
)


@dataclass(frozen=True)
class Identifier:
    """A place that may identify someone; `likely` is False where only caution marks it."""

    kind: IdentifierKind
    text: str
    start: int
    end: int
    likely: bool = True


def find_identifiers(note: str, lexicon: Lexicon, known: Iterable[str] = ()) -> list[Identifier]:
    """Return the places that may identify someone, in order and without overlap.

    `known`: names that must be found wherever they stand, such as those in the row's columns.

    >>> from medcore.lexicon import load_lexicon
    >>> text = "Mr. John Smith, MRN 4471182, seen 03/04/2021, is 93 years old."
    >>> [(i.kind, i.text) for i in find_identifiers(text, load_lexicon())]
    [('name', 'John Smith'), ('number', '4471182'), ('date', '03/04/2021'), ('age', '93')]
    """
    found: list[Identifier] = []
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(note):
            group = "it" if "it" in pattern.groupindex else 0
            _add(found, note, kind, *match.span(group))
    names = _titled_names(note)
    for start, end in names:
        _add(found, note, "name", start, end)
    parts = {part for start, end in names for part in re.findall(CAP, note[start:end])}
    parts |= {part for name in known for part in re.findall(r"[^\W\d_]{2,}", name)}
    for part in parts:
        if part.lower() not in NO_NAMES and not _is_medical(part, lexicon):
            for match in re.finditer(rf"\b{re.escape(part)}(?:'s)?\b", note, re.IGNORECASE):
                if match.group()[0].isupper():
                    _add(found, note, "name", match.start(), match.start() + len(part))
    _add_capitalised(found, note, lexicon)
    return _join_names(sorted(found, key=lambda identifier: identifier.start), note)


def _add(
    found: list[Identifier], note: str, kind: IdentifierKind, start: int, end: int,
    likely: bool = True,
) -> None:  # fmt: skip
    if not any(start < other.end and other.start < end for other in found):
        found.append(Identifier(kind, note[start:end], start, end, likely))


def _titled_names(note: str) -> list[tuple[int, int]]:
    places = []
    for pattern in NAMES:
        for match in pattern.finditer(note):
            words = re.findall(CAP, match["it"]) or [match["it"]]
            if words[0].lower() not in NO_NAMES and (words[0].isupper() or words[0][0].isupper()):
                places.append(match.span("it"))
    return places


def _is_medical(word: str, lexicon: Lexicon) -> bool:
    return word.lower() in lexicon.words


def _add_capitalised(found: list[Identifier], note: str, lexicon: Lexicon) -> None:
    """Mark given names and surnames, and capitalised words that are neither English nor medical."""
    for token in find_tokens(note):
        word = token.text.removesuffix("'s").removesuffix("’s")
        lower = word.lower()
        if (
            not word[0].isupper()
            or len(word) < 3
            or lower in NO_NAMES
            or _is_medical(word, lexicon)
        ):
            continue
        end = token.start + len(word)
        common = lower in lexicon.english
        if lower in GIVEN_NAMES or lower in SURNAMES:
            if word.isupper() and common:
                continue
            if not (common and _begins_sentence(note, token.start)) or _name_follows(note, end):
                _add(found, note, "name", token.start, end)
        elif (
            word[1:].islower()
            and not is_known_word(word, lexicon)
            and lower.upper() not in lexicon.abbreviations
        ):
            _add(found, note, "name", token.start, end, likely=False)


def _begins_sentence(note: str, start: int) -> bool:
    before = note[max(0, start - 4) : start].rstrip(" \"'(")
    return not before or before[-1] in ".:;!?\n-•*"


def _name_follows(note: str, end: int) -> bool:
    match = re.match(rf"\s+{INITIAL}?({CAP})", note[end:])
    return match is not None and match[1].lower() in SURNAMES


def _join_names(found: list[Identifier], note: str) -> list[Identifier]:
    """Make one name of names that stand side by side."""
    joined: list[Identifier] = []
    for identifier in found:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.kind == identifier.kind == "name"
            and re.fullmatch(r"\s+(?:[A-Z]\.\s*)?|,\s+|-", note[last.end : identifier.start])
        ):
            joined[-1] = Identifier(
                "name", note[last.start : identifier.end], last.start, identifier.end,
                last.likely or identifier.likely,
            )  # fmt: skip
        else:
            joined.append(identifier)
    return joined
