"""What the author of a run said for its report; kept with the run, word for word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medcore.errors import StoreError
from medcore.store.folder import AUTHOR, read_json, write_json


@dataclass(frozen=True)
class AuthorWords:
    """`intended_use` is what the model is meant for; `answers` are by item of TRIPOD+AI."""

    intended_use: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)


def author_words(folder: Path) -> AuthorWords:
    """Return what was kept in a run's folder; nothing where nothing can be read."""
    try:
        kept = read_json(folder, AUTHOR)
        answers = {str(item): str(words) for item, words in kept["answers"].items()}
        return AuthorWords(str(kept["intended_use"]), answers)
    except (StoreError, KeyError, TypeError, AttributeError):
        return AuthorWords()


def keep_author_words(
    folder: Path, *, intended_use: str | None = None, answers: Mapping[str, str] | None = None
) -> AuthorWords:
    """Keep the intended use, the answers, or both; what is not given stays as it was.

    Empty answers are forgotten. Raises `StoreError` when the folder cannot be written.
    """
    kept = author_words(folder)
    said = kept.answers if answers is None else answers
    words = AuthorWords(
        kept.intended_use if intended_use is None else intended_use.strip(),
        {item: text.strip() for item, text in said.items() if text and text.strip()},
    )
    write_json(folder, AUTHOR, asdict(words))
    return words
