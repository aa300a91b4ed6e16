"""Findings about the table as a whole: duplicates, patients, leakage, rare classes, size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.checks.size import check_size
from medcore.config import Repair
from medcore.data import read_labels
from medcore.data.kinds import FOLLOW_UP, IDENTIFIER, LOOK
from medcore.records import Column, Dataset, Finding

GIVES_AWAY = 0.98
RARE = 0.2
FEW_IN_CLASS = 20
SMALL = 100
IF_VISITS = (
    " If each row is a visit, give the column with its time the role “time of the visit” on Data: "
    "then each patient's course is learned from, up to the visit that is predicted from."
)
CRITERIA = {
    "shrinkage": "so that predictions need little shrinking",
    "optimism": "so that little is learned by heart",
    "precision": "so that the overall risk is known",
}
# Rows of either side that a column's power to separate is measured on.
SIDE = 25_000


def check_table(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is to be said of rows, patients and the outcome."""
    yield from _check_duplicates(dataset)
    yield from _check_patients(dataset)
    yield from _check_follow_up(dataset)
    yield from _check_identifiers(dataset)
    questions = list(_questions(dataset))
    differing = [words for _, words in questions if words.nunique() > 1]
    if differing:
        yield from _check_size(dataset, max((words.dropna() for words in differing), key=len))
    for column, outcome in questions:
        yield from _check_question(dataset, column, outcome)


def _questions(dataset: Dataset) -> Iterator[tuple[Column, pd.Series]]:
    """Yield what is predicted: the outcome or event, of several findings each by itself."""
    for column in dataset.with_role("outcome", "event"):
        outcome = dataset.frame[column.name]
        if not dataset.labels:
            yield column, outcome
            continue
        for name, has in zip(dataset.labels, read_labels(outcome, dataset.labels).T, strict=True):
            words = pd.Series(np.where(has == 1, name, f"no {name}"), outcome.index, dtype="string")
            yield replace(column, name=name), words.mask(np.isnan(has))


def _check_question(dataset: Dataset, column: Column, outcome: pd.Series) -> Iterator[Finding]:
    known, words = dataset.frame[outcome.notna()], outcome.dropna()
    if words.nunique() < 2:
        yield _tell_one_outcome(column, words)
    elif column.role == "event":
        yield from _check_leaks(dataset, known, words)
    elif words.nunique() <= 20 or column.kind == "category":
        yield from _check_classes(column, words)
        yield from _check_leaks(dataset, known, words)
    else:
        yield from _check_copies(dataset, known, words)


def _tell_one_outcome(outcome: Column, words: pd.Series) -> Finding:
    only = f"one value only, “{words.iloc[0]}”" if len(words) else "no value"
    return Finding(
        "one_outcome",
        "stop",
        (outcome.name,),
        f"The outcome “{outcome.name}” has {only}",
        "Nothing can be learned from it: choose another outcome on Data, or bring patients with "
        "and without it.",
        {"rows": len(words)},
    )


def _check_duplicates(dataset: Dataset) -> Iterator[Finding]:
    # Empty visits of different patients are alike, and no patient is there twice for that.
    apart = ("ignored",) if dataset.with_role("visit") else ("patient", "ignored")
    unnamed = [c.name for c in dataset.columns if c.role not in apart]
    doubled = count_duplicates(dataset.frame[unnamed]) if unnamed else 0
    if doubled:
        whole = count_duplicates(dataset.frame)
        yield Finding(
            "duplicates",
            "warning",
            (),
            f"{doubled:,} rows repeat another row's values",
            "The same patient on both sides of the split makes a model look better than it is.",
            {"rows": doubled, "equal in every column": whole},
            Repair(action="drop_duplicates") if whole else None,
        )


def count_duplicates(frame: pd.DataFrame) -> int:
    """Return how many rows repeat an earlier one; equal hashes are compared cell by cell.

    >>> count_duplicates(pd.DataFrame({"a": [1, 1, 2, None, None]}))
    2
    """
    hashes = pd.util.hash_pandas_object(frame, index=False)
    alike = frame[hashes.duplicated(keep=False).to_numpy()]
    return int(alike.duplicated().sum())


def _check_patients(dataset: Dataset) -> Iterator[Finding]:
    for column in dataset.with_role("patient"):
        patients = dataset.frame[column.name]
        several = int((patients.value_counts() > 1).sum())
        if several:
            yield Finding(
                "repeated_patients",
                "hint",
                (column.name,),
                f"{several:,} patients have more than one row",
                "Each patient is kept on one side of the split, and intervals count patients."
                + ("" if dataset.with_role("visit") else IF_VISITS),
                {"patients": int(patients.nunique()), "rows": len(patients)},
            )


def _check_follow_up(dataset: Dataset) -> Iterator[Finding]:
    for column in dataset.with_role("input", "duration"):
        if column.kind != "number" or not FOLLOW_UP.fullmatch(column.name):
            continue
        blocked = column.role == "duration"
        yield Finding(
            "after_outcome",
            "hint" if blocked else "stop",
            (column.name,),
            f"{column.name} is known only after the outcome"
            + (", so it is not an input" if blocked else ""),
            "A length of follow-up or stay gives the outcome away: those who died were followed "
            "briefly. A model that uses it cannot be used on a new patient.",
            {"role": column.role},
            None if blocked else Repair(action="ignore_column", column=column.name),
        )


def _check_identifiers(dataset: Dataset) -> Iterator[Finding]:
    for column in dataset.with_role("input"):
        values = dataset.frame[column.name]
        if len(values) < 20 or column.kind == "date" or not values.iloc[:LOOK].is_unique:
            continue
        if column.kind != "category" and not IDENTIFIER.fullmatch(column.name):
            continue
        if values.nunique() == len(values):
            yield Finding(
                "identifier",
                "warning",
                (column.name,),
                f"{column.name} is different in every row",
                "An identifier tells nothing of new patients, but a model can learn it by heart.",
                {"values": int(values.nunique())},
                Repair(action="ignore_column", column=column.name),
            )


def _check_size(dataset: Dataset, words: pd.Series) -> Iterator[Finding]:
    rows = len(words)
    if rows < SMALL:
        yield Finding(
            "small",
            "warning",
            (),
            f"Only {rows} rows have an outcome",
            "Every figure will be uncertain; k-fold cross-validation uses each row for testing.",
            {"rows": rows},
        )
    enough = check_size(dataset)
    if enough is not None and enough.patients < enough.needed.patients:
        yield Finding(
            "few_patients",
            "warning",
            (),
            f"{enough.patients:,} patients are few for {enough.parameters:,} parameters: at least "
            f"{enough.needed.patients:,} are needed",
            "By Riley's criteria a regression with these inputs would learn noise; networks and "
            "forests usually need more. Fewer inputs help; so do more patients.",
            {"patients": enough.patients, "needed": enough.needed.patients,
             **{CRITERIA[name]: n for name, n in enough.needed.criteria.items()}},
        )  # fmt: skip


def _check_classes(outcome: Column, words: pd.Series) -> Iterator[Finding]:
    counts = words.astype("string").value_counts()
    single = [str(name) for name, count in counts.items() if count < 2]
    if single:
        yield Finding(
            "single_class",
            "stop",
            (outcome.name,),
            f"{len(single)} outcome classes have a single row: {', '.join(single[:5])}",
            "A class of one cannot be learned and tested; merge it or set its row aside.",
            {"classes": single},
            Repair(action="missing_values", column=outcome.name, values=tuple(single)),
        )
    rare = {str(name): int(count) for name, count in counts.items() if 2 <= count < FEW_IN_CLASS}
    if rare:
        listed = ", ".join(f"{name} ({count})" for name, count in rare.items())
        yield Finding(
            "rare_class",
            "warning",
            (outcome.name,),
            f"Few rows have {listed}",
            "Figures for such a class are very uncertain or have no value; none is dropped.",
            {"counts": rare},
        )
    share = counts.iloc[-1] / len(words)
    if len(counts) == 2 and share < RARE:
        yield Finding(
            "imbalance",
            "hint",
            (outcome.name,),
            f"The outcome “{counts.index[-1]}” is rare: {share:.1%} of patients",
            f"Calling nobody would be right for {1 - share:.1%}, so accuracy says little here; "
            "recall, precision and AUPRC lead the results.",
            {"share": float(share), "rows": int(counts.iloc[-1])},
        )


def _check_leaks(dataset: Dataset, known: pd.DataFrame, words: pd.Series) -> Iterator[Finding]:
    classes = words.astype("string")
    counts = classes.value_counts()
    event = (classes == counts.index[-1]).to_numpy(bool)
    rows = _sample_rows(event)
    known, event = known.iloc[rows], event[rows]
    for column in dataset.with_role("input"):
        if column.kind not in ("number", "category"):
            continue
        strength = separation(known[column.name], event, column.kind)
        if strength >= GIVES_AWAY:
            yield Finding(
                "leak",
                "stop",
                (column.name,),
                f"{column.name} alone almost tells the outcome (AUROC {strength:.3f})",
                "Is it known before the outcome? If it is recorded with or after it, leave it out.",
                {"auroc": strength},
                Repair(action="ignore_column", column=column.name),
            )


def _check_copies(dataset: Dataset, known: pd.DataFrame, outcome: pd.Series) -> Iterator[Finding]:
    for column in dataset.with_role("input"):
        if column.kind != "number":
            continue
        strength = abs(float(known[column.name].rank().corr(outcome.rank())))
        if strength >= GIVES_AWAY:
            yield Finding(
                "leak",
                "stop",
                (column.name,),
                f"{column.name} alone almost tells the outcome (rank correlation {strength:.3f})",
                "Is it known before the outcome, or the same thing in other words? Then leave it "
                "out.",
                {"rank correlation": strength},
                Repair(action="ignore_column", column=column.name),
            )


def _sample_rows(event: np.ndarray) -> np.ndarray:
    """Return positions of enough rows to tell a near-perfect separation, of both sides alike."""
    if len(event) <= 2 * SIDE:
        return np.arange(len(event))
    rng = np.random.default_rng(0)
    sides = [np.flatnonzero(event), np.flatnonzero(~event)]
    return np.sort(
        np.concatenate([s if len(s) <= SIDE else rng.choice(s, SIDE, replace=False) for s in sides])
    )


def separation(values: pd.Series, event: np.ndarray, kind: str) -> float:
    """Return how well one column separates an event, as an AUROC from 0.5 to 1.

    Categories are scored by their share of events among the other rows, so that a category with
    one row proves nothing; missing counts as a category, and as the lowest number.
    """
    if kind == "number":
        scores = values.astype("float64").fillna(-np.inf).to_numpy()
    else:
        codes = pd.factorize(values.astype("string"), use_na_sentinel=False)[0]
        total, hits = np.bincount(codes), np.bincount(codes, event)
        prior = event.mean()
        scores = (hits[codes] - event + prior) / total[codes]
    ranks = pd.Series(scores).rank().to_numpy()
    positives = int(event.sum())
    negatives = len(event) - positives
    if not positives or not negatives:
        return 0.5
    area = (ranks[event].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(max(area, 1 - area)) if kind == "number" else float(max(area, 0.5))
