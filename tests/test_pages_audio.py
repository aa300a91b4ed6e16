"""Recordings in the browser: played, explained, predicted, and a recogniser of one's own."""

import io
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from medcore.config import RunConfig, change_config
from medcore.jobs import list_jobs, tending, wait, warm
from medcore.jobs.handlers import recogniser, train
from medcore.jobs.speech import open_listener
from medcore.records import Column, Watch
from medcore.sound import Sound, write_wav
from medcore.store import (
    change_job,
    get_dataset_row,
    get_job,
    job_of_run,
    load_dataset,
    open_home,
    open_workspace,
    queue_run,
    run_key,
    save_dataset,
    save_settings,
)
from pages.parts.form import LOCAL_ONLY, walk_fields
from tests.test_pages import _server_knows_the_navigation, check, open_page, words
from tests.test_recogniser import tone_texts
from tests.tone_rows import sing, tone_dataset

__all__ = ["_server_knows_the_navigation"]
SETTINGS = {
    "train.epochs": 4, "train.batch_size": 16, "audio.bands": 24, "audio.encoder": "crnn",
    "evaluate.resamples": 100, "model.name": "crnn", "train.learning_rate": 3e-3,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a finished run over tones, made once."""
    folder = tmp_path_factory.mktemp("audio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(folder / "home"))
        workspace = open_workspace(open_home(), None)
        dataset = tone_dataset(folder, 60)
        frame = dataset.frame.assign(sound_seconds=0.4, sound_rate=8000.0, sound_quality="good")
        columns = [Column("sound_seconds", "number", "ignored", "s"),
                   Column("sound_rate", "number", "ignored", "Hz"),
                   Column("sound_quality", "category", "ignored", None, ("good",))]  # fmt: skip
        dataset = replace(dataset, frame=frame, columns=(*dataset.columns, *columns))
        row = save_dataset(workspace, dataset)
        config = change_config(RunConfig(), SETTINGS)
        save_settings(workspace, row.id, config)
        key = run_key(row.sha256, config)
        run, _ = queue_run(workspace, config, row.id, "Tones", key, again=False)
        job = job_of_run(workspace, run.id)
        assert change_job(workspace.home, job.id, ("queued",), state="running")
        train(workspace, job, Watch())
        assert change_job(workspace.home, job.id, ("running",), state="finished")
    return folder / "home", {"workspace": workspace.id, "dataset": row.id, "run": run.id}


@pytest.fixture
def address(made, tmp_path, monkeypatch):
    folder, told = made
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setenv("MEDCORE_HOME", str(tmp_path / "copy"))
    return told


def test_data_plays_a_recording_and_tells_its_length(address):
    app = open_page("data", **address)
    assert "0.40 s, recorded at 8,000 samples a second" in words(app)
    assert app.get("audio")
    app.selectbox(key="player_row").set_value(7).run()
    check(app)


def test_explain_plays_the_stretch_that_speaks_most(address, monkeypatch):
    def answer(_, request, *__):
        return warm.ANSWERS[request["do"]](request)

    monkeypatch.setattr("pages.parts.runs.ask", answer)
    app = open_page("explain", **address)
    app.segmented_control(key="explain_view").set_value("audio").run()
    check(app)
    said = words(app)
    assert "The stretch that speaks most for" in said and len(app.get("audio")) == 2
    assert "Sanity check passed" in said or "random weights gives a similar map" in said
    assert "Research use. Not a medical device." in said


def test_recordings_are_brought_without_their_names_unless_their_parts_are_asked_for():
    buffer, rng = io.BytesIO(), np.random.default_rng(0)
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("7_smith_0.wav", "7_jones_1.wav", "3_smith_2.wav", "3_jones_3.wav"):
            archive.writestr(name, write_wav(sing(rng, rising=name[0] == "7")))
    app = open_page("data")
    app.file_uploader[0].set_value(("7_smith_0.zip", buffer.getvalue(), "application/zip")).run()
    check(app)
    assert "A voice stays a voice" in words(app)
    app.text_input(key="images_name").set_value("Digits")
    app.checkbox(key="images_parts").check()
    app.button(key="read_uploads").click().run()
    check(app)
    token = app.query_params["workspace"]
    workspace = open_workspace(open_home(), token[0] if isinstance(token, list) else token)
    (job,) = list_jobs(workspace)
    assert "smith" not in str(job.payload)
    done = wait(workspace, job.id, timeout=60)
    assert done.state == "finished", done.error
    dataset = load_dataset(workspace, done.result["dataset"])
    assert dataset.frame["name_1"].tolist() == ["3", "3", "7", "7"]
    assert "file" not in dataset.frame.columns and dataset.frame["audio"].nunique() == 4
    app = open_page("data", workspace=workspace.id, dataset=done.result["dataset"])
    assert app.get("audio")


def test_results_and_predict_open_with_recordings(address):
    app = open_page("results", **address)
    app.segmented_control(key="results_view").set_value("whom").run()
    check(app)
    assert "most wrong" in words(app)
    app = open_page("predict", **address)
    check(app)
    assert any(button.label == "Predict" for button in app.button)


def test_no_visitor_names_a_speech_model_of_the_server():
    assert "audio.recogniser" in LOCAL_ONLY
    assert "audio.recogniser" not in {name for name, _ in walk_fields()}
    assert "audio.snr" in {name for name, _ in walk_fields()}


def test_a_recogniser_is_trained_on_dictation_and_then_offered_to_transcribe_with(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tending, "start_worker", lambda *_: None)
    workspace = open_workspace(open_home(), None)
    row = save_dataset(workspace, tone_texts(tmp_path, 40))
    app = open_page("dictation", workspace=workspace.id, dataset=row.id)
    assert app.selectbox(key="own_speaker").value == "speaker"
    assert not app.checkbox(key="own_turns").value
    app.number_input(key="own_epochs").set_value(1).run()
    app.button(key="train_own").click().run()
    check(app)
    job = list_jobs(workspace, kind="recogniser")[0]
    assert job.payload["choice"]["speaker"] == "speaker"
    assert get_dataset_row(workspace, job.payload["dataset"]).id == row.id
    result = recogniser(workspace, job, Watch())
    assert change_job(workspace.home, job.id, ("running",), state="finished", result=result)
    app = open_page("dictation", workspace=workspace.id, dataset=row.id)
    assert "Of 100 words said" in words(app)
    app.button(key="use_own").click().run()
    assert app.selectbox(key="speech_own").value == f"own:{job.id}"
    assert "Dictate transcribes with it now." in words(app)
    assert any("Tones" in option for option in app.selectbox(key="speech_own").options)
    listener = open_listener(f"own:{job.id}", workspace.home, workspace)
    assert listener.transcribe(Sound(np.zeros(8000, np.float32))).text == ""
    assert get_job(workspace, job.id).state == "finished"
