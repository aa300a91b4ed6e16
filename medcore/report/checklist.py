"""A reporting checklist: filled in where the run knows, and never invented where it does not."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from medcore.report.facts import Facts
from medcore.store.folder import AUTHOR as AUTHOR_FILE

ABSENT = "NOT REPORTED: needs the author"
AUTO, AUTHOR, NOT_REPORTED = "auto", "author", "NOT REPORTED"
COLUMNS = ("item", "topic", "status", "text", "source", "needs_author")


@dataclass(frozen=True)
class Item:
    """One question of a checklist, in our own words.

    `write` says what the run knows, from the files named in `source`; None where it never can.
    `ask` is what only the author can say, on top of it or instead.
    """

    number: str
    topic: str
    write: Callable[[Facts], str | None] | None = None
    source: str = ""
    ask: str = ""


@dataclass(frozen=True)
class Answer:
    """An item as it stands for one run; `status` is auto, author or NOT REPORTED."""

    item: str
    topic: str
    status: str
    text: str
    source: str
    needs_author: str


def answer_items(
    items: Iterable[Item], facts: Facts, answers: Mapping[str, str] | None = None
) -> tuple[Answer, ...]:
    """Return every item's answer for a run; `answers` are the author's, by item."""
    return tuple(_answer(item, facts, (answers or {}).get(item.number, "")) for item in items)


def _answer(item: Item, facts: Facts, said: str) -> Answer:
    known = item.write(facts) if item.write else None
    if known is None and not said:
        ask = item.ask or item.topic
        return Answer(item.number, item.topic, NOT_REPORTED, ABSENT, "", ask)
    if known is None:
        return Answer(item.number, item.topic, AUTHOR, said, AUTHOR_FILE, "")
    text = f"{known} {said}".strip()
    if item.ask and not said:
        text = f"{known} {ABSENT}: {item.ask}."
    status = AUTHOR if item.source == AUTHOR_FILE else AUTO
    return Answer(item.number, item.topic, status, text, item.source, "" if said else item.ask)


def write_csv(answers: Iterable[Answer]) -> str:
    """Return a checklist as CSV with a header.

    Text that a spreadsheet would take for a formula is led by an apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for answer in answers:
        writer.writerow([_harmless(str(getattr(answer, column))) for column in COLUMNS])
    return buffer.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def list_open(answers: Iterable[Answer]) -> tuple[Answer, ...]:
    """Return the items that the author still has to say something on."""
    return tuple(answer for answer in answers if answer.needs_author)
