"""Findings about visits: their order, their times, and what lies beyond the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from medcore.data.course import has_visits
from medcore.data.course.visits import Visits, find_roles, order_visits, read_times
from medcore.errors import MedcoreError
from medcore.records import Dataset, Finding


def check_visits(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is to be said of a table with one row a visit."""
    if not has_visits(dataset):
        return
    try:
        visits = order_visits(dataset, training=True)
    except MedcoreError as error:
        names = tuple(column.name for column in dataset.with_role("visit"))
        yield Finding("visits_unclear", "stop", names, str(error).split(";")[0].rstrip("."),
                      f"{error} Until then no course can be learned from.")  # fmt: skip
        return
    patient, visit = find_roles(dataset)
    for step, sentence in visits.sentences:
        title = sentence.split(";")[0].rstrip(".")
        yield Finding(step.replace(" ", "_"), "hint", (visit.name,), title, sentence)
    sizes = np.bincount(visits.first)[visits.starts]
    single = int((sizes == 1).sum())
    if single:
        yield Finding(
            "single_visit", "hint", (patient.name,),
            f"{single:,} of {len(sizes):,} patients have a single visit",
            "They are used as they are; how they got there is unknown. For a forecast of the next "
            "value they are set aside.",
            {"patients": single},
        )  # fmt: skip
    yield from _check_end(dataset, visits)


def _check_end(dataset: Dataset, visits: Visits) -> Iterator[Finding]:
    for column in dataset.with_role("duration"):
        if (column.kind == "date") != (dataset.with_role("visit")[0].kind == "date"):
            continue
        end = read_times(visits.frame[column.name], column.name)
        with np.errstate(invalid="ignore"):
            late = int((visits.time > end).sum())
        if late:
            yield Finding(
                "visits_after_end", "warning", (column.name,),
                f"{late:,} visits lie after the time in “{column.name}”",
                "A visit at or after the event, or the end of follow-up, is never an index visit, "
                "and nothing of it is looked at. Check whether both times count from the same day.",
                {"visits": late},
            )  # fmt: skip
