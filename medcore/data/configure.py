"""From a read table and its settings to the rows that are trained on; every step in the ledger."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, Task
from medcore.data.kinds import list_categories
from medcore.data.repair import apply_repairs, convert_kind
from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset, LedgerEntry
from medcore.strategies import check_strategies

FEW_VALUES = 10
MOST_CLASSES = 100
ABSENT = {
    "no", "n", "0", "false", "f", "negative", "neg", "absent", "none", "benign", "alive", "normal",
    "healthy", "control", "survived",
}  # fmt: skip


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
    # One outcome at a time: naming another one frees the column that held the role.
    new_outcome = "outcome" in config.data.roles.values()
    left_out = {r.column for r in config.data.repairs if r.action == "ignore_column"}
    roles = {**config.data.roles, **dict.fromkeys(left_out, "ignored")}
    columns = []
    for column in dataset.columns:
        kind = config.data.kinds.get(column.name, column.kind)
        if kind != column.kind:
            frame[column.name] = convert_kind(frame[column.name], kind, column.name)
        held = "ignored" if new_outcome and column.role == "outcome" else column.role
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

    Applies what the user agreed to, reads infinite numbers as missing, sets rows without an
    outcome aside, and leaves empty columns out; each step is a ledger entry. Raises `DataError`
    or `ConfigError` when nothing can be trained, e.g. a class with a single row.
    """
    dataset = assign_columns(dataset, config)
    outcome = _find_outcome(dataset)
    dataset = _clear_infinite(dataset)
    dataset = _set_aside(dataset, outcome)
    dataset = _leave_out_empty(dataset)
    task = infer_task(dataset, config)
    check_strategies(config, task)
    if task == "regression":
        return _check_numbers(dataset, outcome)
    words = _class_words(dataset.frame[outcome.name])
    dataset = _with_column(dataset, outcome.name, words)
    _check_classes(dataset, outcome, config)
    return dataset


def _find_outcome(dataset: Dataset) -> Column:
    outcomes = dataset.with_role("outcome")
    if not outcomes:
        raise ConfigError("No outcome is chosen; say which column is to be predicted.")
    if len(outcomes) > 1:
        names = "' and '".join(column.name for column in outcomes[:2])
        raise ConfigError(f"'{names}' both have the role outcome; keep one.")
    if outcomes[0].kind not in ("number", "category"):
        raise ConfigError(
            f"The outcome '{outcomes[0].name}' holds {outcomes[0].kind}; "
            "choose a column of numbers or categories."
        )
    if not dataset.with_role("input"):
        raise ConfigError("No column has the role input; choose what the model may look at.")
    return outcomes[0]


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
    return _keep(replace(dataset, frame=frame), dataset, "infinite", reason, tuple(found))


def _set_aside(dataset: Dataset, outcome: Column) -> Dataset:
    known = dataset.frame[outcome.name].notna()
    if known.all():
        return dataset
    if not known.any():
        raise DataError(f"The outcome '{outcome.name}' is missing in every row; choose another.")
    left = replace(dataset, frame=dataset.frame[known])
    count = int((~known).sum())
    reason = f"{count:,} rows without '{outcome.name}' are set aside; outcomes are never guessed."
    return _keep(left, dataset, "outcome missing", reason, (outcome.name,))


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
    return _keep(replace(dataset, columns=columns), dataset, "empty columns", reason, tuple(empty))


def _keep(
    after: Dataset, before: Dataset, step: str, reason: str, names: tuple[str, ...]
) -> Dataset:
    entry = LedgerEntry(
        step,
        reason,
        len(before.frame),
        len(after.frame),
        len(before.with_role("input")),
        len(after.with_role("input")),
        names,
    )
    return replace(after, ledger=(*after.ledger, entry))


def _with_column(dataset: Dataset, name: str, values: pd.Series) -> Dataset:
    frame = dataset.frame.copy(deep=False)
    frame[name] = values
    columns = tuple(
        replace(c, kind="category", categories=list_categories(values)) if c.name == name else c
        for c in dataset.columns
    )
    return replace(dataset, frame=frame, columns=columns)


def infer_task(dataset: Dataset, config: RunConfig | None = None) -> Task:
    """Return the task that the outcome asks for, or the one the settings name.

    A number with at most 10 different whole values is taken as classes.
    """
    outcome = _find_outcome(dataset)
    values = dataset.frame[outcome.name].dropna()
    if config is not None and config.task is not None:
        return _check_task(config.task, outcome, values)
    if outcome.kind == "number" and not _few_whole(values):
        return "regression"
    return "binary" if values.nunique() <= 2 else "multiclass"


def _few_whole(values: pd.Series) -> bool:
    return values.nunique() <= FEW_VALUES and bool((values % 1 == 0).all())


def _check_task(task: Task, outcome: Column, values: pd.Series) -> Task:
    if task == "regression" and outcome.kind != "number":
        raise ConfigError(
            f"The outcome '{outcome.name}' holds words; a number cannot be predicted."
        )
    if task == "binary" and values.nunique() > 2:
        raise ConfigError(
            f"The outcome '{outcome.name}' has {values.nunique():,} values; two are needed for a "
            "yes/no outcome."
        )
    return "multiclass" if task == "multiclass" and values.nunique() > 2 else task


def _class_words(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values):
        return values.map(lambda value: f"{value:g}").astype("string")
    return values.astype("string")


def _check_numbers(dataset: Dataset, outcome: Column) -> Dataset:
    if dataset.frame[outcome.name].nunique() < 2:
        raise DataError(f"The outcome '{outcome.name}' has one value only; nothing can be learned.")
    return dataset


def _check_classes(dataset: Dataset, outcome: Column, config: RunConfig) -> None:
    counts = dataset.frame[outcome.name].value_counts()
    if len(counts) < 2:
        raise DataError(
            f"The outcome '{outcome.name}' has one value only ('{counts.index[0]}'); "
            "nothing can be learned from it."
        )
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f"The outcome '{outcome.name}' has {len(counts):,} classes; at most {MOST_CLASSES} "
            "can be learned. Group them, or choose another column."
        )
    single = [str(name) for name, count in counts.items() if count < 2]
    if single:
        raise DataError(
            f"The class '{single[0]}' of '{outcome.name}' has a single row"
            + (f", and so have {len(single) - 1} others" if len(single) > 1 else "")
            + "; set such rows aside or merge the class with another."
        )
    positive = config.outcome.positive
    if positive is not None and positive not in set(counts.index):
        raise ConfigError(
            f"The positive class '{positive}' does not occur in '{outcome.name}'; "
            f"there are {', '.join(map(str, counts.index[:8]))}."
        )
    order = config.outcome.order
    if order and sorted(order) != sorted(map(str, counts.index)):
        raise ConfigError(
            f"The order of the classes (outcome.order) must name each class of '{outcome.name}' "
            f"once: {', '.join(map(str, counts.index[:8]))}."
        )


def outcome_classes(dataset: Dataset, config: RunConfig) -> tuple[tuple[str, ...], str | None]:
    """Return the classes in sorted order and the positive one.

    That is the one named in the settings; else the one beside a word for absence ("no", "0",
    "benign", …); else the rarer. Both are empty for a number; the positive class is None with more
    than two classes.
    """
    if infer_task(dataset, config) == "regression":
        return (), None
    counts = _class_words(dataset.frame[_find_outcome(dataset).name].dropna()).value_counts()
    classes = tuple(sorted((str(name) for name in counts.index), key=_sort_key))
    if len(classes) != 2:
        return classes, None
    present = [name for name in classes if name.strip().lower() not in ABSENT]
    rarer = min(classes, key=lambda name: counts[name])
    return classes, config.outcome.positive or (present[0] if len(present) == 1 else rarer)


def _sort_key(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)


def configure_rows(
    new: Dataset, columns: Iterable[Column], config: RunConfig
) -> tuple[Dataset, ColumnMatch]:
    """Return new patients' rows as the model's table had them; no row is dropped.

    Raises `DataError` when not one input column is there.
    """
    wanted = [column for column in columns if column.role == "input"]
    frame = new.frame
    missing = tuple(column.name for column in wanted if column.name not in frame.columns)
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
    return ready, ColumnMatch(missing, extra, tuple(sentences))


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
    }
