"""Notes: contradictions, identifiers, negation, and what is wrongly proposed in clean text.

Clean text is that of clinicians in MTS-Dialog; its rows are left out where the data is absent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from medcore.lexicon import find_tokens, load_lexicon
from medcore.notes import (
    find_contradictions,
    find_findings,
    find_identifiers,
    find_misspellings,
    find_sections,
    read_note,
)
from tests.benchmarks import Row
from tests.identifying_notes import STRUCTURED, write_notes
from tests.note_pairs import PAIRS
from tests.test_notes_context import CASES

DATA = Path(os.environ.get("MEDCORE_BENCHMARK_DATA", "../shared/data")) / "notes"


def rows() -> Iterator[Row]:
    """Yield the shares found and wrongly accused, and the speed beside a bag of words."""
    lexicon = load_lexicon()
    for name, limit, texts in (
        ("planted contradictions found", ">= 0.9", [p.note.format(p.planted) for p in PAIRS]),
        ("clean twins accused", "<= 0.05", [p.note.format(p.clean) for p in PAIRS]),
    ):
        hits = [
            bool(find_contradictions(read_note(text, lexicon), pair.row, lexicon))
            for text, pair in zip(texts, PAIRS, strict=True)
        ]
        yield Row(f"notes: {name}", sum(hits) / len(hits), limit, f"{len(hits)} note-row pairs")
    right = [[f.status for f in find_findings(text, lexicon)] == want for text, want in CASES]
    yield Row("notes: negation cases right", sum(right) / len(right), ">= 1", f"{len(CASES)} cases")
    yield _recall(lexicon)
    yield from _clean(lexicon)


def _recall(lexicon) -> Row:
    found = total = 0
    for text, places in write_notes(1000, seed=3):
        marked = {p for i in find_identifiers(text, lexicon) for p in range(i.start, i.end)}
        for kind, start, end in places:
            if kind in STRUCTURED:
                total += 1
                found += all(p in marked for p in range(start, end) if text[p].isalnum())
    return Row("notes: identifiers found", found / total, ">= 0.99", f"{total:,} structured ones")


def _clean(lexicon) -> Iterator[Row]:
    files = sorted(DATA.glob("mts-dialog-*.csv"))
    if not files:
        print(f"notes: no clinicians' text in {DATA}; rows left out")
        return
    texts = [text for file in files for text in pd.read_csv(file)["section_text"].astype(str)]
    tokens = sum(len(find_tokens(text)) for text in texts)
    proposed = sum(len(find_misspellings(t, lexicon, find_sections(t))) for t in texts)
    detail = f"{proposed} of {tokens:,} words"
    yield Row("notes: spelling proposed in clean text", proposed / tokens, "<= 0.005",
              "MTS-Dialog's section texts, on which the list of words was "
              "mended", detail)  # fmt: skip
    found = [find_contradictions(read_note(text, lexicon), {}, lexicon) for text in texts]
    yield Row("notes: contradictions in clean text", sum(map(bool, found)) / len(found), "<= 0.05",
              f"{len(texts):,} section texts, inside the text only")  # fmt: skip
    yield _speed(texts, lexicon)


def _speed(texts: list[str], lexicon) -> Row:
    from sklearn.feature_extraction.text import TfidfVectorizer

    started = time.perf_counter()
    for text in texts:
        read_note(text, lexicon)
    middle = time.perf_counter()
    TfidfVectorizer(ngram_range=(1, 2)).fit_transform(texts)
    ours, theirs = middle - started, time.perf_counter() - middle
    speed = f"{len(texts) / ours:,.0f} notes a second"
    name = "notes: reading, times a bag of words"
    return Row(name, ours / theirs, "", "TF-IDF of pairs of words", speed)
