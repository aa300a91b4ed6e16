"""Time to event: who was followed for how long, and how that ended."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data.horizons import read_horizons, time_grid
from medcore.data.kinds import ABSENT
from medcore.data.ledger import note_step, set_words, write_words
from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset

CENSORED = ABSENT | {
    "censored", "censor", "censoring", "lost", "lost to follow-up", "no event", "event-free",
    "event free", "living", "discharged", "end of study",
}  # fmt: skip
FEWEST_EVENTS = 2
MOST_CAUSES = 8
# A name like that of a follow-up is enough where times agree somewhat; else they must agree well.
LIKE_FOLLOW_UP = re.compile(
    r"(.*[ _-])?(follow[ _-]?up|fu|fup|survival|surv|[a-z]?time|tstop"
    r"|last[ _-]?(contact|seen|visit)|(days|weeks|months|years|time)[ _-]?(to|until)|censor\w*"
    r"|os|pfs|dfs|rfs)([ _-].*)?",
    re.I,
)
LIKE, SAME = 0.3, 0.98


def find_event(dataset: Dataset) -> Column | None:
    """Return the event column of a question of time, or None for another question.

    Raises `ConfigError` when the roles do not make a question.
    """
    events, durations = dataset.with_role("event"), dataset.with_role("duration")
    if not events:
        return None
    event = events[0]
    for role, columns in (("event", events), ("duration", durations)):
        if len(columns) > 1:
            names = "' and '".join(column.name for column in columns[:2])
            raise ConfigError(f"'{names}' both have the role {role}; keep one.")
    if not durations:
        raise ConfigError(
            f"'{event.name}' has the role event, but no column says how long each patient was "
            "followed; give one the role duration."
        )
    outcomes = dataset.with_role("outcome")
    if outcomes:
        raise ConfigError(
            f"'{outcomes[0].name}' has the role outcome and '{event.name}' the role event; a run "
            "answers one question, so keep one of them."
        )
    if event.kind not in ("number", "category"):
        raise ConfigError(f"The event '{event.name}' holds {event.kind}; choose another column.")
    if durations[0].kind != "number":
        raise ConfigError(
            f"The duration '{durations[0].name}' holds {durations[0].kind}; it must be a number, "
            "the time from each patient's start to the event or the end of follow-up."
        )
    return event


def configure_followup(dataset: Dataset, config: RunConfig) -> Dataset:
    """Return the rows whose follow-up can be learned from, their events as words, and horizons.

    Each step is a ledger entry. Raises `DataError` or `ConfigError` when nothing can be learned.
    """
    event, (duration, *_) = find_event(dataset), dataset.with_role("duration")
    dataset = _set_aside(dataset, duration.name)
    words = write_words(dataset.frame[event.name])
    dataset = _cut(set_words(dataset, event.name, words), event.name, duration, config)
    causes = event_causes(dataset, config)
    dataset = _tell_events(dataset, event.name, causes)
    dataset = _block_followup(dataset, duration.name)
    time = dataset.frame[duration.name].to_numpy(np.float64)
    code = read_causes(dataset.frame[event.name], causes)
    horizons = read_horizons(config.evaluate.horizons, duration.unit, time, code)
    return replace(dataset, horizons=horizons, times=time_grid(horizons, time, code))


def _set_aside(dataset: Dataset, name: str) -> Dataset:
    for step, reason, bad in (
        ("duration missing", "without '{}' are set aside", lambda v: v.isna()),
        (
            "duration not positive",
            "whose '{}' is zero or below are set aside: nobody can be followed for no time",
            lambda v: v <= 0,
        ),
    ):
        wrong = bad(dataset.frame[name]).to_numpy(bool)
        if not wrong.any():
            continue
        if wrong.all():
            raise DataError(
                f"No row has a '{name}' above zero; choose the column that says how long each "
                "patient was followed."
            )
        first = dataset.frame.index[wrong][0] + 1
        told = f"{int(wrong.sum()):,} rows {reason.format(name)} (first: row {first})."
        dataset = note_step(
            replace(dataset, frame=dataset.frame[~wrong]), dataset, step, told, (name,)
        )
    return dataset


def _cut(dataset: Dataset, event: str, duration: Column, config: RunConfig) -> Dataset:
    """Cut follow-up at the end that was set; events after it do not count."""
    end = config.outcome.follow_up_end
    late = dataset.frame[duration.name] > (np.inf if end is None else end)
    if not late.any():
        return dataset
    frame = dataset.frame.copy(deep=False)
    words, free = frame[event], read_censored(frame[event], event, config)
    lost = int((late & ~words.isin(free)).sum())
    frame[duration.name] = frame[duration.name].astype(np.float64).mask(late, end)
    frame[event] = words.mask(late, next(iter(sorted(free)), "censored"))
    told = (
        f"{int(late.sum()):,} rows were followed beyond {end:g}, where follow-up ends by the "
        f"settings; they count as censored there, and {lost:,} later events do not count."
    )
    return note_step(
        replace(dataset, frame=frame), dataset, "follow-up cut", told, (event, duration.name)
    )


def event_causes(dataset: Dataset, config: RunConfig) -> tuple[str, ...]:
    """Return the causes: the values of the event column that do not mean censored, sorted.

    Raises `DataError` when nobody had an event, or a cause too few.
    """
    event = find_event(dataset)
    words = write_words(dataset.frame[event.name].dropna())
    free = read_censored(words, event.name, config)
    counts = words[~words.isin(free)].value_counts()
    if counts.empty:
        raise DataError(
            f"Nobody had the event: every '{event.name}' is {_listed(free)}, which is read as "
            "censored; choose another column, or say which value means censored "
            "(outcome.censored)."
        )
    if len(counts) > MOST_CAUSES:
        raise DataError(
            f"The event '{event.name}' has {len(counts):,} values besides censored; at most "
            f"{MOST_CAUSES} causes can be told apart. Group them, or choose another column."
        )
    few = [str(name) for name, count in counts.items() if count < FEWEST_EVENTS]
    if few:
        raise DataError(
            f"'{event.name}' = '{few[0]}' happened to a single patient; nothing can be learned "
            "from one event. Set such rows aside or merge it with another cause."
        )
    positive = config.outcome.positive
    if positive is not None and positive not in counts.index:
        raise ConfigError(
            f"The event '{positive}' does not occur in '{event.name}'; there are "
            f"{_listed(set(counts.index))}."
        )
    return tuple(sorted(map(str, counts.index)))


def main_cause(dataset: Dataset, causes: tuple[str, ...], config: RunConfig) -> str:
    """Return the cause whose risk is told: the one that was named, else the most frequent."""
    if config.outcome.positive is not None:
        return config.outcome.positive
    counts = write_words(dataset.frame[find_event(dataset).name].dropna()).value_counts()
    return max(causes, key=lambda cause: counts[cause])


def read_causes(words: pd.Series, causes: tuple[str, ...]) -> np.ndarray:
    """Return each row's cause as a number from 1, 0 for censored, int64 (rows,)."""
    return (pd.Index(causes).get_indexer(words.astype(object)) + 1).astype(np.int64)


def read_censored(words: pd.Series, name: str, config: RunConfig) -> set[str]:
    """Return the values of an event column that mean censored; `ConfigError` for an absent one."""
    values, named = set(words.dropna().unique()), config.outcome.censored
    if named is not None:
        if named not in values:
            raise ConfigError(
                f"The value '{named}' for censored does not occur in '{name}'; there are "
                f"{_listed(values)}."
            )
        return {named}
    found = {word for word in values if word.strip().lower() in CENSORED}
    # A habit of statistics: 1 is censored and 2 is the event.
    return found or ({"1"} if values == {"1", "2"} else set())


def _listed(words: set[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words)[:8])


def _tell_events(dataset: Dataset, name: str, causes: tuple[str, ...]) -> Dataset:
    counts = dataset.frame[name].value_counts()
    happened = ", ".join(f"'{cause}' ({counts[cause]:,} rows)" for cause in causes)
    free = [f"'{word}' ({n:,} rows)" for word, n in counts.items() if word not in causes]
    rest = (
        f"read as censored: {', '.join(free)}."
        if free
        else "no patient is censored, so check that everybody's follow-up is in the table."
    )
    told = f"Events in '{name}': {happened}; {rest}"
    return note_step(dataset, dataset, "events", told, (name,))


def _block_followup(dataset: Dataset, duration: str) -> Dataset:
    """Take the role input from columns that measure follow-up: they are known only afterwards."""
    blocked = tuple(
        column.name
        for column in dataset.with_role("input")
        if column.kind == "number" and _measures(dataset, column.name, duration)
    )
    if not blocked:
        return dataset
    columns = tuple(
        replace(column, role="ignored") if column.name in blocked else column
        for column in dataset.columns
    )
    told = (
        f"Left out, as they measure the follow-up itself and are known only afterwards: "
        f"{', '.join(blocked)}."
    )
    return note_step(
        replace(dataset, columns=columns), dataset, "follow-up as input", told, blocked
    )


def _measures(dataset: Dataset, name: str, duration: str) -> bool:
    both = dataset.frame[[name, duration]].dropna()
    if len(both) < 10 or both[name].nunique() < 3:
        return False
    rank = both.rank()
    agreement = abs(float(np.corrcoef(rank[name], rank[duration])[0, 1]))
    return agreement >= (LIKE if LIKE_FOLLOW_UP.fullmatch(name) else SAME)
