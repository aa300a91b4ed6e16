"""Contradictions of a note with its row and itself: planted ones found, clean twins left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.lexicon import load_lexicon
from medcore.notes import copied_share, find_contradictions, find_copied, read_note
from medcore.notes.measures import MEASURES, column_measure, find_values
from tests.note_pairs import PAIRS

LEXICON = load_lexicon()


def contradictions(note, row=None, units=None):
    return find_contradictions(read_note(note, LEXICON), row or {}, LEXICON, units)


def test_planted_contradictions_are_found_and_clean_twins_are_not_accused():
    found = [bool(contradictions(p.note.format(p.planted), p.row)) for p in PAIRS]
    accused = [bool(contradictions(p.note.format(p.clean), p.row)) for p in PAIRS]
    assert sum(found) >= 0.9 * len(PAIRS)
    assert sum(accused) <= 0.05 * len(PAIRS)


@pytest.mark.parametrize("pair", PAIRS[:12], ids=lambda pair: pair.note[:30])
def test_both_places_are_shown(pair):
    note = pair.note.format(pair.planted)
    for contradiction in contradictions(note, pair.row):
        for place in (contradiction.first, contradiction.second):
            assert (place.column in pair.row) if place.start is None else (
                note[place.start : place.end] == place.text
            )  # fmt: skip


def test_silence_contradicts_nothing():
    row = {"age": 50, "sex": "F", "diabetes": 1, "side": "left", "hb": 12, "allergies": "codeine"}
    assert contradictions("Routine review. Feels well.", row) == []
    assert contradictions("", row) == []


def test_missing_cells_contradict_nothing():
    row = {"age": None, "sex": float("nan"), "diabetes": "", "hb": float("nan")}
    assert contradictions("A 40-year-old man with diabetes, Hb 9 g/dL.", row) == []


@pytest.mark.parametrize(
    ("note", "column", "value"),
    [
        ("Hb 78 g/L", "hemoglobin (g/dL)", 7.8),
        ("T 102.2 F", "temperature_c", 39),
        ("creatinine 106 µmol/L", "creatinine (mg/dL)", 1.2),
        ("glucose was 5.5 mmol/L", "glucose", 99),
        ("weighs 158 lbs", "weight_kg", 71.7),
        ("HbA1c 53 mmol/mol", "hba1c", 7.0),
        ("EF 20-25%", "ejection_fraction", 23),
        ("BP 128/74", "dbp", 74),
        ("Hb 8.1, down from 11.0", "hb", 8.1),
        ("platelets 250,000 /uL", "platelets", 250),
    ],
)
def test_values_in_other_units_agree(note, column, value):
    assert contradictions(note, {column: value}) == []
    assert contradictions(note, {column: value * 2}), "a doubled value must not agree"


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_every_conversion_leads_to_plausible_values_and_the_first_unit_is_plain(measure):
    units = list(measure.units.values())
    assert not units or units[0] == (1.0, 0.0)
    assert all(factor > 0 for factor, _ in units)


def test_a_columns_unit_is_read_from_its_name_or_given():
    assert column_measure("serum_creatinine_umol_l", None)[1] == "umol/l"
    assert column_measure("Creatinine", "µmol/L")[1] == "µmol/L"
    assert column_measure("cholesterol_lowering_drug", None) is None


def test_a_dose_is_not_a_laboratory_value():
    names = [value.measure.name for value in find_values("potassium 20 mg daily, calcium 500 mg")]
    assert names == []


def test_relatives_ages_and_sexes_are_not_the_patients():
    note = "A 34-year-old woman. Her husband, a 51-year-old man, smokes. Their son is 5 years old."
    assert contradictions(note, {"age": 34, "sex": "F", "smoker": "no"}) == []


def test_a_drug_that_is_avoided_is_not_given():
    note = "Allergic to penicillin. Avoid amoxicillin; start doxycycline."
    assert contradictions(note) == []


def test_a_cephalosporin_after_a_penicillin_allergy_is_said_to_need_a_look():
    found = contradictions("ALLERGIES: penicillin\nPLAN: start cephalexin 500 mg.")
    assert [c.kind for c in found] == ["allergy"]
    assert "may extend" in found[0].sentence


def test_two_knees_are_no_contradiction():
    note = "Right knee painful, left knee normal. PLAN: MRI of the right knee."
    assert contradictions(note) == []


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    note = f"{text}. A 71-year-old woman with diabetes. {text}"
    found = contradictions(note, {"age": 40, "sex": "M", "diabetes": 0, "hb": 10})
    for place in [place for one in found for place in (one.first, one.second)]:
        assert place.column or note[place.start : place.end] == place.text


def test_passages_carried_forward_are_found_even_with_a_number_changed():
    first = (
        "On the ward. The patient is comfortable and saturating at 94 % on two litres. Plan: rest."
    )
    second = (
        "Fever. The patient is comfortable and saturating at 97 % on two litres. Cultures sent."
    )
    third = "Entirely different text about the discharge and the follow-up appointment next week."
    found = find_copied([first, second, third])
    assert [(p.earlier, p.later) for p in found] == [(0, 1)]
    assert second[slice(*found[0].later_place)].startswith("The patient is comfortable")
    assert 0.5 < copied_share(second, 1, found) < 1
    assert copied_share(third, 2, found) == 0


def test_neighbouring_sentences_carried_forward_are_one_passage():
    text = (
        "He has a long history of ischaemic heart disease. "
        "He has had two stents since then, both in 2019. "
    )
    found = find_copied(["Day one. " + text, text + "Day two."])
    assert len(found) == 1
    assert found[0].alike == pytest.approx(1)
