"""Notes as weighted words and pairs of words (TF-IDF), the weights learned from training rows.

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
# What stands in a single training note tells nothing of others.
LEAST_NOTES = 2


def clean_text(text: str) -> str:
    """Return a note without null bytes and other signs that nobody wrote, blanks in their place.

    >>> clean_text("no\\x00 fever ")
    'no  fever'
    """
    return CONTROL.sub(" ", text).strip()


def learn_terms(
    texts: Sequence[str], most: int
) -> tuple[tuple[str, ...], tuple[float, ...], np.ndarray]:
    """Return the terms of some notes in order, their weights, and in how many notes each stands.

    Nothing where the notes hold no word.
    """
    vectorizer = _vectorizer(max_features=most, min_df=min(LEAST_NOTES, len(texts)))
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


def weigh_terms(terms: Sequence[str], idf: Sequence[float], texts: Sequence[str]) -> Any:
    """Return TF-IDF, a sparse float32 matrix (texts, terms) whose rows have length 1 or 0.

    tf is 1 + ln(count), as Salton and Buckley (1988) have it.
    """
    from scipy.sparse import csr_matrix

    if not terms or not len(texts):
        return csr_matrix((len(texts), len(terms)), dtype=np.float32)
    vectorizer = _vectorizer(vocabulary=list(terms))
    vectorizer.idf_ = np.asarray(idf)
    return vectorizer.transform(texts).astype(np.float32)


def find_terms(text: str) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """Return each word and pair of words of a note with where its words stand, in order.

    >>> find_terms("No fever")
    [('no', ((0, 2),)), ('fever', ((3, 8),)), ('no fever', ((0, 2), (3, 8)))]
    """
    lower = text.lower()
    # Some capitals become two letters in lower case, which moves all that follows.
    place = range(len(text) + 1)
    if len(lower) != len(text):
        place = [at for at, sign in enumerate(text) for _ in sign.lower()] + [len(text)]
    words = [
        (match.group(), (place[match.start()], place[match.end() - 1] + 1))
        for match in re.finditer(WORD, lower)
    ]
    single = [(word, (span,)) for word, span in words]
    pairs = [(f"{one[0]} {two[0]}", (one[1], two[1])) for one, two in pairwise(words)]
    return single + pairs


def term_values(prepared: Prepared) -> Any:
    """Return what models of words see, a sparse float64 matrix (rows, features).

    The weighted terms of every note and whether it is absent, beside the table's features and the
    simple ones of the other blocks.
    """
    from scipy.sparse import csr_matrix, hstack

    parts = []
    for block in prepared.blocks.values():
        if block.terms is not None:
            parts += [block.terms, csr_matrix(block.plain[:, -1:])]
        elif block.kind == "table":
            parts.append(csr_matrix(block.values))
        elif block.plain is not None:
            parts.append(csr_matrix(block.plain))
    return hstack(parts, format="csr", dtype=np.float64)


def _vectorizer(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD, **options)
