"""Diseases and habits: what the note says beside yes/no columns, and where it says both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medcore.lexicon import Lexicon, find_terms
from medcore.notes.context import Finding

YES = {"1", "1.0", "yes", "y", "true", "present", "positive", "pos", "current", "+", "confirmed"}
NO = {"0", "0.0", "no", "n", "false", "absent", "negative", "neg", "never", "none", "-", "denied"}
SMOKER = "smoker"
SMOKING_COLUMN = re.compile(r"(?:^|_)(?:smok\w*|tobacco\w*)(?:_|$)")
# Conditions one keeps: to deny and to have one in the same note cannot both be right.
LASTING = frozenset({
    "diabetes", "hypertension", "asthma", "chronic obstructive pulmonary disease", "heart failure",
    "atrial fibrillation", "coronary artery disease", "chronic kidney disease", "epilepsy",
    "cirrhosis", "multiple sclerosis", "parkinson's disease", "dementia", "hypothyroidism",
    "hyperthyroidism", "rheumatoid arthritis", "lupus", "sickle cell disease", "hemophilia",
    "osteoporosis", "glaucoma", "crohn's disease", "celiac disease", "peripheral vascular disease",
    SMOKER,
})  # fmt: skip
NEVER = re.compile(
    r"\b(?:(?:has |have )?never (?:been a )?smok(?:ed|er|es|ing)|non[- ]?smoker|"
    r"(?:does|do|did) not (?:smoke|use tobacco)|doesn't smoke|"
    r"den(?:ies|ied) (?:any )?(?:smoking|tobacco)|no (?:tobacco|smoking)(?: use| history)?|"
    r"nonsmoker|never[- ]smoker)\b",
    re.IGNORECASE,
)
FORMER = re.compile(
    r"\b(?:(?:former|ex|past|previous)[- ]?smoker|quit(?:ted)? smoking|stopped smoking|used to "
    r"smoke|"
    r"(?:has )?quit\b[^.]{0,30}|gave up smoking|smoked (?:for|until|in the past))",
    re.IGNORECASE,
)
CURRENT = re.compile(
    r"\b(?:(?:current|active|heavy|light|daily|occasional|social) (?:cigarette |tobacco )?smoker|"
    r"smokes\b(?! (?:marijuana|pot|weed|cannabis|crack))|is (?:a|still a) smoker|(?:continues|"
    r"still) (?:to smoke|smoking)|is smoking|"
    r"smoking \d|currently smok\w+|packs? (?:a|per) day smoker)",
    re.IGNORECASE,
)
# A text, its place in the note, or the column it stands in.
Spot = tuple[str, int | None, int | None, str | None]
Texts = tuple[str, Spot, Spot]


def yes_or_no(value: Any) -> bool | None:
    """Return what a cell of a yes/no column says; None when it says neither.

    >>> yes_or_no("present"), yes_or_no(0.0), yes_or_no("stage 2")
    (True, False, None)
    """
    word = str(value).strip().lower()
    return True if word in YES else False if word in NO else None


def smoking_words(note: str) -> dict[str, tuple[int, int]]:
    """Return where a note calls the patient a never, former or current smoker, relatives aside."""
    found = {}
    for name, pattern in (("never", NEVER), ("former", FORMER), ("current", CURRENT)):
        for match in pattern.finditer(note):
            before = re.split(r"[.;\n]", note[max(0, match.start() - 60) : match.start()])[-1]
            of_other = re.search(
                r"\b(?:mother|father|husband|wife|brother|sister|parents?|son|daughter|mom|dad|"
                r"partner|boyfriend|girlfriend|roommate)\b", before, re.IGNORECASE
            )  # fmt: skip
            # "Has never been a current smoker": the longer statement holds.
            if not of_other and not any(a <= match.start() < b for a, b in found.values()):
                found.setdefault(name, match.span())
    return found


def compare_conditions(
    note: str, findings: Sequence[Finding], row: Mapping[str, Any], lexicon: Lexicon
) -> Iterator[tuple[str, Texts]]:
    """Yield where the note and a yes/no column say the opposite of a condition."""
    for column, value in row.items():
        slug = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_")
        if SMOKING_COLUMN.search(slug):
            yield from _compare_smoking(note, column, value)
            continue
        said, condition = yes_or_no(value), column_condition(column, lexicon)
        if said is None or condition is None:
            continue
        about = [f for f in findings if f.term.name == condition and not f.family]
        for_it = [f for f in about if not f.negated and not f.uncertain]
        against = [f for f in about if f.negated and not f.uncertain]
        opposite, agreeing = (against, for_it) if said else (for_it, against)
        if opposite and not agreeing:
            first = opposite[0]
            words = "denies" if said else "states"
            sentence = f"The note {words} {condition}, the row says {column} = {value}."
            yield "condition", (sentence, _in_note(note, first), _in_row(column, value))


def column_condition(column: str, lexicon: Lexicon) -> str | None:
    """Return the condition that a column is about, from its name.

    >>> from medcore.lexicon import load_lexicon
    >>> column_condition("high_blood_pressure", load_lexicon())
    'hypertension'
    """
    words = re.sub(r"[^A-Za-z0-9'\-]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column))
    words = re.sub(r"^(?:has|hx|history of|prior|known)\s+|\s+(?:history|hx|status|flag)$", "",
                   words.strip().lower())  # fmt: skip
    term = lexicon.terms.get(words)
    if term is None:
        found = find_terms(words.upper(), lexicon)
        whole = [f for f in found if f.end - f.start >= 0.7 * len(words)]
        term = whole[0].term if whole else None
    return term.name if term is not None and term.kind == "finding" else None


def _compare_smoking(note: str, column: str, value: Any) -> Iterator[tuple[str, Texts]]:
    word = str(value).strip().lower()
    said = yes_or_no(value)
    row = {"former": "former", "ex": "former", "quit": "former"}.get(word.split("-")[0].split()[0])
    row = row or ("current" if said else "never" if said is False else None)
    found = smoking_words(note)
    allowed = {"current": {"current"}, "former": {"former", "never"}, "never": {"never", "former"}}
    if row is None or not found or found.keys() & allowed[row] or row == "former":
        return
    name, (start, end) = next(iter(found.items()))
    if row == "current" and name == "former" and word in ("1", "1.0"):
        return
    sentence = f"The note speaks of a {name} smoker, the row says {column} = {value}."
    yield "condition", (sentence, (note[start:end], start, end, None), _in_row(column, value))


def find_split_conditions(note: str, findings: Sequence[Finding]) -> Iterator[tuple[str, Texts]]:
    """Yield lasting conditions that the note both denies and states."""
    for name in dict.fromkeys(f.term.name for f in findings if f.term.name in LASTING - {SMOKER}):
        about = [f for f in findings if f.term.name == name and not f.family and not f.uncertain]
        denied = [
            f
            for f in about
            if (f.negated and not f.historical) or (f.negated and _is_flat(note, f))
        ]
        stated = [f for f in about if not f.negated]
        if denied and stated:
            sentence = f"The note both denies and states {name}."
            yield "condition", (sentence, _in_note(note, denied[0]), _in_note(note, stated[0]))
    smoking = smoking_words(note)
    if {"never", "current"} <= smoking.keys():
        places = [(note[a:b], a, b, None) for a, b in (smoking["never"], smoking["current"])]
        yield "condition", ("The note speaks of a never and of a current smoker.", *places)


def _is_flat(note: str, finding: Finding) -> bool:
    """Tell whether a denial is of the condition itself, not of a former episode."""
    cues = " ".join(note[a:b].lower() for a, b in finding.cues)
    return not re.search(r"new|acute|recent|previous|prior|past", cues)


def _in_note(note: str, finding: Finding) -> tuple[str, int, int, None]:
    start = min([finding.start, *(a for a, _ in finding.cues)])
    end = max([finding.end, *(b for _, b in finding.cues)])
    return note[start:end], start, end, None


def _in_row(column: str, value: Any) -> tuple[str, None, None, str]:
    return f"{column} = {value}", None, None, column
