"""A report as its readers see it: its numbers with the place each came from."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from medcore.report.numbers import look_up, write_value

EMPTY = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Gathers marked numbers, all text and all attributes; holds that every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.numbers: list[tuple[str, int, str]] = []
        self.marked: dict[str, str] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        held = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in held.items()]
        if tag not in EMPTY:
            self._open.append((tag, held))

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self._open
        assert self._open[-1][0] == tag, f"</{tag}> closes <{self._open[-1][0]}>"
        self._open.pop()

    def handle_data(self, data):
        tag, held = self._open[-1] if self._open else ("", {})
        if "data-metric" in held and "data-file" not in held:
            self.numbers.append((held["data-metric"], int(held["data-digits"]), data))
        for mark in ("data-difference", "id"):
            if mark in held:
                self.marked[held[mark]] = self.marked.get(held[mark], "") + data
        if tag not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def wrong_numbers(html: str, values: dict[str, Any]) -> list[str]:
    """Return what a report says otherwise than `evaluation.json`, one line a number."""
    return [
        f"{place}: {shown}"
        for place, digits, shown in Page(html).numbers
        if shown != write_value(look_up(values, place), digits)
    ]


def wrong_card_numbers(card: str, values: dict[str, Any]) -> list[str]:
    """Return what a model card says otherwise than `evaluation.json`: its index and its table."""
    import yaml

    metrics = values["parts"]["test"]["metrics"]
    index = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"][0]["metrics"]
    wrong = [m["name"] for m in index if m["value"] != metrics[m["name"]]["value"]]
    rows = re.findall(r"^\| `(.+?)` \| .+? \| (.+?) \|$", card, re.MULTILINE)
    assert len(rows) == len(metrics)
    return wrong + [name for name, shown in rows if shown != write_value(metrics[name])]
