"""From one row a visit to one row a patient and index visit, with the visits up to it as a series.

The kept rows are those of the index visits: they keep their ids, and each column that does not
change within a patient its value. Nothing from after the index visit is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import Kind, RunConfig, generator
from medcore.data.course.answers import Answer, answer_visits, varies, visit_unit, write_span
from medcore.data.course.visits import Visits, last_known, order_visits, read_times
from medcore.data.course.window import Window, read_window, trim_window, write_window
from medcore.data.ledger import note_step
from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset

NAME = "visits"
# The ledger's step that says how often things were measured; the report quotes it.
MEASURED_AT = "measured at visits"
MEASURED = ("number", "category")
CHOICES = ("auto", "first", "last", "random", "every")


def has_visits(dataset: Dataset) -> bool:
    """Tell whether the rows are visits that were not folded yet."""
    return dataset.visits is None and bool(dataset.with_role("visit"))


def input_kinds_of(dataset: Dataset) -> set[Kind]:
    """Return the kinds of the inputs that a model will look at; visits become a series."""
    kinds = {column.kind for column in dataset.with_role("input")}
    return kinds | {"series"} if has_visits(dataset) else kinds


def is_course(columns: Sequence[Column]) -> bool:
    """Tell whether columns are those of a folded table."""
    return any(column.kind == "series" and column.made_of for column in columns)


def series_column(columns: Sequence[Column]) -> Column:
    """Return the column that holds the courses of a folded table."""
    return next(c for c in columns if c.kind == "series" and c.made_of)


def fold_visits(dataset: Dataset, config: RunConfig, *, settled: bool = False) -> Dataset:
    """Return a table of visits with one row a patient and index visit; other tables as they are.

    Each step is a ledger entry. `settled`: roles already say what is measured at visits. Raises
    `DataError` or `ConfigError` where it cannot be done.
    """
    if not has_visits(dataset):
        return dataset
    visits = order_visits(dataset, training=True)
    for step, sentence in visits.sentences:
        dataset = note_step(dataset, dataset, step, sentence)
    dataset = dataset if settled else _tell_measured(dataset, visits)
    index = _index_times(dataset, visits, config)
    answer = answer_visits(dataset, visits, index, config)
    index_choice = answer.usual if config.series.index == "auto" else config.series.index
    chosen = _choose_visits(dataset, visits, index, answer, index_choice, config)
    folded = _take(dataset, visits, index, chosen, answer, config.series.history)
    return _set_aside_unknown(_tell_fold(folded, dataset, visits, index_choice, config), answer)


def fold_rows(dataset: Dataset, columns: tuple[Column, ...], config: RunConfig) -> Dataset:
    """Return every row of new patients' visits, seen from that visit; no row is dropped.

    `columns` are those of the folded table that a model was fitted on.
    """
    visits = order_visits(replace(dataset, columns=columns), training=False)
    places = visits.place.loc[dataset.frame.index].to_numpy()
    windows = [
        trim_window(Window(visits.first[at], at + 1, visits.time[at]), visits.time,
                    config.series.history)
        for at in places
    ]  # fmt: skip
    static = [c.name for c in columns if c.role == "input" and c.name in visits.frame.columns]
    frame = dataset.frame.copy(deep=False)
    known = last_known(visits.frame, visits.first, static)
    for name in static:
        frame[name] = known[name].iloc[places].set_axis(frame.index)
    name = series_column(columns).name
    frame[name] = pd.Series([write_window(w) for w in windows], index=frame.index, dtype="string")
    return replace(dataset, frame=frame, columns=columns, visits=_table(visits, columns))


def fold_again(dataset: Dataset, columns: tuple[Column, ...], config: RunConfig) -> Dataset:
    """Return new patients' visits folded as a run's were, with what became of them.

    `columns` are those of the folded table that the model was fitted on.
    """
    roles = dict(zip(outcome_sources(columns), ("duration", "event"), strict=False))
    if len(roles) == 1:
        roles = dict.fromkeys(roles, "outcome")
    made = next(c for c in columns if c.role in ("outcome", "event"))
    raw = tuple(
        replace(c, role=roles.get(c.name, c.role) if made.made_of else c.role)
        for c in columns
        if c.name in dataset.frame.columns
    )
    return fold_visits(replace(dataset, columns=raw), config, settled=True)


def outcome_sources(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the columns of the table of visits that the outcome is told by.

    Of an event within a horizon the duration, then the event.
    """
    made = next(c for c in columns if c.role in ("outcome", "event"))
    return made.made_of or (made.name,)


def _tell_measured(dataset: Dataset, visits: Visits) -> Dataset:
    """Give inputs that change within a patient the role measurement."""
    measured = {
        column.name
        for column in dataset.with_role("input")
        if column.kind in MEASURED and varies(visits.frame[column.name], visits.first)
    }
    columns = tuple(
        replace(c, role="measurement") if c.name in measured else c for c in dataset.columns
    )
    return replace(dataset, columns=columns)


def _index_times(dataset: Dataset, visits: Visits, config: RunConfig) -> np.ndarray:
    """Return the time from which is predicted, were each visit the index visit."""
    choice = config.series.index
    if choice in CHOICES:
        return visits.time
    if choice not in dataset.frame.columns:
        raise ConfigError(
            f"The index visit '{choice}' is neither {', '.join(CHOICES)} nor a column "
            "(series.index)."
        )
    if varies(visits.frame[choice], visits.first):
        raise DataError(
            f"'{choice}' changes from visit to visit of a patient; the index time must be the same "
            "in all of a patient's rows."
        )
    times = pd.Series(read_times(visits.frame[choice], choice))
    return times.groupby(visits.first).transform("first").to_numpy(np.float64)


def _choose_visits(
    dataset: Dataset, visits: Visits, index: np.ndarray, answer: Answer, choice: str,
    config: RunConfig,
) -> np.ndarray:  # fmt: skip
    """Return the positions of the index visits; raises `DataError` where there is none."""
    possible = answer.possible
    if choice not in CHOICES:
        with np.errstate(invalid="ignore"):
            past = visits.time <= index
        following = np.r_[past[1:], False] & (np.arange(len(past)) + 1 < visits.end)
        possible = possible & past & ~following
    places = np.flatnonzero(possible)
    if choice in ("first", "last", "random"):
        places = _one_each(visits, places, choice, config.seed)
    if not len(places):
        patient = dataset.with_role("patient")[0].name
        raise DataError(
            f"No '{patient}' has a visit to predict from: the index visit (series.index) and the "
            "outcome leave none."
        )
    return places


def _one_each(visits: Visits, places: np.ndarray, choice: str, seed: int) -> np.ndarray:
    """Return the first, the last or any one of each patient's places."""
    patient = visits.first[places]
    if choice == "random":
        # Drawn patient by patient from their own visits alone, whatever happened later.
        rank = generator(seed, "index visit").random(len(visits.time))[places]
        order = np.lexsort((rank, patient))
    else:
        order = np.lexsort((places if choice == "first" else -places, patient))
    return np.sort(places[order][np.unique(patient[order], return_index=True)[1]])


def _take(
    dataset: Dataset, visits: Visits, index: np.ndarray, chosen: np.ndarray, answer: Answer,
    history: float | None,
) -> Dataset:  # fmt: skip
    told = {column.name: column for column in answer.columns}
    columns = [told.pop(c.name, c) for c in dataset.columns]
    columns += told.values()
    static = [
        c.name for c in columns if c.role in ("input", "site") and c.name in visits.frame.columns
    ]
    frame = visits.frame.iloc[chosen].copy()
    known = last_known(visits.frame, visits.first, static)
    for name in static:
        frame[name] = known[name].iloc[chosen]
    for name, values in answer.values.items():
        frame[name] = values.iloc[chosen]
    windows = (
        trim_window(Window(visits.first[at], at + 1, index[at]), visits.time, history)
        for at in chosen
    )
    name = NAME
    while name in frame.columns:
        name += "_medcore"
    measured = tuple(c.name for c in columns if c.role == "measurement")
    if measured:
        frame[name] = pd.Series(map(write_window, windows), index=frame.index, dtype="string")
        note = f"Each patient's visits up to the index visit: {', '.join(measured)}."
        columns.append(Column(name, "series", "input", note=note, made_of=measured))
    table = _table(visits, tuple(columns))
    return replace(dataset, frame=frame, columns=tuple(columns), visits=table)


def _table(visits: Visits, columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return what was measured at the visits, with `time` first; rows by their position."""
    names = [c.name for c in columns if c.role == "measurement" and c.name in visits.frame.columns]
    table = visits.frame[names].reset_index(drop=True)
    table.insert(0, "time", visits.time, allow_duplicates=True)
    return table


def _tell_fold(
    folded: Dataset, before: Dataset, visits: Visits, choice: str, config: RunConfig
) -> Dataset:
    patients = len(visits.starts)
    kept = len(np.unique(visits.first[visits.place.loc[folded.frame.index].to_numpy()]))
    each = {
        "first": "the first possible one of each patient",
        "last": "the last possible one of each patient",
        "random": "one possible one of each patient, drawn at random",
        "every": "each possible one",
    }.get(choice, f"the last one up to the time in '{choice}'")
    used = int(_seen_visits(folded).sum())
    reason = (
        f"{len(visits.time):,} visits of {patients:,} patients became {len(folded.frame):,} rows, "
        f"one an index visit: {each}. Nothing after it is looked at; up to it they have {used:,} "
        "visits."
    )
    if config.series.history is not None:
        reason += f" Visits more than {write_span(config.series.history, visit_unit(before))} "
        reason += "before it are left out."
    if kept < patients:
        reason += f" {patients - kept:,} patients have no possible index visit and are set aside."
    folded = note_step(folded, before, "visits", reason)
    return _tell_shares(folded) if is_course(folded.columns) else folded


def _seen_visits(folded: Dataset) -> np.ndarray:
    """Return which visits any row looks at, bool (visits,)."""
    edges = np.zeros(len(folded.visits) + 1, dtype=np.int64)
    if is_course(folded.columns):
        for word in folded.frame[series_column(folded.columns).name]:
            window = read_window(word)
            edges[window.start] += 1
            edges[window.stop] -= 1
    return edges[:-1].cumsum() > 0


def _tell_shares(folded: Dataset) -> Dataset:
    """Say how often each thing was measured at the visits that are looked at."""
    names = series_column(folded.columns).made_of
    shares = folded.visits.loc[_seen_visits(folded)].iloc[:, 1:].notna().mean()
    listed = ", ".join(f"{name} {share:.0%}" for name, share in zip(names, shares, strict=True))
    reason = f"Measured at these visits: {listed}; what was not stays a gap that the model is told."
    return note_step(folded, folded, MEASURED_AT, reason, names)


def _set_aside_unknown(dataset: Dataset, answer: Answer) -> Dataset:
    """Set aside rows whose outcome nobody saw, where that is because of the horizon."""
    made = next((c for c in answer.columns if c.made_of and c.role == "outcome"), None)
    if made is None:
        return dataset
    known = dataset.frame[made.name].notna()
    if not known.any():
        raise DataError(
            f"No patient is left to learn from: all {len(known):,} {answer.why}. Choose a shorter "
            "horizon (series.horizon) or an earlier index visit."
        )
    if known.all():
        return dataset
    reason = f"{int((~known).sum()):,} patients {answer.why}; they are set aside."
    return note_step(replace(dataset, frame=dataset.frame[known]), dataset, "not followed", reason)
