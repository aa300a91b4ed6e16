"""What is asked of a course: from which visits is predicted, and what became of the patient then.

An answer holds one entry a visit: whether it may be an index visit, and the outcome seen from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data.course.visits import Visits, read_times
from medcore.data.followup import find_event, read_censored
from medcore.data.kinds import ABSENT
from medcore.data.ledger import write_words
from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset

YES, NO = "yes", "no"


@dataclass(frozen=True, eq=False)
class Answer:
    """What is predicted, seen from each visit.

    `possible` (visits,) bool: may be an index visit; `values` the outcome by column, in the order
    of the visits, missing where it is not known; `columns` replace the data set's of the same name
    or are new. `usual` is the index visit where none was asked for, `why` says why a visit has no
    outcome.
    """

    possible: np.ndarray
    values: dict[str, pd.Series]
    columns: tuple[Column, ...]
    usual: str
    why: str = ""


def answer_visits(dataset: Dataset, visits: Visits, index: np.ndarray, config: RunConfig) -> Answer:
    """Return the answer that the roles and the horizon ask for.

    `index` (visits,) is the time from which is predicted if a visit is the index visit. Raises
    `ConfigError` or `DataError` where the roles make no question.
    """
    horizon = config.series.horizon
    if find_event(dataset) is not None:
        return _answer_event(dataset, visits, index, config)
    outcomes = dataset.with_role("outcome")
    everywhere = np.ones(len(index), dtype=bool)
    if len(outcomes) != 1:
        return _answer_several(visits, outcomes, everywhere)
    outcome = outcomes[0]
    values = visits.frame[outcome.name]
    if not varies(values, visits.first):
        if horizon is not None:
            raise ConfigError(
                f"'{outcome.name}' does not say when it happened, so no horizon can be kept: give "
                "the roles duration and event to the columns that tell, or take the horizon away "
                "(series.horizon)."
            )
        settled = values.groupby(visits.first).transform("first")
        return Answer(everywhere, {outcome.name: settled}, (outcome,), "last")
    number = outcome.kind == "number" and config.task not in ("binary", "multiclass")
    if number and values.nunique() > 2:
        return _answer_number(visits, outcome, index, horizon)
    return _answer_status(visits, outcome, index, config)


def _answer_several(visits: Visits, outcomes: tuple[Column, ...], everywhere: np.ndarray) -> Answer:
    """Several findings of each patient, none of which changes from visit to visit; or none."""
    moving = [c.name for c in outcomes if varies(visits.frame[c.name], visits.first)]
    if moving:
        raise ConfigError(
            f"'{moving[0]}' changes from visit to visit; several findings at once must be the same "
            "in all rows of a patient: keep one outcome."
        )
    frames = ((c.name, visits.frame[c.name]) for c in outcomes)
    settled = {name: values.groupby(visits.first).transform("first") for name, values in frames}
    return Answer(everywhere, settled, outcomes, "last")


def varies(values: pd.Series, first: np.ndarray) -> bool:
    """Tell whether a column changes within any patient."""
    return bool((values.groupby(first).nunique() > 1).any())


def write_span(length: float, unit: str) -> str:
    """Return a length of time in words.

    >>> write_span(12.0, "months"), write_span(2.0, "")
    ('12 months', '2')
    """
    return f"{length:g} {unit}".strip()


def visit_unit(dataset: Dataset) -> str:
    """Return the unit of the visits' times; empty where nobody said."""
    visit = dataset.with_role("visit")[0]
    return visit.unit or ("days" if visit.kind == "date" else "")


def _answer_event(dataset: Dataset, visits: Visits, index: np.ndarray, config: RunConfig) -> Answer:
    """Event within the horizon, or the time to it from the index visit."""
    event, duration = find_event(dataset), dataset.with_role("duration")[0]
    end = _end_of_followup(visits, duration, dataset)
    words = write_words(visits.frame[event.name]).groupby(visits.first).transform("first")
    free = read_censored(words.dropna(), event.name, config)
    happened = (words.notna() & ~words.isin(free)).to_numpy(bool)
    left = end - index
    with np.errstate(invalid="ignore"):
        possible = (left > 0) & words.notna().to_numpy(bool)
    horizon = config.series.horizon
    if horizon is None:
        told = {duration.name: pd.Series(left, index=words.index), event.name: words}
        note = "Counted from the index visit."
        return Answer(
            possible, told, (replace(duration, kind="number", note=note), event), "random"
        )
    named = config.outcome.positive
    mine = happened & ((words == named).to_numpy(bool) if named in set(words.dropna()) else True)
    with np.errstate(invalid="ignore"):
        within, seen = left <= horizon, left >= horizon
    said = np.where(mine & within, YES, np.where(seen | (happened & within), NO, None))
    span = write_span(horizon, visit_unit(dataset))
    name = f"{event.name if named is None else f'{event.name} = {named}'} within {span}"
    column = Column(name, "category", "outcome", categories=(NO, YES),
                    note=f"'{event.name}' at most {span} after the index visit.",
                    made_of=(duration.name, event.name))  # fmt: skip
    gone = (replace(duration, role="ignored"), replace(event, role="ignored"))
    why = f"were not followed for {span} after the index visit and had no event by then"
    values = {name: pd.Series(said, index=words.index).astype("string")}
    return Answer(possible, values, (column, *gone), "random", why)


def _end_of_followup(visits: Visits, duration: Column, dataset: Dataset) -> np.ndarray:
    """Return when each visit's patient had the event or was last seen, on the visits' clock.

    A date is that day; a number counts as the visits' numbers do, or, where these are dates, in
    days from the patient's first visit.
    """
    values = visits.frame[duration.name]
    if varies(values, visits.first):
        raise DataError(
            f"'{duration.name}' changes from visit to visit of a patient; it must be the same in "
            "all of a patient's rows, the time of the event or of the end of follow-up."
        )
    end = pd.Series(read_times(values, duration.name)).groupby(visits.first).transform("first")
    dates = dataset.with_role("visit")[0].kind == "date"
    if dates and duration.kind != "date":
        return end.to_numpy(np.float64) + visits.time[visits.first]
    return end.to_numpy(np.float64)


def _answer_number(
    visits: Visits, outcome: Column, index: np.ndarray, horizon: float | None
) -> Answer:
    """The next known value, or the last one up to the horizon."""
    values = visits.frame[outcome.name].to_numpy(np.float64, na_value=np.nan)
    place = np.where(np.isnan(values), -1, np.arange(len(values)))
    target = np.full(len(values), np.nan)
    if horizon is None:
        later = np.where(place < 0, len(values), place)
        later = np.minimum.accumulate(later[::-1])[::-1]
        nearest = np.r_[later[1:], len(values)]
        found = nearest < visits.end
        target[found] = values[nearest[found]]
        name = f"next {outcome.name}"
        note = f"The next known '{outcome.name}' after the index visit."
    else:
        earlier = np.maximum.accumulate(place)
        for at in range(len(values)):
            end = visits.first[at] + np.searchsorted(
                visits.time[visits.first[at] : visits.end[at]], index[at] + horizon, side="right"
            )
            if end - 1 > at and earlier[end - 1] > at:
                target[at] = values[earlier[end - 1]]
        name = f"{outcome.name} within {horizon:g}"
        note = f"The last known '{outcome.name}' up to {horizon:g} after the index visit."
    column = replace(outcome, name=name, note=note, made_of=(outcome.name,))
    past = replace(outcome, role="measurement")
    told = {name: pd.Series(target, index=visits.frame.index)}
    why = f"have no later '{outcome.name}'" + ("" if horizon is None else " in time")
    return Answer(~np.isnan(target), told, (column, past), "last", why)


def _answer_status(visits: Visits, outcome: Column, index: np.ndarray, config: RunConfig) -> Answer:
    """A status that is not there yet at the index visit, and is at a visit within the horizon."""
    horizon = config.series.horizon
    if horizon is None:
        raise ConfigError(
            f"'{outcome.name}' changes from visit to visit; say within what time of the index "
            "visit it is to happen (series.horizon)."
        )
    words = write_words(visits.frame[outcome.name])
    positive = config.outcome.positive or _present(words)
    on = words.eq(positive).fillna(False).to_numpy(bool)
    clock = pd.Series(visits.time)
    onset = clock.where(on).groupby(visits.first).transform("min").to_numpy(np.float64)
    seen = clock.where(words.notna().to_numpy(bool)).groupby(visits.first).transform("max")
    with np.errstate(invalid="ignore"):
        possible = ~(onset <= index)
        soon = onset <= index + horizon
        followed = seen.to_numpy(np.float64) >= index + horizon
    said = np.where(soon, YES, np.where(followed, NO, None))
    name = f"{outcome.name} = {positive} within {horizon:g}"
    note = f"'{outcome.name}' turns '{positive}' at most {horizon:g} after the index visit."
    column = Column(name, "category", "outcome", categories=(NO, YES), note=note,
                    made_of=(outcome.name,))  # fmt: skip
    why = f"were not seen for {horizon:g} after the index visit, and not '{positive}' by then"
    told = {name: pd.Series(said, index=words.index).astype("string")}
    return Answer(possible, told, (column, replace(outcome, role="ignored")), "random", why)


def _present(words: pd.Series) -> str:
    counts = words.dropna().value_counts()
    present = [name for name in counts.index if name.strip().lower() not in ABSENT]
    if len(counts) > 2 or not present:
        raise ConfigError(
            f"The outcome has the values {', '.join(map(str, counts.index[:6]))}; say which one is "
            "waited for (outcome.positive)."
        )
    return str(present[0] if len(present) == 1 else counts.index[-1])
