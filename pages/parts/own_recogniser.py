"""A recogniser of one's own: trained on the data set in use, what came of it, and its texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.figures import draw_learning
from medcore.jobs import Job, list_jobs, start_recogniser
from medcore.records import Dataset
from pages.parts import state
from pages.parts.charts import show_chart
from pages.parts.dictation_score import NAMES
from pages.parts.player import play
from pages.parts.waiting import watch_job

KIND = "recogniser"
TOKENS = {"characters": "characters", "bpe": "pieces of words (many hours of speech)"}
# Texts are written plainly already, so that the raw figures are those that count.
SHOWN = {"wer_raw": "wer", "cer_raw": "cer", "term_recall": "term_recall"}
SAID = ("text", "said", "transcript", "transcription", "sentence", "words")
SPEAKERS = ("speaker", "voice", "doctor", "reader", "person", "name")
PEOPLE = ("text", "category", "number")
# As many speakers as there must be, and so many that one division of them tells enough.
FEWEST, FEW = 3, 8
LINES = 300


def show_own_recogniser() -> None:
    """Show what to train on, how far it is, and what came of the last one."""
    st.markdown(
        "Train a small recogniser on your own recordings: for commands, a few hundred phrases, or "
        "a language that no model at hand knows. It spells what its texts have taught it; free "
        "speech is heard far better by a pretrained model."
    )
    dataset = _find_dataset()
    job = next(iter(list_jobs(state.current().workspace, kind=KIND)), None)
    if job is not None and job.active:
        watch_job(job.id)
        return
    if dataset is not None:
        _ask(dataset)
    if job is not None:
        _show_end(job)


def _find_dataset() -> Dataset | None:
    """Return the data set in use where it has recordings and texts; say what is missing."""
    used = state.current().dataset
    if used is not None:
        dataset = state.configured()
        if any(column.kind == "audio" for column in dataset.columns):
            return dataset
    st.info(
        "Bring recordings together with a table: a column that names each file, and one that says "
        "what was said in it. Or a zip in which each recording has a text of the same name, in a "
        "folder for each speaker.",
        icon=":material/mic:",
    )
    state.link("data", "Bring recordings on Data", ":material/upload:")
    return None


def _ask(dataset: Dataset) -> None:
    columns = [c.name for c in dataset.columns if c.kind in ("text", "category")]
    columns = [name for name in columns if dataset.frame[name].nunique() > 1]
    if not columns:
        st.warning("No column of this data set says what was said.", icon=":material/subtitles:")
        return
    likely = next((n for n in columns if n.lower() in SAID), columns[0])
    left, middle, right = st.columns(3)
    text = left.selectbox(
        "What was said", columns, index=columns.index(likely), key="own_text",
        help="The column with the text of each recording.",
    )  # fmt: skip
    people = [None, *(c.name for c in dataset.columns if c.kind in PEOPLE and c.name != text)]
    speaker = middle.selectbox(
        "Speaker", people, key="own_speaker", index=people.index(likely_speaker(dataset, people)),
        format_func=lambda name: "not known: divided at random" if name is None else name,
        help="Nobody is learned from and judged on. Without speakers the error rates flatter.",
    )  # fmt: skip
    tokens = right.selectbox(
        "Written in", list(TOKENS), format_func=TOKENS.get, key="own_tokens",
        help="Characters suit few recordings.",
    )  # fmt: skip
    epochs = left.number_input(
        "Epochs", 1, 500, 40, key="own_epochs", help="Passes over the training recordings."
    )
    count = dataset.frame[speaker].nunique() if speaker else 0
    turns = middle.checkbox(
        "Judge each speaker in turn", FEWEST <= count < FEW, key="own_turns", disabled=not speaker,
        help="For few speakers: each is judged by a recogniser that never heard them, and a last "
        "one, for use, learns from all. Takes up to six trainings instead of one.",
    )  # fmt: skip
    if st.button("Train a recogniser", type="primary", key="train_own"):
        choice: dict[str, Any] = {"text": text, "speaker": speaker or "", "tokens": tokens}
        choice |= {"train.epochs": int(epochs), "turns": bool(speaker) and turns}
        try:
            start_recogniser(state.current().workspace, state.current().dataset.id, choice)
        except MedcoreError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.rerun()


def likely_speaker(dataset: Dataset, columns: list[str | None]) -> str | None:
    """Return the column that seems to tell who spoke: patient, site, or named so; else None."""
    roles = [column.name for column in dataset.with_role("patient", "site")]
    named = [c.name for c in dataset.columns if c.name.lower().split("_")[0] in SPEAKERS]
    return next((name for name in (*named, *roles) if name in columns), None)


def _show_end(job: Job) -> None:
    if job.state == "failed":
        st.error(job.error or "The training failed.", icon=":material/error:")
    elif job.state == "stopped":
        st.warning("The training was stopped; nothing was kept.", icon=":material/stop_circle:")
    elif job.state == "finished":
        _show_result(job.id, job.result)


def _show_result(identity: str, result: Mapping[str, Any]) -> None:
    st.subheader("How well it hears", anchor=False)
    for sentence in result["sentences"]:
        st.markdown(f"- {sentence}")
    st.dataframe(
        {
            "Measure": [NAMES[name][0] for name in SHOWN.values()],
            "In 100 (95 % interval)": [result["written"][name] for name in SHOWN],
            "What it means": [NAMES[name][1] for name in SHOWN.values()],
        },
        hide_index=True,
    )
    counts = result["counts"]
    st.caption(
        f"Of {counts['words']:,} words, {counts['substitutions']:,} were heard as another, "
        f"{counts['deletions']:,} missed, {counts['insertions']:,} added. Intervals resample "
        "speakers."
    )
    chosen = f"own:{identity}"
    if st.session_state.get("speech_own") == chosen:
        st.success("Dictate transcribes with it now.", icon=":material/check_circle:")
    else:
        st.button(
            "Transcribe with it", icon=":material/mic:", key="use_own", on_click=_use,
            args=(chosen,), help="Dictate then hears with it; choose another there.",
        )  # fmt: skip
    epochs = result.get("epochs", [])
    # Of several turns the last is that of the recogniser which is kept.
    kept = [epoch for epoch in epochs if epoch["fit"] == epochs[-1]["fit"]]
    if learning := draw_learning([epoch | {"fit": "recogniser"} for epoch in kept]):
        with st.expander("How it learned"):
            show_chart(*learning, "own_learning")
    table = pd.DataFrame(result["texts"])
    wrong = table[table["said"] != table["heard"]]
    judged = result["counts"]["recordings"]
    shown = "" if len(table) == judged else f", of {judged:,} judged"
    with st.expander(f"What was said and heard: {len(wrong):,} of {len(table):,} differ{shown}"):
        st.dataframe(
            table.assign(row=table["row"] + 1).head(LINES), hide_index=True,
            column_config={"row": "Row", "said": "Said", "heard": "Heard", "speaker": "Speaker"},
        )  # fmt: skip
        csv = table.to_csv(index=False).encode()
        st.download_button("Download as CSV", csv, "heard.csv", "text/csv", key="csv_heard",
                           on_click="ignore")  # fmt: skip
        _play_one(wrong, result)


def _use(chosen: str) -> None:
    st.session_state["speech_own"] = chosen


def _play_one(wrong: pd.DataFrame, result: Mapping[str, Any]) -> None:
    used = state.current().dataset
    if wrong.empty or used is None or used.sha256 != result["sha256"]:
        return
    dataset = state.table()
    column = next(column.name for column in dataset.columns if column.kind == "audio")
    rows = wrong.set_index("row")
    row = st.selectbox(
        "Listen to one that differs", list(rows.index[:LINES]), key="own_row",
        format_func=lambda row: f"“{rows.loc[row, 'said']}” heard as “{rows.loc[row, 'heard']}”",
    )  # fmt: skip
    if dataset.media is not None:
        play(dataset.media, str(dataset.frame[column][row]))
