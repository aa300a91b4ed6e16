"""What the charts draw: JSON-ready lists, thinned where the eye sees no difference."""

from __future__ import annotations

from typing import Any

import numpy as np

from medcore.evaluate.classification import wilson
from medcore.evaluate.probability import bin_edges

MOST_POINTS = 400


def _cumulate(event: np.ndarray, risk: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(-risk, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(risk[order]) != 0, True])
    tp = np.cumsum(event[order])[ends]
    return risk[order][ends], tp, ends + 1 - tp


def thin(*columns: np.ndarray) -> list[list[float]]:
    """Return columns of points as lists, of at most 400 points spread evenly."""
    length = len(columns[0])
    if length <= MOST_POINTS:
        return [column.tolist() for column in columns]
    places = np.unique(np.linspace(0, length - 1, MOST_POINTS).astype(int))
    return [column[places].tolist() for column in columns]


def roc_curve(event: np.ndarray, risk: np.ndarray) -> dict[str, list[float]]:
    """Return false_alarm and sensitivity at each threshold, from the strictest on."""
    values, tp, fp = _cumulate(event, risk)
    yes, no = max(int(event.sum()), 1), max(int((~event).sum()), 1)
    false_alarm, sensitivity, thresholds = thin(
        np.r_[0, fp / no], np.r_[0, tp / yes], np.r_[1, values]
    )
    return {"false_alarm": false_alarm, "sensitivity": sensitivity, "threshold": thresholds}


def precision_recall_curve(event: np.ndarray, risk: np.ndarray) -> dict[str, Any]:
    """Return recall and precision at each threshold, and the prevalence."""
    values, tp, fp = _cumulate(event, risk)
    recall, precision, thresholds = thin(
        tp / max(int(event.sum()), 1), tp / np.maximum(tp + fp, 1), values
    )
    prevalence = float(event.mean())
    return {
        "recall": recall,
        "precision": precision,
        "threshold": thresholds,
        "prevalence": prevalence,
    }


def calibration_curve(event: np.ndarray, risk: np.ndarray) -> dict[str, list[float]]:
    """Return mean predicted and observed risk in bins of equal size, with Wilson's interval."""
    order = np.argsort(risk, kind="stable")
    starts = bin_edges(risk)
    size = np.diff(np.r_[starts, len(risk)])
    happened = np.add.reduceat(event[order].astype(np.float64), starts)
    bounds = [wilson(hits, count) for hits, count in zip(happened, size, strict=True)]
    return {
        "predicted": (np.add.reduceat(risk[order], starts) / size).tolist(),
        "observed": (happened / size).tolist(),
        "low": [low for low, _ in bounds],
        "high": [high for _, high in bounds],
        "n": size.tolist(),
    }


def histogram(event: np.ndarray, risk: np.ndarray, bins: int = 20) -> dict[str, list[float]]:
    """Return counts of patients by predicted risk, with and without the outcome."""
    edges = np.linspace(0, 1, bins + 1)
    return {
        "edges": edges.tolist(),
        "with": np.histogram(risk[event], edges)[0].tolist(),
        "without": np.histogram(risk[~event], edges)[0].tolist(),
    }


def threshold_table(event: np.ndarray, risk: np.ndarray) -> dict[str, list[float | None]]:
    """Return sensitivity, specificity, ppv, npv and alarms per 100 at thresholds 0.00 to 1.00."""
    grid = np.linspace(0, 1, 101).round(2)
    yes, no = np.sort(risk[event]), np.sort(risk[~event])
    tp, fp = len(yes) - np.searchsorted(yes, grid), len(no) - np.searchsorted(no, grid)
    fn, tn = len(yes) - tp, len(no) - fp

    def share(hits: np.ndarray, of: np.ndarray) -> list[float | None]:
        return [h / o if o else None for h, o in zip(hits.tolist(), of.tolist(), strict=True)]

    return {
        "threshold": grid.tolist(),
        "sensitivity": share(tp, tp + fn),
        "specificity": share(tn, tn + fp),
        "ppv": share(tp, tp + fp),
        "npv": share(tn, tn + fn),
        "alarms": (100 * (tp + fp) / len(risk)).tolist(),
    }


def count_confusion(truth: np.ndarray, chosen: np.ndarray, labels: list[str]) -> dict[str, Any]:
    """Return counts of rows by outcome code (rows) and chosen code (columns)."""
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (truth, chosen), 1)
    return {"labels": labels, "counts": counts.tolist()}
