"""What each column holds and is for, inferred from names and values, and said in a note."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import Kind, Role
from medcore.records import Column

LOOK = 2_000
FREE_TEXT = "Free text. Give it the role input if it was written before the outcome was known."
ONLY_TEXT = "Free text: an input, if it was written before the outcome was known."
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
COMMA = re.compile(r"[-+]?\d+,\d+")
BOOLEANS = ({"true", "false"}, {"t", "f"}, {"yes", "no"}, {"y", "n"})
DATES = (
    ("%Y-%m-%d", r"\d{4}-\d{1,2}-\d{1,2}"),
    ("%Y/%m/%d", r"\d{4}/\d{1,2}/\d{1,2}"),
    ("%Y-%m-%d %H:%M:%S", r"\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}:\d{2}"),
    ("%Y-%m-%dT%H:%M:%S", r"\d{4}-\d{1,2}-\d{1,2}T\d{1,2}:\d{2}:\d{2}"),
    ("%d.%m.%Y", r"\d{1,2}\.\d{1,2}\.\d{4}"),
    ("%d/%m/%Y", r"\d{1,2}/\d{1,2}/\d{4}"),
    ("%m/%d/%Y", r"\d{1,2}/\d{1,2}/\d{4}"),
    ("%d-%m-%Y", r"\d{1,2}-\d{1,2}-\d{4}"),
    ("%m-%d-%Y", r"\d{1,2}-\d{1,2}-\d{4}"),
    ("%d-%b-%Y", r"\d{1,2}-[A-Za-z]{3}-\d{4}"),
    ("%d %B %Y", r"\d{1,2} [A-Za-z]+ \d{4}"),
)

PATIENT = re.compile(
    r"(patient|subject|person|participant|speaker|pat|mrn|pid|case)"
    r"[ _-]?(id|no|nr|number|code|key)?",
    re.I,
)
IDENTIFIER = re.compile(r"(.*[ _-])?(id|uuid|guid|key|index|rownum|unnamed: \d+|no|nr)", re.I)
SITE = re.compile(
    r"(site|hospital|cent(er|re)|clinic|institution|ward|facility)([ _-]?(id|name|code))?", re.I
)
FOLLOW_UP = re.compile(
    r"(time|follow[ _-]?up.*|fu[ _-]?(time|days|months|years)|survival[ _-]?(time|days|months)?"
    r"|os[ _-]?(time|days|months)|length[ _-]?of[ _-]?(stay|follow.*)|los|days[ _-]?to[ _-].*"
    r"|time[ _-]?to[ _-].*|duration([ _-]?days)?|tstop)",
    re.I,
)
OUTCOME = re.compile(
    r"(outcome|target|label|class|diagnosis|disease|death|died|dead|mortality|survived|event"
    r"|status|death[ _-]?event|readmi.*|y|num|result|response|ten[ _-]?year.*"
    r"|.*[ _-](outcome|death|label))",
    re.I,
)
# Words for an outcome that did not happen.
ABSENT = {
    "no", "n", "0", "false", "f", "negative", "neg", "absent", "none", "benign", "alive", "normal",
    "healthy", "control", "survived",
}  # fmt: skip


def settle_types(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Give each column one type, and say in notes where cells were read in a special way.

    Booleans become categories, unambiguous dates dates, numbers with signs for thousands or a
    decimal comma numbers; everything else that is not a number becomes pandas strings.
    """
    settled, notes = {}, {}
    for name in frame.columns:
        settled[name], note = _settle(frame[name])
        if note:
            notes[name] = note
    return pd.DataFrame(settled, copy=False), notes


def _settle(values: pd.Series) -> tuple[pd.Series, str]:
    if pd.api.types.is_bool_dtype(values.dtype):
        words = values.astype("string").str.lower()
        return words, "Yes/no values."
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return values.dt.tz_localize(None) if values.dt.tz is not None else values, "Dates."
    if pd.api.types.is_numeric_dtype(values.dtype):
        if values.dtype.kind in "iuf" and values.dtype.itemsize == 8 and values.dtype.kind != "u":
            return values, ""
        return values.astype("float64"), ""
    if values.dtype == object:
        values = values.map(_plain, na_action="ignore")
    return _settle_words(values.astype("string").str.strip().replace("", pd.NA))


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _settle_words(values: pd.Series) -> tuple[pd.Series, str]:
    known = values.dropna()
    if known.empty:
        return values.astype("float64"), "No value in any row."
    look = known.iloc[np.unique(np.linspace(0, len(known) - 1, LOOK).astype(int))]
    if (look.map(lambda word: bool(GROUPED.fullmatch(word) or NUMBER.fullmatch(word)))).all():
        numbers = pd.to_numeric(values.str.replace(",", ""), errors="coerce")
        if numbers.notna().sum() == len(known):
            return numbers.astype("float64"), "Commas read as thousands separators."
    if look.map(lambda word: bool(COMMA.fullmatch(word) or NUMBER.fullmatch(word))).all():
        numbers = pd.to_numeric(values.str.replace(",", "."), errors="coerce")
        if numbers.notna().sum() == len(known):
            return numbers.astype("float64"), "Commas read as decimal signs."
    if set(look.str.lower()) <= set().union(*BOOLEANS) and known.str.lower().nunique() <= 2:
        return values, "Yes/no values."
    return _settle_dates(values, known, look)


def _settle_dates(values: pd.Series, known: pd.Series, look: pd.Series) -> tuple[pd.Series, str]:
    for form, pattern in DATES:
        if not look.map(lambda word, pattern=pattern: bool(re.fullmatch(pattern, word))).all():
            continue
        dates = pd.to_datetime(values, format=form, errors="coerce")
        if dates.notna().sum() != len(known):
            continue
        ambiguous = form.startswith(("%d/", "%d-%m")) and (dates.dt.day <= 12).all()
        note = f"Dates written as {_words_of(form)}."
        return dates, note + (" Day and month could be swapped: check." if ambiguous else "")
    return values, ""


def _words_of(form: str) -> str:
    words = {"%Y": "year", "%m": "month", "%d": "day", "%b": "month", "%B": "month"}
    for sign, word in words.items():
        form = form.replace(sign, word)
    return form.replace("T%H:%M:%S", " time").replace("%H:%M:%S", "time")


def infer_columns(frame: pd.DataFrame, notes: Mapping[str, str]) -> tuple[Column, ...]:
    """Return a column record for each column of a settled frame."""
    columns, taken = [], set()
    for name in frame.columns:
        kind = infer_kind(frame[name])
        role, why = _infer_role(name, frame[name], kind, taken)
        taken.add(role)
        note = " ".join(part for part in (notes.get(name, ""), why) if part)
        categories = list_categories(frame[name]) if kind == "category" else ()
        columns.append(Column(name, kind, role, None, categories, note))
    return tuple(_read_only_text(columns))


def _read_only_text(columns: list[Column]) -> list[Column]:
    """Make free text an input where nothing else is one but, at most, the outcome to be."""
    if sum(column.role == "input" for column in columns) > 1:
        return columns
    return [
        replace(column, role="input", note=ONLY_TEXT) if column.note == FREE_TEXT else column
        for column in columns
    ]


def infer_kind(values: pd.Series) -> Kind:
    """Return the kind of a settled column."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "date"
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "number"
    known = values.dropna()
    look = known.iloc[:LOOK]
    if len(look) and look.str.len().mean() > 40 and look.nunique() > len(look) / 2:
        return "text"
    return "category"


def list_categories(values: pd.Series) -> tuple[str, ...]:
    """Return the categories of a column, the most frequent first, at most 1,000."""
    return tuple(str(word) for word in values.dropna().astype("string").value_counts().index[:1000])


def _infer_role(name: str, values: pd.Series, kind: Kind, taken: set) -> tuple[Role, str]:
    if name.strip().lower() == "split" and kind == "category":
        return "ignored", "Holds the division into parts."
    if PATIENT.fullmatch(name) and "patient" not in taken and kind != "date" and _varies(values):
        return "patient", "Named like a patient identifier."
    if (IDENTIFIER.fullmatch(name) or kind == "category") and _all_differ(values):
        return "ignored", "A different value in every row: an identifier tells nothing."
    if SITE.fullmatch(name) and "site" not in taken and 1 < values.nunique() <= 100:
        return "site", "Named like a hospital or site."
    if kind == "date":
        if "date" in taken:
            return "ignored", "A second date; give it the role input if it is known in time."
        return "date", "The first date."
    if kind == "text":
        return "ignored", FREE_TEXT
    if kind == "number" and FOLLOW_UP.fullmatch(name):
        return "duration", "Named like a length of follow-up, which is known only afterwards."
    return "input", ""


def _varies(values: pd.Series) -> bool:
    return values.nunique() > 1


def _all_differ(values: pd.Series) -> bool:
    """Tell whether each row has a value of its own, and more than a handful do."""
    if len(values) <= 20 or not values.iloc[:LOOK].is_unique or _has_fractions(values):
        return False
    return values.nunique() == len(values)


def _has_fractions(values: pd.Series) -> bool:
    if values.dtype.kind != "f":
        return False
    known = values.dropna()
    return bool(len(known)) and not bool((known % 1 == 0).all())


def outcome_candidates(frame: pd.DataFrame, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """Return columns that could be the outcome, the likeliest first."""

    def rank(column: Column) -> tuple:
        few = frame[column.name].nunique() <= 20
        return (
            not OUTCOME.fullmatch(column.name),
            not few,
            -list(frame.columns).index(column.name),
        )

    fit = [
        c for c in columns if c.kind in ("number", "category") and c.role in ("input", "outcome")
    ]
    return tuple(column.name for column in sorted(fit, key=rank))
