"""Where a risk becomes an alarm: chosen on validation patients, never on test patients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medcore.evaluate.classification import wilson


def choose_threshold(event: np.ndarray, risk: np.ndarray, rule: str, target: float) -> float:
    """Return the threshold that a rule picks on the given patients; alarm means risk ≥ threshold.

    youden: largest sensitivity + specificity − 1 (Youden 1950); f1: largest F1; sensitivity: the
    highest threshold whose sensitivity reaches the target; specificity: the lowest that reaches
    it; fixed: the target itself. With one outcome only, 0.5.

    >>> choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.6, 0.9]), "youden", 0.9)
    0.5
    """
    if rule == "fixed":
        return float(target)
    event = np.asarray(event, dtype=bool)
    if not event.any() or event.all():
        return 0.5
    values, tp, fp = _steps(event, risk)
    with_it, without = event.sum(), (~event).sum()
    sensitivity, specificity = tp / with_it, (without - fp) / without
    if rule == "sensitivity":
        place = int(np.argmax(sensitivity >= target))
    elif rule == "specificity":
        place = len(values) - 1 - int(np.argmax((specificity >= target)[::-1]))
        if specificity[place] < target:
            return float(np.nextafter(values[0], 2))
    elif rule == "f1":
        place = int(np.argmax(2 * tp / (tp + fp + event.sum())))
    else:
        place = int(np.argmax(sensitivity + specificity))
    lower = values[place + 1] if place + 1 < len(values) else 0.0
    # Halfway to the next patient, so that a rounding error decides nobody's fate; unless that is
    # the next patient.
    middle = (values[place] + lower) / 2
    return float(middle if middle > lower else values[place])


def _steps(event: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct risks from high to low, with true and false alarms at each."""
    order = np.argsort(-risk, kind="stable")
    ordered = risk[order]
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    tp = np.cumsum(event[order])[ends]
    return ordered[ends], tp, ends + 1 - tp


def operating_point(event: np.ndarray, risk: np.ndarray, threshold: float) -> dict[str, Any]:
    """Return what a threshold means for the given patients: counts, shares, Wilson intervals.

    Each of sensitivity, specificity, ppv and npv is (value, low, high).
    """
    event, alarm = np.asarray(event, dtype=bool), np.asarray(risk) >= threshold
    tp, fp = int((event & alarm).sum()), int((~event & alarm).sum())
    fn, tn = int((event & ~alarm).sum()), int((~event & ~alarm).sum())

    def share(hits: int, of: int) -> tuple[float, float, float]:
        return (hits / of if of else np.nan, *wilson(hits, of))

    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": tn,
        "sensitivity": share(tp, tp + fn),
        "specificity": share(tn, tn + fp),
        "ppv": share(tp, tp + fp),
        "npv": share(tn, tn + fn),
    }


def deciding_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may decide a threshold: patients the model was not fitted on.

    Validation rows; and rows of the training part that were predicted out of fold (`fold` ≥ 0).
    """
    held_out = frame["part"].eq("validation") | (frame["part"].eq("train") & frame["fold"].ge(0))
    return frame[held_out]
