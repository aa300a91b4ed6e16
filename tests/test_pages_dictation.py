"""Dictation as a visitor meets it, with a kept transcript: no recognition is needed for that."""

import shutil

import numpy as np
import pytest

from medcore.errors import DataError
from medcore.jobs.speech import SOUND
from medcore.lexicon import Proposal
from medcore.speech import Segment, Transcript, Word, transcript_json, write_flac
from medcore.speech.hub import MODELS, find_choice
from medcore.store import list_texts, open_home, open_workspace, save_text, text_folder
from tests.test_pages import _server_knows_the_navigation, check, open_page, words

__all__ = ["_server_knows_the_navigation"]
TEXT = "She has glockoma in the left eye. Give pretty zone."


@pytest.fixture
def kept():
    workspace = open_workspace(open_home(), None)
    start, drug = TEXT.index("glockoma"), TEXT.index("pretty")
    why = "a drug's name"
    heard = Transcript(
        TEXT,
        (Word("glockoma", start, start + 8, 0.5, 1.0, 0.25),),
        (Segment(0, len(TEXT), 0.0, 3.0, "it repeats itself"),),
        (
            Proposal(start, start + 8, "glockoma", ("glaucoma",), "heard", "alike", 0.9, True),
            Proposal(drug, drug + 11, "pretty zone", ("prednisone",), "heard", why, 0.7, False),
            Proposal(drug, drug + 11, "pretty zone", ("prednisolone",), "heard", why, 0.1, False),
        ),
        "", (), 3.0, 1.0, "a model",
    )  # fmt: skip
    row = save_text(workspace, "dictation", "round.wav", TEXT, details=transcript_json(heard))
    sound = np.zeros(3 * 16_000, np.float32)
    (text_folder(workspace, row.id) / SOUND).write_bytes(write_flac(sound))
    return workspace, row


def test_a_kept_dictation_shows_doubts_and_a_proposal_is_accepted_and_undone(kept):
    workspace, row = kept
    app = open_page("dictation", workspace=workspace.id)
    assert "it repeats itself" in words(app)
    assert "2 likely corrections" in words(app)
    start = TEXT.index("glockoma")
    app.button(key=f"heard_{row.id}_{start}_{start + 8}").click().run()
    check(app)
    edits = list_texts(workspace, "dictation")[0].edits
    assert [(e["before"], e["after"]) for e in edits] == [("glockoma", "glaucoma")]
    app.button(key=f"undo_{row.id}_0").click().run()
    check(app)
    assert list_texts(workspace, "dictation")[0].edits[0]["undone"] is not None
    assert list_texts(workspace, "dictation")[0].text == TEXT


def test_a_dictation_is_deleted_with_its_sound(kept):
    workspace, row = kept
    app = open_page("dictation", workspace=workspace.id)
    app.button(key="delete_dictation").click().run()
    check(app)
    assert list_texts(workspace, "dictation") == []
    assert not text_folder(workspace, row.id).exists()


def test_without_a_model_the_page_says_how_to_get_one(monkeypatch):
    monkeypatch.setattr("medcore.speech.recognizer.bundled_model", lambda: None)
    app = open_page("dictation")
    assert "No speech model is at hand" in words(app)
    assert "Speech model:" not in words(app)


def test_nobody_sees_anothers_dictation(kept):
    app = open_page("dictation", workspace=open_workspace(open_home(), None).id)
    assert "round.wav" not in words(app)
    assert "Record or bring speech to begin." in words(app)


def test_a_visitor_chooses_among_the_servers_speech_models_and_names_no_place_of_it(kept):
    workspace, _ = kept
    folder = workspace.home.folder / MODELS
    for name in ("ward", "half"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.bin").touch()
    (folder / "ward" / "config.json").touch()
    app = open_page("dictation", workspace=workspace.id)
    assert not [box for box in app.text_input if "older" in box.label]
    chosen = app.selectbox(key="speech_model")
    assert "ward" in chosen.options
    assert "half" not in chosen.options
    chosen.set_value("kept:ward").run()
    check(app)
    assert "Speech model: ward" in words(app)
    for other in ("/etc", "kept:../speech_models/ward", "kept:half", "."):
        with pytest.raises(DataError, match="not on this server"):
            find_choice(other, folder)


def test_a_speech_model_that_was_fetched_or_removed_meanwhile_leaves_the_page_whole(kept):
    workspace, _ = kept
    folder = workspace.home.folder / MODELS
    for name in ("ward", "Systran--faster-whisper-small"):
        (folder / name).mkdir(parents=True)
        for file in ("model.bin", "config.json"):
            (folder / name / file).touch()
    app = open_page("dictation", workspace=workspace.id)
    app.selectbox(key="speech_model").set_value("small").run()
    check(app)
    shutil.rmtree(folder / "Systran--faster-whisper-small")
    app.run()
    check(app)
    assert app.selectbox(key="speech_model").value == "small"
    app.selectbox(key="speech_model").set_value("kept:ward").run()
    shutil.rmtree(folder / "ward")
    app.run()
    check(app)
    assert app.selectbox(key="speech_model").value == ""


def test_a_rejected_proposal_leaves_the_text_is_logged_and_comes_back_when_undone(kept):
    workspace, row = kept
    app = open_page("dictation", workspace=workspace.id)
    start = TEXT.index("glockoma")
    key = f"heard_{row.id}_{start}_{start + 8}"
    app.button(key=f"{key}_no").click().run()
    check(app)
    edit = list_texts(workspace, "dictation")[0].edits[0]
    assert (edit["before"], edit["after"], edit["undone"]) == ("glockoma", "glockoma", None)
    assert "1 likely correction" in words(app)
    assert "left as it is" in words(app)
    assert key not in [button.key for button in app.button]
    app.button(key=f"undo_{row.id}_0").click().run()
    check(app)
    assert "2 likely corrections" in words(app)
