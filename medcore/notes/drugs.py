"""Drugs that a patient is allergic to, beside those that the note gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medcore.lexicon import Lexicon, find_sentences, find_terms, find_tokens
from medcore.lexicon.terms import CLASS_WORDS
from medcore.notes.conditions import Texts
from medcore.notes.context import Finding
from medcore.notes.sections import Section, section_at

ALLERGY_COLUMN = re.compile(r"allerg|adverse_drug|drug_reaction|intoleran")
ALLERGIC = re.compile(
    r"\b(?:allerg(?:ic|y|ies)|anaphyla\w+ (?:to|with|after)|intoleran(?:t|ce)|adverse reactions?|"
    r"hypersensitiv\w+)\b",
    re.IGNORECASE,
)
NONE_KNOWN = re.compile(
    r"\b(?:nkda|nka|no (?:known )?(?:drug |medication )?allerg\w+|denies (?:any )?(?:drug "
    r")?allerg\w+"
    r"|not allergic)\b",
    re.IGNORECASE,
)
GIVEN = re.compile(
    r"\b(?:start\w*|treat\w*|prescri\w+|giv(?:e|en|ing)|gave|continue\w*|discharged (?:on|with)|"
    r"order\w*|begin|began|administer\w*|receiv\w+|takes?|taking|took|on|switch\w* to|add(?:ed)?|"
    r"resume\w*|iv|tablets?|load\w*|cover\w*)\b",
    re.IGNORECASE,
)
# Leaves no doubt, even where the text under "Allergies" runs on.
ORDERED = re.compile(
    r"\b(?:discharged (?:on|with)|(?:re)?start(?:ed|ing)? (?:on )?|treat(?:ed)? with|prescribed|"
    r"continue[sd]?|was given|sent home (?:on|with))\b",
    re.IGNORECASE,
)
AVOIDED = re.compile(
    r"\b(?:avoid\w*|stop\w*|discontinu\w+|held|hold|allerg\w+|not (?:given|start\w*|use)|"
    r"instead of|rather than|contraindicated|intoleran\w+|declin\w+|switched from|reaction)\b",
    re.IGNORECASE,
)
TAKING = ("plan", "medications", "course")


@dataclass(frozen=True)
class _Drug:
    """A drug, or a class of drugs where `name` is empty; places None for one from the row."""

    name: str
    group: str
    text: str
    start: int | None = None
    end: int | None = None
    column: str | None = None


def compare_allergies(
    note: str,
    sections: tuple[Section, ...],
    findings: Sequence[Finding],
    row: Mapping[str, Any],
    lexicon: Lexicon,
) -> Iterator[tuple[str, Texts]]:
    """Yield drugs that are given although the patient is said not to bear them."""
    allergies = [*_from_row(row, lexicon), *_from_note(note, sections, lexicon)]
    said = set()
    for drug in _given(note, sections, findings):
        for allergy in allergies:
            why = _clash(allergy, drug, lexicon)
            if why and (drug.name, allergy.text.lower()) not in said:
                said.add((drug.name, allergy.text.lower()))
                sentence = f"{drug.text[0].upper()}{drug.text[1:]} is given; {why}."
                yield "allergy", (sentence, _place(allergy), _place(drug))


def _place(drug: _Drug) -> tuple[str, int | None, int | None, str | None]:
    return drug.text, drug.start, drug.end, drug.column


def _from_row(row: Mapping[str, Any], lexicon: Lexicon) -> Iterator[_Drug]:
    for column, value in row.items():
        if ALLERGY_COLUMN.search(column.lower().replace(" ", "_")) and not NONE_KNOWN.search(
            str(value)
        ):
            for drug in _drugs_in(str(value), lexicon):
                yield _Drug(drug.name, drug.group, f"{column} = {value}", column=column)


def _from_note(note: str, sections: tuple[Section, ...], lexicon: Lexicon) -> Iterator[_Drug]:
    for start, end in find_sentences(note):
        text = note[start:end]
        in_section = section_at(sections, start) == "allergies" or section_at(
            sections, end - 1
        ) == "allergies"  # fmt: skip
        in_section = in_section and not ORDERED.search(text)
        if NONE_KNOWN.search(text) or not (in_section or ALLERGIC.search(text)):
            continue
        for drug in _drugs_in(text, lexicon):
            yield _Drug(drug.name, drug.group, drug.text, start + drug.start, start + drug.end)


def _drugs_in(text: str, lexicon: Lexicon) -> Iterator[_Drug]:
    """Yield the drugs and classes of drugs named in a text."""
    for found in find_terms(text, lexicon):
        if found.term.kind == "drug":
            yield _Drug(
                found.term.name,
                found.term.group,
                text[found.start : found.end],
                found.start,
                found.end,
            )
    tokens = find_tokens(text)
    for place, token in enumerate(tokens):
        for words in (tokens[place : place + 2], [token]):
            group = CLASS_WORDS.get(" ".join(word.lower for word in words))
            if group:
                start, end = words[0].start, words[-1].end
                yield _Drug("", group, text[start:end], start, end)
                break


def _given(
    note: str, sections: tuple[Section, ...], findings: Sequence[Finding]
) -> Iterator[_Drug]:
    sentences = find_sentences(note)
    for finding in findings:
        if finding.term.kind != "drug" or finding.negated or finding.family:
            continue
        start, end = next((s for s in sentences if s[0] <= finding.start < s[1]), (0, len(note)))
        text = note[max(start, finding.start - 90) : min(end, finding.end + 60)]
        section = section_at(sections, finding.start)
        given = (ORDERED if section == "allergies" else GIVEN).search(text)
        if not AVOIDED.search(text) and (given or section in TAKING):
            words = note[finding.start : finding.end]
            yield _Drug(finding.term.name, finding.term.group, words, finding.start, finding.end)


def _clash(allergy: _Drug, drug: _Drug, lexicon: Lexicon) -> str | None:
    if allergy.name and allergy.name == drug.name:
        return "the patient is said to be allergic to it"
    same_group = allergy.group == drug.group and not drug.group.startswith("other")
    if same_group and (
        not allergy.name or allergy.group in _SHARED or allergy.name == allergy.group
    ):
        return f"the patient is said to be allergic to a {allergy.group}"
    if drug.group in lexicon.crossed.get(allergy.group, ()):
        return f"an allergy to a {allergy.group} may extend to a {drug.group}; check which"
    return None


# Within these an allergy to one drug speaks against all of them.
_SHARED = frozenset(
    {"penicillin", "sulfonamide antibiotic", "nsaid", "cephalosporin", "salicylate"}
)
