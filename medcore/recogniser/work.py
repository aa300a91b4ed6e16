"""Train a recogniser on a data set's recordings and texts, and judge it on speakers held out."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import generator
from medcore.errors import ConfigError, DataError, FitError
from medcore.lexicon import load_lexicon
from medcore.models.ctc import count_steps, least_steps
from medcore.prepare.hearing import Spectra, load_spectra
from medcore.recipes.units import FileCheckpoint
from medcore.recogniser.plan import RecogniserChoice
from medcore.recogniser.tokens import Tokens, learn_tokens, plain_text
from medcore.recogniser.use import OwnRecogniser
from medcore.recogniser.words import write_measure, write_result
from medcore.records import Dataset, Event, Watch
from medcore.sound import RATE, count_frames, kept_seconds, read_kept
from medcore.speech import Recording, score_recordings
from medcore.store.folder import write_json
from medcore.train.spelling import Spoken, room_for, train_speller

RESULT, CHECKPOINT = "recogniser.json", "checkpoint.safetensors"
LEAST_ROWS, MOST_SECONDS = 10, 30.0
TRAINING = 0.9


@dataclass(frozen=True)
class Rows:
    """The rows that are used, by part, as row ids; `ledger` says which are not, and why."""

    parts: dict[str, np.ndarray]
    ledger: tuple[str, ...]


def train_recogniser(
    dataset: Dataset,
    choice: RecogniserChoice,
    folder: Path,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
) -> dict[str, Any] | None:
    """Train, judge on the test part and keep everything in `folder`; None when stopped.

    What was stopped or killed goes on from its last checkpoint there.

    Returns what `recogniser.json` holds: measures with intervals over speakers, counts, the
    test part's texts beside what was heard. Raises `DataError`, `ConfigError` or `FitError`.
    """
    started = time.time()
    _tell(watch, "Listening to the recordings", 0.0)
    column = _find_audio(dataset)
    rows = choose_rows(dataset, column, choice)
    frame = dataset.frame.loc[np.concatenate(list(rows.parts.values()))]
    files = sorted(frame[column].astype(str).unique())
    spectra = _plan_spectra(dataset, files, choice)
    heard, _ = load_spectra(dataset.media, files, spectra)
    training = dataset.frame.loc[rows.parts["train"], choice.text].astype(str)
    tokens = learn_tokens(list(training), choice.tokens, choice.vocabulary)
    if tokens.size < 3:
        raise FitError(f"The training texts in '{choice.text}' hold nothing to tell apart.")
    rows, spoken = _encode(dataset, column, choice, rows, tokens, files, heard)
    spec = {"bands": spectra.bands, "width": choice.width, "tokens": tokens.size,
            "level": choice.audio.level}  # fmt: skip
    checkpoint = FileCheckpoint(folder / CHECKPOINT)
    weights = _train(spec, spoken, choice, watch, checkpoint)
    if weights is None:
        return None
    own = OwnRecogniser(spec, asdict(spectra), tokens, choice.beam, weights)
    _tell(watch, "Judging on the test recordings", TRAINING)
    result = _judge(own, dataset, column, choice, rows)
    result |= {"choice": choice.model_dump(mode="json"), "dataset": dataset.name,
               "sha256": dataset.sha256, "rows": {k: len(v) for k, v in rows.parts.items()},
               "ledger": list(rows.ledger), "seconds": time.time() - started}  # fmt: skip
    result["sentences"] = list(write_result(result))
    result["written"] = {name: write_measure(m) for name, m in result["measures"].items()}
    own.save(folder)
    write_json(folder, RESULT, result)
    checkpoint.clear()
    _tell(watch, "Finished", 1.0)
    return result


def _find_audio(dataset: Dataset) -> str:
    names = [column.name for column in dataset.columns if column.kind == "audio"]
    if not names or dataset.media is None:
        raise DataError("There are no recordings in this data set: bring them with a table that "
                        "names each file and says what was said.")  # fmt: skip
    return names[0]


def choose_rows(dataset: Dataset, column: str, choice: RecogniserChoice) -> Rows:
    """Divide the rows that have a recording and a text; speakers are kept whole.

    A quarter of the speakers (`test`) is judged on, and of the others as many decide when to stop.
    """
    for name in filter(None, (choice.text, choice.speaker)):
        if name not in dataset.frame.columns:
            raise ConfigError(f"There is no column '{name}' in '{dataset.name}'.")
    frame = dataset.frame
    texts = frame[choice.text].map(plain_text, na_action="ignore")
    usable = frame[column].notna() & texts.fillna("").astype(bool)
    ledger = [f"{len(frame):,} rows brought."]
    if count := int((~usable).sum()):
        ledger.append(f"{count:,} rows have no recording or no text and are set aside.")
    seconds = frame.loc[usable, column].map(lambda file: kept_seconds(dataset.media / str(file)))
    long = seconds[seconds > MOST_SECONDS].index
    if len(long):
        ledger.append(f"{len(long):,} recordings last over {MOST_SECONDS:g} s and are set aside; "
                      "cut them into sentences.")  # fmt: skip
        usable[long] = False
    kept = frame.index[usable].to_numpy(np.int64)
    if len(kept) < LEAST_ROWS:
        raise DataError(f"{len(kept)} recordings with a text are too few to learn from; bring at "
                        f"least {LEAST_ROWS}.")  # fmt: skip
    owner = pd.Series(kept, index=kept).astype(str)
    if choice.speaker:
        known = frame.loc[kept, choice.speaker].astype("string")
        owner = known.fillna(owner)
    return Rows(_divide(owner, choice), tuple(ledger))


def _divide(owner: pd.Series, choice: RecogniserChoice) -> dict[str, np.ndarray]:
    names = np.array(sorted(owner.unique()))
    if len(names) < 3:
        raise DataError(f"{len(names)} speakers are too few: one each is needed to learn from, to "
                        "decide when to stop, and to judge on.")  # fmt: skip
    order = generator(choice.seed, "recogniser", "split").permutation(len(names))
    test = min(max(1, round(choice.test * len(names))), len(names) - 2)
    validation = min(max(1, round(choice.test * (len(names) - test))), len(names) - test - 1)
    bounds = {"test": (0, test), "validation": (test, test + validation),
              "train": (test + validation, len(names))}  # fmt: skip
    return {
        part: np.sort(owner.index[owner.isin(names[order[low:high]])].to_numpy(np.int64))
        for part, (low, high) in bounds.items()
    }


def _plan_spectra(dataset: Dataset, files: list[str], choice: RecogniserChoice) -> Spectra:
    """Return spectrograms long enough for the longest recording and its shifts in time."""
    longest = max(_count_frames(dataset, files))
    room = room_for(longest, choice.audio.shift)
    return Spectra(choice.audio.bands, room, choice.audio.highest)


def _count_frames(dataset: Dataset, files: list[str]) -> list[int]:
    return [count_frames(round(kept_seconds(dataset.media / file) * RATE)) for file in files]


def _encode(
    dataset: Dataset, column: str, choice: RecogniserChoice, rows: Rows, tokens: Tokens,
    files: list[str], heard: np.ndarray,
) -> tuple[Rows, dict[str, Spoken]]:  # fmt: skip
    """Return each part's recordings and targets; texts too long for theirs are set aside."""
    frames = np.array(_count_frames(dataset, files))
    spoken, parts, ledger = {}, {}, list(rows.ledger)
    for part, ids in rows.parts.items():
        written = [tokens.write(str(text)) for text in dataset.frame.loc[ids, choice.text]]
        place = np.searchsorted(files, dataset.frame.loc[ids, column].astype(str))
        steps = [count_steps(frame) for frame in frames[place]]
        fits = np.array(
            [0 < least_steps(t) <= most for t, most in zip(written, steps, strict=True)]
        )
        if part == "test":
            fits[:] = True
        elif count := int((~fits).sum()):
            ledger.append(f"{count:,} {part} texts are longer than their recordings can hold, or "
                          "hold no known letter, and are set aside.")  # fmt: skip
        parts[part] = ids[fits]
        kept = [text for text, fit in zip(written, fits, strict=True) if fit]
        lengths = np.array([len(text) for text in kept], dtype=np.int64)
        targets = np.zeros((len(kept), max([1, *lengths])), dtype=np.int64)
        for row, text in enumerate(kept):
            targets[row, : len(text)] = text
        spoken[part] = Spoken(heard, frames, place[fits], targets, lengths)
    return replace(rows, parts=parts, ledger=tuple(ledger)), spoken


def _train(
    spec: dict,
    spoken: dict[str, Spoken],
    choice: RecogniserChoice,
    watch: Watch,
    checkpoint: FileCheckpoint,
) -> dict[str, np.ndarray] | None:
    epochs = train_speller(
        spec, spoken["train"], spoken["validation"], choice.audio, choice.train,
        seed=choice.seed, checkpoint=checkpoint, stopping=watch.stopping,
    )  # fmt: skip
    while True:
        try:
            epoch = next(epochs)
        except StopIteration as end:
            return None if watch.stopping() else end.value
        share = TRAINING * epoch.epoch / epoch.epochs
        message = f"Recogniser: epoch {epoch.epoch} of {epoch.epochs}"
        watch.emit(Event(time.time(), "train", message, share, epoch))


def _judge(
    own: OwnRecogniser, dataset: Dataset, column: str, choice: RecogniserChoice, rows: Rows
) -> dict[str, Any]:  # fmt: skip
    frame = dataset.frame.loc[rows.parts["test"]]
    said = [plain_text(text) for text in frame[choice.text].astype(str)]
    speakers = frame[choice.speaker].astype("string") if choice.speaker else frame.index.astype(str)
    told = [own.hear(read_kept(dataset.media / file)) for file in frame[column].astype(str)]
    recordings = [
        Recording(text, found, str(speaker))
        for text, found, speaker in zip(said, told, speakers, strict=True)
    ]
    score = score_recordings(recordings, load_lexicon([]), seed=choice.seed)
    texts = [
        {"row": int(row), "said": recording.reference, "heard": recording.heard,
         "speaker": recording.speaker}
        for row, recording in zip(frame.index, recordings, strict=True)
    ]  # fmt: skip
    measures = {name: asdict(measure) for name, measure in score.measures.items()}
    return {"measures": measures, "counts": score.counts, "texts": texts}


def _tell(watch: Watch, message: str, fraction: float) -> None:
    watch.emit(Event(time.time(), "recogniser", message, fraction))
