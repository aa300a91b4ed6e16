"""Findings about free text: what is no prose, what is alike, and words that give the outcome away.

Nothing here loads a tokeniser or a model; of many rows some thousand are looked at.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from medcore.checks.alike import find_alike
from medcore.records import Column, Dataset, Finding

LOOK = 5_000
MARKUP = re.compile(
    r"</?(?:p|br|div|span|b|i|td|tr|table|li|ul|html|body|font|a)\b[^<>]{0,200}>", re.I
)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
WORD = re.compile(r"\w{2,}")
LONG = 100_000
MOST_SHARE = 0.05
# A word gives a class away when nearly all who have it are of the class, and most of the class do.
SURE, COMMON, LEAST = 0.98, 0.5, 10
SCRIPT_SHARE = 0.2
# Notes that are held against their rows; the Notes page looks at all.
HELD_BESIDE = 100


def check_texts(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is to be said of each text column that a model would look at."""
    for column in dataset.with_role("input"):
        if column.kind != "text":
            continue
        known = dataset.frame[column.name].dropna().astype(str)
        if not len(known):
            continue
        places = np.unique(np.linspace(0, len(known) - 1, LOOK).astype(int))
        notes = known.iloc[places]
        yield from _check_form(column, notes)
        yield from _check_length(column, known)
        yield from _check_scripts(column, notes)
        yield from _check_alike(dataset, column, notes)
        yield from _check_words(dataset, column, notes)
        yield from _check_rows(dataset, column, notes)


def _finding(
    code: str, severity: str, column: Column, title: str, detail: str, evidence: dict
) -> Finding:
    return Finding(code, severity, (column.name,), f"{column.name} {title}", detail, evidence)


def _check_form(column: Column, notes: pd.Series) -> Iterator[Finding]:
    forms = {
        "JSON": notes.map(_is_json), "HTML": notes.map(lambda note: bool(MARKUP.search(note))),
    }  # fmt: skip
    for name, found in forms.items():
        share = float(found.mean())
        if share > MOST_SHARE:
            yield _finding(
                "markup", "warning", column, f"holds {name}, not prose, in {share:.0%} of rows",
                f"A model would learn the names of {name} fields and signs. Export the text alone, "
                "or take the fields apart into columns of their own.",
                {"share": share, "example": notes[found].iloc[0][:80]},
            )  # fmt: skip
    control = notes.map(lambda note: bool(CONTROL.search(note)))
    if control.any():
        count = int(control.sum())
        yield _finding(
            "control_signs", "hint", column, f"holds null bytes or control signs in {count:,} rows",
            "Nobody wrote them: often an export went wrong. They are read as blanks; look whether "
            "the rest of these notes is whole.",
            {"rows": count, "first row": int(notes.index[control][0]) + 1},
        )  # fmt: skip


def _is_json(note: str) -> bool:
    if not note.lstrip().startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(note), dict | list)
    except ValueError:
        return False


def _check_length(column: Column, known: pd.Series) -> Iterator[Finding]:
    sizes = known.str.len()
    count, longest = int((sizes > LONG).sum()), int(sizes.max())
    if count:
        yield _finding(
            "long_text", "warning", column,
            f"has {count:,} notes of more than {LONG:,} letters; the longest has {longest:,}",
            "Networks read the beginning and the end only (text.tokens); often a whole record was "
            "pasted into one cell. TF-IDF reads all of it.",
            {"rows": count, "longest": longest, "row": int(sizes.idxmax()) + 1},
        )  # fmt: skip


def _check_scripts(column: Column, notes: pd.Series) -> Iterator[Finding]:
    scripts = Counter(script for note in notes.iloc[:500] if (script := _script(note)))
    other = {name: count for name, count in scripts.items() if name != "Latin"}
    share = sum(other.values()) / max(1, sum(scripts.values()))
    if not other:
        return
    listed = ", ".join(f"{name} ({count})" for name, count in scripts.most_common(4))
    severity = "hint" if share < SCRIPT_SHARE else "warning"
    yield _finding(
        "scripts", severity, column, f"is written in other alphabets in {share:.0%} of notes",
        f"Looked at: {listed}. All are read, but a pretrained transformer knows only the languages "
        "it was made from; networks trained here and TF-IDF learn whichever is there.",
        {"scripts": dict(scripts)},
    )  # fmt: skip


def _script(note: str) -> str | None:
    """Return the script of most of a note's letters.

    >>> _script("患者は65歳の女性"), _script("fever"), _script("12 / 80")
    ('CJK', 'Latin', None)
    """
    letters = [sign for sign in note[:300] if sign.isalpha()]
    if not letters:
        return None
    if sum(sign.isascii() for sign in letters) > len(letters) / 2:
        return "Latin"
    names = Counter(unicodedata.name(sign, "OTHER").split()[0].split("-")[0] for sign in letters)
    name = names.most_common(1)[0][0]
    return {"HIRAGANA": "CJK", "KATAKANA": "CJK", "CJK": "CJK"}.get(name, name.capitalize())


def _check_alike(dataset: Dataset, column: Column, notes: pd.Series) -> Iterator[Finding]:
    pairs = find_alike(notes.tolist())
    if pairs.empty:
        return
    rows = notes.index.to_numpy()
    first, second = (rows[pairs[side].to_numpy(int)] for side in ("first", "second"))
    within = 0
    if patients := dataset.with_role("patient"):
        who = dataset.frame[patients[0].name]
        same = who.loc[first].to_numpy() == who.loc[second].to_numpy()
        within = int(np.asarray(same, dtype=bool).sum())
    across = len(pairs) - within
    equal = int((pairs["kind"] == "equal").sum())
    detail = "The same words on both sides of the split make a model look better than it is."
    if within:
        detail += f" {within:,} repeat a note of the same patient, who is kept on one side."
    yield _finding(
        "alike_notes", "warning" if across else "hint", column,
        f"has {len(pairs):,} notes that are all but another row's",
        f"{detail} Carried-forward notes and templates: nine in ten letters agree.",
        {"notes": len(pairs), "equal": equal, "of other patients": across,
         "first": f"rows {int(second[0]) + 1} and {int(first[0]) + 1}"},
    )  # fmt: skip


def _check_words(dataset: Dataset, column: Column, notes: pd.Series) -> Iterator[Finding]:
    outcome = dataset.predicted_column()
    if outcome is None or outcome.role != "outcome" or outcome.kind == "text":
        return
    answers = dataset.frame[outcome.name].loc[notes.index]
    notes, answers = notes[answers.notna()], answers.dropna().astype("string")
    if not 2 <= answers.nunique() <= 20:
        return
    telling = telling_words(notes.tolist(), answers.tolist())
    if telling:
        word, name, sure, common = telling[0]
        more = ", ".join(f"“{other[0]}”" for other in telling[1:6])
        yield _finding(
            "telling_word", "warning", column, f"gives the outcome away: “{word}”",
            f"Of rows with this word, {sure:.0%} have {outcome.name} = {name}, and it stands in "
            f"{common:.0%} of those. Was the note written after the outcome was known? Then it is "
            "no input; or take the sentence that tells it out of the notes."
            + (f" Others: {more}." if more else ""),
            {"words": [list(row[:2]) for row in telling[:20]]},
        )  # fmt: skip


def _check_rows(dataset: Dataset, column: Column, notes: pd.Series) -> Iterator[Finding]:
    """Hold some notes against their rows, where a row holds something a note could contradict."""
    from medcore.lexicon import load_lexicon
    from medcore.notes import scan_column

    beside = [c for c in dataset.columns if c.kind in ("number", "category")]
    if not beside:
        return
    places = np.unique(np.linspace(0, len(notes) - 1, HELD_BESIDE).astype(int))
    rows = dataset.frame.loc[notes.index[places], [column.name, *(c.name for c in beside)]]
    units = {c.name: c.unit for c in beside}
    found = [
        (row.row_id, one)
        for row in scan_column(rows, column.name, load_lexicon(), units=units)
        for one in row.contradictions
    ]
    if found:
        count = len({row_id for row_id, _ in found})
        yield _finding(
            "note_contradicts", "warning", column,
            f"contradicts its row, or itself, in {count:,} of {len(rows):,} notes looked at",
            f"First: row {found[0][0] + 1}: {found[0][1].sentence} Either the note or the row is "
            "wrong; Notes shows both places, for one row or for the whole column.",
            {"rows": [row_id + 1 for row_id, _ in found[:20]], "looked at": len(rows)},
        )  # fmt: skip


def telling_words(
    notes: Sequence[str], answers: Sequence[str]
) -> list[tuple[str, str, float, float]]:
    """Return word, class, share of the class among rows with it, share of the class that has it.

    >>> notes = ["patient died", "seen today"] * 20
    >>> telling_words(notes, ["dead", "alive"] * 20)[0]
    ('died', 'dead', 1.0, 1.0)
    """
    with_word: dict[str, Counter] = {}
    for note, answer in zip(notes, answers, strict=True):
        for word in set(WORD.findall(note.lower())):
            with_word.setdefault(word, Counter())[answer] += 1
    sizes = Counter(answers)
    found = []
    for word, counts in with_word.items():
        name, count = counts.most_common(1)[0]
        sure, common = count / counts.total(), count / sizes[name]
        if count >= LEAST and sure >= SURE and common >= COMMON and sizes[name] < len(notes) * 0.95:
            found.append((word, name, sure, common))
    return sorted(found, key=lambda row: (-min(row[2], row[3]), row[0]))
