"""Notes as weighted terms (TF-IDF), the weights learned from training rows.

Terms are words and pairs of words, or pieces of words, which misspellings and other forms of a word
share.

scikit-learn's vectoriser does the counting; kept are its terms and weights, as plain JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from medcore.records import Prepared

# Scripts written without blanks between words, and pictographs: each sign is a word.
SIGNS = "\u2600-\u27bf\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U0001f300-\U0001faff"
WORD = rf"[{SIGNS}]|(?:(?![{SIGNS}])\w){{2,}}"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]|[\ud800-\udfff]")
# What stands in a single training note tells nothing of others; pieces of words are many.
LEAST_NOTES, LEAST_GRAM_NOTES = 2, 3
# Signs in a piece of a word, its ends marked by blanks.
GRAM_SIGNS = (2, 5)


def clean_text(text: str) -> str:
    """Return a note without null bytes and other signs that nobody wrote, blanks in their place.

    >>> clean_text("no\\x00 fever ")
    'no  fever'
    """
    return CONTROL.sub(" ", text).strip()


def learn_terms(
    texts: Sequence[str], most: int, *, characters: bool = False
) -> tuple[tuple[str, ...], tuple[float, ...], np.ndarray]:
    """Return the terms of some notes in order, their weights, and in how many notes each stands.

    `characters`: pieces of words. Nothing where the notes hold no word.
    """
    least = min(LEAST_GRAM_NOTES if characters else LEAST_NOTES, len(texts))
    vectorizer = _vectorizer(characters, max_features=most, min_df=least)
    try:
        counted = vectorizer.fit_transform(texts)
    except ValueError:
        # No note holds a word, or every word only once.
        return (), (), np.zeros(0)
    terms = tuple(map(str, vectorizer.get_feature_names_out()))
    return (
        terms,
        tuple(map(float, vectorizer.idf_)),
        np.asarray(counted.astype(bool).sum(axis=0))[0],
    )


def weigh_terms(
    terms: Sequence[str], idf: Sequence[float], texts: Sequence[str], *, characters: bool = False
) -> Any:
    """Return TF-IDF, a sparse float32 matrix (texts, terms) whose rows have length 1 or 0.

    tf is 1 + ln(count), as Salton and Buckley (1988) have it.
    """
    from scipy.sparse import csr_matrix

    if not terms or not len(texts):
        return csr_matrix((len(texts), len(terms)), dtype=np.float32)
    vectorizer = _vectorizer(characters, vocabulary=list(terms))
    vectorizer.idf_ = np.asarray(idf)
    return vectorizer.transform(texts).astype(np.float32)


Places = list[tuple[str, tuple[tuple[int, int], ...]]]


def find_terms(text: str) -> Places:
    """Return each word and pair of words of a note with where its words stand, in order.

    >>> find_terms("No fever")
    [('no', ((0, 2),)), ('fever', ((3, 8),)), ('no fever', ((0, 2), (3, 8)))]
    """
    lower, place = _lower(text)
    words = [
        (match.group(), (place[match.start()], place[match.end() - 1] + 1))
        for match in re.finditer(WORD, lower)
    ]
    single = [(word, (span,)) for word, span in words]
    pairs = [(f"{one[0]} {two[0]}", (one[1], two[1])) for one, two in pairwise(words)]
    return single + pairs


def find_grams(text: str) -> Places:
    """Return each piece of a word of a note with where its letters stand.

    >>> find_grams("No")[:4]
    [(' n', ((0, 1),)), ('no', ((0, 2),)), ('o ', ((1, 2),)), (' no', ((0, 2),))]
    """
    lower, place = _lower(text)
    found = []
    for match in re.finditer(r"\S+", lower):
        word, first, last = f" {match.group()} ", match.start(), match.end()
        for signs in range(GRAM_SIGNS[0], min(GRAM_SIGNS[1], len(word)) + 1):
            for at in range(len(word) - signs + 1):
                start, end = max(first, first + at - 1), min(last, first + at - 1 + signs)
                found.append((word[at : at + signs], ((place[start], place[end - 1] + 1),)))
    return found


def term_values(prepared: Prepared, *, characters: bool = False) -> Any:
    """Return what models of words see, a sparse float64 matrix (rows, features).

    The weighted terms of every note (of its `characters`: pieces of words) and whether it is
    absent, beside the table's features and the simple ones of the other blocks.
    """
    from scipy.sparse import csr_matrix, hstack

    parts = []
    for block in prepared.blocks.values():
        if block.terms is not None:
            parts += [block.grams if characters else block.terms, csr_matrix(block.plain[:, -1:])]
        elif block.kind == "table":
            parts.append(csr_matrix(block.values))
        elif block.plain is not None:
            parts.append(csr_matrix(block.plain))
    return hstack(parts, format="csr", dtype=np.float64)


def _lower(text: str) -> tuple[str, Sequence[int]]:
    """Return a text in small letters, and where in the text each of its signs stands."""
    lower = text.lower()
    # Some capitals become two letters in lower case, which moves all that follows.
    place: Sequence[int] = range(len(text) + 1)
    if len(lower) != len(text):
        place = [at for at, sign in enumerate(text) for _ in sign.lower()] + [len(text)]
    return lower, place


def _vectorizer(characters: bool, **options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if characters:
        options |= {"analyzer": "char_wb", "ngram_range": GRAM_SIGNS}
        return TfidfVectorizer(sublinear_tf=True, **options)
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD, **options)
