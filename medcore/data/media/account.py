"""What became of the files that were brought: in a sentence, and each refusal in full."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

AUDIT = "audit.json"


def count_things(number: int, thing: str) -> str:
    """Return how many things, in words.

    >>> count_things(1, "image"), count_things(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def say_files(
    thing: str, *, read: int, refused: int, tables: int = 0, others: int = 0, texts: int = 0
) -> str:
    """Return how many files came and what they are; the parts add up to the whole.

    >>> say_files("image", read=12, refused=1, tables=1)
    '14 files: 12 images that are read, 1 image that cannot be read, 1 table'
    """
    are = "is" if read == 1 else "are"
    parts = [
        (read, f"{count_things(read, thing)} that {are} read"),
        (refused, f"{count_things(refused, thing)} that cannot be read"),
        (tables, count_things(tables, "table")),
        (texts, count_things(texts, "text") + " of what is said"),
        (others, f"{others:,} of other kinds that {'is' if others == 1 else 'are'} not read"),
    ]
    total = count_things(sum(number for number, _ in parts), "file")
    return f"{total}: {', '.join(words for number, words in parts if number)}"


def write_audit(media: Path, values: Mapping[str, Any]) -> None:
    """Keep, beside the images, what was removed from the files and why some could not be read."""
    (media / AUDIT).write_text(json.dumps(values, indent=1), encoding="utf-8")


def read_audit(media: Path | None) -> dict[str, Any]:
    """Return what was removed from the files of a data set, and what was refused; empty if none."""
    try:
        return json.loads((media / AUDIT).read_text(encoding="utf-8")) if media else {}
    except (OSError, ValueError):
        return {}
