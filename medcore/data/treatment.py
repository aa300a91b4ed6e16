"""Effect of treatment: which column is the treatment, and which of its two arms is told."""

from __future__ import annotations

from dataclasses import replace

from medcore.config import RunConfig
from medcore.data.kinds import ABSENT
from medcore.data.ledger import note_step, set_words, write_words
from medcore.errors import ConfigError, DataError
from medcore.records import Column, Dataset

# Values of a treatment column that stand for what the treatment is compared with.
COMPARED = ABSENT | {
    "placebo", "untreated", "standard", "standard care", "usual care", "usual", "sham",
    "controls", "conventional", "not treated", "c",
}  # fmt: skip
FEWEST_ARM = 10


def find_treatment(dataset: Dataset) -> Column:
    """Return the treatment column; raises `ConfigError` when the roles do not make a question."""
    columns = dataset.with_role("treatment")
    if not columns:
        raise ConfigError(
            "The effect of a treatment needs a column with the role treatment; choose one."
        )
    if len(columns) > 1:
        names = "' and '".join(column.name for column in columns[:2])
        raise ConfigError(f"'{names}' both have the role treatment; keep one.")
    treatment = columns[0]
    if dataset.with_role("event"):
        raise ConfigError(
            f"The effect of '{treatment.name}' on the time to an event is not told yet: choose a "
            "yes/no outcome by a fixed time or a number, or take the role treatment away."
        )
    outcomes = dataset.with_role("outcome")
    if len(outcomes) > 1:
        names = "' and '".join(column.name for column in outcomes[:2])
        raise ConfigError(
            f"The effect of '{treatment.name}' is told for one outcome at a time, and '{names}' "
            "both have the role outcome; keep one."
        )
    if treatment.kind not in ("number", "category"):
        raise ConfigError(
            f"The treatment '{treatment.name}' holds {treatment.kind}; choose a column that says "
            "which of two arms each patient was in."
        )
    return treatment


def configure_treatment(dataset: Dataset, config: RunConfig) -> Dataset:
    """Return the rows whose arm is known, the treatment as words; each step is in the ledger.

    Raises `DataError` unless there are two arms with patients enough.
    """
    treatment = find_treatment(dataset)
    dataset = _set_aside(dataset, treatment)
    words = write_words(dataset.frame[treatment.name])
    dataset = set_words(dataset, treatment.name, words)
    control, treated = treatment_arms(dataset, config)
    counts = words.value_counts()
    told = (
        f"Compared: '{treatment.name}' = '{treated}' ({counts[treated]:,} rows, called treated) "
        f"with '{control}' ({counts[control]:,} rows)."
    )
    return note_step(dataset, dataset, "treatment", told, (treatment.name,))


def treatment_arms(dataset: Dataset, config: RunConfig) -> tuple[str, str]:
    """Return the two values of the treatment column: what is compared with, and the treated.

    Treated is the one named in the settings; else the one beside a word for none; else the last.
    Raises `DataError` unless there are two arms with patients enough.
    """
    name = find_treatment(dataset).name
    counts = write_words(dataset.frame[name].dropna()).value_counts()
    values = sorted(map(str, counts.index))
    if len(values) < 2:
        only = f"everybody has '{values[0]}'" if values else "no row has a value"
        raise DataError(
            f"The treatment '{name}' has one arm only: {only}, so that there is nobody to compare "
            "with. Choose another column, or bring patients of both arms."
        )
    if len(values) > 2:
        listed = ", ".join(f"'{value}'" for value in values[:6])
        raise DataError(
            f"The treatment '{name}' has {len(values):,} values ({listed}); an effect compares two "
            "arms: keep the rows of two of them, or group the values into two."
        )
    few = [value for value in values if counts[value] < FEWEST_ARM]
    if few:
        raise DataError(
            f"The arm '{name}' = '{few[0]}' has {counts[few[0]]} rows with a known outcome; "
            f"{FEWEST_ARM} at least are needed in each arm."
        )
    treated = config.effect.treated
    if treated is not None and treated not in values:
        raise ConfigError(
            f"'{treated}' (effect.treated) does not occur in the treatment '{name}'; there are "
            f"'{values[0]}' and '{values[1]}'."
        )
    named = [value for value in values if value.strip().lower() not in COMPARED]
    treated = treated or (named[0] if len(named) == 1 else values[-1])
    return next(value for value in values if value != treated), treated


def _set_aside(dataset: Dataset, treatment: Column) -> Dataset:
    known = dataset.frame[treatment.name].notna()
    if known.all():
        return dataset
    if not known.any():
        raise DataError(f"The treatment '{treatment.name}' is missing in every row.")
    left = replace(dataset, frame=dataset.frame[known])
    count = int((~known).sum())
    reason = f"{count:,} rows without '{treatment.name}' are set aside; arms are never guessed."
    return note_step(left, dataset, "treatment missing", reason, (treatment.name,))
