"""Several findings a patient: a cell that names them, or a yes/no column for each.

In a run they are one column, `FINDING`, whose cells read "effusion; oedema": what is there, "none"
for nothing, and a name with a question mark for what nobody looked for. Unknown is not absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.data.kinds import ABSENT
from medcore.data.ledger import note_step, set_words, write_words
from medcore.errors import ConfigError, DataError, MedcoreError
from medcore.records import Column, Dataset

FINDING = "finding"
SEPARATOR, NOTHING, UNSURE = "; ", "none", "?"
# Words for a cell without any finding, and for one that nobody can tell.
EMPTY = ABSENT | {"no finding", "no findings", "nothing"}
UNKNOWN = {"-1", "?", "u", "uncertain", "unclear", "unknown", "not assessed"}
MOST_LABELS = 100
FEWEST = 2


def read_labels(cells: Iterable[str | None], labels: Sequence[str]) -> np.ndarray:
    """Return what cells name, float64 (rows, labels): 1 there, 0 not there, NaN unknown.

    >>> read_labels(["a; b?", "none", None], ["a", "b"]).tolist()
    [[1.0, nan], [0.0, 0.0], [nan, nan]]
    """
    place = {name: at for at, name in enumerate(labels)}
    cells = list(cells)
    found = np.zeros((len(cells), len(labels)))
    for row, cell in enumerate(cells):
        if cell is None or pd.isna(cell):
            found[row] = np.nan
            continue
        for part in cell.split(SEPARATOR):
            if part in place:
                found[row, place[part]] = 1.0
            elif part.endswith(UNSURE) and part[:-1] in place:
                found[row, place[part[:-1]]] = np.nan
    return found


def write_labels(found: np.ndarray, labels: Sequence[str]) -> list[str | None]:
    """Return the cells that `read_labels` reads; None where every label is unknown.

    >>> write_labels(np.array([[1, np.nan], [0, 0], [np.nan, np.nan]]), ["a", "b"])
    ['a; b?', 'none', None]
    """
    named = np.array([[name, f"{name}{UNSURE}"] for name in labels], dtype=object)
    cells = []
    for row in found:
        unknown = np.isnan(row)
        if unknown.all():
            cells.append(None)
            continue
        there = unknown | (row == 1)
        parts = named[there, unknown[there].astype(int)]
        cells.append(SEPARATOR.join(parts) or NOTHING)
    return cells


def wants_labels(dataset: Dataset, config: RunConfig | None) -> bool:
    """Tell whether several findings are asked for at once."""
    if dataset.labels or (config is not None and config.outcome.separator):
        return True
    return len(dataset.with_role("outcome")) > 1


def name_labels(dataset: Dataset, config: RunConfig) -> tuple[str, ...]:
    """Return the findings: the outcome columns' names, or what the outcome's cells name."""
    if dataset.labels:
        return dataset.labels
    outcomes = dataset.with_role("outcome")
    if len(outcomes) > 1:
        return tuple(column.name for column in outcomes)
    cells = _split_cells(dataset.frame[outcomes[0].name], config.outcome.separator)
    named = {part.removesuffix(UNSURE) for cell in cells if cell is not None for part in cell}
    return tuple(sorted(named))


def join_findings(dataset: Dataset, config: RunConfig) -> Dataset:
    """Return the data set with all findings in one column, where several are asked for.

    As it is, where they cannot be read; `configure_labels` then says why.
    """
    if dataset.labels or not dataset.with_role("outcome") or not wants_labels(dataset, config):
        return dataset
    try:
        labels = name_labels(dataset, config)
        check_labels(labels)
        return gather_labels(dataset, labels, config.outcome.separator)[0]
    except MedcoreError:
        return dataset


def configure_labels(dataset: Dataset, config: RunConfig) -> Dataset:
    """Return the rows of which at least one finding is known, with all findings in one column.

    Raises `DataError` or `ConfigError` for a finding that nobody has or that everybody has, by
    name, and for what cannot be read as findings.
    """
    labels = name_labels(dataset, config)
    check_labels(labels)
    joined, found = gather_labels(dataset, labels, config.outcome.separator)
    _check_both(found, labels)
    return _keep_known(joined, dataset, found, labels)


def check_labels(labels: Sequence[str]) -> None:
    """Raise `DataError` where names cannot stand for findings."""
    if len(labels) < 2:
        named = f" ('{labels[0]}')" if labels else ""
        raise DataError(
            f"The outcome names {len(labels)} finding{named}; several are needed here. Check the "
            "separator (outcome.separator), or take it out for one question."
        )
    if len(labels) > MOST_LABELS:
        raise DataError(
            f"The outcome names {len(labels):,} different findings; at most {MOST_LABELS} can be "
            "learned. Group them, or choose another column or separator."
        )
    bad = [name for name in labels if SEPARATOR in name or name.endswith(UNSURE)]
    if bad:
        raise DataError(
            f"A finding cannot be called '{bad[0]}': names hold no '{SEPARATOR}' and no question "
            "mark at their end. Rename it."
        )


def gather_labels(
    dataset: Dataset, labels: Sequence[str], separator: str | None = None
) -> tuple[Dataset, np.ndarray]:
    """Return the data set with one column of findings, and what is known of them (rows, labels).

    From the outcome's cells, divided at `separator`, or from a yes/no column for each label.
    """
    outcomes = dataset.with_role("outcome")
    if separator is not None:
        name = outcomes[0].name
        cells = _split_cells(dataset.frame[name], separator)
        found = _mark(cells, labels)
        written = pd.Series(write_labels(found, labels), dataset.frame.index, dtype="string")
        return replace(set_words(dataset, name, written), labels=tuple(labels)), found
    found = np.column_stack([read_yes(dataset.frame[name], name) for name in labels])
    name = FINDING
    while name in dataset.frame.columns:
        name += "_medcore"
    frame = dataset.frame.copy(deep=False)
    frame[name] = pd.Series(write_labels(found, labels), frame.index, dtype="string")
    columns = [
        replace(column, role="ignored") if column.role == "outcome" or column.name in labels
        else column
        for column in dataset.columns
    ]  # fmt: skip
    joined = Column(name, "category", "outcome", note=f"What {len(labels)} yes/no columns say.")
    dataset = replace(dataset, frame=frame, columns=(*columns, joined), labels=tuple(labels))
    return set_words(dataset, name, frame[name]), found


def name_findings(
    new: Dataset, name: str, labels: Sequence[str], separator: str | None
) -> tuple[Dataset, tuple[str, ...]]:
    """Return a new table with a model's findings in the column `name`, and what is to be said.

    Read from a cell that names them, or from yes/no columns; of one that is not there nothing is
    known. Raises `DataError` where the table says nothing of any.
    """
    frame, sentences = new.frame.copy(deep=False), []
    if separator is not None and name in frame.columns:
        cells = _split_cells(frame[name], separator)
        named = {part.removesuffix(UNSURE) for cell in cells if cell for part in cell}
        if strange := sorted(named - set(labels)):
            listed = ", ".join(f"'{word}'" for word in strange[:5])
            sentences.append(f"Findings that the model does not know are passed over: {listed}.")
        found = _mark(cells, labels)
    else:
        there = [label for label in labels if label in frame.columns]
        if not there:
            raise DataError(
                f"The new table has no column '{name}' and none called '{labels[0]}' or alike, "
                "which say what the patients had. Without them the model cannot be judged; "
                "Predict works without."
            )
        gone = [label for label in labels if label not in there]
        if gone:
            sentences.append(f"The new table says nothing of: {', '.join(gone)}.")
        unknown = np.full(len(frame), np.nan)
        found = np.column_stack(
            [read_yes(frame[label], label) if label in there else unknown for label in labels]
        )
        frame = frame.drop(columns=there)
    frame[name] = pd.Series(write_labels(found, labels), frame.index, dtype="string")
    columns = tuple(column for column in new.columns if column.name in frame.columns)
    return replace(new, frame=frame, columns=columns, labels=tuple(labels)), tuple(sentences)


def read_yes(values: pd.Series, name: str) -> np.ndarray:
    """Return a yes/no column as float64: 1 yes, 0 no, NaN where it is unknown or uncertain.

    >>> read_yes(pd.Series(["yes", "no", None, "uncertain"]), "oedema").tolist()
    [1.0, 0.0, nan, nan]
    """
    words = write_words(values).mask(values.isna()).str.strip()
    lower = words.str.lower()
    known = lower.notna() & ~lower.isin(UNKNOWN)
    absent = lower.isin(ABSENT)
    present = sorted(set(words[known & ~absent]))
    if len(present) > 1:
        listed = ", ".join(f"'{word}'" for word in present[:4])
        raise ConfigError(
            f"'{name}' is no yes/no column: besides words for no it holds {listed}. With several "
            "outcomes each must be yes or no; leave it out, or choose it alone."
        )
    return np.where(known, (~absent).astype(np.float64), np.nan)


def _split_cells(values: pd.Series, separator: str) -> list[list[str] | None]:
    cut = separator.strip() or separator
    return [
        None if pd.isna(cell) else [
            part for part in (piece.strip() for piece in cell.split(cut))
            if part and part.lower() not in EMPTY
        ]
        for cell in write_words(values).mask(values.isna())
    ]  # fmt: skip


def _mark(cells: Sequence[Sequence[str] | None], labels: Sequence[str]) -> np.ndarray:
    return read_labels([None if c is None else SEPARATOR.join(c) or NOTHING for c in cells], labels)


def _check_both(found: np.ndarray, labels: Sequence[str]) -> None:
    for name, values in zip(labels, found.T, strict=True):
        known = values[~np.isnan(values)]
        have = int(known.sum())
        if have < FEWEST:
            who = "Nobody has" if not have else "A single row has"
            raise DataError(
                f"{who} the finding '{name}', so nothing can be learned of it; leave it out."
            )
        if len(known) - have < FEWEST:
            who = "Everybody" if len(known) == have else "Everybody but one"
            raise DataError(
                f"{who} of {len(known):,} rows has the finding '{name}', so nothing can be learned "
                "of it; leave it out, or check what an empty cell means."
            )


def _keep_known(
    joined: Dataset, before: Dataset, found: np.ndarray, labels: Sequence[str]
) -> Dataset:
    known = ~np.isnan(found).all(axis=1)
    kept = replace(joined, frame=joined.frame[known])
    name = joined.predicted_column().name
    if not known.all():
        reason = (
            f"{int((~known).sum()):,} rows of which no finding is known are set aside; outcomes "
            "are never guessed."
        )
        kept = note_step(kept, before, "outcome missing", reason, (name,))
    rows = found[known]
    told = ", ".join(
        f"{label} {int(np.nansum(values)):,} of {int((~np.isnan(values)).sum()):,}"
        for label, values in zip(labels, rows.T, strict=True)
    )
    gaps = int(np.isnan(rows).sum())
    rest = f" {gaps:,} single findings are unknown, which is not a no." if gaps else ""
    return note_step(kept, kept, "findings", f"Findings, rows with it: {told}.{rest}", (name,))
