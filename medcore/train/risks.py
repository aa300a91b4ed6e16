"""From what a network for time to event answers to cumulative incidences at the run's times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medcore.models.cox import baseline_hazard
from medcore.models.prognosis import hazard_steps, join_hazards
from medcore.train.hazards import Hazards


def hazards_spec(hazards: Hazards, times: Sequence[float]) -> dict[str, Any]:
    """Return what risks are read with, ready for JSON; see `keep_baseline`."""
    return {
        "name": hazards.name,
        "causes": hazards.causes,
        "cuts": list(hazards.cuts),
        "times": list(times),
    }


def keep_baseline(spec: dict[str, Any], output: np.ndarray, outcome: np.ndarray) -> dict[str, Any]:
    """Return the spec with each member's baseline hazards, where its answers are hazard ratios.

    `output` (rows, members, causes) are those of the training rows; `outcome` (rows, 2).
    """
    if spec["name"] != "deepsurv":
        return spec
    duration, cause = outcome[:, 0], outcome[:, 1].astype(np.int64)
    steps = hazard_steps(duration, cause, spec["causes"], spec["times"])
    middle = output.mean(axis=0)
    hazards = [
        [
            baseline_hazard(
                output[:, member, k] - middle[member, k], duration, cause == k + 1, steps
            ).tolist()
            for k in range(spec["causes"])
        ]
        for member in range(output.shape[1])
    ]
    return {**spec, "steps": steps.tolist(), "middle": middle.tolist(), "hazard": hazards}


def read_risks(spec: dict[str, Any], output: np.ndarray) -> np.ndarray:
    """Return incidences (rows, members, causes, times) from float64 (rows, members, outputs)."""
    times = np.asarray(spec["times"], np.float64)
    if spec["name"] == "deepsurv":
        steps, middle = np.asarray(spec["steps"]), np.asarray(spec["middle"])
        members = [
            join_hazards(output[:, m] - middle[m], np.asarray(hazard), steps, times)
            for m, hazard in enumerate(spec["hazard"])
        ]
        return np.stack(members, axis=1)
    read = _read_hazards if spec["name"] == "logistic_hazard" else _read_masses
    at_cuts = np.cumsum(read(output, spec["causes"]), axis=3)
    return _between_cuts(at_cuts, np.asarray(spec["cuts"], np.float64), times)


def _softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    grown = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return grown / grown.sum(axis=axis, keepdims=True)


def _read_hazards(output: np.ndarray, causes: int) -> np.ndarray:
    """Return the chance of each cause in each interval, (rows, members, causes, intervals)."""
    rows, members, _ = output.shape
    logits = output.reshape(rows, members, causes, -1)
    none = np.zeros((rows, members, 1, logits.shape[3]))
    share = _softmax(np.concatenate([none, logits], axis=2), axis=2)
    free = np.cumprod(share[:, :, 0], axis=2)
    before = np.concatenate([np.ones((rows, members, 1)), free[:, :, :-1]], axis=2)
    return share[:, :, 1:] * before[:, :, None]


def _read_masses(output: np.ndarray, causes: int) -> np.ndarray:
    rows, members, _ = output.shape
    return _softmax(output, axis=2)[:, :, :-1].reshape(rows, members, causes, -1)


def _between_cuts(at_cuts: np.ndarray, cuts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return incidences at the times; between cuts risk grows evenly, after the last not at all."""
    curve = np.concatenate([np.zeros((*at_cuts.shape[:3], 1)), at_cuts], axis=3)
    place = np.clip(np.searchsorted(cuts, times, side="right") - 1, 0, len(cuts) - 2)
    part = np.clip((times - cuts[place]) / (cuts[place + 1] - cuts[place]), 0, 1)
    return curve[..., place] + (curve[..., place + 1] - curve[..., place]) * part
