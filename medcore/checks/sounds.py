"""Findings about recordings: too short, silent, overdriven, and devices that give classes away."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from medcore.data.media.formats import QUALITY, SAMPLE_RATE, SECONDS
from medcore.records import Dataset, Finding

WORDS = {
    "too short": ("last less than 0.1 s", "Too little to learn from: cut them again, or leave them "
                  "out."),
    "overdriven": ("are overdriven", "Parts of them are cut off, because the gain was too high; a "
                   "network may learn that instead of what was said."),
    "all but silent": ("are all but silent", "Nothing is to be heard in them: look whether the "
                       "microphone was on, or leave them out."),
}  # fmt: skip
# Shares by class that differ so much are no chance in a hundred rows.
APART = 0.5
LONG = 10.0


def check_sounds(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is to be said of the recordings as sounds."""
    frame = dataset.frame
    if not any(column.kind == "audio" for column in dataset.columns):
        return
    if QUALITY in frame.columns:
        for word, (are, then) in WORDS.items():
            count = int((frame[QUALITY] == word).sum())
            if count:
                yield Finding(
                    "poor_sound", "warning", (QUALITY,), f"{_many(count)} {are}", then,
                    {"quality": word, "recordings": count, "share": count / len(frame)},
                )  # fmt: skip
    if SECONDS in frame.columns and int((frame[SECONDS] > LONG).sum()):
        count = int((frame[SECONDS] > LONG).sum())
        yield Finding(
            "long_sound", "hint", (SECONDS,), f"{_many(count)} last over {LONG:g} s",
            "Of each the loudest part is heard; how much, says “Seconds heard” on Train under "
            "Advanced.",
            {"recordings": count, "longest": float(frame[SECONDS].max())},
        )  # fmt: skip
    if SAMPLE_RATE in frame.columns:
        yield from _check_rates(dataset)
    for column in dataset.columns:
        if column.kind == "audio":
            yield from _check_copies(dataset, column.name)


def _check_copies(dataset: Dataset, name: str) -> Iterator[Finding]:
    """Yield a finding where the same sound stands in several rows."""
    known = dataset.frame[name].dropna()
    again = known[known.duplicated(keep=False)]
    if again.empty:
        return
    outcome = dataset.predicted_column()
    differs = 0
    if outcome is not None:
        values = dataset.frame.loc[again.index, outcome.name].groupby(again).nunique()
        differs = int((values > 1).sum())
    said = f" {_many(differs)} among them differ in '{outcome.name}'." if differs else ""
    yield Finding(
        "equal_sounds", "warning", (name,),
        f"{_many(again.nunique())} occur more than once",
        f"{len(again):,} rows hold a sound that another row holds too, sample by sample.{said} A "
        "model that is judged on what it learned from looks better than it is: leave copies out, "
        "or give their rows one patient.",
        {"recordings": int(again.nunique()), "rows": len(again), "other_outcome": differs},
    )  # fmt: skip


def _many(count: int) -> str:
    return "1 recording" if count == 1 else f"{count:,} recordings"


def _check_rates(dataset: Dataset) -> Iterator[Finding]:
    """Yield a finding where recordings of different devices give the outcome away."""
    outcome = dataset.predicted_column()
    rates = dataset.frame[SAMPLE_RATE].dropna()
    if outcome is None or rates.nunique() < 2 or dataset.frame[outcome.name].nunique() > 100:
        return
    shares = pd.crosstab(dataset.frame[outcome.name], dataset.frame[SAMPLE_RATE], normalize="index")
    widest = float((shares.max() - shares.min()).max())
    lowest = float(rates.min())
    if widest <= APART:
        return
    listed = ", ".join(f"{rate:,.0f}" for rate in sorted(rates.unique())[:6])
    yield Finding(
        "sample_rate", "stop", (SAMPLE_RATE, outcome.name),
        "The recording device gives the outcome away",
        f"Recordings have {listed} samples a second, and how many have which differs by "
        f"{widest:.0%} between the values of '{outcome.name}'. A network hears that, and would "
        "fail with other devices: set “Highest pitch” on Train under Advanced (audio.highest) to "
        f"{lowest / 2:,.0f} Hz or below, or bring recordings of one device.",
        {"widest_difference": widest, "lowest_rate": lowest},
    )  # fmt: skip
