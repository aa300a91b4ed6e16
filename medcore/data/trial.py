"""Synthetic patients whose effects of treatment are known: what an estimate can be held against.

A care programme after discharge: doctors enrol the sicker more often; it prevents readmission in
patients whose heart pumps poorly and does little for others. Whoever only compares the enrolled
with the others sees a programme that harms.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medcore.config import generator
from medcore.records import Column, Dataset, LedgerEntry

NAME = "Care programme, 2,000 synthetic patients"
TRUTH = "The truth about the synthetic patient; ignored as an input."
PATIENTS, SEED = 2000, 0


def draw_trial(
    count: int = PATIENTS, seed: int = SEED, *, randomised: bool = False
) -> pd.DataFrame:
    """Return synthetic patients, one row each, the same for the same seed.

    `true_effect` is the difference that the programme makes to a patient's chance of readmission.
    `randomised` enrols by chance instead.
    """
    rng = generator(seed, "care programme")
    age = np.clip(rng.normal(68, 12, count), 30, 95).round()
    ejection = np.clip(rng.normal(45, 12, count), 12, 70).round()
    creatinine = np.exp(rng.normal(0.15, 0.35, count)).round(2)
    stays = rng.poisson(0.5 + 0.8 * (ejection < 40), count)
    sex = np.where(rng.random(count) < 0.45, "female", "male")
    sick = 0.06 * (45 - ejection) + 0.5 * np.log(creatinine) + 0.45 * stays
    choice = sick - 0.6
    enrolled = rng.random(count) < (0.5 if randomised else _chance(choice))
    base = -1.1 + 1.2 * sick + 0.03 * (age - 68)
    benefit = -1.3 * _chance(0.25 * (40 - ejection))
    without, given = _chance(base), _chance(base + benefit)
    happened = rng.random(count) < np.where(enrolled, given, without)
    return pd.DataFrame(
        {
            "patient": pd.Series([f"synthetic {n + 1:04d}" for n in range(count)], dtype="string"),
            "age": age,
            "sex": pd.Series(sex, dtype="string"),
            "ejection_fraction": ejection,
            "creatinine": np.where(rng.random(count) < 0.05, np.nan, creatinine),
            "earlier_stays": stays.astype(np.float64),
            "programme": _words(enrolled),
            "readmitted": _words(happened),
            "true_effect": (given - without).round(4),
        }
    )


def trial_dataset() -> Dataset:
    """Return the synthetic patients as a data set with their roles."""
    frame = draw_trial()
    roles = {"patient": "patient", "programme": "treatment", "readmitted": "outcome",
             "true_effect": "ignored"}  # fmt: skip
    units = {"age": "years", "ejection_fraction": "%", "creatinine": "mg/dL"}
    columns = []
    for name in frame.columns:
        words = not pd.api.types.is_numeric_dtype(frame[name])
        values = tuple(sorted(frame[name].unique())) if words and name != "patient" else ()
        note = TRUTH if name == "true_effect" else "Drawn by medcore."
        columns.append(
            Column(
                name, "category" if words else "number", roles.get(name, "input"),
                units.get(name), values, note,
            )
        )  # fmt: skip
    drawn = f"{PATIENTS:,} synthetic patients drawn with seed {SEED}."
    entry = LedgerEntry("drawn", drawn, len(frame), len(frame), len(columns), len(columns))
    return Dataset(NAME, "sample:programme", f"programme-{SEED}", frame, tuple(columns), (entry,))


def _chance(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))


def _words(yes: np.ndarray) -> pd.Series:
    return pd.Series(np.where(yes, "yes", "no"), dtype="string")
