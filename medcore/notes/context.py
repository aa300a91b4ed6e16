"""Who has a finding, whether at all, and when: rules after NegEx and ConText, written anew.

Chapman et al. 2001 (NegEx) and Harkema et al. 2009 (ConText): a cue before or after a finding
holds for all findings up to the end of the sentence or a word that ends its scope. The cues are
in `cues.txt`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medcore.lexicon import Found, Lexicon, Term, find_sentences, find_terms
from medcore.notes.sections import Section, find_sections, section_at

Kind = Literal["negated", "uncertain", "family", "historical"]
Status = Literal["present", "negated", "uncertain", "family", "historical"]


def _load() -> dict[str, tuple[str, ...]]:
    cues: dict[str, list[str]] = {}
    name = ""
    for line in (Path(__file__).parent / "cues.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line and not line.startswith("#"):
            cues.setdefault(name, []).append(line)
    return {name: tuple(words) for name, words in cues.items()}


CUES = _load()
KINDS: tuple[Kind, ...] = ("uncertain", "negated", "historical", "family")
# A relative who brings or speaks is not the one who is ill.
SPEAKS = re.compile(
    r"(?:brought|states?|stated|reports?|reported|says|said|noticed|noted|notes|is here|"
    r"accompan\w+|present|gives?|gave|confirms?|denies|deny|describes?|feels|thinks|called|"
    r"translat\w+|and (?:his|her|the) \w+ (?:state|report|den)\w*|at (?:the )?bedside|aware|"
    r"works?|is a|lives?)\b",
    re.IGNORECASE,
)
BROUGHT = re.compile(r"(?:by|with|from|to|per)\s+(?:his|her|the|their|a)?\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """A finding in a note, and in what way it is spoken of; `cues` are the places of the words."""

    term: Term
    start: int
    end: int
    section: str
    negated: bool = False
    uncertain: bool = False
    family: bool = False
    historical: bool = False
    cues: tuple[tuple[int, int], ...] = ()

    @property
    def status(self) -> Status:
        """In one word; who has it comes first, then whether, then when."""
        kinds: tuple[Status, ...] = ("family", "uncertain", "negated", "historical")
        return next((kind for kind in kinds if getattr(self, kind)), "present")


@dataclass(frozen=True)
class _Cue:
    kind: Kind
    after: bool
    start: int
    end: int


@functools.cache
def _pattern(name: str) -> re.Pattern[str]:
    whole = "|".join(sorted(CUES[name], key=len, reverse=True))
    return re.compile(rf"(?<![\w'-])(?:{whole})(?![\w'-])", re.IGNORECASE)


def find_findings(
    note: str, lexicon: Lexicon, sections: tuple[Section, ...] | None = None
) -> list[Finding]:
    """Return the findings (and drugs) of a note with their context, in order."""
    sections = find_sections(note) if sections is None else sections
    heads = [(section.start, section.body) for section in sections]
    found: list[Finding] = []
    for start, end in _clauses(note, heads):
        terms = find_terms(note, lexicon, start, end)
        if terms:
            found += _judge(note, (start, end), terms, sections)
    return found


def judge_findings(text: str, terms: Iterable[Found]) -> list[Finding]:
    """Return the given terms of one sentence with their context."""
    return _judge(text, (0, len(text)), list(terms), ())


def _clauses(note: str, heads: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the sentences, each cut where a section's header or body begins."""
    cuts = sorted({place for head in heads for place in head})
    clauses = []
    for start, end in find_sentences(note):
        inner = [cut for cut in cuts if start < cut < end]
        clauses += list(zip([start, *inner], [*inner, end], strict=True))
    return clauses


def _judge(
    note: str, place: tuple[int, int], terms: list[Found], sections: tuple[Section, ...]
) -> list[Finding]:
    text = note[place[0] : place[1]]
    blocked = [(f.start - place[0], f.end - place[0]) for f in terms]
    claimed = [m.span() for m in _pattern("pseudo").finditer(text)]
    ends = [m.span() for m in _pattern("ends").finditer(text)]
    ends += [m.span() for m in re.finditer(";", text)]
    cues = _find_cues(text, claimed, blocked)
    return [_with_context(f, text, place[0], cues, ends, sections) for f in terms]


def _find_cues(
    text: str, claimed: list[tuple[int, int]], blocked: list[tuple[int, int]]
) -> list[_Cue]:
    """Return the cues; longer ones and those before in the tables claim their words."""
    cues: list[_Cue] = []
    taken = [*claimed, *blocked]
    for after in (True, False):
        for kind in KINDS:
            for match in _pattern(f"{'after' if after else 'before'} {kind}").finditer(text):
                start, end = match.span()
                if any(start < t_end and t_start < end for t_start, t_end in taken):
                    continue
                if kind == "family" and not after and not _is_patient(text, start, end):
                    continue
                cues.append(_Cue(kind, after, start, end))
                if kind in ("uncertain", "negated"):
                    taken.append((start, end))
    return cues


def _is_patient(text: str, start: int, end: int) -> bool:
    """Tell whether a relative is named as the one who is ill, not as one who speaks or comes."""
    return not SPEAKS.match(text[end:].lstrip(" ,")) and not BROUGHT.search(text[:start])


def _with_context(
    found: Found,
    text: str,
    offset: int,
    cues: list[_Cue],
    ends: list[tuple[int, int]],
    sections: tuple[Section, ...],
) -> Finding:
    start, end = found.start - offset, found.end - offset
    held: dict[Kind, tuple[int, int]] = {}
    for cue in sorted(cues, key=lambda cue: max(cue.start - end, start - cue.end)):
        gap = (end, cue.start) if cue.after else (cue.end, start)
        if gap[0] > gap[1] or cue.kind in held:
            continue
        if any(gap[0] <= low and high <= gap[1] for low, high in ends if cue.kind != "family"):
            continue
        if cue.after and not _is_near(text[gap[0] : gap[1]], cue.kind):
            continue
        held[cue.kind] = (cue.start + offset, cue.end + offset)
    section = section_at(sections, found.start)
    if {"uncertain", "negated"} <= held.keys():
        del held[_weaker(held, text, start + offset, offset)]
    return Finding(
        found.term, found.start, found.end, section,
        negated="negated" in held, uncertain="uncertain" in held,
        family="family" in held or section == "family",
        historical="historical" in held or section == "past",
        cues=tuple(sorted(held.values())),
    )  # fmt: skip


def _weaker(held: dict[Kind, tuple[int, int]], text: str, start: int, offset: int) -> Kind:
    """The nearer cue decides, but "no suspected fracture" denies the suspicion itself."""
    negated, uncertain = held["negated"], held["uncertain"]
    if negated[1] <= uncertain[0] < start:
        between = text[negated[1] - offset : uncertain[0] - offset]
        return "uncertain" if len(between.split()) <= 1 and "," not in between else "negated"
    near = {kind: min(abs(start - held[kind][1]), abs(held[kind][0] - start)) for kind in held}
    return "uncertain" if near["negated"] <= near["uncertain"] else "negated"


def _is_near(gap: str, kind: Kind) -> bool:
    """A cue after a finding holds only with little between them."""
    most = 6 if kind in ("historical", "family") else 3
    return (
        len(gap.split()) <= most
        and not re.search(r"[;.]", gap)
        and ("," not in gap or kind == "uncertain")
    )
