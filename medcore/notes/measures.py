"""Vital signs and laboratory values in notes and columns, and when two agree.

The table of measures is `measures.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measure:
    """A quantity: how notes and columns name it, its units, and what difference matters.

    `units` map a unit in small letters to (factor, shift) into the first unit; `usual` is what
    is plausible in it; `relative` and `absolute`: two values agree within either.
    """

    name: str
    written: str
    columns: str
    units: Mapping[str, tuple[float, float]]
    usual: tuple[float, float]
    relative: float
    absolute: float


@dataclass(frozen=True)
class Value:
    """A value in a text; `low` to `high` where a range is written; `unit` as written, or None."""

    measure: Measure
    low: float
    high: float
    unit: str | None
    start: int
    end: int


def _load() -> tuple[Measure, ...]:
    values = tomllib.loads((Path(__file__).parent / "measures.toml").read_text(encoding="utf-8"))
    return tuple(
        Measure(
            entry["name"], entry["written"], entry["columns"],
            {unit: (float(a), float(b)) for unit, (a, b) in entry["units"].items()},
            (float(entry["usual"][0]), float(entry["usual"][1])),
            entry["relative"], entry["absolute"],
        )
        for entry in values["measure"]
    )  # fmt: skip


MEASURES = _load()
SYSTOLIC, DIASTOLIC = MEASURES[0], MEASURES[1]
NUMBER = r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?"
JOIN = (r"(?:\s*(?:[:=]|is|was|of|at|to|were|are|level|count|today|currently|now|measured|"
        r"estimated|averag(?:es|ing|ed)|approximately|about|around|value|reading|rate|up|down|"
        r"rose|fell|stable|this morning|on admission)){0,4}\s*")  # fmt: skip
PRESSURE = re.compile(
    r"(?:(?:bp|blood pressure)[^.;\n\d]{0,30}|(?<![\d/])(?=\d{2,3}/\d{2,3}\s*mm))(\d{2,3})\s*/\s*"
    r"(\d{2,3})(?![\d/])",
    re.IGNORECASE,
)
# Values of another time or another person's.
BEFORE = re.compile(
    r"(?:from|previous(?:ly)?|last|prior|baseline|goal|target|below|above|under|over|less than|"
    r"greater than|usual|normally|until|before)\b[^.;\n]{0,12}$",
    re.IGNORECASE,
)


def _compile(measure: Measure) -> re.Pattern[str]:
    units = sorted(measure.units, key=len, reverse=True)
    unit = "|".join(re.escape(unit) for unit in units) or r"(?!)"
    return re.compile(
        rf"(?<![\w/-])(?:{measure.written}){JOIN}(?P<low>{NUMBER})(?:\s*(?:-|–|to)\s*(?P<high>{NUMBER}))?"
        rf"\s*(?:(?P<unit>{unit})(?![\w/]))?(?![\d/]|\s*mg(?!/)|\s*mcg)",
        re.IGNORECASE,
    )


_PATTERNS = {measure.name: _compile(measure) for measure in MEASURES}


def find_values(note: str) -> list[Value]:
    """Return the values written in a note, those of other times left out.

    >>> [(v.measure.name, v.low, v.unit) for v in find_values("BP 128/74, Hb of 78 g/L, T 37.1")]
    [('systolic blood pressure', 128.0, None), ('diastolic blood pressure', 74.0, None), \
('temperature', 37.1, None), ('hemoglobin', 78.0, 'g/L')]
    """
    values = []
    for match in PRESSURE.finditer(note):
        if not _is_past(note, match.start(1)):
            for group, measure in ((1, SYSTOLIC), (2, DIASTOLIC)):
                number = float(match[group])
                values.append(Value(measure, number, number, None, *match.span(group)))
    for measure in MEASURES:
        for match in _PATTERNS[measure.name].finditer(note):
            low = float(match["low"].replace(",", ""))
            high = float((match["high"] or match["low"]).replace(",", ""))
            value = Value(measure, low, high, match["unit"], match.start("low"), match.end())
            if low <= high and not _is_past(note, value.start) and _readings(value):
                values.append(value)
    return values


def _is_past(note: str, start: int) -> bool:
    return BEFORE.search(note[max(0, start - 40) : start]) is not None


def _readings(value: Value) -> list[tuple[float, float]]:
    """Return what the value may be in the first unit: in the unit written, else in any."""
    return [
        (low, high)
        for factor, shift in _scales(value.measure, value.unit)
        for low, high in [(value.low * factor + shift, value.high * factor + shift)]
        if value.measure.usual[0] <= low and high <= value.measure.usual[1]
    ]


def _scales(measure: Measure, unit: str | None) -> Iterable[tuple[float, float]]:
    if unit and (known := measure.units.get(_clean_unit(unit))):
        return [known]
    return dict.fromkeys([(1.0, 0.0), *measure.units.values()])


def _clean_unit(unit: str) -> str:
    return " ".join(unit.lower().replace("μ", "µ").split())


def column_measure(name: str, unit: str | None) -> tuple[Measure, str | None] | None:
    """Return what a column measures and its unit, from its name; None when it is none of these.

    >>> column_measure("creatinine (mg/dL)", None)[0].name, column_measure("weight_kg", None)[1]
    ('creatinine', 'kg')
    """
    bare, _, bracket = name.lower().partition("(")
    given = unit or bracket.rstrip(") ") or None
    slug = re.sub(r"[\s\-]+", "_", bare.strip())
    slug = re.sub(r"^(?:patient|baseline|admission|serum)_", "", slug)
    for measure in MEASURES:
        tail = _unit_tail(slug, measure)
        stem = slug[: -len(tail[0])].rstrip("_") if tail else slug
        if re.fullmatch(measure.columns, stem) or re.fullmatch(measure.columns, slug):
            return measure, given or (tail[1] if tail else None)
    return None


def _unit_tail(slug: str, measure: Measure) -> tuple[str, str] | None:
    for unit in sorted(measure.units, key=len, reverse=True):
        tail = re.sub(r"[^\w]+", "_", unit)
        if slug.endswith("_" + tail):
            return tail, unit
    return None


def agree(value: Value, number: float, unit: str | None) -> bool:
    """Tell whether a note's value and a row's are the same, in any units they may be in."""
    measure = value.measure
    row = Value(measure, number, number, unit, 0, 0)
    known = [low for low, _ in _readings(row)] or [number]
    for low, high in _readings(value):
        for other in known:
            slack = max(measure.absolute, measure.relative * max(abs(other), abs(low)))
            if low - slack <= other <= high + slack:
                return True
    return False
