"""What is predicted: which column, as which task, and with which classes."""

from __future__ import annotations

import pandas as pd

from medcore.config import RunConfig, Task
from medcore.data.followup import event_causes, find_event, main_cause
from medcore.data.kinds import ABSENT
from medcore.data.labels import name_labels, wants_labels
from medcore.data.ledger import set_words, write_words
from medcore.data.treatment import find_treatment
from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset

FEW_VALUES = 10
MOST_CLASSES = 100


def find_outcome(dataset: Dataset) -> Column:
    """Return the column that is predicted (the first of several); for a question of time the event.

    Raises `ConfigError` when the roles do not make a question.
    """
    found = find_event(dataset) or _one_outcome(dataset)
    if not dataset.with_role("input"):
        raise ConfigError("No column has the role input; choose what the model may look at.")
    return found


def _one_outcome(dataset: Dataset) -> Column:
    outcomes = dataset.with_role("outcome")
    if not outcomes:
        timed = dataset.with_role("duration")
        event = f" (or the event, for the time to it in '{timed[0].name}')" if timed else ""
        raise ConfigError(f"No outcome is chosen; say which column is to be predicted{event}.")
    for column in outcomes:
        if column.kind not in ("number", "category"):
            raise ConfigError(
                f"The outcome '{column.name}' holds {column.kind}; "
                "choose a column of numbers or categories."
            )
    return outcomes[0]


def infer_task(dataset: Dataset, config: RunConfig | None = None) -> Task:
    """Return the task that the outcome asks for, or the one the settings name.

    A number with at most 10 different whole values is taken as classes; a duration with an event
    asks for survival, a treatment for its effect, several outcomes or several findings in a cell
    for all of them at once.
    """
    outcome = find_outcome(dataset)
    named = None if config is None else config.task
    if named in (None, "effect") and (named or dataset.with_role("treatment")):
        find_treatment(dataset)
        return "effect"
    if (outcome.role == "event") != (named == "survival") and named is not None:
        raise ConfigError(
            "The task survival needs a column with the role duration and one with the role event, "
            "and they need it: set task to none, or change the roles."
        )
    if outcome.role == "event":
        return "survival"
    if wants_labels(dataset, config):
        if named not in (None, "multilabel"):
            raise ConfigError(
                f"Several outcomes at once are no question of the task {named}: keep one outcome "
                "and no separator (outcome.separator), or set task to none."
            )
        return "multilabel"
    if named == "multilabel":
        raise ConfigError(
            f"The task multilabel needs several outcomes, and '{outcome.name}' is one: give "
            "further columns the role outcome, or say what stands between several findings in a "
            "cell (outcome.separator)."
        )
    values = dataset.frame[outcome.name].dropna()
    if named is not None:
        return _check_task(named, outcome, values)
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


def check_numbers(dataset: Dataset, outcome: Column) -> Dataset:
    if dataset.frame[outcome.name].nunique() < 2:
        raise DataError(f"The outcome '{outcome.name}' has one value only; nothing can be learned.")
    return dataset


def check_classes(dataset: Dataset, outcome: Column, config: RunConfig) -> None:
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
    than two classes. Time to event: the causes, and the one whose risk is told. Effect of
    treatment: the positive class is the second. Several findings: their names, in the order of
    their columns.
    """
    task = infer_task(dataset, config)
    if task == "regression" or (task == "effect" and _is_amount(dataset)):
        return (), None
    if task == "multilabel":
        return name_labels(dataset, config), None
    if task == "survival":
        causes = event_causes(dataset, config)
        return causes, main_cause(dataset, causes, config)
    counts = write_words(dataset.frame[find_outcome(dataset).name].dropna()).value_counts()
    classes = tuple(sorted((str(name) for name in counts.index), key=_sort_key))
    if len(classes) != 2:
        return classes, None
    present = [name for name in classes if name.strip().lower() not in ABSENT]
    rarer = min(classes, key=lambda name: counts[name])
    positive = config.outcome.positive or (present[0] if len(present) == 1 else rarer)
    if task == "effect":
        classes = tuple(sorted(classes, key=lambda name: name == positive))
    return classes, positive


def _is_amount(dataset: Dataset) -> bool:
    """Tell whether the outcome of a treatment is a number rather than yes or no."""
    outcome = find_outcome(dataset)
    return outcome.kind == "number" and dataset.frame[outcome.name].nunique() > 2


def check_effect(dataset: Dataset, outcome: Column, config: RunConfig) -> Dataset:
    """Return the data set with a yes/no outcome as words; numbers stay.

    Raises `DataError` for an outcome of more than two classes, or of one value.
    """
    if _is_amount(dataset):
        return check_numbers(dataset, outcome)
    count = dataset.frame[outcome.name].nunique()
    if count > 2:
        raise DataError(
            f"The outcome '{outcome.name}' has {count:,} classes; the effect of a treatment is "
            "told for a number or a yes/no outcome: choose another column, or group its values "
            "into two."
        )
    dataset = set_words(dataset, outcome.name, write_words(dataset.frame[outcome.name]))
    check_classes(dataset, outcome, config)
    return dataset


def _sort_key(name: str) -> tuple[int, float, str]:
    try:
        return (0, float(name), name)
    except ValueError:
        return (1, 0.0, name)
