"""Sets of answers for one patient, with a promised coverage (split conformal prediction).

How strange an answer looks is one less its predicted probability. An answer stands in the set
unless it looks stranger than all but a share alpha of what happened to reference patients, whom
the model was not fitted on (Vovk, Gammerman and Shafer 2005; Sadinle, Lei and Wasserman 2019). The
promise holds for patients drawn as the reference patients were, and for no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from medcore.errors import DataError


def class_p_values(
    outcome: np.ndarray, predicted: np.ndarray, asked: np.ndarray, *, by_class: bool = False
) -> np.ndarray:
    """Return how plausible each class is for each patient asked about, (rows, classes).

    `outcome` (n,) codes and `predicted` (n, classes) of the reference patients; `asked` (rows,
    classes). The set at coverage 1 − alpha holds the classes whose value is above alpha. `by_class`
    compares a class only with reference patients who have it, so that the promise holds for each
    class (Mondrian); a class without any is always plausible.

    >>> class_p_values(np.array([0, 0, 0]), np.full((3, 2), 0.5), np.array([[0.9, 0.1]]))
    array([[1.  , 0.25]])
    """
    strange = 1 - predicted[np.arange(len(outcome)), outcome]
    found = np.empty_like(asked, dtype=np.float64)
    for place in range(asked.shape[1]):
        known = np.sort(strange[outcome == place] if by_class else strange)
        above = len(known) - np.searchsorted(known, 1 - asked[:, place] - 1e-12, side="left")
        found[:, place] = (above + 1) / (len(known) + 1)
    return found


def finding_p_values(
    outcome: np.ndarray, predicted: np.ndarray, asked: np.ndarray, *, by_class: bool = False
) -> np.ndarray:
    """Return how plausible it is that a patient lacks, and has, each finding: (rows, findings, 2).

    As `class_p_values`, each finding a question of its own, by the reference patients of whom it is
    known: `outcome` (n, findings) holds 1, 0 or NaN, `predicted` and `asked` the findings' risks.
    The promise is kept for each finding by itself, not for all at once.

    >>> finding_p_values(np.array([[1.0], [np.nan]]), np.array([[0.9], [0.1]]), np.array([[0.95]]))
    array([[[0.5, 1. ]]])
    """
    questions = _ask_findings(outcome, predicted, asked)
    return np.stack([class_p_values(*one, by_class=by_class) for one in questions], axis=1)


def _ask_findings(
    outcome: np.ndarray, predicted: np.ndarray, asked: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield each finding as a question of no (0) and yes (1), by those of whom it is known."""
    for place, has in enumerate(outcome.T):
        known = np.isfinite(has)
        told, new = (part[:, place] for part in (predicted[known], asked))
        sides = (np.column_stack([1 - risk, risk]) for risk in (told, new))
        yield has[known].astype(np.int64), *sides


def tell_plausible(outcome: np.ndarray, predicted: np.ndarray, asked: np.ndarray) -> dict[str, Any]:
    """Return, JSON-ready, how plausible each class is for the first patient asked about.

    Keys: overall and by_class (see `class_p_values`), patients and patients_by_class: by how many
    others that is known.
    """
    known = (np.asarray(outcome, dtype=np.int64), predicted, asked)
    counts = np.bincount(known[0], minlength=asked.shape[1])
    return {
        "overall": class_p_values(*known)[0].tolist(),
        "by_class": class_p_values(*known, by_class=True)[0].tolist(),
        "patients": len(known[0]),
        "patients_by_class": counts.tolist(),
    }


def tell_findings(
    findings: Sequence[str], outcome: np.ndarray, predicted: np.ndarray, asked: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Return what `tell_plausible` does for each finding, whose classes are no and yes."""
    questions = _ask_findings(outcome, predicted, asked)
    return {name: tell_plausible(*one) for name, one in zip(findings, questions, strict=True)}


def conformal_reach(errors: np.ndarray, coverage: float) -> float:
    """Return how far to go either side so that a new patient is covered with this probability.

    The ⌈(n + 1) · coverage⌉-th smallest error; infinite when there are too few errors.

    >>> conformal_reach(np.arange(1.0, 20.0), 0.9)
    18.0
    """
    place = int(np.ceil((len(errors) + 1) * coverage - 1e-9))
    return float(np.sort(errors)[place - 1]) if place <= len(errors) else float("inf")


def check_coverage(coverage: float, references: int) -> None:
    """Raise `DataError` where so few reference patients cannot promise this coverage.

    alpha must not be below 1 / (n + 1), or every set would hold every answer.
    """
    if 1 - coverage < 1 / (references + 1) - 1e-12:
        needed = int(np.ceil(1 / (1 - coverage) - 1e-9)) - 1
        raise DataError(
            f"A coverage of {coverage:.1%} needs at least {needed:,} patients outside the fit, and "
            f"there are {references:,}; promise less, or set more patients aside "
            "(split.calibration)."
        )
