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

RESULT, CHECKPOINT = "recogniser.json", "checkpoint_{}.safetensors"
LEAST_ROWS, MOST_SECONDS = 10, 30.0
TRAINING = 0.9


# Of fewer speakers none is spared for deciding when to stop: some of their recordings do.
SPARED_FROM, TURNS = 8, 5
Parts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Rows:
    """The rows that are used, with who spoke each; `ledger` says which are not, and why."""

    speaker: pd.Series
    ledger: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sounds:
    """A data set's recordings: each file's spectrogram (bands, frames), and frames it fills."""

    dataset: Dataset
    column: str
    files: list[str]
    spectra: Spectra
    heard: np.ndarray
    frames: np.ndarray

    def place(self, rows: np.ndarray) -> np.ndarray:
        """Return which recordings some rows have."""
        return np.searchsorted(self.files, self.dataset.frame.loc[rows, self.column].astype(str))


def train_recogniser(
    dataset: Dataset,
    choice: RecogniserChoice,
    folder: Path,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
) -> dict[str, Any] | None:
    """Train, judge on speakers held out and keep everything in `folder`; None when stopped.

    What was stopped or killed goes on from its last checkpoint there.

    Returns what `recogniser.json` holds: measures with intervals over speakers, counts, the
    judged texts beside what was heard. Raises `DataError`, `ConfigError` or `FitError`.
    """
    started = time.time()
    _tell(watch, "Listening to the recordings", 0.0)
    column = _find_audio(dataset)
    rows = choose_rows(dataset, column, choice)
    sounds = _listen(dataset, column, choice, rows)
    turns = draw_turns(rows.speaker, choice)
    checkpoints = [FileCheckpoint(folder / CHECKPOINT.format(turn)) for turn in range(len(turns))]
    told: list[dict[str, Any]] = []
    epochs: list[dict[str, Any]] = []
    for number, (parts, checkpoint) in enumerate(zip(turns, checkpoints, strict=True)):
        share = TRAINING / len(turns)
        part = _part_of(watch, number, len(turns), share, epochs)
        fitted = _fit(sounds, choice, parts, part, checkpoint)
        if fitted is None:
            return None
        own, ledger = fitted
        if len(parts["test"]):
            _tell(watch, "Judging on the test recordings", share * (number + 1))
            told += _hear_rows(own, sounds, choice, parts["test"], rows.speaker)
    counted = {part: len(ids) for part, ids in parts.items()} | {"test": len(told)}
    result = _judge(told, choice)
    result |= {"choice": choice.model_dump(mode="json"), "dataset": dataset.name,
               "sha256": dataset.sha256, "rows": counted, "ledger": [*rows.ledger, *ledger],
               "epochs": epochs, "seconds": time.time() - started}  # fmt: skip
    result["sentences"] = list(write_result(result))
    result["written"] = {name: write_measure(m) for name, m in result["measures"].items()}
    own.save(folder)
    write_json(folder, RESULT, result)
    for checkpoint in checkpoints:
        checkpoint.clear()
    _tell(watch, "Finished", 1.0)
    return result


def _fit(
    sounds: Sounds, choice: RecogniserChoice, parts: Parts, watch: Watch, checkpoint: FileCheckpoint
) -> tuple[OwnRecogniser, list[str]] | None:
    """Train on one division of the rows; also what was set aside, and None when stopped."""
    training = sounds.dataset.frame.loc[parts["train"], choice.text].astype(str)
    tokens = learn_tokens(list(training), choice.tokens, choice.vocabulary)
    if tokens.size < 3:
        raise FitError(f"The training texts in '{choice.text}' hold nothing to tell apart.")
    ledger: list[str] = []
    spoken = {
        part: _encode(sounds, choice, parts, part, tokens, ledger)
        for part in ("train", "validation")
    }
    spec = {"bands": sounds.spectra.bands, "width": choice.width, "tokens": tokens.size,
            "level": choice.audio.level}  # fmt: skip
    weights = _train(spec, spoken, choice, watch, checkpoint)
    if weights is None:
        return None
    return OwnRecogniser(spec, asdict(sounds.spectra), tokens, choice.beam, weights), ledger


def _find_audio(dataset: Dataset) -> str:
    names = [column.name for column in dataset.columns if column.kind == "audio"]
    if not names or dataset.media is None:
        raise DataError("There are no recordings in this data set: bring them with a table that "
                        "names each file and says what was said.")  # fmt: skip
    return names[0]


def choose_rows(dataset: Dataset, column: str, choice: RecogniserChoice) -> Rows:
    """Return the rows that have a recording and a text; where no speaker is known, each is one."""
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
    return Rows(owner, tuple(ledger))


def draw_turns(owner: pd.Series, choice: RecogniserChoice) -> list[Parts]:
    """Return divisions of rows into train, validation and test, speakers kept whole.

    One, whose test part is a share of the speakers; or, in turns, one for each of at most five
    groups of speakers to be judged on, and a last one that learns from everybody.
    """
    names = np.array(sorted(owner.unique()))
    if len(names) < 3:
        raise DataError(f"{len(names)} speakers are too few: one each is needed to learn from, to "
                        "decide when to stop, and to judge on.")  # fmt: skip
    rng = generator(choice.seed, "recogniser", "split")
    names = rng.permutation(names)
    held = [names[: min(max(1, round(choice.test * len(names))), len(names) - 2)]]
    if choice.turns:
        held = [*np.array_split(names, min(TURNS, len(names))), names[:0]]
    return [_divide(owner, names, some, choice.test, rng) for some in held]


def _divide(
    owner: pd.Series, names: np.ndarray, test: np.ndarray, share: float, rng: np.random.Generator
) -> Parts:
    tested = owner.isin(test)
    rest, others = owner[~tested], names[~np.isin(names, test)]
    if len(names) < SPARED_FROM:
        spared = rng.permutation(rest.index)[: max(1, round(0.1 * len(rest)))]
        stops = rest.index.isin(spared)
    else:
        count = min(max(1, round(share * len(others))), len(others) - 1)
        stops = rest.isin(others[:count]).to_numpy()
    parts = {"test": owner.index[tested], "validation": rest.index[stops],
             "train": rest.index[~stops]}  # fmt: skip
    return {part: np.sort(ids.to_numpy(np.int64)) for part, ids in parts.items()}


def _listen(dataset: Dataset, column: str, choice: RecogniserChoice, rows: Rows) -> Sounds:
    """Return spectrograms long enough for the longest recording and its shifts in time."""
    files = sorted(dataset.frame.loc[rows.speaker.index, column].astype(str).unique())
    frames = [count_frames(round(kept_seconds(dataset.media / file) * RATE)) for file in files]
    room = room_for(max(frames), choice.audio.shift)
    spectra = Spectra(choice.audio.bands, room, choice.audio.highest)
    heard, _ = load_spectra(dataset.media, files, spectra)
    return Sounds(dataset, column, files, spectra, heard, np.array(frames))


def _encode(
    sounds: Sounds, choice: RecogniserChoice, parts: Parts, part: str, tokens: Tokens,
    ledger: list[str],
) -> Spoken:  # fmt: skip
    """Return a part's recordings and targets; texts too long for theirs are set aside."""
    place = sounds.place(parts[part])
    texts = sounds.dataset.frame.loc[parts[part], choice.text].astype(str)
    written = [tokens.write(text) for text in texts]
    most = [count_steps(int(frames)) for frames in sounds.frames[place]]
    fits = np.array(
        [0 < least_steps(text) <= steps for text, steps in zip(written, most, strict=True)],
        dtype=bool,
    )
    if count := int((~fits).sum()):
        ledger.append(f"{count:,} {part} texts are longer than their recordings can hold, or "
                      "hold no known letter, and are set aside.")  # fmt: skip
    parts[part] = parts[part][fits]
    kept = [text for text, fit in zip(written, fits, strict=True) if fit]
    lengths = np.array([len(text) for text in kept], dtype=np.int64)
    targets = np.zeros((len(kept), max([1, *lengths])), dtype=np.int64)
    for row, text in enumerate(kept):
        targets[row, : len(text)] = text
    return Spoken(sounds.heard, sounds.frames, place[fits], targets, lengths)


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
        message = f"Recogniser: epoch {epoch.epoch} of {epoch.epochs}"
        watch.emit(Event(time.time(), "train", message, epoch.epoch / epoch.epochs, epoch))


def _hear_rows(
    own: OwnRecogniser, sounds: Sounds, choice: RecogniserChoice, rows: np.ndarray,
    speaker: pd.Series,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return of each row what was said and heard, and by whom it was said."""
    frame, media = sounds.dataset.frame.loc[rows], sounds.dataset.media
    return [
        {"row": int(row), "said": plain_text(said), "heard": own.hear(read_kept(media / file)),
         "speaker": str(speaker[row])}
        for row, said, file in zip(rows, frame[choice.text].astype(str),
                                   frame[sounds.column].astype(str), strict=True)
    ]  # fmt: skip


def _judge(texts: list[dict[str, Any]], choice: RecogniserChoice) -> dict[str, Any]:
    recordings = [Recording(text["said"], text["heard"], text["speaker"]) for text in texts]
    score = score_recordings(recordings, load_lexicon([]), seed=choice.seed)
    measures = {name: asdict(measure) for name, measure in score.measures.items()}
    return {"measures": measures, "counts": score.counts, "texts": texts}


def _part_of(
    watch: Watch, number: int, turns: int, share: float, epochs: list[dict[str, Any]]
) -> Watch:
    """Return a watch for one of several turns, which says which one it is and notes `epochs`."""

    def emit(event: Event) -> None:
        said = event.message
        if turns > 1:
            turn = f"Turn {number + 1} of {turns - 1}" if number < turns - 1 else "For use"
            said = f"{turn}: {said}"
        fraction = share * (number + event.fraction)
        if event.epoch is not None:
            epochs.append(asdict(event.epoch) | {"fit": f"recogniser {number + 1}"})
        watch.emit(replace(event, message=said, fraction=fraction))

    return Watch(emit, watch.stopping)


def _tell(watch: Watch, message: str, fraction: float) -> None:
    watch.emit(Event(time.time(), "recogniser", message, fraction))
