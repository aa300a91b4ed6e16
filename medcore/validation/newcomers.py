"""A new table made ready to judge a frozen model on: columns, outcome, units, and who is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from medcore.config import RunConfig
from medcore.data import configure_rows, is_course, outcome_sources
from medcore.errors import DataError
from medcore.records import Column, Dataset
from medcore.validation.units import Question, find_conversion, suspect_unit, write_question


@dataclass(frozen=True, eq=False)
class Newcomers:
    """New patients as the model's table had them.

    `dataset` holds those with a known outcome; `sentences` say what was missing, set aside or
    converted; `questions` are units that look different and were not answered yet.
    """

    dataset: Dataset
    sentences: tuple[str, ...]
    questions: tuple[Question, ...]


def read_newcomers(
    new: Dataset,
    columns: tuple[Column, ...],
    classes: tuple[str, ...],
    config: RunConfig,
    cohort: Mapping[str, Any] | None,
    answers: Mapping[str, str],
) -> Newcomers:
    """Match a new table with a run's columns.

    `classes`: the outcome's (time to event: the causes), none for a number. `cohort`: the run's
    `cohort.json`, if it has one. `answers`: by column, the conversion agreed to, or "keep". Raises
    `DataError` for a table without the outcome (or the follow-up), without any input, or with
    outcomes that the model does not know.
    """
    told = [column for column in columns if column.role in ("outcome", "event")]
    if told[0].role == "event":
        told += [column for column in columns if column.role == "duration"][:1]
    course = is_course(columns)
    needed = outcome_sources(columns) if course else [column.name for column in told]
    for name in needed:
        if name not in new.frame.columns:
            raise DataError(
                f"The new table has no column '{name}', which says what happened to the "
                "patients. Without it the model cannot be judged; Predict works without it."
            )
    if course:
        # What was measured at visits is converted before they become courses.
        new, converted = _convert(new, answers)
    ready, match = configure_rows(new, columns, config, outcome=course)
    folded = tuple(entry.reason for entry in ready.ledger[len(new.ledger) :])
    there = tuple(column for column in columns if column.name in ready.frame.columns)
    ready = replace(ready, columns=there)
    ready, aside = _set_aside(ready, told)
    if classes and not new.labels:
        _check_classes(ready.frame[told[0].name], told[0], classes)
    if not course:
        ready, converted = _convert(ready, answers)
    questions = tuple(_ask(ready, cohort, answers)) if cohort else ()
    sentences = (*match.sentences, *folded, *aside, *_tell_unseen(ready), *converted)
    return Newcomers(ready, sentences, questions)


def _set_aside(dataset: Dataset, told: list[Column]) -> tuple[Dataset, tuple[str, ...]]:
    words = []
    for column in told:
        values = dataset.frame[column.name]
        known = values > 0 if column.role == "duration" else values.notna()
        if not known.any():
            raise DataError(
                f"The outcome '{column.name}' is missing in every row of the new table."
            )
        count = int((~known).sum())
        if count:
            dataset = replace(dataset, frame=dataset.frame[known])
            words.append(
                f"{count:,} rows without '{column.name}' are set aside; outcomes are never guessed."
            )
    return dataset, tuple(words)


def _check_classes(values: pd.Series, outcome: Column, classes: tuple[str, ...]) -> None:
    """Refuse words that development did not know; of an event they would all count as censored."""
    counts = values.astype("string").value_counts()
    known = {*classes, *outcome.categories}
    strange = [str(name) for name in counts.index if name not in known]
    if strange:
        rows, words = int(counts[strange].sum()), ", ".join(strange[:3])
        raise DataError(
            f"The outcome '{outcome.name}' holds '{words}' in {rows:,} rows of the new "
            f"table, where the model knows {', '.join(sorted(known)[:8])}; write them alike."
        )


def _tell_unseen(dataset: Dataset) -> Iterable[str]:
    """Say which categories development did not have; often they are only written otherwise."""
    for column in dataset.with_role("input"):
        if column.kind != "category" or not column.categories:
            continue
        values = dataset.frame[column.name].dropna().astype("string")
        counts = values[~values.isin(list(column.categories))].value_counts()
        if len(counts):
            listed = ", ".join(f"'{word}'" for word in counts.index[:3])
            more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
            yield (
                f"'{column.name}' holds {listed}{more} in {int(counts.sum()):,} rows, which "
                "development did not have; the model treats them as unknown. Written otherwise?"
            )


def _convert(dataset: Dataset, answers: Mapping[str, str]) -> tuple[Dataset, tuple[str, ...]]:
    frame, words = dataset.frame.copy(deep=False), []
    for name, answer in answers.items():
        if name not in frame.columns:
            raise DataError(f"The new table has no column '{name}' to convert.")
        conversion = find_conversion(name, answer)
        if conversion is not None:
            frame[name] = conversion.apply(frame[name])
            words.append(f"'{name}' was converted as agreed: {conversion.name}.")
    return replace(dataset, frame=frame), tuple(words)


def _ask(
    dataset: Dataset, cohort: Mapping[str, Any], answers: Mapping[str, str]
) -> Iterable[Question]:
    part = development_part(cohort)
    for column in cohort["columns"]:
        name = column["name"]
        wanted = column["kind"] == "number" and column["role"] in ("input", "outcome")
        if not wanted or name in answers or name not in dataset.frame.columns:
            continue
        values, told = dataset.frame[name], column["parts"][part]
        if not pd.api.types.is_numeric_dtype(values):
            continue
        conversion = suspect_unit(name, told, values.astype("float64"))
        if conversion is not None:
            yield write_question(name, conversion, told, values)


def development_part(cohort: Mapping[str, Any]) -> str:
    """Return which part of `cohort.json` holds the development patients."""
    return "development" if "development" in cohort["parts"] else "all"
