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
            "f1_weighted": (f1s[0] * (tn + fp) + f1s[1] * (tp + fn)) / total,
            "balanced_accuracy": (recall + specificity) / 2,
            "mcc": np.where(below > 0, (tp * tn - fp * fn) / below, 0.0),
        }


def class_metrics(
    truth: np.ndarray, chosen: np.ndarray, classes: Sequence[str], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the measures of a choice among several classes; unnamed ones are macro averages.

    Averages run over the classes that occur in the outcome; a class that is never chosen has
    precision 0 there.
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
        occurs = support > 0
        expected = (support * named).sum(axis=1)
        spread = np.sqrt(
            (total**2 - (support**2).sum(axis=1)) * (total**2 - (named**2).sum(axis=1))
        )
        found = {
            "accuracy": hits.sum(axis=1) / total,
            "recall": _mean(recall, occurs),
            "specificity": _mean(
                (total[:, None] - support - named + hits) / (total[:, None] - support), occurs
            ),
            "precision": _mean(_zero(precision), occurs),
            "f1": _mean(_zero(f1), occurs),
            "f1_macro": _mean(_zero(f1), occurs),
            "f1_weighted": (_zero(f1) * support).sum(axis=1) / total,
            "balanced_accuracy": _mean(recall, occurs),
            "mcc": np.where(spread > 0, (hits.sum(axis=1) * total - expected) / spread, 0.0),
        }
    for place, name in enumerate(classes):
        found[f"recall_{name}"] = recall[:, place]
        found[f"precision_{name}"] = precision[:, place]
    return found


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
