"""Where a risk becomes an alarm: chosen on validation patients, never on test patients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import EvaluateConfig, ThresholdRule, generator
from medcore.evaluate.bootstrap import bootstrap_metrics
from medcore.evaluate.classification import decision_metrics, wilson

REDRAWN = 400
NEEDS: dict[ThresholdRule, str] = {
    "youden": "Sensitivity and specificity alike (Youden)",
    "f1": "The largest F1",
    "sensitivity": "Guarantee a sensitivity",
    "specificity": "Guarantee a specificity",
    "cost": "Weigh missed patients against false alarms",
    "alarms": "Limit the alarms",
    "fixed": "A threshold of one's own",
}


def choose_threshold(event: np.ndarray, risk: np.ndarray, rule: str, target: float) -> float:
    """Return the threshold that a rule picks on the given patients; alarm means risk ≥ threshold.

    youden: the middle of those whose sensitivity + specificity − 1 (Youden 1950) cannot be told
    from the largest, see `_middle_of_best`; f1: largest F1; sensitivity: the highest threshold
    whose sensitivity reaches the target; specificity: the lowest that reaches it; cost: fewest
    false alarms + target · missed; alarms: the lowest at which no larger share than the target
    alarms; fixed: the target itself. With one outcome only, 0.5.

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
    elif rule == "alarms":
        place = int(np.searchsorted(tp + fp, target * len(event) * (1 + 1e-12), "right")) - 1
        if place < 0:
            return float(np.nextafter(values[0], 2))
    elif rule == "cost":
        cost = fp + target * (with_it - tp)
        if target * with_it <= cost.min():
            return float(np.nextafter(values[0], 2))
        place = int(np.argmin(cost))
    elif rule == "f1":
        place = int(np.argmax(2 * tp / (tp + fp + event.sum())))
    else:
        place = _middle_of_best(values, sensitivity, specificity, (with_it, without))
    lower = values[place + 1] if place + 1 < len(values) else 0.0
    # Halfway to the next patient, so that a rounding error decides nobody's fate; unless that is
    # the next patient.
    middle = (values[place] + lower) / 2
    return float(middle if middle > lower else values[place])


def _middle_of_best(
    values: np.ndarray, sensitivity: np.ndarray, specificity: np.ndarray, counts: tuple[int, int]
) -> int:
    """Return the place of the middle threshold among those as good as the best by Youden's index.

    As good is what lies within one standard error of the largest; the middle is that of log-odds,
    so that putting risks right by logistic regression moves it along. Where many thresholds are
    alike the single largest is chance: over simulated studies of 60 to 500 patients the middle
    lost half as much sensitivity and specificity in new patients. `counts`: patients with and
    without the outcome.
    """
    index = sensitivity + specificity - 1
    best = int(np.argmax(index))
    shares = np.array([sensitivity[best], specificity[best]])
    error = math.sqrt((shares * (1 - shares) / np.array(counts)).sum())
    good = np.flatnonzero(index >= index[best] - error - 1e-12)
    bounds = np.clip(np.r_[values, 0.0], 1e-9, 1 - 1e-9)
    odds = np.log(bounds) - np.log1p(-bounds)
    middle = (odds[good[0]] + odds[good[-1] + 1]) / 2
    # The gap between two patients in which the middle lies, or the nearest that is as good.
    away = np.maximum(np.maximum(odds[good + 1] - middle, middle - odds[good]), 0)
    return int(good[np.argmin(away)])


def need_of(evaluate: EvaluateConfig) -> tuple[ThresholdRule, float]:
    """Return the rule of the settings and the number that belongs to it.

    >>> need_of(EvaluateConfig(threshold="alarms", alarms=20))
    ('alarms', 0.2)
    """
    numbers = {"cost": evaluate.cost_ratio, "alarms": evaluate.alarms / 100}
    return evaluate.threshold, numbers.get(evaluate.threshold, evaluate.target)


def write_need(evaluate: EvaluateConfig) -> str:
    """Return in words how the settings choose the threshold.

    >>> write_need(EvaluateConfig(threshold="sensitivity"))
    'the highest at which at least 90 of 100 validation patients with the outcome alarm'
    """
    rule, number = need_of(evaluate)
    hundred = f"{100 * number:g} of 100 validation patients"
    return {
        "youden": "the middle of those at which sensitivity and specificity of validation "
        "patients together are as high as they get, within one standard error (Youden)",
        "f1": "the one with the largest F1 among validation patients",
        "sensitivity": f"the highest at which at least {hundred} with the outcome alarm",
        "specificity": f"the lowest at which at least {hundred} without the outcome do not alarm",
        "cost": "the one that costs least among validation patients, a missed patient counting as "
        f"{number:g} false alarms",
        "alarms": f"the lowest at which at most {hundred} alarm",
        "fixed": "the one given in the settings",
    }[rule]


def _steps(event: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct risks from high to low, with true and false alarms at each."""
    order = np.argsort(-risk, kind="stable")
    ordered = risk[order]
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    tp = np.cumsum(event[order])[ends]
    return ordered[ends], tp, ends + 1 - tp


def operating_point(
    event: np.ndarray, alarm: np.ndarray, cluster: np.ndarray | None = None
) -> dict[str, Any]:
    """Return what alarms mean for the given patients: counts, and shares with 95 % intervals.

    Each of sensitivity, specificity, ppv and npv is (value, low, high), by Wilson; where patients
    repeat (`cluster`: one int per row), by a bootstrap of patients.
    """
    event, alarm = np.asarray(event, dtype=bool), np.asarray(alarm, dtype=bool)
    tp, fp = int((event & alarm).sum()), int((~event & alarm).sum())
    fn, tn = int((event & ~alarm).sum()), int((~event & ~alarm).sum())
    hits = {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "ppv": (tp, tp + fp),
        "npv": (tn, tn + fn),
    }
    shares = {name: (n / of if of else np.nan, *wilson(n, of)) for name, (n, of) in hits.items()}
    if cluster is not None and len(np.unique(cluster)) < len(cluster):
        shares = _draw_shares(event, alarm, cluster)
    return {"tp": tp, "fp": fp, "fn": fn, "tn": tn, **shares}


def _draw_shares(
    event: np.ndarray, alarm: np.ndarray, cluster: np.ndarray
) -> dict[str, tuple[float, float, float]]:
    drawn = bootstrap_metrics(
        lambda weights: decision_metrics(event, alarm, weights),
        cluster, REDRAWN, generator(0, "operating point"),
    )  # fmt: skip
    names = {"sensitivity": "recall", "specificity": "specificity", "ppv": "precision"}
    found = {name: drawn[same] for name, same in (names | {"npv": "npv"}).items()}
    return {name: (metric.value, metric.low, metric.high) for name, metric in found.items()}


def deciding_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may decide a threshold: patients the model was not fitted on.

    Validation rows; and rows of the training part that were predicted out of fold (`fold` ≥ 0).
    """
    held_out = frame["part"].eq("validation") | (frame["part"].eq("train") & frame["fold"].ge(0))
    return frame[held_out]
