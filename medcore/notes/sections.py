"""A note's sections, found by rules about their headers that a user may change."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from medcore.errors import ConfigError

# Section → headers, in small letters. The names on the left are those that other rules refer to.
DEFAULT_RULES: Mapping[str, tuple[str, ...]] = {
    "complaint": (
        "chief complaint", "chief complaints", "cc", "c/c", "reason for visit", "presenting "
        "complaint", "reason for admission", "reason for consultation", "indication", "pc",
        "reason for referral", "presenting problem",
    ),
    "history": (
        "history of present illness", "hpi", "history of presenting complaint", "hpc", "history",
        "subjective", "interval history", "present illness", "clinical history", "s",
        "history of the present illness", "genhx", "brief history",
    ),
    "past": (
        "past medical history", "pmh", "pmhx", "past history", "medical history", "past medical",
        "pastmedicalhx", "past medical and surgical history", "comorbidities", "problem list",
        "past surgical history", "psh", "pshx", "surgical history", "pastsurgical",
        "past ocular history", "past psychiatric history",
    ),
    "family": ("family history", "fh", "fhx", "fam hx", "family hx"),
    "social": ("social history", "sh", "shx", "social", "social hx", "habits"),
    "medications": (
        "medications", "meds", "current medications", "home medications", "drug history", "dh",
        "medication list", "discharge medications", "drugs", "medication", "current meds", "rx",
        "medications on admission",
    ),
    "allergies": (
        "allergies", "allergy", "drug allergies", "known drug allergies", "known allergies",
        "adverse reactions", "allergies and intolerances",
    ),
    "review": ("review of systems", "ros", "systems review", "systemic enquiry"),
    "exam": (
        "physical examination", "physical exam", "exam", "examination", "on examination", "pe",
        "objective", "o", "o/e", "general examination",
    ),
    "vitals": ("vital signs", "vitals", "observations", "obs", "vs"),
    "labs": (
        "labs", "laboratory", "laboratory data", "laboratory results", "lab results", "bloods",
        "investigations", "results", "laboratory studies",
    ),
    "imaging": ("imaging", "radiology", "x-ray", "chest x-ray", "ct", "mri", "ultrasound", "echo",
                "chest radiograph", "findings", "diagnostic studies"),
    "procedures": ("procedure", "procedures", "operation", "op note", "operations",
                   "procedure performed", "operative note"),
    "course": ("hospital course", "ed course", "emergency department course", "edcourse",
               "clinical course", "progress"),
    "assessment": (
        "assessment", "impression", "diagnosis", "diagnoses", "a", "conclusion", "summary",
        "final diagnosis", "discharge diagnosis", "admission diagnosis", "discharge diagnoses",
        "clinical impression", "preoperative diagnosis", "postoperative diagnosis",
    ),
    "plan": (
        "plan", "p", "recommendations", "recommendation", "treatment plan", "treatment",
        "assessment and plan", "assessment & plan", "a/p", "a&p", "assessment/plan", "disposition",
        "discharge instructions", "follow-up", "follow up", "orders", "instructions",
    ),
    "immunizations": ("immunizations", "immunisations", "vaccinations"),
}  # fmt: skip
BEGINNING = "beginning"
MOST_HEADER = 45
# A header on a line of its own, or before a colon; in running text it must look like one.
LINE = re.compile(r"^[ \t]*(?:[#*_]+[ \t]*)?(?P<title>[A-Za-z][A-Za-z0-9 /&'\-]{0,44}?)[*_]*[ \t]*"
                  r"(?P<mark>:[*_]*|\.(?=[ \t])|(?:[ \t]+[-–][ \t])|(?=[ "
                  r"\t]*$))", re.MULTILINE)  # fmt: skip
INLINE = re.compile(r"(?<=[.;!?\n])[ \t]+(?P<title>[A-Z][A-Za-z0-9 /&'\-]{0,44}?):(?=\s)")


@dataclass(frozen=True)
class Section:
    """A part of a note: `name` is the rule's, `title` the header as written; places in the note.

    `start` is where the header begins, `body` where the text after it does.
    """

    name: str
    title: str
    start: int
    body: int
    end: int


def find_sections(
    note: str, rules: Mapping[str, tuple[str, ...]] = DEFAULT_RULES
) -> tuple[Section, ...]:
    """Return the note's sections in order; text before the first header is "beginning".

    An unknown header in capitals with a colon ends the section before it and is called "other".

    >>> note = "72M with cough.\\nPMH: asthma\\nPLAN\\nInhalers. FHX: gout"
    >>> for section in find_sections(note):
    ...     print(section.name, "·", note[section.body : section.end].strip())
    beginning · 72M with cough.
    past · asthma
    plan · Inhalers.
    family · gout
    """
    names = {header: name for name, headers in rules.items() for header in headers}
    heads: dict[int, tuple[int, str, str]] = {}
    for pattern in (LINE, INLINE):
        for match in pattern.finditer(note):
            title = " ".join(match["title"].split())
            name = _name_header(title, match.groupdict().get("mark", ":") or "", names)
            if name is not None:
                heads.setdefault(match.start("title"), (match.end(), name, title))
    starts = sorted(heads)
    sections = [
        Section(heads[start][1], heads[start][2], start, heads[start][0], end)
        for start, end in itertools.pairwise([*starts, len(note)])
    ]
    first = starts[0] if starts else len(note)
    if note[:first].strip():
        sections.insert(0, Section(BEGINNING, "", 0, 0, first))
    return tuple(sections)


def _name_header(title: str, mark: str, names: Mapping[str, str]) -> str | None:
    lower = title.lower()
    known = names.get(lower)
    if known is not None:
        # A lone word at a line's end, or before a full stop, may be an answer: "History. None".
        plain = mark.startswith(":") or title.isupper() or len(title) > 3
        if len(title) == 1 and not (mark.startswith(":") and title.isupper()):
            return None
        return known if plain and (mark[:1] != "." or title.istitle() or title.isupper()) else None
    if mark.startswith(":") and title.isupper() and len(title) > 3:
        return "other"
    return None


def section_at(sections: tuple[Section, ...], place: int) -> str:
    """Return the name of the section that a place lies in."""
    names = [section.name for section in sections if section.start <= place < section.end]
    return names[-1] if names else BEGINNING


def write_rules(rules: Mapping[str, tuple[str, ...]]) -> str:
    """Return rules as a user edits them, a section a line."""
    return "\n".join(f"{name}: {'; '.join(headers)}" for name, headers in rules.items())


def read_rules(text: str) -> dict[str, tuple[str, ...]]:
    """Return rules from what a user wrote; raises `ConfigError` naming the line that is wrong.

    >>> read_rules("plan: plan; what next")
    {'plan': ('plan', 'what next')}
    """
    rules: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, sign, rest = line.partition(":")
        headers = tuple(" ".join(h.lower().split()) for h in rest.split(";") if h.strip())
        name = name.strip().lower()
        if not sign or not name or not headers:
            raise ConfigError(
                f"Line {number} of the header rules must read 'section: header; header', "
                f"not '{line.strip()[:40]}'."
            )
        for header in headers:
            if len(header) > MOST_HEADER:
                raise ConfigError(f"Line {number}: a header has at most {MOST_HEADER} letters.")
            if owner.setdefault(header, name) != name:
                raise ConfigError(
                    f"Line {number}: the header '{header}' already stands for '{owner[header]}'."
                )
        rules[name] = rules.get(name, ()) + headers
    if not rules:
        raise ConfigError("There are no header rules; write at least one line.")
    return rules
