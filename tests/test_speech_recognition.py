"""Real recognition of a synthetic voice, offline: text, places, proposals, the job, the command."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from medcore.__main__ import main
from medcore.errors import DataError
from medcore.jobs.handlers import transcribe as transcribe_job
from medcore.jobs.speech import SOUND
from medcore.lexicon import load_lexicon, protected_reason
from medcore.records import Watch
from medcore.speech import (
    RATE,
    Recognizer,
    Sound,
    find_model,
    read_sound,
    read_transcript,
    transcribe,
    transcript_json,
)
from medcore.store import (
    add_job,
    list_texts,
    open_home,
    open_workspace,
    stage_upload,
    text_folder,
)
from tests.spoken_sentences import SENTENCES, VOICES, say, split_sentence

pytestmark = [
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs Debian's espeak-ng"),
]
LEXICON = load_lexicon()
# Glaucoma comes out as "glockoma", atrial fibrillation as "a real fibrillation" and the like.
CHOSEN = (1, 51)


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(find_model())


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    return {
        n: say(split_sentence(SENTENCES[n])[0], VOICES[n % 6], folder / f"{n}.wav") for n in CHOSEN
    }


@pytest.fixture(scope="module")
def heard(recognizer, spoken):
    return {n: transcribe(read_sound(path), recognizer, LEXICON) for n, path in spoken.items()}


def test_words_stand_in_the_text_where_they_say_and_follow_in_time(heard):
    for transcript in heard.values():
        for word in transcript.words:
            assert transcript.text[word.start : word.end] == word.text
            assert 0 <= word.from_second <= word.to_second <= transcript.seconds + 0.5
            assert 0 <= word.confidence <= 1
        times = [word.from_second for word in transcript.words]
        assert times == sorted(times)
        assert transcript.text == transcript.text.strip()


def test_a_medical_word_that_was_misheard_is_proposed_and_the_text_stays_as_heard(heard):
    proposed = right = 0
    for number, transcript in heard.items():
        said, _ = split_sentence(SENTENCES[number])
        for proposal in transcript.proposals:
            assert transcript.text[proposal.start : proposal.end] == proposal.before
            if proposal.score >= 0.5:
                proposed += 1
                right += proposal.options[0].lower() in said.lower()
    assert right >= 1
    assert right >= 0.5 * proposed


def test_nothing_protected_is_sure_to_be_changed(heard):
    for transcript in heard.values():
        for proposal in transcript.proposals:
            words = [*proposal.before.split(), *proposal.options]
            touchy = any(
                protected_reason(w.strip(".,")) or LEXICON.is_drug(w.strip(".,")) for w in words
            )
            assert not (proposal.sure and touchy)
    assert "25" in heard[1].text


def test_silence_and_noise_give_no_text(recognizer):
    rng = np.random.default_rng(0)
    for samples in (np.zeros(3 * RATE), rng.normal(0, 0.003, 3 * RATE), np.zeros(800)):
        made = transcribe(Sound(samples.astype(np.float32)), recognizer, LEXICON)
        assert (made.text, made.words, made.proposals) == ("", (), ())


def test_hot_words_are_heard_in_one_short_try(recognizer, spoken, monkeypatch):
    tries, whole = [], recognizer.model.generate_with_fallback

    def generate(*arguments):
        tries.append(whole(*arguments))
        return tries[-1]

    monkeypatch.setattr(recognizer.model, "generate_with_fallback", generate)
    samples = np.concatenate([read_sound(spoken[1]).samples, np.zeros(4 * RATE, np.float32)])
    # As many hot words as there are make the decoder repeat itself where nothing is said.
    hot = ", ".join(["lisinopril"] * 20)
    assert recognizer.hear_biased(samples, hot, "Two words")
    assert len(tries) == 1
    assert len(tries[0][0].sequences_ids[0]) <= 2 * 2 + 16


def test_a_stop_is_heeded(recognizer, spoken):
    watch = Watch(stopping=lambda: True)
    assert transcribe(read_sound(spoken[1]), recognizer, LEXICON, watch=watch) is None


def test_a_transcript_survives_being_written_and_read(heard):
    values = json.loads(json.dumps(transcript_json(heard[51])))
    assert read_transcript(values) == heard[51]
    with pytest.raises(DataError, match="damaged"):
        read_transcript({"text": "x"})


def test_a_model_that_is_none_is_a_sentence_with_a_way_to_get_one(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"model\.bin is missing"):
        find_model(str(tmp_path))
    monkeypatch.setenv("MEDCORE_SPEECH_MODEL", "/no/such/folder")
    with pytest.raises(DataError, match="no folder"):
        find_model()
    monkeypatch.delenv("MEDCORE_SPEECH_MODEL")
    monkeypatch.setattr("medcore.speech.recognizer.bundled_model", lambda: None)
    with pytest.raises(DataError, match="No speech model is at hand"):
        find_model()
    assert find_model("Systran/faster-whisper-small").label == "Systran/faster-whisper-small"


def stage(workspace, path, name):
    with path.open("rb") as file:
        staged = stage_upload(workspace, name, file)
    return {"path": staged.relative_to(workspace.folder).as_posix(), "name": name}


@pytest.fixture
def one_recognizer(recognizer, monkeypatch):
    monkeypatch.setattr("medcore.jobs.speech.Recognizer", lambda found: recognizer)
    monkeypatch.setattr("medcore.speech.Recognizer", lambda found: recognizer)


def test_a_job_keeps_text_and_sound_and_refuses_what_is_no_sound(spoken, one_recognizer, tmp_path):
    workspace = open_workspace(open_home(), None)
    (tmp_path / "no.wav").write_text("no sound")
    files = [
        stage(workspace, spoken[51], "round.wav"), stage(workspace, tmp_path / "no.wav", "no.wav"),
    ]  # fmt: skip
    job = add_job(workspace, "transcribe", {"files": files}, None, "short")
    result = transcribe_job(workspace, job, Watch())
    assert len(result["texts"]) == len(result["refused"]) == 1
    row = list_texts(workspace, "dictation")[0]
    assert read_transcript(row.details).text == row.text
    assert (text_folder(workspace, row.id) / SOUND).read_bytes()[:4] == b"fLaC"
    assert not list((workspace.folder / "uploads").iterdir())


def test_a_zip_of_recordings_is_scored(spoken, one_recognizer, tmp_path):
    workspace = open_workspace(open_home(), None)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(spoken[51], "anna/1.wav")
        archive.writestr("anna/1.txt", split_sentence(SENTENCES[51])[0])
    files = [stage(workspace, tmp_path / "all.zip", "all.zip")]
    job = add_job(workspace, "transcribe", {"files": files, "score": True}, None, "short")
    result = transcribe_job(workspace, job, Watch())
    plain, corrected = (result["scores"][name]["measures"] for name in ("plain", "corrected"))
    assert 0 <= plain["wer"]["value"] < 1
    assert corrected["term_recall"]["value"] >= plain["term_recall"]["value"]
    assert result["real_time_factor"] > 0


def test_the_command_writes_text_words_and_proposals(spoken, one_recognizer, tmp_path, capsys):
    target = tmp_path / "out" / "said.json"
    assert main(["transcribe", str(spoken[51]), "-o", str(target)]) == 0
    answer = json.loads(target.read_text())[0]
    assert {"file", "text", "words", "segments", "proposals"} <= answer.keys()
    assert main(["transcribe", str(tmp_path / "absent.wav"), "-o", str(target)]) == 2
    assert "no file" in capsys.readouterr().err.lower()
