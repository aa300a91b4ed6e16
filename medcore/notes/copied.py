"""Passages carried over from one of a patient's notes into a later one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from medcore.lexicon import find_sentences

LEAST_LETTERS, ALIKE = 40, 90.0


@dataclass(frozen=True)
class Passage:
    """Text of note `later` that stands in note `earlier` too; places in either, `alike` 0 to 1."""

    earlier: int
    later: int
    earlier_place: tuple[int, int]
    later_place: tuple[int, int]
    alike: float


def find_copied(notes: Sequence[str]) -> list[Passage]:
    """Return passages copied forward between notes given in the order they were written.

    A sentence counts from 40 letters on, when nine in ten letters are alike, so that a changed
    number does not hide it; neighbouring sentences are one passage.
    """
    sentences = [
        [p for p in find_sentences(note) if p[1] - p[0] >= LEAST_LETTERS] for note in notes
    ]
    passages: list[Passage] = []
    for later in range(1, len(notes)):
        pool = {
            (earlier, place): _plain(notes[earlier][slice(*place)])
            for earlier in range(later)
            for place in sentences[earlier]
        }
        for place in sentences[later]:
            match = process.extractOne(
                _plain(notes[later][slice(*place)]), pool, scorer=fuzz.ratio, score_cutoff=ALIKE
            )
            if match is not None:
                earlier, source = match[2]
                passages.append(Passage(earlier, later, source, place, match[1] / 100))
    return _join(passages)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _join(passages: list[Passage]) -> list[Passage]:
    joined: list[Passage] = []
    for passage in passages:
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.earlier, last.later) == (passage.earlier, passage.later)
            and 0 <= passage.later_place[0] - last.later_place[1] <= LEAST_LETTERS
            and 0 <= passage.earlier_place[0] - last.earlier_place[1] <= LEAST_LETTERS
        ):
            joined[-1] = Passage(
                last.earlier, last.later,
                (last.earlier_place[0], passage.earlier_place[1]),
                (last.later_place[0], passage.later_place[1]),
                min(last.alike, passage.alike),
            )  # fmt: skip
        else:
            joined.append(passage)
    return joined


def copied_share(note: str, later: int, passages: Sequence[Passage]) -> float:
    """Return the share of a note's letters that were carried over from earlier ones."""
    letters = sum(
        end - start for p in passages if p.later == later for start, end in [p.later_place]
    )
    return letters / max(1, len(note.strip()))
