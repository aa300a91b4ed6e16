"""Where a note contradicts the structured row beside it, or itself; each with both places.

What is silent contradicts nothing: a contradiction needs a statement on either side, and a note
that says both at different places agrees with either.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medcore.lexicon import Lexicon
from medcore.notes.conditions import compare_conditions, find_split_conditions
from medcore.notes.context import Finding, find_findings
from medcore.notes.drugs import compare_allergies
from medcore.notes.measures import Value, agree, column_measure, find_values
from medcore.notes.people import Age, SexWord, find_ages, find_sex
from medcore.notes.sections import DEFAULT_RULES, Section, find_sections, section_at
from medcore.notes.sides import BOTH, Sided, find_sides

AGE_COLUMN = re.compile(r"(?:^|_)age(?:_|$)(?!.*(?:onset|diag|first|group|death))")
SEX_COLUMN = re.compile(r"^(?:patient_)?(?:sex|gender)(?:_at_birth)?$")
SIDE_COLUMN = re.compile(r"(?:^|_)(?:side|laterality|lateral)(?:_|$)")
SEXES = {
    "f": "female", "female": "female", "woman": "female", "w": "female", "girl": "female",
    "m": "male", "male": "male", "man": "male", "boy": "male",
}  # fmt: skip
SIDES = {"l": "left", "lt": "left", "left": "left", "r": "right", "rt": "right", "right": "right"}
# In these the note says what is done; a side that appears there for the first time is odd.
DECIDING = ("assessment", "plan", "procedures")
DECIDES = re.compile(
    r"\b(?:plan|assessment|impression|procedure|mri|repair\w*|surgery|operat\w+|replacement|"
    r"diagnos\w+|scheduled|consent\w*|incision|injection|refer\w*|arthroscopy|will)\b",
    re.IGNORECASE,
)
AGE_SLACK = 1.01


@dataclass(frozen=True)
class Place:
    """One side of a contradiction: a place in the note, or a column with its value."""

    text: str
    start: int | None = None
    end: int | None = None
    column: str | None = None


@dataclass(frozen=True)
class Contradiction:
    """Two statements that cannot both be right; `sentence` says which."""

    kind: str
    sentence: str
    first: Place
    second: Place


@dataclass(frozen=True)
class ReadNote:
    """A note with what the rules found in it."""

    text: str
    sections: tuple[Section, ...]
    findings: tuple[Finding, ...]
    ages: tuple[Age, ...]
    sex: tuple[SexWord, ...]
    sides: tuple[Sided, ...]
    values: tuple[Value, ...]


def read_note(
    text: str, lexicon: Lexicon, rules: Mapping[str, tuple[str, ...]] = DEFAULT_RULES
) -> ReadNote:
    """Return a note with its sections, findings, ages, sex words, sides and values."""
    sections = find_sections(text, rules)
    return ReadNote(
        text, sections, tuple(find_findings(text, lexicon, sections)), tuple(find_ages(text)),
        tuple(find_sex(text)), tuple(find_sides(text)), tuple(find_values(text)),
    )  # fmt: skip


def find_contradictions(
    note: ReadNote,
    row: Mapping[str, Any],
    lexicon: Lexicon,
    units: Mapping[str, str | None] | None = None,
) -> list[Contradiction]:
    """Return what contradicts between a note and its row, and inside the note."""
    found = []
    for column, value in row.items():
        if not _is_missing(value):
            slug = re.sub(r"[^a-z0-9]+", "_", str(column).lower()).strip("_")
            for compare in COMPARISONS:
                found += compare(note, str(column), slug, value, (units or {}).get(str(column)))
    known = {str(c): v for c, v in row.items() if not _is_missing(v)}
    for name, texts in (
        *compare_conditions(note.text, note.findings, known, lexicon),
        *compare_allergies(note.text, note.sections, note.findings, known, lexicon),
        *find_split_conditions(note.text, note.findings),
    ):
        found.append(Contradiction(name, texts[0], Place(*texts[1]), Place(*texts[2])))
    return [*found, *_split_ages(note), *_split_sex(note), *_split_sides(note)]


def _is_missing(value: Any) -> bool:
    return value is None or value != value or str(value).strip() in ("", "<NA>", "NaT")


def _in_note(note: ReadNote, start: int, end: int) -> Place:
    return Place(note.text[start:end], start, end)


def _in_row(column: str, value: Any) -> Place:
    # A column with gaps holds whole numbers as 86.0.
    written = f"{value:.12g}" if isinstance(value, float) else value
    return Place(f"{column} = {written}", column=column)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


Compare = Callable[[ReadNote, str, str, Any, str | None], list[Contradiction]]


def _compare_age(
    note: ReadNote, column: str, slug: str, value: Any, _: str | None
) -> list[Contradiction]:
    number = _number(value)
    if number is None or not AGE_COLUMN.search(slug) or not note.ages:
        return []
    if any(abs(age.years - number) <= AGE_SLACK for age in note.ages):
        return []
    age = note.ages[0]
    said = f"The note says {age.years:g} years, the row says {number:g}."
    return [Contradiction("age", said, _in_note(note, age.start, age.end), _in_row(column, value))]


def _compare_sex(
    note: ReadNote, column: str, slug: str, value: Any, _: str | None
) -> list[Contradiction]:
    sex = SEXES.get(str(value).strip().lower())
    if sex is None or not SEX_COLUMN.match(slug):
        return []
    against = [word for word in note.sex if word.sex != sex]
    nouns = [word for word in against if not word.pronoun]
    agreeing = [word for word in note.sex if word.sex == sex]
    if not against or (not nouns and len(agreeing) > 2 * len(against)):
        return []
    word = (nouns or against)[0]
    said = f"The note speaks of a {word.sex} patient, the row says {value}."
    return [
        Contradiction("sex", said, _in_note(note, word.start, word.end), _in_row(column, value))
    ]


def _compare_side(
    note: ReadNote, column: str, slug: str, value: Any, _: str | None
) -> list[Contradiction]:
    side = SIDES.get(str(value).strip().lower())
    if side is None or not SIDE_COLUMN.search(slug):
        return []
    sides = [s for s in note.sides if s.part and s.part in slug] or list(note.sides)
    if not sides or any(s.side == side for s in sides):
        return []
    first = sides[0]
    said = f"The note says {first.side}, the row says {side}."
    return [
        Contradiction(
            "laterality", said, _in_note(note, first.start, first.end), _in_row(column, value)
        )
    ]


def _compare_value(
    note: ReadNote, column: str, _: str, value: Any, unit: str | None
) -> list[Contradiction]:
    number, known = _number(value), column_measure(column, unit)
    if number is None or known is None:
        return []
    measure, written = known
    values = [v for v in note.values if v.measure is measure]
    if not values or any(agree(v, number, written) for v in values):
        return []
    first = values[0]
    text = note.text[first.start : first.end].strip()
    said = f"{measure.name[0].upper()}{measure.name[1:]}: the note says {text}, the row {number:g}"
    said += f" {written}." if written else "."
    return [
        Contradiction("value", said, _in_note(note, first.start, first.end), _in_row(column, value))
    ]


COMPARISONS: tuple[Compare, ...] = (_compare_age, _compare_sex, _compare_side, _compare_value)


def _split_ages(note: ReadNote) -> list[Contradiction]:
    if not note.ages:
        return []
    first = note.ages[0]
    other = next((a for a in note.ages if abs(a.years - first.years) > AGE_SLACK), None)
    if other is None:
        return []
    said = f"The note gives two ages: {first.years:g} and {other.years:g} years."
    places = [_in_note(note, age.start, age.end) for age in (first, other)]
    return [Contradiction("age", said, *places)]


def _split_sex(note: ReadNote) -> list[Contradiction]:
    """Two nouns of different sex, or a noun that every pronoun contradicts."""
    nouns = [word for word in note.sex if not word.pronoun]
    pronouns = [word for word in note.sex if word.pronoun]
    first = next(iter(nouns), None)
    if first is None:
        return []
    other = next((word for word in nouns if word.sex != first.sex), None)
    if other is None and pronouns and all(word.sex != first.sex for word in pronouns):
        other = pronouns[0]
    if other is None:
        return []
    said = f"The note speaks of a {first.sex} and of a {other.sex} patient."
    places = [_in_note(note, word.start, word.end) for word in (first, other)]
    return [Contradiction("sex", said, *places)]


def _split_sides(note: ReadNote) -> list[Contradiction]:
    """A part of the body whose side changes where the note decides on it."""
    found = []
    for part in dict.fromkeys(s.part for s in note.sides if s.part):
        mentions = [s for s in note.sides if s.part == part]
        first, last = mentions[0], mentions[-1]
        changed = [s.side != first.side for s in mentions]
        if first.side == last.side or changed != sorted(changed):
            continue
        other = next(s for s in mentions if s.side != first.side)
        if _decides(note, other) and not _speaks_of_both(note, first, other):
            said = f"The {part} is {first.side} at one place and {other.side} at another."
            places = [_in_note(note, s.start, s.end) for s in (first, other)]
            found.append(Contradiction("laterality", said, *places))
    return found


def _sentence(note: ReadNote, place: Sided) -> str:
    start = max(note.text.rfind(". ", 0, place.start), note.text.rfind("\n", 0, place.start)) + 1
    end = re.search(r"[.\n](?:\s|$)", note.text[place.end :])
    return note.text[start : place.end + (end.start() if end else len(note.text))]


def _decides(note: ReadNote, place: Sided) -> bool:
    in_section = section_at(note.sections, place.start) in DECIDING
    return in_section or DECIDES.search(_sentence(note, place)) is not None


def _speaks_of_both(note: ReadNote, *places: Sided) -> bool:
    return any(BOTH.search(_sentence(note, place)) for place in places)


def count_kinds(found: Sequence[Contradiction]) -> dict[str, int]:
    """Return how many contradictions of each kind there are."""
    kinds = [contradiction.kind for contradiction in found]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
