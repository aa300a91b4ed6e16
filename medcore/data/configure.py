"""From a read table and its settings to the rows that are trained on; every step in the ledger."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data.course import fold_again, fold_rows, fold_visits, is_course
from medcore.data.followup import configure_followup
from medcore.data.kinds import list_categories
from medcore.data.labels import configure_labels
from medcore.data.ledger import note_step, set_words, write_words
from medcore.data.outcome import (
    check_classes,
    check_effect,
    check_numbers,
    find_outcome,
    infer_task,
)
from medcore.data.repair import apply_repairs, convert_kind
from medcore.data.treatment import configure_treatment
from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset
from medcore.strategies import check_kinds, check_strategies


@dataclass(frozen=True)
class ColumnMatch:
    """How new patients' columns fit the model's; `sentences` say it in words."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    sentences: tuple[str, ...]


def assign_columns(dataset: Dataset, config: RunConfig) -> Dataset:
    """Return the data set with the repairs, kinds, roles and units of the settings.

    Raises `ConfigError` for a column that does not exist, naming the nearest one.
    """
    given = (config.data.roles, config.data.kinds, config.data.units)
    for name in dict.fromkeys(name for part in given for name in part):
        _check_column(dataset, name)
    dataset = apply_repairs(dataset, config.data.repairs, training=True)
    return _assign(dataset, config)


def _assign(dataset: Dataset, config: RunConfig) -> Dataset:
    frame = dataset.frame.copy(deep=False)
    # One question at a time: naming its column frees the one that held the role.
    given = set(config.data.roles.values())
    freed = {"outcome", "event"} if given & {"outcome", "event"} else set()
    freed |= given & {"duration", "treatment"}
    left_out = {r.column for r in config.data.repairs if r.action == "ignore_column"}
    roles = {**config.data.roles, **dict.fromkeys(left_out, "ignored")}
    columns = []
    for column in dataset.columns:
        kind = config.data.kinds.get(column.name, column.kind)
        if kind != column.kind:
            frame[column.name] = convert_kind(frame[column.name], kind, column.name)
        held = "ignored" if column.role in freed else column.role
        categories = list_categories(frame[column.name]) if kind == "category" else ()
        columns.append(
            replace(
                column,
                kind=kind,
                role=roles.get(column.name, held),
                unit=config.data.units.get(column.name, column.unit),
                categories=categories,
            )
        )
    return replace(dataset, frame=frame, columns=tuple(columns))


def _check_column(dataset: Dataset, name: str) -> None:
    names = [column.name for column in dataset.columns]
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(names[:8])}."
    raise ConfigError(f"There is no column '{name}'{hint}")


def configure_dataset(dataset: Dataset, config: RunConfig) -> Dataset:
    """Return the rows and columns that a run uses.

    Applies what the user agreed to, reads infinite numbers as missing, makes one row a patient of
    a table of visits, sets rows without an outcome aside, and leaves empty columns out; each step
    is a ledger entry. Raises `DataError` or `ConfigError` when nothing can be trained, e.g. a class
    with a single row.
    """
    dataset = fold_visits(_clear_infinite(assign_columns(dataset, config)), config)
    outcome = find_outcome(dataset)
    task = infer_task(dataset, config)
    if task != "multilabel":
        dataset = _set_aside(dataset, outcome)
    check_strategies(config, task)
    check_kinds(config, {column.name: column.kind for column in dataset.with_role("input")})
    if task == "survival":
        return _leave_out_empty(configure_followup(dataset, config))
    if task == "multilabel":
        return _leave_out_empty(configure_labels(dataset, config))
    if task == "effect":
        dataset = configure_treatment(check_effect(dataset, outcome, config), config)
        return _leave_out_empty(dataset)
    dataset = _leave_out_empty(dataset)
    if task == "regression":
        return check_numbers(dataset, outcome)
    words = write_words(dataset.frame[outcome.name])
    dataset = set_words(dataset, outcome.name, words)
    check_classes(dataset, outcome, config)
    return dataset


def _clear_infinite(dataset: Dataset) -> Dataset:
    frame = dataset.frame.copy(deep=False)
    found = {}
    for column in dataset.columns:
        values = frame[column.name]
        if values.dtype.kind == "f" and (count := int(np.isinf(values).sum())):
            frame[column.name] = values.replace([np.inf, -np.inf], np.nan)
            found[column.name] = count
    if not found:
        return dataset
    listed = ", ".join(f"{name} ({count:,})" for name, count in found.items())
    reason = f"Infinite numbers are read as missing: {listed}."
    return note_step(replace(dataset, frame=frame), dataset, "infinite", reason, tuple(found))


def _set_aside(dataset: Dataset, outcome: Column) -> Dataset:
    known = dataset.frame[outcome.name].notna()
    if known.all():
        return dataset
    if not known.any():
        raise DataError(f"The outcome '{outcome.name}' is missing in every row; choose another.")
    left = replace(dataset, frame=dataset.frame[known], aside=dataset.frame[~known])
    count = int((~known).sum())
    reason = f"{count:,} rows without '{outcome.name}' are set aside; outcomes are never guessed."
    return note_step(left, dataset, "outcome missing", reason, (outcome.name,))


def _leave_out_empty(dataset: Dataset) -> Dataset:
    inputs = dataset.with_role("input")
    empty = [c.name for c in inputs if not dataset.frame[c.name].notna().any()]
    if not empty:
        return dataset
    if len(empty) == len(inputs):
        raise DataError("Every input column is empty; choose other inputs.")
    columns = tuple(
        replace(column, role="ignored") if column.name in empty else column
        for column in dataset.columns
    )
    reason = f"Left out, no value in any row: {', '.join(empty)}."
    return note_step(
        replace(dataset, columns=columns), dataset, "empty columns", reason, tuple(empty)
    )


def configure_rows(
    new: Dataset, columns: Iterable[Column], config: RunConfig, *, outcome: bool = False
) -> tuple[Dataset, ColumnMatch]:
    """Return new patients' rows as the model's table had them; no row is dropped.

    Of a table of visits each row is seen from its visit: nothing later is looked at; with
    `outcome`, there is a row for each index visit, as in training, with what became of the patient.

    Raises `DataError` when not one input column is there.
    """
    columns = tuple(columns)
    course = is_course(columns)
    wanted = [c for c in columns if c.role in ("input", "measurement") and not c.made_of]
    new = _name_media(new, wanted)
    frame = new.frame
    missing = tuple(column.name for column in wanted if column.name not in frame.columns)
    if course:
        _check_visits(frame, columns)
    known = {column.name for column in columns}
    extra = tuple(str(name) for name in frame.columns if name not in known)
    if len(missing) == len(wanted):
        raise DataError(
            "None of the model's input columns is in the new table; it needs "
            f"{', '.join(column.name for column in wanted[:6])}"
            + (f" and {len(wanted) - 6} more." if len(wanted) > 6 else ".")
        )
    sentences = []
    if missing:
        sentences.append(f"Not in the table, treated as unknown: {', '.join(missing)}.")
    if extra:
        sentences.append(f"Not used by the model: {', '.join(extra)}.")
    repaired = apply_repairs(new, config.data.repairs, training=False)
    converted = repaired.frame.copy(deep=False)
    for column in columns:
        if column.name in converted.columns and column.role != "ignored":
            converted[column.name] = _like_training(converted[column.name], column)
    ready = replace(repaired, frame=converted, columns=tuple(columns))
    if course:
        ready = (fold_again if outcome else fold_rows)(ready, columns, config)
    return ready, ColumnMatch(missing, extra, tuple(sentences))


def _check_visits(frame: pd.DataFrame, columns: tuple[Column, ...]) -> None:
    for column in columns:
        if column.role in ("patient", "visit") and column.name not in frame.columns:
            what = "whose visit" if column.role == "patient" else "when the visit"
            raise DataError(
                f"The new table has no column '{column.name}', which says {what} each row is; the "
                "model looks at the visits of a patient in their order."
            )


def _name_media(new: Dataset, wanted: Sequence[Column]) -> Dataset:
    """Call the only pictures, or recordings, as the model does: a zip of them has no name."""
    names = {}
    for kind in ("image", "audio", "series"):
        ours = [column.name for column in wanted if column.kind == kind]
        theirs = [column.name for column in new.columns if column.kind == kind]
        if len(ours) == 1 and len(theirs) == 1 and ours[0] not in new.frame.columns:
            names[theirs[0]] = ours[0]
    columns = tuple(replace(c, name=names.get(c.name, c.name)) for c in new.columns)
    return replace(new, frame=new.frame.rename(columns=names), columns=columns)


def _like_training(values: pd.Series, column: Column) -> pd.Series:
    if not values.notna().any():
        empty = {"number": "float64", "date": "datetime64[us]"}.get(column.kind, "string")
        return pd.Series([None] * len(values), index=values.index).astype(empty)
    if column.kind == "number":
        converted = convert_kind(values, "number", column.name)
        return converted.astype("float64").replace([np.inf, -np.inf], np.nan)
    return convert_kind(values, column.kind, column.name)


def dataset_json(dataset: Dataset) -> dict[str, Any]:
    """Return a data set's description as the content of `dataset.json`."""
    return {
        "name": dataset.name,
        "source": dataset.source,
        "sha256": dataset.sha256,
        "rows": len(dataset.frame),
        "columns": [asdict(column) for column in dataset.columns],
        "ledger": [asdict(entry) for entry in dataset.ledger],
        "horizons": [asdict(horizon) for horizon in dataset.horizons],
        "reading": list(dataset.reading),
    }
