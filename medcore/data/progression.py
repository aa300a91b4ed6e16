"""Synthetic courses of kidney disease with known severity: no patient is in them.

Severity moves along each patient's own slope with slow noise; failure comes the sooner the higher
it is. Tests measure it with much noise, and, where missingness is informative, visits are the
closer and tests the likelier the sicker somebody is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medcore.config import generator
from medcore.data.kinds import list_categories
from medcore.records import Column, Dataset, LedgerEntry

NAME, COUNT = "Synthetic kidney disease, 1,200 courses", 1_200
MONTHS, HORIZON = 72, 12
TRUTH = "The truth about the synthetic patient; ignored as an input."
# Usual value, change by one unit of severity, spread of the measurement, share measured at a visit.
TESTS = {
    "egfr": (62.0, -7.0, 16.0, 0.55),
    "albuminuria": (4.0, 0.5, 1.2, 0.35),
    "systolic_bp": (134.0, 3.0, 17.0, 0.8),
    "haemoglobin": (13.2, -0.4, 1.4, 0.45),
    "potassium": (4.5, 0.15, 0.5, 0.45),
}
UNITS = {
    "month": "months", "age": "years", "egfr": "mL/min", "albuminuria": "log mg/g",
    "systolic_bp": "mmHg", "haemoglobin": "g/dL", "potassium": "mmol/L", "follow_up": "months",
}  # fmt: skip


def draw_progression(
    count: int = COUNT, seed: int = 0, *, informative: bool = True, whole: bool = False
) -> pd.DataFrame:
    """Return synthetic courses, one row a visit, the same for the same seed.

    Columns: patient, month, age, sex, the tests, kidney_failure_within_year (of the index month,
    which is drawn whatever happens later and has a visit), follow_up (months to failure or the
    end), failed, and severity, the truth. The index month is that of the last visit, or, where the
    courses are `whole`, with later visits, the column index_month. `informative`: who is sicker
    comes more often and is tested more.
    """
    patients: list[dict[str, np.ndarray]] = []
    place = 0
    while len(patients) < count:
        found = _draw_patient(generator(seed, "progression", place), informative, whole)
        if found is not None:
            patients.append(found)
        place += 1
    sizes = [len(patient["month"]) for patient in patients]
    frame = pd.DataFrame(
        {name: np.concatenate([patient[name] for patient in patients]) for name in patients[0]}
    )
    names = [f"synthetic {number + 1:04d}" for number in range(count)]
    frame.insert(0, "patient", np.repeat(names, sizes))
    for name in ("patient", "sex", "failed", "kidney_failure_within_year"):
        frame[name] = frame[name].astype("string")
    return frame if whole else frame.drop(columns="index_month")


def _draw_patient(
    rng: np.random.Generator, informative: bool, whole: bool
) -> dict[str, np.ndarray] | None:
    """Return one patient's visits by column; None where they failed before their index month."""
    slope = rng.gamma(1.2, 0.025) * rng.choice([1.0, 0.1], p=[0.6, 0.4])
    slow = rng.normal(size=MONTHS + 1).cumsum() * 0.07
    severity = rng.normal(scale=0.7) + slope * np.arange(MONTHS + 1) + slow
    hazard = np.exp(-5.4 + 1.35 * severity)
    failed_at = np.flatnonzero(hazard.cumsum() > rng.exponential())
    end = float(failed_at[0]) + rng.random() if len(failed_at) else float(MONTHS)
    index = int(rng.integers(9, MONTHS - HORIZON))
    if end <= index:
        return None
    months = np.union1d(_draw_visits(rng, severity, informative).round(1), [index])
    months = months[months <= (end if whole else index)]
    here = severity[months.astype(int)]
    told = {"month": months}
    told["age"] = np.full(len(months), int(rng.normal(62, 11)))
    told["sex"] = np.full(len(months), rng.choice(["female", "male"]))
    for test, (usual, change, spread, share) in TESTS.items():
        values = usual + change * here + rng.normal(scale=spread, size=len(months))
        lean = 1.7 * (here - 0.5) if informative else 0.0
        chance = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + lean)))
        told[test] = np.where(rng.random(len(months)) < chance, values.round(2), np.nan)
    soon = bool(len(failed_at)) and end <= index + HORIZON
    fixed = {
        "index_month": float(index),
        "kidney_failure_within_year": "yes" if soon else "no",
        "follow_up": round(end, 1),
        "failed": "yes" if len(failed_at) else "no",
    }
    told |= {name: np.full(len(months), value) for name, value in fixed.items()}
    return told | {"severity": here.round(3)}


def _draw_visits(rng: np.random.Generator, severity: np.ndarray, informative: bool) -> np.ndarray:
    """Return the months of the visits, the first at 0."""
    months = [0.0]
    while True:
        here = severity[int(months[-1])] if informative else 0.5
        step = rng.gamma(3.0, 1.3) * np.exp(-0.35 * np.clip(here, -2, 3)) + 0.3
        if months[-1] + step >= MONTHS:
            return np.array(months)
        months.append(months[-1] + step)


def progression_dataset(
    count: int = COUNT, seed: int = 0, *, informative: bool = True, whole: bool = False
) -> Dataset:
    """Return synthetic courses as a data set with their roles, see `draw_progression`."""
    frame = draw_progression(count, seed, informative=informative, whole=whole)
    roles = {
        "patient": "patient", "month": "visit", "kidney_failure_within_year": "outcome",
        "follow_up": "duration", "failed": "ignored", "index_month": "ignored",
        "severity": "ignored",
    }  # fmt: skip
    notes = {
        "patient": "One synthetic patient.",
        "month": "The time of the visit.",
        "kidney_failure_within_year": "Within a year of the last visit shown.",
        "failed": "Whether the kidneys ever failed: known only afterwards.",
        "follow_up": "Known only afterwards.",
        "severity": TRUTH,
        "index_month": "Drawn for each patient whatever happened later.",
    }
    columns = []
    for name in frame.columns:
        kind = "number" if frame[name].dtype.kind in "fi" else "category"
        told = list_categories(frame[name]) if kind == "category" else ()
        role, unit = roles.get(name, "input"), UNITS.get(name)
        columns.append(Column(name, kind, role, unit, told, notes.get(name, "")))
    drawn = f"{len(frame):,} visits of {count:,} synthetic patients drawn with seed {seed}."
    entry = LedgerEntry("draw", drawn, *([len(frame)] * 2), *([len(columns)] * 2))
    digest = f"progression-{count}-{seed}-{informative:d}{whole:d}"
    return Dataset(NAME, "sample:progression", digest, frame, tuple(columns), (entry,))
