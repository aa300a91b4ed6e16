"""Measures of decisions, from counts; for many resamples at once.

Shapes: `weights` float64 (resamples, rows), class codes int (rows,); every result (resamples,).
A ratio with nothing below the line is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def decision_metrics(
    event: np.ndarray, alarm: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the measures of a yes/no decision; precision without any alarm is NaN.

    MCC is 0 where a row or column of the table is empty (Chicco and Jurman 2020).
    """
    cells = np.stack([event & alarm, ~event & alarm, event & ~alarm, ~event & ~alarm], axis=1)
    tp, fp, fn, tn = (weights @ cells.astype(np.float64)).T
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, specificity = tp / (tp + fn), tn / (tn + fp)
        f1, f1_negative = 2 * tp / (2 * tp + fp + fn), 2 * tn / (2 * tn + fp + fn)
        total = tp + fp + fn + tn
        f1s = np.stack([_zero(f1_negative), _zero(f1)])
        below = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return {
            "accuracy": (tp + tn) / total,
            "recall": recall,
            "specificity": specificity,
            "precision": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "f1": f1,
            "f1_macro": f1s.mean(axis=0),
            "f1_micro": (tp + tn) / total,
            "f1_weighted": (f1s[0] * (tn + fp) + f1s[1] * (tp + fn)) / total,
            "balanced_accuracy": (recall + specificity) / 2,
            "mcc": np.where(below > 0, (tp * tn - fp * fn) / below, 0.0),
        }


def class_metrics(
    truth: np.ndarray,
    chosen: np.ndarray,
    classes: Sequence[str],
    weights: np.ndarray,
    ranks: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return the measures of a choice among several classes; unnamed ones are macro averages.

    Averages run over the classes that occur in the outcome; a class that is never chosen has
    precision 0 there. `ranks`, each class's place in an outcome with an order, adds Cohen's (1968)
    quadratic kappa.
    """
    count = len(classes)
    rows = np.arange(len(truth))
    flags = np.zeros((len(truth), 3 * count))
    flags[rows, truth] = 1
    flags[rows, count + chosen] = 1
    hit = truth == chosen
    flags[rows[hit], 2 * count + truth[hit]] = 1
    support, named, hits = np.split(weights @ flags, 3, axis=1)
    total = support.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = hits / support, hits / named
        f1 = 2 * hits / (support + named)
        kept = (total[:, None] - support - named + hits) / (total[:, None] - support)
        occurs = support > 0
        expected = (support * named).sum(axis=1)
        spread = np.sqrt(
            (total**2 - (support**2).sum(axis=1)) * (total**2 - (named**2).sum(axis=1))
        )
        found = {
            "accuracy": hits.sum(axis=1) / total,
            "recall": _mean(recall, occurs),
            "specificity": _mean(kept, occurs),
            "precision": _mean(_zero(precision), occurs),
            "f1": _mean(_zero(f1), occurs),
            "f1_macro": _mean(_zero(f1), occurs),
            "f1_micro": 2 * hits.sum(axis=1) / (support + named).sum(axis=1),
            "f1_weighted": (_zero(f1) * support).sum(axis=1) / total,
            "balanced_accuracy": _mean(recall, occurs),
            "mcc": np.where(spread > 0, (hits.sum(axis=1) * total - expected) / spread, 0.0),
        }
    if ranks is not None:
        found["kappa_quadratic"] = _kappa(ranks, truth, chosen, support, named, weights)
    by_class = {"recall": recall, "specificity": kept, "precision": precision, "f1": f1}
    for stem, values in by_class.items():
        for place, name in enumerate(classes):
            found.setdefault(f"{stem}_{name}", values[:, place])
    return found


def _kappa(
    ranks: np.ndarray,
    truth: np.ndarray,
    chosen: np.ndarray,
    support: np.ndarray,
    named: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Return 1 − observed / expected squared distance in rank; NaN where all are of one class."""
    apart = (ranks[:, None] - ranks[None]) ** 2.0
    observed = weights @ apart[truth, chosen]
    expected = np.einsum("ri,ij,rj->r", support, apart, named) / weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - observed / np.where(expected > 0, expected, np.nan)


def _zero(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(values, nan=0.0)


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where, values, 0).sum(axis=1) / where.sum(axis=1)


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (Wilson 1927); NaN without trials.

    >>> [round(bound, 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if not trials:
        return np.nan, np.nan
    z = 1.959963984540054
    share = successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    reach = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    reach /= 1 + z**2 / trials
    # At the ends the formula gives 0 and 1 up to rounding.
    low = 0.0 if successes == 0 else max(0.0, float(middle - reach))
    return low, 1.0 if successes == trials else min(1.0, float(middle + reach))
