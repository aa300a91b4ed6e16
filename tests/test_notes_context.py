"""Sections, and in what way a finding is spoken of: the cases of NegEx and ConText, and others."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.errors import ConfigError
from medcore.lexicon import load_lexicon
from medcore.notes import (
    DEFAULT_RULES,
    find_abbreviations,
    find_findings,
    find_misspellings,
    find_sections,
    read_rules,
    write_rules,
)

LEXICON = load_lexicon()
CASES = [
    ("Patient denies chest pain.", ["negated"]),
    ("There is no change in pneumonia.", ["present"]),
    ("We cannot rule out PE.", ["uncertain"]),
    ("Denies chest pain but has dyspnea.", ["negated", "present"]),
    ("Denies chest pain, however reports palpitations.", ["negated", "present"]),
    ("No fever, chills, cough, or wheezing.", ["negated"] * 4),
    ("No evidence of pneumothorax or pleural effusion; there is atelectasis.",
     ["negated", "negated", "present"]),
    ("Pneumonia was ruled out.", ["negated"]),
    ("Pneumonia cannot be excluded.", ["uncertain"]),
    ("Pulmonary embolism is unlikely.", ["uncertain"]),
    ("Her mother had breast cancer.", ["family"]),
    ("Asthma in his brother. He has eczema.", ["family", "present"]),
    ("Family history of diabetes.", ["family"]),
    ("The mother states that he has a fever.", ["present"]),
    ("Brought in by her daughter with pneumonia.", ["present"]),
    ("History of stroke in 2019.", ["historical"]),
    ("Headache resolved.", ["historical"]),
    ("Gram-negative sepsis.", ["present"]),
    ("Not only pneumonia but also sepsis.", ["present", "present"]),
    ("Possible pneumonia, no fever.", ["uncertain", "negated"]),
    ("No suspected fracture.", ["negated"]),
    ("Negative dysphagia, negative nausea, negative vomiting.", ["negated"] * 3),
    ("Fever: none", ["negated"]),
    ("Rash, no itching.", ["present", "negated"]),
    ("R/o DVT.", ["uncertain"]),
    ("Without fever; cough present.", ["negated", "present"]),
    ("She does not have diabetes.", ["negated"]),
    ("Strep pharyngitis test negative.", ["negated"]),
    ("Negative for anxiety, depression, or insomnia.", ["negated"] * 3),
    ("He is free of seizures.", ["negated"]),
    ("The wound is painful. No abscess.", ["negated"]),
    ("Syncope without palpitations.", ["present", "negated"]),
    ("No asthma, so she stopped her Allegra.", ["negated", "historical"]),
    ("The splint has not worked, and he would like to rest the hand that is causing his pain.",
     ["present"]),
    ("Denies fever during pregnancy.", ["negated", "present"]),
    ("No fever since the stroke.", ["negated", "present"]),
    ("Two weeks prior to the visit she had numbness.", ["present"]),
    ("He quit smoking.", ["historical"]),
    ("She used to be a smoker.", ["historical"]),
    ("No chest pain, and he takes metformin.", ["negated", "present"]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_finding_is_read_as_it_is_meant(sentence, expected):
    assert [finding.status for finding in find_findings(sentence, LEXICON)] == expected


def test_a_negation_does_not_reach_into_the_next_sentence_or_section():
    note = "ROS: No fever\nASSESSMENT: Pneumonia. Cough."
    assert [f.status for f in find_findings(note, LEXICON)] == ["negated", "present", "present"]


def test_findings_of_the_family_section_are_the_familys():
    found = find_findings("FAMILY HISTORY: diabetes, stroke\nPLAN: treat asthma", LEXICON)
    assert [finding.status for finding in found] == ["family", "family", "present"]


HEADERS = {
    "complaint": ["CC:", "Chief complaint:", "REASON FOR VISIT:", "Presenting complaint -"],
    "history": ["HPI:", "History of present illness:", "SUBJECTIVE:", "## HPI"],
    "past": ["PMH:", "Past medical history:", "PAST MEDICAL HISTORY", "PMHx:"],
    "medications": ["Meds:", "MEDICATIONS:", "**Current medications:**", "Home medications:"],
    "allergies": ["ALLERGIES:", "Allergies:", "Drug allergies:"],
    "family": ["FHx:", "Family history:", "FAMILY HISTORY:"],
    "social": ["SH:", "Social history:", "SOCIAL HISTORY"],
    "exam": ["Physical exam:", "EXAM:", "On examination:", "PHYSICAL EXAMINATION:"],
    "labs": ["Labs:", "LABORATORY DATA:", "Bloods:"],
    "assessment": ["Assessment:", "IMPRESSION:", "Diagnosis:"],
    "plan": ["Plan:", "PLAN", "A/P:", "Recommendations:"],
}
BODIES = [
    "The patient feels better today. No new problems: none reported.",
    "Seen with her husband.\nWalking well, eating well.",
    "Stable. Time 10:30. Discussed at length; agreed.",
    "As above, 5 mg daily - no change.",
]


def a_note(rng):
    names = [name for name in HEADERS if rng.random() < 0.6] or ["plan"]
    text, truth = "", []
    for name in names:
        truth.append((len(text), name))
        header = str(rng.choice(HEADERS[name]))
        gap = " " if header[-1] in ":*-" else "\n"
        text += f"{header}{gap}{rng.choice(BODIES)}\n"
    return text, truth


def test_sections_of_fifty_notes_are_found():
    rng = np.random.default_rng(5)
    right = found = true = 0
    for _ in range(50):
        text, truth = a_note(rng)
        # A header's own place, whatever marks stand before it.
        seen = [(text.rfind("\n", 0, s.start) + 1, s.name) for s in find_sections(text)]
        right += len(set(seen) & set(truth))
        found, true = found + len(seen), true + len(truth)
    assert 2 * right / (found + true) >= 0.95


@given(st.text("ABab:\n .-#*", max_size=80))
def test_sections_cover_a_text_from_the_first_letter_in_order(text):
    sections = find_sections(text)
    assert bool(sections) == bool(text.strip())
    for before, after in itertools.pairwise(sections):
        assert before.start <= before.body <= before.end == after.start


def test_header_rules_survive_being_written_and_read():
    assert read_rules(write_rules(DEFAULT_RULES)) == DEFAULT_RULES
    rules = read_rules("plan: what we do next\nbarriers: barriers to care")
    note = "What we do next: rest.\nBarriers to care: none"
    assert [section.name for section in find_sections(note, rules)] == ["plan", "barriers"]


@pytest.mark.parametrize("text", ["", "plan", "plan:", "a: x\nb: x", f"plan: {'x' * 60}"])
def test_a_wrong_header_rule_is_named(text):
    with pytest.raises(ConfigError):
        read_rules(text)


@pytest.mark.parametrize(
    ("note", "meaning"),
    [
        ("PMH: MS with optic neuritis", "multiple sclerosis"),
        ("EXAM: murmur, MS on echo with valve area 1.4", "mitral stenosis"),
        ("MEDICATIONS: MS 2 mg IV for pain", "morphine sulfate"),
        ("Saturation 96% on RA.", "room air"),
        ("PMH: RA on methotrexate, swelling of hands", "rheumatoid arthritis"),
        ("PLAN: PT for gait and strengthening", "physical therapy"),
        ("LABS: PT 14 seconds, INR 1.1", "prothrombin time"),
    ],
)
def test_an_abbreviation_is_read_by_its_section_and_neighbours(note, meaning):
    found = find_abbreviations(note, LEXICON, find_sections(note))[0]
    assert (found.options[0], found.sure) == (meaning, True)


@pytest.mark.parametrize(
    "note", ["Osteoarthritis grade IV.", "Cranial nerves II through IV intact.", "NYHA class IV."]
)
def test_a_roman_numeral_is_no_abbreviation(note):
    found = [p.before for p in find_abbreviations(note, LEXICON, find_sections(note))]
    assert "IV" not in found
    given = "Ceftriaxone IV."
    assert find_abbreviations(given, LEXICON, find_sections(given))


@pytest.mark.parametrize("note", ["MS is stable.", "RA was discussed.", "Seen by PT today."])
def test_an_ambiguous_abbreviation_asks(note):
    found = find_abbreviations(note, LEXICON, find_sections(note))
    assert [proposal.sure for proposal in found] == [False]
    assert len(found[0].options) > 1


def test_a_drug_that_may_be_another_always_asks():
    found = find_misspellings("Started hydroxazine and metropolol.", LEXICON)
    assert [p.sure for p in found] == [False, False]
    assert {"hydroxyzine", "hydralazine"} <= set(found[0].options)


def test_protected_words_names_and_abbreviations_get_no_proposal():
    note = "Mr. Asthmar has no pain. Seen by Dr. Diabeta; left 25 mgs; ABCDE."
    assert find_misspellings(note, LEXICON) == []


CLEAN = (
    "The patient was seen in clinic with his wife. He describes intermittent epigastric discomfort "
    "after meals, relieved by antacids; he takes pantoprazole 40 mg and amlodipine. On examination "
    "he was normotensive, anicteric and in no distress. Auscultation was unremarkable. Gastroscopy "
    "showed mild antral gastritis without ulceration. Haematology and biochemistry were normal. "
    "Orthopaedic review is arranged for his arthritic knee. He walks half an hour every day."
)


def test_clean_text_is_left_alone():
    assert find_misspellings(CLEAN, LEXICON) == []
