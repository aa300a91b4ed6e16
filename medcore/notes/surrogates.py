"""Stand-ins for what identifies a patient: the same ones throughout, dates shifted alike.

All of one patient's notes get the same stand-ins and the same shift, so intervals stay as they
were. What comes out is less identifying, not anonymous.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from medcore.config import generator
from medcore.lexicon import Proposal
from medcore.lexicon.tokens import split_words
from medcore.notes.identifiers import DAY, MONTHS, Identifier
from medcore.notes.names import STAND_IN_FAMILY, STAND_IN_GIVEN

MOST_DAYS, LEAST_DAYS = 364, 30
NAMES = split_words(
    "January February March April May June July August September October November "
         "December"
)  # fmt: skip
OLDEST = "90 or older"
TITLES = {"md", "rn", "do", "np", "phd"}


@dataclass
class Surrogates:
    """The stand-ins of one patient; `seed` is the workspace's own, so that nobody else can redo it.

    `day_first` reads 03/04/2021 as 3 April.
    """

    seed: int
    patient: str
    day_first: bool = False
    _names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = generator(self.seed, "dates", self.patient)
        days = int(rng.integers(LEAST_DAYS, MOST_DAYS + 1))
        self.shift = datetime.timedelta(days=days if rng.random() < 0.5 else -days)

    def replace(self, identifier: Identifier) -> str:
        """Return what stands in for an identifier; the same for the same."""
        makers = {
            "name": self._name, "date": self._date, "age": lambda _: OLDEST,
            "phone": self._digits, "number": self._digits, "e-mail": self._mail,
            "link": lambda _: "https://example.org", "address": self._address,
            "place": lambda _: "another institution",
        }  # fmt: skip
        return makers[identifier.kind](identifier.text)

    def _rng(self, *what: str) -> np.random.Generator:
        return generator(self.seed, *what, self.patient)

    def _name(self, text: str) -> str:
        return re.sub(r"[^\W\d_]+(?:['’][^\W\d_]+)*", lambda m: self._part(m.group(), text), text)

    def _part(self, word: str, whole: str) -> str:
        lower = word.lower()
        if lower in TITLES:
            return word
        if lower not in self._names:
            family = whole.split()[-1].lower().strip(".,") == lower and "," not in whole
            pool = STAND_IN_FAMILY if family else STAND_IN_GIVEN
            free = [name for name in pool if name not in self._names.values()] or pool
            self._names[lower] = free[int(self._rng("name", lower).integers(len(free)))]
        name = self._names[lower]
        if len(word) == 1:
            return name[0]
        return name.upper() if word.isupper() else name

    def _digits(self, text: str) -> str:
        rng = self._rng("digits", re.sub(r"\W", "", text).lower())
        swapped = re.sub(r"\d", lambda _: str(int(rng.integers(10))), text)
        return re.sub(r"\d", lambda m: str((int(m.group()) + 1) % 10), text) if (
            swapped == text
        ) else swapped  # fmt: skip

    def _mail(self, text: str) -> str:
        return f"person{int(self._rng('mail', text.lower()).integers(1000, 9999))}@example.org"

    def _address(self, text: str) -> str:
        number = int(self._rng("address", text.lower()).integers(10, 999))
        return f"{number} Example Street" if re.search(r"\d", text) else "Elsewhere"

    def _date(self, text: str) -> str:
        return shift_date(text, self.shift, day_first=self.day_first)


def shift_date(text: str, shift: datetime.timedelta, *, day_first: bool = False) -> str:
    """Return a date moved by the shift, written as it was; months alone move by whole months.

    >>> week = datetime.timedelta(days=7)
    >>> shift_date("03/28/2021", week), shift_date("28 March", week), shift_date("2021-12-30", week)
    ('04/04/2021', '4 April', '2022-01-06')
    """
    named = re.search(MONTHS, text, re.IGNORECASE)
    if named:
        return _shift_named(text, named, shift)
    numbers = re.findall(r"\d+", text)
    marks = re.findall(r"\D+", text)
    if len(numbers) == 2 and len(numbers[1]) == 4:
        moved = datetime.date(int(numbers[1]), int(numbers[0]), 15) + shift
        return f"{moved.month:0{len(numbers[0])}d}{marks[0]}{moved.year}"
    order = _order(numbers, day_first)
    values = dict(zip(order, map(int, numbers), strict=False))
    year = values.get("year", 2001)
    full = year + (2000 if year < 50 else 1900) if year < 100 else year
    try:
        moved = datetime.date(full, values["month"], values["day"]) + shift
    except ValueError:
        return "[date]"
    new = {"year": moved.year, "month": moved.month, "day": moved.day}
    padded = order[0] == "year" or any(number[0] == "0" for number in numbers)
    written = []
    for name, old in zip(order, numbers, strict=False):
        value = new[name] % 10 ** len(old) if name == "year" else new[name]
        written.append(f"{value:0{len(old) if name == 'year' else 2 if padded else 1}d}")
    pairs = zip(written, [*marks, ""], strict=False)
    return "".join(number + mark for number, mark in pairs)


def _order(numbers: Sequence[str], day_first: bool) -> tuple[str, ...]:
    if len(numbers[0]) == 4:
        return ("year", "month", "day")
    first_is_day = int(numbers[0]) > 12 or (day_first and int(numbers[1]) <= 12)
    return ("day", "month", "year") if first_is_day else ("month", "day", "year")


def _shift_named(text: str, named: re.Match[str], shift: datetime.timedelta) -> str:
    month = 1 + [name[:3].lower() for name in NAMES].index(named.group()[:3].lower())
    year = re.search(r"\b(?:19|20)\d\d\b|(?<=-)\d\d$", text)
    rest = text[: named.start()] + " " * len(named.group()) + text[named.end() :]
    if year:
        rest = rest[: year.start()] + " " * len(year.group()) + rest[year.end() :]
    day = re.search(DAY, rest)
    number = int(year.group()) if year else 2001
    number += 2000 if number < 50 else 1900 if number < 100 else 0
    try:
        base = datetime.date(number, month, int(re.sub(r"\D", "", day.group())) if day else 15)
    except ValueError:
        return "[date]"
    moved = base + shift
    name = NAMES[moved.month - 1]
    word = named.group().rstrip(".")
    short = len(word) == 3 and (word.lower() != "may" or "-" in text)
    name = name[:3] if short else name
    changes = [(named.start(), named.start() + len(word), name.upper() if word.isupper() else name)]
    if year:
        changes.append((*year.span(), f"{moved.year % 10 ** len(year.group()):02d}"))
    if day:
        ending = re.sub(r"\d", "", day.group())
        suffix = {1: "st", 2: "nd", 3: "rd"}.get(moved.day % 10, "th") if ending else ""
        suffix = "th" if ending and moved.day in (11, 12, 13) else suffix
        changes.append((*day.span(), f"{moved.day}{suffix}"))
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def propose_surrogates(found: Sequence[Identifier], surrogates: Surrogates) -> list[Proposal]:
    """Return each identifier with its stand-in as a proposal; cautious finds are not sure."""
    return [
        Proposal(
            i.start, i.end, i.text, (surrogates.replace(i),), "identifier",
            i.kind if i.likely else f"{i.kind}?", 0.95 if i.likely else 0.6, True,
        )
        for i in found
    ]  # fmt: skip
