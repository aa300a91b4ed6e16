"""Notes that are all but another note: carried forward, or written from one template.

Each note is known by the smallest hashes of its runs of five words (a bottom sketch, Broder 1997);
notes that share some are held side by side, and are alike from nine in ten letters on.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

RUN, SKETCH, ALIKE = 5, 8, 90.0
# Shorter notes are alike by chance; of longer ones so many letters are compared.
LEAST_LETTERS, MOST_LETTERS = 100, 4_000
# Notes that one hash may bring together: what stands everywhere tells nothing.
MOST_TOGETHER = 50
WORD = re.compile(r"\w+")


def find_alike(new: Sequence[str], old: Sequence[str] | None = None) -> pd.DataFrame:
    """Return first, second and kind ("equal" or "near") for each note of `new` with one like it.

    `old` are the notes it is compared with; by default the others of `new` that stand before it.

    >>> note = "the patient was seen and " * 6
    >>> find_alike([note, note + "discharged", "short"]).to_numpy().tolist()
    [[1, 0, 'near']]
    """
    from rapidfuzz import fuzz

    known: dict[int, list[int]] = defaultdict(list)
    pool = list(new if old is None else old)
    words = [_words(note) for note in pool]
    found = []
    if old is not None:
        for place, text in enumerate(words):
            _keep(known, place, text)
    for place, note in enumerate(new):
        text = words[place] if old is None else _words(note)
        others = dict.fromkeys(other for key in _sketch(text) for other in known[key])
        best, score = -1, ALIKE
        for other in others:
            alike = fuzz.ratio(text[:MOST_LETTERS], words[other][:MOST_LETTERS], score_cutoff=score)
            if alike >= score and alike:
                best, score = other, alike
                if alike == 100.0:
                    break
        if best >= 0:
            same = text == words[best]
            found.append((place, best, "equal" if same else "near"))
        if old is None:
            _keep(known, place, text)
    return pd.DataFrame(found, columns=["first", "second", "kind"])


def _keep(known: dict[int, list[int]], place: int, text: str) -> None:
    for key in _sketch(text):
        if len(known[key]) < MOST_TOGETHER:
            known[key].append(place)


def _words(note: str) -> str:
    return " ".join(WORD.findall(note.lower()))


def _sketch(text: str) -> list[int]:
    """Return the smallest hashes of a note's runs of words; none of a short note."""
    if len(text) < LEAST_LETTERS:
        return []
    words = text.split()
    codes = np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint64)
    if len(codes) < RUN:
        return [zlib.crc32(text.encode())]
    runs = np.zeros(len(codes) - RUN + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for step in range(RUN):
            runs = runs * np.uint64(0x9E3779B97F4A7C15) + codes[step : len(codes) - RUN + 1 + step]
            runs ^= runs >> np.uint64(29)
    return np.unique(runs)[:SKETCH].tolist()
