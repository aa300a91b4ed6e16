"""Values that a living patient cannot have, by what a column is called.

Limits are wide on purpose: beyond them lie typing errors and codes, not rare disease. Sources: the
extremes compatible with life in Kruse et al., "Reference ranges and what they mean" (StatPearls),
and recorded extremes for age, height and weight; where sources differ the wider limit is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The smallest and largest value that can be true; `zero` tells whether 0 can be."""

    what: str
    pattern: re.Pattern[str]
    low: float
    high: float
    zero: bool = False


def _limits(what: str, pattern: str, low: float, high: float, zero: bool = False) -> Limits:
    return Limits(what, re.compile(rf"({pattern})", re.IGNORECASE), low, high, zero)


LIMITS = (
    _limits("age in years", r"age|age[ _](years|yrs)|patient[ _]?age", 0, 120, zero=True),
    _limits(
        "systolic blood pressure in mmHg",
        r"sys[ _]?bp|sbp|systolic.*|trestbps|resting[ _]bp|blood[ _]?pressure|bp",
        30,
        320,
    ),
    _limits("diastolic blood pressure in mmHg", r"dia[ _]?bp|dbp|diastolic.*", 10, 220),
    _limits(
        "heart rate per minute",
        r"heart[ _]?rate|hr|pulse|thalch|thalach|max[ _]heart[ _]rate",
        15,
        320,
    ),
    _limits("respiratory rate per minute", r"resp[ _]?rate|respiratory[ _]rate|rr", 2, 90),
    _limits("oxygen saturation in %", r"spo2|sao2|oxygen[ _]sat.*", 20, 100),
    _limits("body-mass index in kg/m²", r"bmi|body[ _]mass[ _]index", 8, 110),
    _limits("weight in kg", r"weight|weight[ _]kg", 0.3, 650),
    _limits("height in cm", r"height|height[ _]cm", 0.4, 275),
    _limits("cholesterol", r"chol|tot[ _]?chol|cholesterol|total[ _]cholesterol", 0.5, 2000),
    _limits("glucose", r"glucose|blood[ _]glucose|fasting[ _]glucose", 0.3, 2500),
    _limits("insulin", r"insulin", 0.1, 3000),
    _limits("skin fold in mm", r"skin[ _]?thickness|skin[ _]?fold", 1, 120),
    _limits("creatinine", r"(serum[ _])?creatinine", 0.05, 3000),
    _limits("sodium in mmol/L", r"(serum[ _])?sodium|na\+", 80, 210),
    _limits("potassium in mmol/L", r"(serum[ _])?potassium|k\+", 1, 15),
    _limits("haemoglobin", r"h(a)?emoglobin|hgb|hb", 1, 300),
    _limits("platelets", r"platelets?|plt", 1, 5_000_000),
    _limits("ejection fraction in %", r"(lv)?ef|ejection[ _]fraction", 3, 95),
)


def find_limits(name: str) -> Limits | None:
    """Return the limits that a column's name calls for, if any.

    >>> find_limits("SysBP").high
    320
    """
    return next((limits for limits in LIMITS if limits.pattern.fullmatch(name.strip())), None)


def find_temperature(name: str) -> bool:
    """Tell whether a column is named like a body temperature (°C or °F are told by the values)."""
    return bool(re.fullmatch(r"(body[ _])?temp(erature)?([ _]?[cf])?", name.strip(), re.IGNORECASE))
