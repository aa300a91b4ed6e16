"""Recordings: their length and range learned from training rows, and the block they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from medcore.config import ENCODER_NAMES, RunConfig
from medcore.errors import DataError, FitError
from medcore.prepare.hearing import (
    PLAIN_NAMES,
    Spectra,
    hear_spectrum,
    hear_states,
    load_plain,
    load_spectra,
    load_states,
)
from medcore.records import Block, Dataset
from medcore.sound import RATE, count_frames, kept_seconds
from medcore.speech.listening import Listener, check_listener, has_recognizer, load_listener

# What is heard of a recording when nobody says how much.
MOST_SECONDS = 10.0
SIMPLE_MODELS = ("logistic", "random_forest", "gradient_boosting", "cox")


@dataclass(frozen=True)
class AudioFit:
    """An audio column: what its recordings become, and what standardises that.

    With the `encoder` recogniser an item is what the speech model `model` hears (place, digest,
    label), standardised by `mean` and `spread`; else a spectrogram as `spectra` says, as it is.
    `states`: models of plain numbers see the recogniser's too, instead of the simple features.
    `plain_mean` and `plain_spread` standardise what they see; the mean stands in for no recording.
    """

    name: str
    encoder: Literal["recogniser", "crnn"]
    spectra: Spectra
    plain_mean: tuple[float, ...]
    plain_spread: tuple[float, ...]
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    states: bool = False
    model: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["audio"] = "audio"


def choose_audio_encoder(config: RunConfig) -> Literal["recogniser", "crnn"]:
    """Return which encoder recordings get: the one that is set, or the best at hand."""
    if config.model.name in ENCODER_NAMES["audio"]:
        return config.model.name
    if config.audio.encoder != "auto":
        return config.audio.encoder
    return "recogniser" if has_recognizer(config.audio.recogniser) else "crnn"


def fit_audio(
    name: str, training: pd.Series, dataset: Dataset, config: RunConfig
) -> AudioFit | str:
    """Learn an audio column from training rows; a sentence where it has nothing to tell."""
    names = sorted(training.dropna().astype(str).unique())
    if not names:
        return f"Column '{name}' has no recording in any training row and is left out."
    if dataset.media is None:
        raise DataError(f"The recordings of '{name}' are not with the table; bring them together.")
    files = _files(dataset, name)
    places = np.searchsorted(files, names)
    # Each training row counts, so that a recording that many rows share does too.
    counts = training.dropna().astype(str).value_counts().reindex(names).to_numpy(np.float64)
    simple = load_plain(dataset.media, files, config.audio.highest)[places]
    if np.ptp(simple, axis=0).max() == 0 and len(names) > 1:
        raise FitError(f"Every training recording of '{name}' is the same; listen to the files.")
    encoder, model, mean, spread = choose_audio_encoder(config), {}, (), ()
    states = config.audio.encoder == "recogniser" and config.model.name in SIMPLE_MODELS
    centre, width = _measure(simple, counts)
    spectra = _plan_spectra(dataset, names, encoder, config)
    if encoder == "recogniser":
        listener = load_listener(config.audio.recogniser)
        model = {"place": config.audio.recogniser, "digest": listener.digest,
                 "label": listener.label}  # fmt: skip
        heard = load_states(dataset.media, files, listener, spectra)[0]
        mean, spread = _measure(heard[places], counts)
        if states:
            centre, width = mean, spread
    return AudioFit(name, encoder, spectra, centre, width, mean, spread, states, model)


def _plan_spectra(
    dataset: Dataset, names: Sequence[str], encoder: str, config: RunConfig
) -> Spectra:
    """Return how much is heard of a recording.

    A recogniser needs no common length, so that all fits share what it once heard.
    """
    seconds = config.audio.seconds or MOST_SECONDS
    if encoder != "recogniser" and not config.audio.seconds:
        seconds = min(seconds, max(kept_seconds(dataset.media / file) for file in names))
    frames = count_frames(round(seconds * RATE))
    return Spectra(config.audio.bands, frames, config.audio.highest)


def audio_block(fit: AudioFit, frame: pd.DataFrame, dataset: Dataset) -> Block:
    """Return the recordings of some rows, heard once and kept beside the data set."""
    cells = frame[fit.name] if fit.name in frame.columns else pd.Series(pd.NA, index=frame.index)
    words = cells.astype("string")
    present = words.notna().to_numpy(bool)
    place, files = np.full(len(words), -1, dtype=np.int64), []
    values, digest = np.zeros((0, *item_shape(fit)), dtype=np.float32), ""
    plain = np.zeros((len(words), len(fit.plain_mean) + 1), dtype=np.float32)
    plain[:, -1] = ~present
    if present.any():
        if dataset.media is None:
            raise DataError(f"The recordings of '{fit.name}' are not with the table.")
        files = _files(dataset, fit.name)
        place[present] = np.searchsorted(files, words[present].astype(str))
        values, digest = _load(fit, dataset, files)
        simple = values
        if not fit.states:
            simple = load_plain(dataset.media, files, fit.spectra.highest)
        plain[present, :-1] = _standardise(simple[place[present]], fit)
    names = (*(f"{fit.name}: {name}" for name in _plain_names(fit)), f"{fit.name}: missing")
    scale = tuple(np.array(part, np.float32) for part in (fit.mean, fit.spread))
    return Block(
        kind="audio", names=names, sources=(fit.name,) * len(names), values=values,
        present=present, place=place, scale=scale if fit.mean else None, plain=plain,
        traits={"encoder": fit.encoder}, digest=digest,
    )  # fmt: skip


def item_shape(fit: AudioFit) -> tuple[int, ...]:
    """Return the shape of one recording as a network gets it."""
    if fit.encoder == "recogniser":
        return (len(fit.mean),)
    return (fit.spectra.bands, fit.spectra.frames)


def hear_item(fit: AudioFit, samples: np.ndarray) -> np.ndarray:
    """Return one recording as a network gets it, before it is standardised."""
    if fit.encoder == "recogniser":
        return hear_states(samples, _listener(fit), fit.spectra)
    return hear_spectrum(samples, fit.spectra).astype(np.float16)


def read_audio_fit(values: Mapping[str, Any]) -> AudioFit:
    """Return the fit that was written as JSON."""
    tuples = {key: tuple(v) for key, v in values.items() if isinstance(v, list | tuple)}
    return AudioFit(**{**values, **tuples, "spectra": Spectra(**values["spectra"])})


def _load(fit: AudioFit, dataset: Dataset, files: Sequence[str]) -> tuple[np.ndarray, str]:
    if fit.encoder == "recogniser":
        return load_states(dataset.media, files, _listener(fit), fit.spectra)
    return load_spectra(dataset.media, files, fit.spectra)


def _listener(fit: AudioFit) -> Listener:
    listener = load_listener(fit.model["place"])
    check_listener(listener, fit.model["digest"], fit.model["label"])
    return listener


def _plain_names(fit: AudioFit) -> Sequence[str]:
    if not fit.states:
        return PLAIN_NAMES
    half = len(fit.plain_mean) // 2
    return [f"state {n + 1}, {what}" for what in ("mean", "spread") for n in range(half)]


def _standardise(values: np.ndarray, fit: AudioFit) -> np.ndarray:
    centre, width = (np.array(v, np.float32) for v in (fit.plain_mean, fit.plain_spread))
    return (values - centre) / width


def _files(dataset: Dataset, name: str) -> list[str]:
    """Return all of a column's files, so that every part of the data set shares one cache."""
    return sorted(dataset.frame[name].dropna().astype(str).unique())


def _measure(values: np.ndarray, counts: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Return mean and standard deviation of each feature; 1 where it does not vary."""
    values = np.asarray(values, dtype=np.float64)
    centre = np.average(values, axis=0, weights=counts)
    width = np.sqrt(np.average((values - centre) ** 2, axis=0, weights=counts))
    width = np.where(width > 1e-6, width, 1.0)
    return tuple(map(float, centre)), tuple(map(float, width))
