"""One recording explained: which stretch of time raised the risk, and whether that was learned.

A stretch is silenced in the samples themselves, so that whatever listens, a network over
spectrograms or a pretrained recogniser, hears the recording without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medcore.errors import ConfigError
from medcore.explanation.images import look_at, scale_map
from medcore.explanation.subject import Subject
from medcore.prepare import prepare_rows
from medcore.prepare.audio import AudioFit, hear_item
from medcore.prepare.hearing import first_frame
from medcore.records import Prepared
from medcore.sound import RATE, log_mel, read_kept
from medcore.train import TrainedNetwork

# A stretch is a twelfth of the recording, 50 ms at least; each next one begins half of it later.
SHARE, LEAST, MOST = 1 / 12, 0.05, 60
# Columns of the spectrogram that is shown.
SHOWN = 400


def explain_sound(subject: Subject, row_id: int, column: str, target: str) -> dict[str, Any]:
    """Return by how much silencing each stretch lowers the score of a class, JSON-ready.

    `starts` and `ends` in seconds; `fall` of each stretch is the weighted mean over the networks
    that hear the column, each scaled to a largest size of 1. `spectrogram` (64 bands, columns) is
    that of the recording of `seconds`. `weight` is their share in the model; `likeness` the rank
    correlation with networks that learned nothing. `pitches`, None where no network sees
    spectrograms, says which pitches spoke when, by integrated gradients: `values` (bands, columns)
    with a largest size of 1, up to `highest` Hz, and their `likeness`. Raises `ConfigError` where
    nothing can be shown.
    """
    from medcore.models import saliency

    samples = _read(subject, row_id, column)
    stretches = find_stretches(len(samples))
    model = subject.deployed.model
    place = model.classes.index(target) if target in model.classes else 0
    rows: dict[int, tuple[Prepared, np.ndarray]] = {}
    fits: dict[int, AudioFit] = {}
    pitches: list[np.ndarray] = []
    highest = RATE / 2
    found, blank, weight = np.zeros(len(stretches)), np.zeros(len(stretches)), 0.0
    for number, member in enumerate(model.members):
        if not isinstance(member.fitted, TrainedNetwork):
            continue
        if column not in member.fitted.spec["network"]["blocks"]:
            continue
        if member.preparation not in rows:
            preparation = model.preparations[member.preparation]
            row = prepare_rows(preparation, subject.dataset, np.array([row_id]))
            fit = next(fit for fit in preparation.kinds if fit.name == column)
            fits[member.preparation] = fit
            rows[member.preparation] = row, hear_without(fit, samples, stretches)
        row, items = rows[member.preparation]
        look = look_at(saliency, member.fitted, row, column, place)
        random = saliency.randomised(look, number)
        found += member.weight * scale_map(_fall(look, row, items))
        blank += member.weight * scale_map(_fall(random, row, items))
        weight += member.weight
        if (fit := fits[member.preparation]).encoder == "crnn":
            maps = np.stack([saliency.sound_gradients(one) for one in (look, random)])
            placed = _place_frames(maps, log_mel(samples, fit.spectra.bands, fit.spectra.highest))
            pitches.append(member.weight * np.stack([scale_map(one) for one in placed]))
            highest = fit.spectra.highest
    if not weight:
        raise ConfigError(f"No network of this model listens to '{column}'.")
    return {
        "starts": [start / RATE for start, _ in stretches],
        "ends": [end / RATE for _, end in stretches],
        "fall": np.round(found / weight, 4).tolist(),
        "spectrogram": _shrink(log_mel(samples)).round(2).tolist(),
        "pitches": _tell_pitches(pitches, highest),
        "seconds": len(samples) / RATE,
        "weight": weight,
        "likeness": saliency.map_likeness(found, blank),
    }


def _tell_pitches(maps: list[np.ndarray], highest: float) -> dict[str, Any] | None:
    """Return the sum of the networks' maps, each (learned and not, bands, frames), JSON-ready."""
    if not maps:
        return None
    from medcore.models.saliency import map_likeness

    found, blank = np.sum(maps, axis=0)
    shown = scale_map(_shrink(found))
    return {"values": shown.round(3).tolist(), "highest": highest,
            "likeness": map_likeness(found, blank)}  # fmt: skip


def _place_frames(maps: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return maps (maps, bands, frames as the network gets them) over a spectrogram's own frames.

    Frames that the network does not hear have 0.
    """
    start, have = first_frame(found, maps.shape[2]), found.shape[1]
    out = np.zeros((len(maps), len(found), have))
    if start < 0 or have <= maps.shape[2]:
        return maps[:, :, -start : have - start].astype(np.float64)
    out[:, :, start : start + maps.shape[2]] = maps
    return out


def find_stretches(samples: int) -> list[tuple[int, int]]:
    """Return stretches that cover a recording, as first and last sample.

    >>> find_stretches(1600)
    [(0, 800), (400, 1200), (800, 1600)]
    """
    length = max(round(LEAST * RATE), round(SHARE * samples))
    step = max(length // 2, -(-samples // MOST))
    last = max(1, samples - length + step)
    return [(start, min(start + length, samples)) for start in range(0, last, step)]


def hear_without(
    fit: AudioFit, samples: np.ndarray, stretches: list[tuple[int, int]]
) -> np.ndarray:
    """Return the whole recording as a network gets it, then without each stretch."""
    items = [hear_item(fit, samples)]
    for start, end in stretches:
        covered = samples.copy()
        covered[start:end] = 0
        items.append(hear_item(fit, covered))
    return np.stack(items)


def _read(subject: Subject, row_id: int, column: str) -> np.ndarray:
    cell = subject.dataset.frame[column].get(row_id)
    if subject.dataset.media is None or not isinstance(cell, str):
        raise ConfigError("This patient has no recording to listen to.")
    return read_kept(subject.dataset.media / cell)


def _fall(look: Any, row: Prepared, items: np.ndarray) -> np.ndarray:
    """Return by how much the score falls from the first item to each other one."""
    import torch

    values = items.astype(np.float32)
    if (scale := row.blocks[look.key].scale) is not None:
        values = (values - scale[0]) / scale[1]
    device = look.inputs[look.key].values.device
    with torch.no_grad():
        score = look.score(torch.from_numpy(values).to(device)).cpu().numpy().astype(np.float64)
    return score[0] - score[1:]


def _shrink(found: np.ndarray) -> np.ndarray:
    """Return a spectrogram with few enough columns to be drawn: each the mean of some."""
    bounds = np.unique(np.linspace(0, found.shape[1], SHOWN + 1).astype(int))
    return np.add.reduceat(found, bounds[:-1], axis=1) / np.diff(bounds)
