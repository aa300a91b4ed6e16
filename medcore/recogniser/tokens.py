"""Texts as tokens: characters, or pieces of words learned from the training texts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = "�"


def plain_text(text: str) -> str:
    """Return a text as it is spoken: small letters, digits, apostrophes, single blanks.

    >>> plain_text("No evidence -- of  Effusion, 5 mg.")
    'no evidence of effusion 5 mg'
    """
    text = unicodedata.normalize("NFC", str(text)).lower().replace("’", "'")
    return " ".join(re.sub(r"[^\w']|_", " ", text).split())


@dataclass(frozen=True)
class Tokens:
    """The tokens of a recogniser; number 0 is the blank, so that numbers begin with 1.

    `pieces`: the characters in order, or None where `spec`, a tokenizers' JSON, cuts words.
    """

    pieces: tuple[str, ...] | None
    spec: str = ""

    @property
    def size(self) -> int:
        """How many there are, with the blank."""
        if self.pieces is not None:
            return len(self.pieces) + 1
        return _tokenizer(self.spec).get_vocab_size() + 1

    def write(self, text: str) -> list[int]:
        """Return a text's tokens; characters that no training text had are left out."""
        if self.pieces is not None:
            place = {piece: number for number, piece in enumerate(self.pieces, 1)}
            return [place[letter] for letter in plain_text(text) if letter in place]
        return [number + 1 for number in _tokenizer(self.spec).encode(plain_text(text)).ids]

    def read(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        if self.pieces is not None:
            return "".join(self.pieces[token - 1] for token in tokens).strip()
        return _tokenizer(self.spec).decode([token - 1 for token in tokens]).strip()

    def values(self) -> dict[str, Any]:
        """Return what the tokens are rebuilt from, ready for JSON."""
        return {"pieces": self.pieces, "spec": self.spec}


def read_tokens(values: dict[str, Any]) -> Tokens:
    """Return the tokens that `values` describes."""
    pieces = values["pieces"]
    return Tokens(None if pieces is None else tuple(pieces), values["spec"])


def learn_tokens(texts: Sequence[str], kind: str, vocabulary: int) -> Tokens:
    """Return the tokens of training texts: `kind` characters, or bpe with so many pieces.

    >>> learn_tokens(["ab", "a b"], "characters", 0).pieces
    (' ', 'a', 'b')
    """
    plain = [plain_text(text) for text in texts]
    if kind == "characters":
        return Tokens(tuple(sorted(set("".join(plain)))))
    from tokenizers import Tokenizer
    from tokenizers.decoders import Metaspace as Joined
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.trainers import BpeTrainer

    made = Tokenizer(BPE())
    made.pre_tokenizer, made.decoder = Metaspace(), Joined()
    made.train_from_iterator(plain, BpeTrainer(vocab_size=vocabulary, show_progress=False))
    return Tokens(None, made.to_str())


def _tokenizer(spec: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(spec)
