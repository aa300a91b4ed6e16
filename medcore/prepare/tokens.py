"""Tokens of notes: byte-pair encoding learned from training rows, kept as JSON.

The alphabet is bytes, so that every script and every sign can be written with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

PAD, HIDDEN = "[PAD]", "[HIDDEN]"
AT_ONCE = 2_000


def learn_tokenizer(texts: Sequence[str], vocabulary: int) -> str:
    """Return a tokeniser learned from notes (Sennrich et al. 2016), as JSON.

    Its first two tokens stand for nothing, and for what is hidden in training.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[PAD, HIDDEN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str()


@lru_cache(16)
def load_tokenizer(text: str) -> Any:
    """Return the tokeniser that JSON describes; nothing is cut or filled up by it."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def encode_texts(tokenizer: Any, texts: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield each note's tokens, int32 (tokens,)."""
    for start in range(0, len(texts), AT_ONCE):
        some = list(texts[start : start + AT_ONCE])
        for encoded in tokenizer.encode_batch_fast(some, add_special_tokens=False):
            yield np.array(encoded.ids, dtype=np.int32)


def cut_middle(tokens: np.ndarray, length: int) -> np.ndarray:
    """Return tokens, of long notes the first and the last ones.

    >>> cut_middle(np.arange(6), 4).tolist()
    [0, 1, 4, 5]
    """
    if len(tokens) <= length:
        return tokens
    head = -(-length // 2)
    return np.concatenate([tokens[:head], tokens[len(tokens) - (length - head) :]])


def stack_tokens(found: Sequence[np.ndarray], length: int, pad: int) -> np.ndarray:
    """Return notes' tokens filled up to one length, int32 (notes, length)."""
    values = np.full((len(found), length), pad, dtype=np.int32)
    for row, tokens in enumerate(found):
        kept = cut_middle(tokens, length)
        values[row, : len(kept)] = kept
    return values
