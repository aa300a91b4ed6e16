"""Findings about free text: a clear sentence for each thing that is odd, none where nothing is."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medcore.checks import check_dataset
from medcore.checks.alike import find_alike
from medcore.checks.texts import check_texts
from medcore.checks.twins import find_twins
from medcore.data import make_dataset
from medcore.lexicon import load_lexicon
from medcore.notes import scan_column
from tests.note_pairs import PAIRS
from tests.note_rows import FILLERS, note_dataset


def found(notes, **changes):
    dataset = note_dataset(len(notes))
    frame = dataset.frame.assign(scan=pd.Series(notes, dtype="string"), **changes)
    return {f.code: f for f in check_texts(replace(dataset, frame=frame))}


def long_notes(count, seed=0, said=40):
    rng = np.random.default_rng(seed)
    words = [f"word{place}" for place in range(400)]
    return [" ".join(rng.choice(words, said)) for _ in range(count)]


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (lambda note: json.dumps({"note": note}), "markup", "holds JSON, not prose"),
        (lambda note: f"<p>{note}</p>", "markup", "holds HTML, not prose"),
        (lambda note: note + "\x00", "control_signs", "null bytes"),
        (lambda note: "患者は65歳の女性です。" + note[:3], "scripts", "other alphabets"),
        (lambda note: "Одышка при нагрузке " + note[:3], "scripts", "other alphabets"),
        (lambda note: note + " and so on" * 110_000, "long_text", "more than 100,000 letters"),
    ],
)
def test_each_odd_thing_has_a_sentence_of_its_own(spoil, code, said):
    notes = long_notes(40)
    assert not found(notes)
    spoilt = [spoil(note) if place % 4 == 0 else note for place, note in enumerate(notes)]
    findings = found(spoilt)
    assert set(findings) == {code}
    assert said in findings[code].title and findings[code].detail.endswith(".")


def test_a_note_of_less_than_sign_is_no_markup():
    notes = [f"{note} SpO2 <90 % and RR>20, a < b" for note in long_notes(40)]
    assert "markup" not in found(notes)


def test_notes_all_but_alike_are_found_across_rows():
    notes = long_notes(60)
    notes[50], notes[51] = notes[3], notes[4].replace("word1", "ward1", 1) + " today"
    finding = found(notes)["alike_notes"]
    assert finding.severity == "warning"
    assert finding.evidence["notes"] == 2 and finding.evidence["equal"] == 1
    assert finding.evidence["first"] == "rows 4 and 51"


def test_a_patients_own_carried_notes_are_a_hint():
    notes = long_notes(60)
    notes[50] = notes[3]
    dataset = note_dataset(60)
    who = [f"p{place}" for place in range(60)]
    who[50] = "p3"
    frame = dataset.frame.assign(scan=pd.Series(notes, dtype="string"), who=who)
    columns = (*dataset.columns, replace(dataset.columns[0], name="who", kind="category",
                                         role="patient"))  # fmt: skip
    (finding,) = check_texts(replace(dataset, frame=frame, columns=columns))
    assert finding.severity == "hint" and "same patient" in finding.detail


@pytest.mark.parametrize("changed", [0, 1, 3])
def test_alike_is_nine_letters_in_ten(changed):
    notes = long_notes(200, said=60)
    other = notes[77].split()
    for place in range(changed):
        other[20 * place] = "another"
    pairs = find_alike([" ".join(other)], notes)
    assert pairs[["first", "second"]].to_numpy().tolist() == [[0, 77]]
    assert pairs["kind"].tolist() == ["near" if changed else "equal"]
    assert find_alike([long_notes(1, seed=9)[0]], notes).empty


def test_short_notes_are_nobodys_copy():
    assert find_alike(["No complaints."] * 50).empty


def test_the_same_note_on_both_sides_of_a_split_makes_twins():
    notes = long_notes(120)
    notes[110], notes[111] = notes[2], notes[3] + " more"
    dataset = note_dataset(120)
    frame = dataset.frame.assign(scan=pd.Series(notes, dtype="string"))
    twins = find_twins(replace(dataset, frame=frame), np.arange(100, 120), np.arange(100))
    told = {int(r.row_id): (int(r.twin_id), r.kind) for r in twins.itertuples()}
    assert told == {110: (2, "equal"), 111: (3, "nearly the same note")}


def test_a_word_that_tells_the_outcome_alone_is_named():
    notes = long_notes(80)
    place = note_dataset(80).frame["place"]
    notes = [f"{note} deceased" if up == "upper" else note for note, up in zip(notes, place)]  # noqa: B905
    finding = found(notes)["telling_word"]
    assert "“deceased”" in finding.title and "place = upper" in finding.detail


def test_shuffled_outcomes_have_no_telling_word():
    rng = np.random.default_rng(0)
    notes = [". ".join(rng.choice(FILLERS, 5, replace=False)) for _ in range(200)]
    assert "telling_word" not in found(notes)


def test_the_findings_stand_among_all_others_and_text_is_usable():
    codes = {finding.code for finding in check_dataset(note_dataset())}
    assert "unusable_kind" not in codes and "telling_word" not in codes


def pair_table(planted):
    """Return the pairs of note and row as one table; notes are `planted` ones or clean twins."""
    rows = [pair.row | {"note": pair.note.format(pair.planted if planted else pair.clean)}
            for pair in PAIRS]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_whole_column_is_held_against_its_rows():
    lexicon = load_lexicon()
    for planted, low, high in ((True, 0.9, 1.0), (False, 0.0, 0.05)):
        found = list(scan_column(pair_table(planted), "note", lexicon))
        assert [row.row_id for row in found] == list(range(len(PAIRS)))
        share = np.mean([bool(row.contradictions) for row in found])
        assert low <= share <= high


def test_contradictions_are_among_the_findings_with_a_row_to_look_at():
    table = pair_table(True).assign(ill=["yes", "no"] * (len(PAIRS) // 2))
    dataset = make_dataset(table, "Pairs", "pairs.csv", "0" * 64)
    columns = tuple(
        replace(c, kind="text", role="input") if c.name == "note" else c for c in dataset.columns
    )
    codes = {f.code: f for f in check_texts(replace(dataset, columns=columns))}
    assert codes["note_contradicts"].evidence["rows"][0] == 1
    assert "Notes shows both places" in codes["note_contradicts"].detail
