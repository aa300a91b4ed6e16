"""Error rates of speech: jiwer's toy, sums before division, intervals over speakers."""

import zipfile

import pytest

from medcore.errors import DataError
from medcore.lexicon import load_lexicon
from medcore.speech import Recording, normalise, score_recordings, unpack_collection
from medcore.speech.transcript import doubt_segment

LEXICON = load_lexicon()
SAID = "no evidence of pneumothorax give metoprolol 25 mg"
HEARD = "evidence of pneumothorax give metropolol 25 mg"


def score(*recordings):
    return score_recordings([Recording(*r) for r in recordings], LEXICON)


def test_the_toy_has_its_published_figures():
    made = score((SAID, HEARD, "a"))
    assert made.measures["wer"].value == pytest.approx(0.25)
    counts = [made.counts[name] for name in ("substitutions", "deletions", "insertions")]
    assert counts == [1, 1, 0]
    letters = score(("metoprolol", "metropolol", "a")).measures["cer"].value
    assert letters == pytest.approx(0.20)


def test_a_lost_negation_is_counted_whatever_the_error_rate():
    made = score((SAID, HEARD, "a"), ("all is well today", "all is well today", "b"))
    assert made.counts["flipped_negations"] == 1
    assert score((SAID, SAID, "a")).counts["flipped_negations"] == 0
    assert score(("fever", "no fever", "a")).counts["flipped_negations"] == 1


def test_errors_are_summed_before_dividing():
    made = score(("one", "two", "a"), ("a b c d e f g h i", "a b c d e f g h i", "b"))
    assert made.measures["wer"].value == pytest.approx(0.1)


def test_terms_numbers_and_units_are_counted():
    made = score((SAID, HEARD, "a"))
    assert made.measures["term_recall"].value == pytest.approx(0.5)
    assert made.measures["number_accuracy"].value == pytest.approx(1)
    wrong = score(("give 25 mg", "give 250 mg lasix", "a"))
    assert wrong.measures["number_accuracy"].value == pytest.approx(0.5)
    assert wrong.counts["inserted_terms"] == 1


def test_an_interval_needs_two_speakers_and_holds_the_value():
    alone = score((SAID, HEARD, "a"), (SAID, SAID, "a")).measures["wer"]
    assert alone.low is None
    assert "two speakers" in alone.reason
    speakers = [(SAID, HEARD if n % 3 else SAID, f"s{n}") for n in range(9)]
    wer = score(*speakers).measures["wer"]
    assert wer.low < wer.value < wer.high
    assert score(*speakers).measures == score(*speakers).measures


def test_what_was_not_said_cannot_be_measured():
    measure = score(("hello there", "hello", "a")).measures["term_recall"]
    assert measure.value is None
    assert measure.reason
    with pytest.raises(DataError, match="no words"):
        score(("...", "hello", "a"))
    with pytest.raises(DataError, match="no recordings"):
        score()


def test_raw_keeps_what_normalising_takes_out():
    made = score(("Give two milligrams.", "give 2 mg", "a"))
    assert made.measures["wer"].value == 0
    assert made.measures["wer_raw"].value == 1
    assert normalise(normalise("Twelve, 1,000 mg.")) == normalise("Twelve, 1,000 mg.")


def test_likely_inventions_are_doubted():
    assert "no speech" in doubt_segment(0.7, -0.2, 1.0)
    assert "guessed" in doubt_segment(0.0, -1.1, 1.0)
    assert "repeats" in doubt_segment(0.0, -0.2, 2.5)
    assert doubt_segment(0.6, -1.0, 2.4) == ""


def zipped(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return path


def test_a_zip_pairs_recordings_with_texts_and_names_speakers_by_folder(tmp_path):
    path = zipped(
        tmp_path / "a.zip", anna__1_dot_wav=b"x", anna__1_dot_txt="said", bo__1_dot_wav=b"y",
        bo__1_dot_txt="\ufeffalso",
    )  # fmt: skip
    items = unpack_collection(path, tmp_path)
    assert [(i.speaker, i.reference) for i in items] == [("anna", "said"), ("bo", "also")]
    assert items[0].path.read_bytes() == b"x"
    assert items[0].path.parent == tmp_path


def test_a_zip_that_is_none_or_lacks_texts_is_a_sentence(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a whole zip"):
        unpack_collection(tmp_path / "no.zip", tmp_path)
    with pytest.raises(DataError, match="no text beside"):
        unpack_collection(zipped(tmp_path / "a.zip", one_dot_wav=b"x"), tmp_path)
    with pytest.raises(DataError, match="no recordings"):
        unpack_collection(zipped(tmp_path / "b.zip", one_dot_txt="x"), tmp_path)
