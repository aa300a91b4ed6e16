"""Plain models of time to event: Cox's regression, and everybody's own incidence.

Both answer with the cumulative incidence of every cause at the run's times, float64
(rows, causes, times). With several causes each has its own hazard, and a patient who has had one
event can no longer have another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medcore.evaluate.followup import count_patients, incidence, read_at, read_followup
from medcore.models.cox import baseline_hazard, fit_cox
from medcore.models.plain import PlainModel

# As strong as the ridge of the logistic baseline.
RIDGE = 1.0
# Several causes are followed in these many steps between the times that are told.
STEPS = 200
FARTHEST = 30.0
BLOCK = 2_000_000


def fit_prognosis(
    name: str, values: np.ndarray, outcome: np.ndarray, causes: int, times: Sequence[float]
) -> PlainModel:
    """Return a fitted plain model; `outcome` (rows, 2) are durations and causes from 1."""
    duration, cause = outcome[:, 0], outcome[:, 1].astype(np.int64)
    spec = {"task": "survival", "classes": causes, "native": False}
    if name == "prevalence":
        told = everybody(duration, cause, causes, times)
        return PlainModel({**spec, "formula": "everybody"}, {"incidence": told})
    steps = hazard_steps(duration, cause, causes, times)
    middle = values.astype(np.float64).mean(axis=0)
    centred = values.astype(np.float64) - middle
    coefficients, hazards = [], []
    for number in range(1, causes + 1):
        fitted = fit_cox(centred, duration, cause == number, RIDGE)
        linear = centred @ fitted.coefficients
        coefficients.append(fitted.coefficients)
        hazards.append(baseline_hazard(linear, duration, cause == number, steps))
    arrays = {
        "coefficients": np.stack(coefficients),
        "middle": middle,
        "steps": steps,
        "hazard": np.stack(hazards),
        "times": np.asarray(times, np.float64),
    }
    return PlainModel({**spec, "formula": "cox"}, arrays)


def predict_prognosis(model: PlainModel, values: np.ndarray) -> np.ndarray:
    """Return cumulative incidences, float64 (rows, causes, times), for float32 `values`."""
    arrays = model.arrays
    if model.spec["formula"] == "everybody":
        return np.tile(arrays["incidence"], (len(values), 1, 1))
    linear = np.zeros((len(values), len(arrays["coefficients"])))
    # Feature by feature: a matrix product rounds differently for other numbers of rows.
    for place, coefficients in enumerate(arrays["coefficients"].T):
        centred = values[:, place].astype(np.float64) - arrays["middle"][place]
        linear += centred[:, None] * coefficients
    return join_hazards(linear, arrays["hazard"], arrays["steps"], arrays["times"])


def everybody(
    duration: np.ndarray, cause: np.ndarray, causes: int, times: Sequence[float]
) -> np.ndarray:
    """Return the incidence of each cause at the times, (causes, times), by Aalen–Johansen."""
    followup = read_followup(duration, cause)
    drawn = np.ones((1, len(duration)))
    counts = count_patients(followup, drawn)
    curves = [incidence(followup, drawn, counts, number) for number in range(1, causes + 1)]
    moments = np.asarray(times, np.float64)
    return np.concatenate([read_at(followup, curve, moments, first=0.0) for curve in curves])


def hazard_steps(
    duration: np.ndarray, cause: np.ndarray, causes: int, times: Sequence[float]
) -> np.ndarray:
    """Return the times at which baseline hazards are kept, rising."""
    if causes == 1:
        return np.asarray(times, np.float64)
    events = duration[cause > 0]
    inner = np.quantile(events, np.linspace(0, 1, STEPS), method="inverted_cdf")
    return np.unique(np.concatenate([inner, times]))


def join_hazards(
    linear: np.ndarray, hazard: np.ndarray, steps: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """Return cumulative incidences (rows, causes, times) from hazards of each cause.

    `linear` (rows, causes) are log hazard ratios; `hazard` (causes, steps) cumulative hazards of
    who has 0. What a step takes from those without an event is shared in proportion to its hazards.

    >>> one = join_hazards(np.zeros((1, 1)), np.array([[0.5]]), np.array([1.0]), np.array([1.0]))
    >>> bool(abs(one[0, 0, 0] - (1 - np.exp(-0.5))) < 1e-12)
    True
    """
    ratio = np.exp(np.clip(linear, -FARTHEST, FARTHEST))
    at = np.searchsorted(steps, times)
    if hazard.shape[0] == 1:
        return -np.expm1(-ratio[:, :, None] * hazard[None, :, at])
    found = np.empty((len(linear), len(hazard), len(times)))
    size = max(1, BLOCK // hazard.size)
    for start in range(0, len(linear), size):
        piece = ratio[start : start + size, :, None] * np.diff(hazard, prepend=0.0)
        found[start : start + size] = _share(piece)[:, :, at]
    return found


def _share(steps: np.ndarray) -> np.ndarray:
    total = steps.sum(axis=1)
    gone = np.cumsum(total, axis=1)
    lost = np.exp(-(gone - total)) * -np.expm1(-total)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(total[:, None] > 0, steps / total[:, None], 0.0)
    return np.cumsum(part * lost[:, None], axis=2)
