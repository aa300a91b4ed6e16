"""What a note says of the patient's age and sex, relatives and staff left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from medcore.lexicon.tokens import split_words

Sex = Literal["female", "male"]
ONES = split_words("one two three four five six seven eight nine")
TEENS = split_words(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
TENS = split_words("twenty thirty forty fifty sixty seventy eighty ninety")
NUMBER_WORDS = (
    {word: n for n, word in enumerate(ONES, 1)}
    | {word: n for n, word in enumerate(TEENS, 10)}
    | {word: 10 * n for n, word in enumerate(TENS, 2)}
    | {f"{t}-{o}": 10 * a + b for a, t in enumerate(TENS, 2) for b, o in enumerate(ONES, 1)}
)
COUNT = r"(?P<count>\d{1,3}|" + "|".join(sorted(NUMBER_WORDS, key=len, reverse=True)) + ")"
AGES = (
    re.compile(
        COUNT + r"[\s-]*(?:\+\s*)?(?P<unit>year|yr|month|mo|week|wk|day)s?[\s-]*old\b",
        re.IGNORECASE,
    ),
    re.compile(COUNT + r"\s*(?:y/o|yo|y\.o\.?|yrs? of age|years? of age)(?!\w)", re.IGNORECASE),
    re.compile(r"\b(?:aged|age is|age:|age =|turned|turns)\s+" + COUNT + r"\b", re.IGNORECASE),
    re.compile(r"(?<![\w.])(?P<count>\d{1,3})\s?(?:F|M|yM|yF|YM|YF)\b"),
)
YEARS = {"month": 1 / 12, "mo": 1 / 12, "week": 7 / 365.25, "wk": 7 / 365.25, "day": 1 / 365.25}
RELATIVE = (
    r"(?:mother|father|brother|sister|son|daughter|husband|wife|partner|child|children|baby|infant|"
    r"grandson|granddaughter|grandchild|grandchildren|grandmother|grandfather|uncle|aunt|cousin|"
    r"mom|dad|parent|parents|twin|nephew|niece|boyfriend|girlfriend|spouse|friend|neighbou?r|"
    r"roommate|fiance|siblings?|kids?)s?"
)
OTHER = re.compile(
    rf"\b(?:{RELATIVE}|doctor|physician|surgeon|nurse|therapist|dr\.?|driver|donor|colleague|"
    r"caregiver|product of|born to|officer|teacher|provider|attending)\b",
    re.IGNORECASE,
)
# An age at which something happened is not the patient's age now.
THEN = re.compile(
    r"(?:(?:at|since|until|by|from) (?:the )?age(?: of)?|when (?:he|she) was|at|until|till|by|"
    r"since|from|before|after|around)\s*(?:a|the|about|approximately)?\s*$",
    re.IGNORECASE,
)
THING = re.compile(
    r"^[\s-]*(?:\w+\s+){0,1}(?:history|injury|fracture|scar|wound|prosthesis|stent|implant|house|"
    r"car|accident|graft|lesion|lump|problem)\b",
    re.IGNORECASE,
)
NOUNS: dict[str, Sex] = {
    "woman": "female", "female": "female", "lady": "female", "girl": "female", "man": "male",
    "male": "male", "gentleman": "male", "boy": "male", "schoolgirl": "female",
    "schoolboy": "male",
}  # fmt: skip
PRONOUNS: dict[str, Sex] = {
    "she": "female", "her": "female", "hers": "female", "herself": "female", "he": "male",
    "his": "male", "him": "male", "himself": "male",
}  # fmt: skip
NOUN = re.compile(rf"\b(?:{'|'.join(NOUNS)})\b", re.IGNORECASE)
# A title may be that of another person, so it counts like a pronoun.
TITLE = re.compile(r"\b(?P<title>Mrs|Ms|Miss|Mr)\.?\s+(?=[A-Z])")
PRONOUN = re.compile(rf"\b(?:{'|'.join(PRONOUNS)})\b", re.IGNORECASE)
LETTER = re.compile(r"(?<![\w.])\d{1,3}\s?(?:y|yo|y/o|yr|year[- ]old)?\s?(?P<sex>[FM])\b")
BODY: tuple[tuple[Sex, re.Pattern[str]], ...] = (
    ("female", re.compile(
        r"\b(?:last menstrual period|LMP|G\d\s?P\d|gravida|pregnant|is (?:peri|post)?menopausal|"
        r"hysterectomy|ovarian cyst|menorrhagia)\b", re.IGNORECASE)),
    ("male", re.compile(
        r"\b(?:enlarged prostate|prostatitis|prostatectomy|BPH|testicular|erectile|vasectomy)\b",
        re.IGNORECASE)),
)  # fmt: skip


@dataclass(frozen=True)
class Age:
    """An age in years, and where the note says it."""

    years: float
    start: int
    end: int


@dataclass(frozen=True)
class SexWord:
    """A word that tells the patient's sex; pronouns tell less than nouns do."""

    sex: Sex
    start: int
    end: int
    pronoun: bool


def find_ages(note: str) -> list[Age]:
    """Return the patient's age wherever the note says it.

    >>> [age.years for age in find_ages("A 68 y/o lady; her son, a 40-year-old.")]
    [68.0]
    """
    ages: dict[int, Age] = {}
    for pattern in AGES:
        for match in pattern.finditer(note):
            before, after = _around(note, match.start(), match.end())
            if THEN.search(before) or THING.match(after):
                continue
            if OTHER.search(re.split(r"[.;,]", after[:22])[0]):
                continue
            if OTHER.search(re.split(r"[.;]", before[-28:])[-1]):
                continue
            count = match["count"].lower()
            number = float(count) if count.isdigit() else float(NUMBER_WORDS[count])
            unit = match.groupdict().get("unit")
            years = number * YEARS.get((unit or "").lower(), 1.0)
            if 0 <= years <= 120:
                ages.setdefault(match.start("count"), Age(years, match.start("count"), match.end()))
    return [ages[place] for place in sorted(ages)]


def _around(note: str, start: int, end: int) -> tuple[str, str]:
    return note[max(0, start - 60) : start], note[end : end + 60]


def find_sex(note: str) -> list[SexWord]:
    """Return the words that tell the patient's sex.

    >>> [w.sex for w in find_sex("45F. Her husband says he is tired of it.")]
    ['female', 'female']
    """
    words = [
        SexWord(_letter(m["sex"]), m.start("sex"), m.end(), False) for m in LETTER.finditer(note)
    ]
    for match in NOUN.finditer(note):
        before, after = _around(note, *match.span())
        clause = re.split(r"[.;\n]", before)[-1]
        of_other = (
            OTHER.match(after.lstrip(" .,-"))
            or OTHER.search(clause)
            or (
                re.search(r"\b(?:a|another|the other|by a|with a)\s+$", before, re.IGNORECASE)
                and not _is_subject(note, match.start())
            )
        )
        if not of_other and not re.search(
            r"(?:wo|hu|feta?l|black)\s?$", before[-5:], re.IGNORECASE
        ):
            words.append(SexWord(NOUNS[match.group().lower()], *match.span(), False))
    words += [
        SexWord(PRONOUNS[match.group().lower()], *match.span(), True)
        for match in PRONOUN.finditer(note)
        if not _may_be_another(note, match.start())
    ]
    words += [
        SexWord("male" if match["title"] == "Mr" else "female", *match.span(), True)
        for match in TITLE.finditer(note)
    ]
    for sex, pattern in BODY:
        for match in pattern.finditer(note):
            if not _may_be_another(note, match.start(), sentences=1):
                words.append(SexWord(sex, *match.span(), False))
    return sorted(words, key=lambda word: word.start)


def _letter(letter: str) -> Sex:
    return "female" if letter == "F" else "male"


def _is_subject(note: str, start: int) -> bool:
    """Tell whether a noun begins the note or its sentence, or follows an age: the patient."""
    before = note[max(0, start - 40) : start]
    sentence = re.split(r"[.;:\n]", before)[-1]
    return len(sentence.split()) <= 3 or bool(re.search(r"old|\d|aged|y/o|yo\b", sentence))


def _may_be_another(note: str, start: int, sentences: int = 2) -> bool:
    """A pronoun after a relative or a member of staff may be theirs."""
    before = re.split(r"[.;\n]\s", note[max(0, start - 160) : start])
    return bool(OTHER.search(" ".join(before[-sentences:])))
