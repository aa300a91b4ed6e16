"""Recordings come in: from the microphone or as files; what waits, and what was refused."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from medcore.errors import MedcoreError
from medcore.jobs import get_job, list_jobs, start_transcription, tend
from medcore.speech import ENDINGS, most_minutes
from medcore.speech.hub import MODELS, find_choice, list_choices
from medcore.store import list_texts, stage_upload
from pages.parts import state
from pages.parts.border import draw_apart
from pages.parts.frame import write_time

JOB, SCORE_JOB, CHOSEN, REFUSED = "speech_job", "speech_score_job", "dictation", "speech_refused"
LANGUAGES = {
    "": "found out by itself", "en": "English", "de": "German", "fr": "French", "es": "Spanish",
    "it": "Italian", "pt": "Portuguese", "nl": "Dutch", "pl": "Polish", "ru": "Russian",
    "zh": "Chinese", "ja": "Japanese", "ar": "Arabic", "hi": "Hindi",
}  # fmt: skip


def choose_model() -> bool:
    """Show which speech model is used and how to use another; tell whether there is one."""
    own = list_own()
    with st.expander("Speech model and language"):
        if own:
            st.selectbox(
                "Recogniser", ["", *own], key="speech_own",
                format_func=lambda name: own.get(name, "the speech model named below"),
                help="Those of your own were trained on this page; their words have no times and "
                "no corrections.",
            )  # fmt: skip
        choices = list_choices(_folder())
        if st.session_state.get("speech_model") not in ("", *choices):
            st.session_state.pop("speech_model", None)
        st.selectbox(
            "Speech model", ["", *choices], key="speech_model",
            format_func=lambda name: choices.get(name, "this server's own"),
            help="Larger models hear medical words far better. The sound never leaves this server; "
            "a model of the hub is fetched once, where there is internet. Whoever runs the server "
            f"adds one by putting its folder into {MODELS} in the server's home.",
        )  # fmt: skip
        st.selectbox(
            "Language", list(LANGUAGES), format_func=LANGUAGES.get, key="speech_language",
            help="Models that know only English take everything for English.",
        )  # fmt: skip
    if st.session_state.get("speech_own"):
        st.caption("A recogniser of your own. The sound stays on this server.")
        return True
    try:
        found = find_choice(st.session_state.get("speech_model", ""), _folder())
    except MedcoreError as error:
        st.info(str(error), icon=":material/mic_off:")
        return False
    st.caption(f"Speech model: {found.label}. The sound stays on this server.")
    return True


def list_own() -> dict[str, str]:
    """Return the recognisers that were trained in this workspace, with what they are called."""
    jobs = list_jobs(state.current().workspace, kind="recogniser")
    return {
        f"own:{job.id}": f"{job.result['dataset']}, {write_time(job.created)}"
        for job in jobs
        if job.state == "finished"
    }


def chosen_model() -> str:
    """Return which model transcribes: one of the workspace's own, or the one that is named."""
    own = st.session_state.get("speech_own")
    if own in list_own():
        return own
    chosen = st.session_state.get("speech_model", "")
    find_choice(chosen, _folder())
    return chosen


def _folder() -> Path:
    return state.current().workspace.home.folder / MODELS


def take_recordings() -> None:
    """Show microphone and uploader, and start what is given."""
    left, right = st.columns(2)
    with left:
        turn = st.session_state.setdefault("speech_turn", 0)
        spoken = st.audio_input("Record", sample_rate=16000, key=f"speech_mic_{turn}")
    with right:
        files = st.file_uploader(
            f"Or bring recordings: WAV, FLAC, MP3, OGG or M4A, up to {most_minutes()} min each",
            type=list(ENDINGS), accept_multiple_files=True, key=f"speech_files_{turn}",
        )  # fmt: skip
    given = [("Recording.wav", spoken)] if spoken is not None else []
    given += [(file.name, file) for file in files or []]
    if given and st.button("Transcribe", type="primary", key="transcribe"):
        if _start(given, score=False):
            st.session_state["speech_turn"] = turn + 1
        st.rerun()


def _start(given: list[tuple[str, object]], *, score: bool) -> bool:
    workspace = state.current().workspace
    try:
        staged = [(stage_upload(workspace, name, file), name) for name, file in given]
        job = start_transcription(
            workspace, staged, model=chosen_model(),
            language=st.session_state.get("speech_language", ""), score=score,
        )  # fmt: skip
    except MedcoreError as error:
        st.session_state[REFUSED] = [str(error)]
        return False
    st.session_state[SCORE_JOB if score else JOB] = job.id
    return True


def take_collection() -> None:
    """Take a zip of recordings with reference texts to score."""
    st.markdown(
        "How well does recognition understand your speakers? Bring a zip in which each recording "
        "has a text of the same name with what was said (`anna/01.wav`, `anna/01.txt`); the folder "
        "names the speaker."
    )
    file = st.file_uploader("Recordings with texts (zip)", type=["zip"], key="speech_zip")
    if file is not None and st.button("Score them", type="primary", key="score_zip"):
        _start([(file.name, file)], score=True)
        st.rerun()


def watch_jobs() -> None:
    """Show what is being transcribed, and take the newest text into use when it ends."""
    for sentence in st.session_state.get(REFUSED, []):
        st.error(sentence, icon=":material/error:")
    identity = st.session_state.get(JOB)
    if identity is None:
        return
    try:
        job = get_job(state.current().workspace, identity)
    except MedcoreError:
        st.session_state.pop(JOB)
        return
    if job.active:
        draw_apart(show_progress, every=1)(identity)
        return
    st.session_state.pop(JOB)
    st.session_state[REFUSED] = (
        list(job.result.get("refused", [])) if job.state == "finished"
        else [job.error or "Transcribing was stopped; nothing was kept of this recording."]
    )  # fmt: skip
    if job.state == "finished" and job.result["texts"]:
        st.session_state[CHOSEN] = job.result["texts"][-1]
    st.rerun()


def show_progress(identity: str) -> None:
    """Show a job's progress; the page runs anew when it has ended."""
    workspace = state.current().workspace
    tend(workspace.home)
    job = get_job(workspace, identity)
    if not job.active:
        st.rerun()
    waits = job.state == "queued"
    st.progress(
        min(1.0, job.fraction), text="Waiting for a worker" if waits else job.message or "Starting"
    )


def choose_dictation() -> str | None:
    """Show the kept dictations; return the one in use."""
    rows = list_texts(state.current().workspace, "dictation")
    if not rows:
        return None
    names = {row.id: row.name for row in rows}
    chosen = st.session_state.get(CHOSEN)
    place = list(names).index(chosen) if chosen in names else 0
    picked = st.selectbox("Dictation", list(names), index=place, format_func=names.get)
    st.session_state[CHOSEN] = picked
    return picked
