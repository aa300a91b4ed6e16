"""Other units, suspected from how values are spread; asked about, and never converted unasked.

Factors between conventional and SI units: Young and Huth, "SI Units for Clinical Measurement"
(1998); HbA1c by the IFCC–NGSP master equation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medcore.errors import DataError

KEEP = "keep"
# How much of the way, in orders of magnitude, may be left after a conversion.
CLOSER = 0.3


@dataclass(frozen=True)
class Conversion:
    """A value in the model's unit is `factor` × the new table's value + `offset`."""

    name: str
    factor: float
    offset: float = 0.0

    def apply(self, values: pd.Series) -> pd.Series:
        """Return the values converted."""
        return values * self.factor + self.offset


@dataclass(frozen=True)
class Question:
    """A column whose new values look as if they were in another unit."""

    column: str
    conversion: str
    sentence: str


def _between(
    pattern: str, one: str, other: str, factor: float, offset: float = 0.0
) -> tuple[re.Pattern[str], tuple[Conversion, Conversion]]:
    there = Conversion(f"{one} to {other}", factor, offset)
    back = Conversion(f"{other} to {one}", 1 / factor, -offset / factor)
    return re.compile(pattern, re.IGNORECASE), (there, back)


KNOWN = (
    _between(r"gluc|glu\b|blood[ _]?sugar", "mmol/L", "mg/dL", 18.016),
    _between(r"chol|\b[lh]dl", "mmol/L", "mg/dL", 38.67),
    _between(r"triglyc|\btg\b", "mmol/L", "mg/dL", 88.57),
    _between(r"creatinine|\bcrea?\b", "mg/dL", "µmol/L", 88.42),
    _between(r"\bbun\b|urea", "mmol/L of urea", "mg/dL of urea nitrogen", 2.801),
    _between(r"\bbun\b|urea", "mmol/L of urea", "mg/dL of urea", 6.006),
    _between(r"h(a)?emoglobin|\bhgb|\bhb\b", "g/dL", "g/L", 10),
    _between(r"h(a)?emoglobin|\bhgb|\bhb\b", "mmol/L", "g/dL", 1.611),
    _between(r"bili", "mg/dL", "µmol/L", 17.1),
    _between(r"calcium|\bca\b", "mmol/L", "mg/dL", 4.008),
    _between(r"magnesium|\bmg\b", "mmol/L", "mg/dL", 2.431),
    _between(r"phosph(ate|orus)", "mmol/L", "mg/dL", 3.097),
    _between(r"uric|urate", "mg/dL", "µmol/L", 59.48),
    _between(r"albumin|protein", "g/dL", "g/L", 10),
    _between(r"crp|c[ _-]?reactive", "mg/dL", "mg/L", 10),
    _between(r"lactate", "mmol/L", "mg/dL", 9.008),
    _between(r"\biron\b", "µmol/L", "µg/dL", 5.587),
    _between(r"vitamin[ _]?d", "ng/mL", "nmol/L", 2.496),
    _between(r"\bt4\b|tt4|thyroxine", "µg/dL", "nmol/L", 12.87),
    _between(r"\bt3\b|triiodo", "ng/dL", "nmol/L", 0.01536),
    _between(r"troponin|\btn[it]\b", "ng/mL", "ng/L", 1000),
    _between(r"platelet|\bplt\b|thrombocyte|leu[ck]ocyte|\bwbc\b", "10⁹/L", "1/µL", 1000),
    _between(r"a1c", "% (NGSP)", "mmol/mol (IFCC)", 10.929, -23.5),
    _between(r"ejection|\b(lv)?ef\b|saturation|spo2|h(a)?ematocrit", "fraction", "%", 100),
    _between(r"temp", "°C", "°F", 1.8, 32),
    _between(r"pressure|\b[sd]?bp|_bp\b|sys|dia|pa?o2|pa?co2", "kPa", "mmHg", 7.50062),
    _between(r"height|length|waist|hip", "m", "cm", 100),
    _between(r"height|length|waist|hip", "inches", "cm", 2.54),
    _between(r"weight", "lb", "kg", 0.45359237),
    _between(r"\bage\b", "months", "years", 1 / 12),
    _between(r"\bage\b", "days", "years", 1 / 365.25),
)
TENS = tuple(
    Conversion(f"{sign} {factor:,}", factor if sign == "×" else 1 / factor)
    for factor in (10, 100, 1000, 1_000_000)
    for sign in ("×", "÷")
)


def list_conversions(column: str) -> tuple[Conversion, ...]:
    """Return the conversions that a column's name allows: those of its analyte, and by tens.

    >>> [conversion.name for conversion in list_conversions("Glucose")[:2]]
    ['mmol/L to mg/dL', 'mg/dL to mmol/L']
    """
    words = re.sub(r"[_.\-]", " ", column)
    known = [both for pattern, both in KNOWN if pattern.search(words) or pattern.search(column)]
    return (*(conversion for both in known for conversion in both), *TENS)


def suspect_unit(
    column: str, development: Mapping[str, float], values: pd.Series
) -> Conversion | None:
    """Return the conversion after which new values lie where the development patients' do.

    `development`: q1, median, q3. A conversion of the analyte is suspected where it brings the new
    median most of the way (in orders of magnitude) to the old one; a small one, below a factor of
    five, or one with an offset, only where the new median also lies outside the old quartiles. One
    by tens, of which the name says nothing, where the new quartiles lie wholly outside the old
    ones and overlap once converted.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2 or not {"q1", "median", "q3"} <= development.keys():
        return None
    quartiles = np.quantile(known, [0.25, 0.5, 0.75])
    found = [
        (conversion in TENS, abs(conversion.apply(quartiles[1]) - development["median"]), place)
        for place, conversion in enumerate(list_conversions(column))
        if (_fits_by_tens if conversion in TENS else _fits)(conversion, development, quartiles)
    ]
    return list_conversions(column)[min(found)[2]] if found else None


def _fits(conversion: Conversion, development: Mapping[str, float], new: np.ndarray) -> bool:
    old, converted = development["median"], conversion.apply(new[1])
    inside = development["q1"] <= new[1] <= development["q3"]
    if conversion.offset:
        return not inside and development["q1"] <= converted <= development["q3"]
    if old <= 0 or converted <= 0 or (inside and 0.2 < conversion.factor < 5):
        return False
    return abs(math.log(converted / old)) <= CLOSER * abs(math.log(conversion.factor))


def _fits_by_tens(
    conversion: Conversion, development: Mapping[str, float], new: np.ndarray
) -> bool:
    q1, q3 = development["q1"], development["q3"]
    apart = new[2] < q1 or new[0] > q3
    return bool(apart and conversion.apply(new[0]) <= q3 and conversion.apply(new[2]) >= q1)


def write_question(
    column: str, conversion: Conversion, development: Mapping[str, float], values: pd.Series
) -> Question:
    """Return the question that a suspected unit raises."""
    middle = float(values.median())
    here, there = f"{middle:.4g}", f"{development['median']:.4g}"
    turned = f"{conversion.apply(middle):.4g}"
    what = "in another unit"
    if " to " in conversion.name:
        one, other = conversion.name.split(" to ")
        what = f"in {one} instead of {other}"
    sentence = (
        f"{column}: the median is {here} here and was {there} in development. Are the new values "
        f"{what}? Converted ({conversion.name}), their median would be {turned}."
    )
    return Question(column, conversion.name, sentence)


def find_conversion(column: str, name: str) -> Conversion | None:
    """Return the conversion that an answer names; None to keep the values as they are.

    Raises `DataError` for one that the column does not know.
    """
    if name == KEEP:
        return None
    known = list_conversions(column)
    found = next((conversion for conversion in known if conversion.name == name), None)
    if found is None:
        names = ", ".join(f"'{conversion.name}'" for conversion in known[:6])
        raise DataError(
            f"'{column}' cannot be converted by '{name}'; answer with '{KEEP}' or one of {names}."
        )
    return found
