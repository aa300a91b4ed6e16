"""Dictations in the background: one job for many recordings, kept as texts; or a scored zip."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medcore.errors import DataError, JobError, MedcoreError
from medcore.lexicon import Lexicon, accept_proposal, apply_edits, load_lexicon
from medcore.recogniser import OwnRecogniser, holds_recogniser, load_recogniser
from medcore.records import Event, Watch
from medcore.speech import (
    Recognizer,
    Recording,
    Sound,
    Transcript,
    find_model,
    read_sound_isolated,
    score_recordings,
    transcribe,
    transcript_json,
    unpack_collection,
    write_flac,
)
from medcore.speech.hub import KEPT, MODELS, fetch_model, find_choice
from medcore.store import (
    Home,
    Job,
    Workspace,
    drop_upload,
    get_job,
    inside,
    job_folder,
    load_wording,
    save_text,
    text_folder,
)
from medcore.store.files import write_whole

SOUND = "sound.flac"
# What a page calls a recogniser that was trained in this workspace, before its job's id.
OWN = "own:"
Listener = Recognizer | OwnRecogniser


def open_listener(
    model: str, home: Home, workspace: Workspace | None = None,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
) -> Listener:  # fmt: skip
    """Return what hears: a recogniser trained here (a folder, or OWN and its job), or Whisper.

    A hub's model is fetched once for the whole `home`. Raises `DataError` with how to get one where
    there is none.
    """
    if model.startswith(OWN) and workspace is not None:
        job = get_job(workspace, model.removeprefix(OWN))
        return load_recogniser(job_folder(workspace.home, job))
    if model and holds_recogniser(Path(model).expanduser()):
        return load_recogniser(Path(model).expanduser())
    folder = home.folder / MODELS
    found = find_choice(model, folder) if model.startswith(KEPT) else find_model(model)
    return Recognizer(fetch_model(found, folder, watch))


def hear(
    sound: Sound, listener: Listener, lexicon: Lexicon, language: str | None, watch: Watch
) -> Transcript | None:
    """Return what was said; only Whisper's words have times, and corrections proposed."""
    if isinstance(listener, OwnRecogniser):
        return None if watch.stopping() else listener.transcribe(sound)
    return transcribe(sound, listener, lexicon, language=language, watch=watch)


def transcribe_files(workspace: Workspace, job: Job, watch: Watch) -> dict[str, Any] | None:
    """Transcribe staged uploads; each becomes a text of the workspace, its upload is deleted."""
    paths = [inside(workspace, file["path"]) for file in job.payload["files"]]
    try:
        if not all(path.is_file() for path in paths):
            raise JobError("The uploaded recording is not there any more; upload it again.")
        watch.emit(Event(time.time(), "load", "Loading the speech model", 0.01))
        recognizer = open_listener(job.payload.get("model", ""), workspace.home, workspace, watch)
        lexicon = load_lexicon(load_wording(workspace)["own"].splitlines())
        if job.payload.get("score"):
            return _score(paths[0], recognizer, lexicon, job.payload, watch)
        texts, refused = [], []
        for number, path in enumerate(paths):
            part = _part_of(watch, number, len(paths))
            name = job.payload["files"][number]["name"]
            try:
                identity = _keep(workspace, path, name, recognizer, lexicon, job.payload, part)
            except DataError as error:
                refused.append(str(error))
                continue
            if identity is None:
                return None
            texts.append(identity)
        if not texts and refused:
            raise DataError(refused[0])
        return {"texts": texts, "refused": refused}
    finally:
        for path in paths:
            drop_upload(path)


def _part_of(watch: Watch, number: int, count: int) -> Watch:
    def emit(event: Event) -> None:
        share = (number + event.fraction) / count
        name = f"Recording {number + 1} of {count}: {event.message}" if count > 1 else event.message
        watch.emit(Event(event.time, event.stage, name, 0.02 + 0.97 * share))

    return Watch(emit, watch.stopping)


def _keep(
    workspace: Workspace,
    path: Path,
    name: str,
    recognizer: Listener,
    lexicon: Lexicon,
    payload: Mapping[str, Any],
    watch: Watch,
) -> str | None:
    sound = read_sound_isolated(path, stopping=watch.stopping)
    language = payload.get("language") or None
    heard = hear(sound, recognizer, lexicon, language, watch)
    if heard is None:
        return None
    row = save_text(workspace, "dictation", name, heard.text, details=transcript_json(heard))
    write_whole(text_folder(workspace, row.id) / SOUND, write_flac(sound.samples))
    return row.id


def _score(
    archive: Path,
    recognizer: Listener,
    lexicon: Lexicon,
    payload: Mapping[str, Any],
    watch: Watch,
) -> dict[str, Any] | None:
    """Transcribe a zip's recordings and compare them with their reference texts."""
    plain, corrected, took, lasted = [], [], 0.0, 0.0
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        items = unpack_collection(archive, Path(folder))
        for number, item in enumerate(items):
            part = _part_of(watch, number, len(items))
            sound = read_sound_isolated(item.path, stopping=watch.stopping)
            language = payload.get("language") or None
            heard = hear(sound, recognizer, lexicon, language, part)
            if heard is None:
                return None
            took, lasted = took + heard.took, lasted + heard.seconds
            plain.append(Recording(item.reference, heard.text, item.speaker))
            corrected.append(Recording(item.reference, accept_likely(heard), item.speaker))
    scores = {"plain": plain, "corrected": corrected}
    return {
        "scores": {name: asdict(score_recordings(made, lexicon)) for name, made in scores.items()},
        "recordings": [asdict(recording) for recording in plain],
        "real_time_factor": took / lasted if lasted else None,
        "model": recognizer.label,
    }


def accept_likely(heard: Transcript, least: float | None = None) -> str:
    """Return the text with the proposals above the default confidence accepted, to measure them."""
    from medcore.speech.correction import DEFAULT_CONFIDENCE

    border = DEFAULT_CONFIDENCE if least is None else least
    edits = ()
    for proposal in heard.proposals:
        if proposal.score >= border:
            edits = accept_proposal(edits, proposal, proposal.options[0], "measured")
    return apply_edits(heard.text, edits)


def transcribe_path(
    path: Path, recognizer: Listener, lexicon: Lexicon, language: str | None, watch: Watch
) -> dict[str, Any]:
    """Return one file's transcript as plain values; what the command line writes."""
    try:
        heard = hear(read_sound_isolated(path), recognizer, lexicon, language, watch)
    except MedcoreError as error:
        return {"file": str(path), "error": str(error)}
    assert heard is not None
    return {"file": str(path), **transcript_json(heard)}
