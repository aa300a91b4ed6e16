"""Words: edits that can be taken back exactly, what sounds alike, and what is never touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.errors import DataError
from medcore.lexicon import (
    Proposal,
    accept_proposal,
    apply_edits,
    change_edit,
    edit_places,
    find_sentences,
    find_terms,
    find_tokens,
    is_known_word,
    is_lookalike,
    load_lexicon,
    protected_reason,
    read_edits,
    sound_key,
    suggest_words,
)


@pytest.fixture(scope="module")
def lexicon():
    return load_lexicon()


def a_proposal(text, start, end):
    return Proposal(start, end, text[start:end], ("x",), "spelling", "", 0.9, True)


@given(
    st.text(max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8), st.text(max_size=5)), max_size=6),
    st.randoms(use_true_random=False),
)
def test_undoing_every_edit_in_any_order_gives_the_text_back(text, places, random):
    edits = ()
    for start, size, after in places:
        if start + size <= len(text):
            edits = accept_proposal(edits, a_proposal(text, start, start + size), after, "me")
            apply_edits(text, edits)
    order = list(range(len(edits)))
    random.shuffle(order)
    for place in order:
        edits = change_edit(edits, place, undone=True)
    assert apply_edits(text, edits) == text


@given(st.text("ab ", min_size=6, max_size=30), st.text("xyz", min_size=1, max_size=6))
def test_an_edit_stands_where_it_is_said_to(text, after):
    edits = accept_proposal((), a_proposal(text, 0, 2), "first", "me")
    edits = accept_proposal(edits, a_proposal(text, 3, 5), after, "me")
    changed = apply_edits(text, edits)
    for edit, start, end in edit_places(edits):
        assert changed[start:end] == edit.after


def test_a_second_edit_of_the_same_place_undoes_the_first_and_both_stay_in_the_log():
    text = "asma today"
    edits = accept_proposal((), a_proposal(text, 0, 4), "asthma", "me")
    edits = accept_proposal(edits, a_proposal(text, 0, 4), "plasma", "me")
    assert apply_edits(text, edits) == "plasma today"
    edits = change_edit(edits, 0, undone=False)
    assert apply_edits(text, edits) == "asthma today"
    assert len(edits) == 2


def test_a_log_of_another_text_is_refused():
    edits = accept_proposal((), a_proposal("asma", 0, 4), "asthma", "me")
    with pytest.raises(DataError, match="another text"):
        apply_edits("quite another", edits)


def test_a_damaged_log_is_a_sentence():
    with pytest.raises(DataError, match="damaged"):
        read_edits([{"start": 0}])


@pytest.mark.parametrize(
    ("left", "right"),
    [("azithromycin", "asithro mysin"), ("xanax", "zanax"), ("psoriasis", "soriasis"),
     ("phenytoin", "fenitoin"), ("cholecystitis", "colecistitis")],
)  # fmt: skip
def test_words_that_sound_alike_share_a_key(left, right):
    assert sound_key(left) == sound_key(right)


@given(st.text(max_size=30))
def test_any_text_has_a_key_and_tokens_that_lie_in_it(text):
    sound_key(text)
    for token in find_tokens(text):
        assert text[token.start : token.end] == token.text
    for start, end in find_sentences(text):
        assert text[start:end] == text[start:end].strip()


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("azithromicin", "azithromycin"), ("diabetis", "diabetes"), ("hemorrage", "hemorrhage"),
     ("cholecystitus", "cholecystitis"), ("warfrin", "warfarin"), ("pnuemonia", "pneumonia")],
)  # fmt: skip
def test_a_misspelt_word_finds_its_own(lexicon, wrong, right):
    assert not is_known_word(wrong, lexicon)
    assert suggest_words(wrong, lexicon)[0].word == right


@pytest.mark.parametrize(
    "word", ["coughing", "oesophagus", "tumours", "non-tender", "asthmatic", "re-admitted"]
)  # fmt: skip
def test_words_of_either_spelling_and_with_endings_are_known(lexicon, word):
    assert is_known_word(word, lexicon)


def test_drug_names_that_are_mixed_up_are_known_as_such(lexicon):
    assert is_lookalike("hydralazine", "hydroxyzine", lexicon)
    assert is_lookalike("Vincristine", "vinblastine", lexicon)
    assert not is_lookalike("aspirin", "warfarin", lexicon)


@pytest.mark.parametrize("word", ["25", "1/2", "mg", "left", "Bilateral", "no", "denies", "isn't"])
def test_numbers_units_sides_and_negations_are_protected(word):
    assert protected_reason(word)


def test_terms_of_two_letters_count_in_capitals_only(lexicon):
    names = [found.term.name for found in find_terms("The pe teacher has a PE.", lexicon)]
    assert names == ["pulmonary embolism"]


def test_a_users_own_words_join_the_lexicon_and_leave_the_shipped_one_as_it_was(lexicon):
    own = load_lexicon(["florbetapir", "# a remark", "", "TKI = tyrosine kinase inhibitor"])
    assert suggest_words("florbetapyr", own)[0].word == "florbetapir"
    assert own.abbreviations["TKI"][0].text == "tyrosine kinase inhibitor"
    assert "florbetapir" not in lexicon.terms
