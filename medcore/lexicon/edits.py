"""Proposals to change a text, the edits that were accepted, and the way back from each.

The text as it was given never changes: what is shown is the text with the accepted edits applied,
so that undoing any of them, in any order, is exact.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medcore.errors import DataError


@dataclass(frozen=True)
class Proposal:
    """A change that may be right, at a place in the text as it was given.

    `options` are the texts it could become, the likeliest first; `sure` is False where a person
    must choose: an ambiguous abbreviation, a drug, a number, laterality, a negation.
    """

    start: int
    end: int
    before: str
    options: tuple[str, ...]
    kind: str
    reason: str
    score: float
    sure: bool


@dataclass(frozen=True)
class Edit:
    """An accepted change: who, when, before, after; `undone` is when it was taken back."""

    start: int
    end: int
    before: str
    after: str
    kind: str
    reason: str
    score: float
    by: str
    when: float
    undone: float | None = None


def accept_proposal(
    edits: Sequence[Edit], proposal: Proposal, after: str, by: str, when: float | None = None
) -> tuple[Edit, ...]:
    """Return the log with one edit more; an earlier edit of the same place is undone by it."""
    now = time.time() if when is None else when
    kept = [
        replace(edit, undone=now)
        if edit.undone is None and edit.start < proposal.end and proposal.start < edit.end
        else edit
        for edit in edits
    ]
    new = Edit(
        proposal.start, proposal.end, proposal.before, after, proposal.kind, proposal.reason,
        proposal.score, by, now,
    )  # fmt: skip
    return (*kept, new)


def change_edit(
    edits: Sequence[Edit], place: int, *, undone: bool, when: float | None = None
) -> tuple[Edit, ...]:
    """Return the log with an edit undone, or done again; what overlaps it is undone then."""
    now = time.time() if when is None else when
    edit = edits[place]
    changed = list(edits)
    if not undone:
        for other, rival in enumerate(edits):
            if rival.undone is None and rival.start < edit.end and edit.start < rival.end:
                changed[other] = replace(rival, undone=now)
    changed[place] = replace(edit, undone=now if undone else None)
    return tuple(changed)


def edit_places(edits: Iterable[Edit]) -> list[tuple[Edit, int, int]]:
    """Return the edits in force, in order, with where each stands in the changed text."""
    shift, places = 0, []
    for edit in sorted((e for e in edits if e.undone is None), key=lambda e: e.start):
        start = edit.start + shift
        places.append((edit, start, start + len(edit.after)))
        shift += len(edit.after) - (edit.end - edit.start)
    return places


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with the edits in force.

    Raises `DataError` when an edit does not fit the text: it belongs to another one.
    """
    parts, last = [], 0
    for edit, _, _ in edit_places(edits):
        if edit.start < last or text[edit.start : edit.end] != edit.before:
            raise DataError("This log of edits belongs to another text; open that one.")
        parts += [text[last : edit.start], edit.after]
        last = edit.end
    return "".join([*parts, text[last:]])


def read_edits(values: Iterable[Mapping[str, Any]]) -> tuple[Edit, ...]:
    """Return edits from the plain values of JSON; raises `DataError` when they are damaged."""
    try:
        return tuple(Edit(**value) for value in values)
    except TypeError:
        raise DataError("The log of edits is damaged; what was typed is unchanged.") from None
