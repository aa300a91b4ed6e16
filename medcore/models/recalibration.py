"""Risks put right, after re-weighting or of any model, learned from patients outside the fit.

One formula serves all but isotonic: risks become softmax(slope · log p + offsets). The prior
correction takes out exactly what was put in (slope 1, offsets −log ratio); temperature adds a
slope; logistic, Platt's (1999) way, learns slope and offsets, and for several classes one slope
and an offset each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medcore.config import Recalibration
from medcore.errors import FitError

SMALLEST = 1e-12
STEPS = 100
# How firmly few patients are held to the prior correction, in units of one patient's information.
PRIOR = 0.1
ISOTONIC_ROWS = 1_000


def fit_recalibration(
    probabilities: np.ndarray, outcome: np.ndarray, method: Recalibration, ratio: np.ndarray
) -> dict[str, Any]:
    """Learn the correction from (rows, classes) probabilities of patients and their codes.

    `ratio` (classes,): how many times more than it occurs each class counted in training; ones
    for focal loss. Returns a dict for JSON. Raises `FitError` when isotonic has too few patients.
    Several findings: `outcome` (rows, findings) and `ratio` (findings, 2); each is put right alone.
    """
    if outcome.ndim == 2:
        return _fit_findings(probabilities, outcome, method, ratio)
    if method == "isotonic":
        return _fit_isotonic(probabilities, outcome)
    start = np.r_[1.0, -np.log(ratio)]
    if method == "prior":
        return _formula(method, start)
    logs = np.log(np.maximum(probabilities, SMALLEST))
    free = np.ones(len(start), dtype=bool)
    # Offsets matter up to a constant only, so the first class's stays where it is.
    free[1] = False
    if method == "temperature":
        free[2:] = False
    return _formula(method, _climb(logs, outcome, start, free))


def apply_recalibration(fitted: Mapping[str, Any], probabilities: np.ndarray) -> np.ndarray:
    """Return corrected probabilities, (rows, classes) with sums of 1.

    >>> doubled = {"method": "prior", "slope": 1.0, "offsets": [0.0, -np.log(2)]}
    >>> apply_recalibration(doubled, np.array([[0.5, 0.5]])).round(3).tolist()
    [[0.667, 0.333]]
    """
    if "findings" in fitted:
        pairs = zip(fitted["findings"], probabilities.T, strict=True)
        return np.column_stack([
            risk if one is None else apply_recalibration(one, _both(risk))[:, 1]
            for one, risk in pairs
        ])  # fmt: skip
    if fitted["method"] == "isotonic":
        pairs = zip(fitted["knots"], probabilities.T, strict=True)
        bent = np.column_stack([np.interp(risk, x, y) for (x, y), risk in pairs])
        total = bent.sum(axis=1, keepdims=True)
        return np.where(total > 0, bent / np.where(total > 0, total, 1), 1 / bent.shape[1])
    logs = np.log(np.maximum(probabilities, SMALLEST))
    return _softmax(fitted["slope"] * logs + np.asarray(fitted["offsets"]))


def _both(risk: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - risk, risk])


def _fit_findings(
    probabilities: np.ndarray, outcome: np.ndarray, method: Recalibration, ratio: np.ndarray
) -> dict[str, Any]:
    """Learn each finding's correction from those of whom it is known; None where all are alike."""
    ratios = np.broadcast_to(ratio, (outcome.shape[1], 2))
    found: list[dict[str, Any] | None] = []
    for place, has in enumerate(outcome.T):
        known = np.isfinite(has)
        code = has[known].astype(np.int64)
        if len(np.unique(code)) < 2:
            found.append(None)
            continue
        risk = _both(probabilities[known, place])
        found.append(fit_recalibration(risk, code, method, ratios[place]))
    return {"method": method, "findings": found}


def _formula(method: str, parameters: np.ndarray) -> dict[str, Any]:
    slope, *offsets = parameters.tolist()
    return {"method": method, "slope": slope, "offsets": offsets}


def _softmax(raw: np.ndarray) -> np.ndarray:
    grown = np.exp(raw - raw.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def _climb(
    logs: np.ndarray, outcome: np.ndarray, start: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Newton's steps for slope and offsets, halved until the likelihood rises."""
    onehot = np.eye(logs.shape[1])[outcome]
    found = start.copy()

    def height(parameters: np.ndarray) -> float:
        p = _softmax(parameters[0] * logs + parameters[1:])
        likely = np.log(np.maximum(p[np.arange(len(p)), outcome], SMALLEST)).sum()
        return float(likely - PRIOR / 2 * ((parameters - start) ** 2).sum())

    for _ in range(STEPS):
        p = _softmax(found[0] * logs + found[1:])
        away = onehot - p
        gradient = np.r_[(away * logs).sum(), away.sum(axis=0)] - PRIOR * (found - start)
        step = np.zeros(len(found))
        curve = _curvature(p, logs)[np.ix_(free, free)]
        step[free] = np.linalg.solve(curve, gradient[free])
        length, here = 1.0, height(found)
        while height(found + length * step) < here and length > 1e-8:
            length /= 2
        found = found + length * step
        if np.abs(length * step).max() < 1e-10:
            break
    return found


def _curvature(p: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Return the negative second derivatives by slope and offsets, with the prior's."""
    mean = (p * logs).sum(axis=1, keepdims=True)
    slope = (p * (logs - mean) ** 2).sum()
    across = (p * (logs - mean)).sum(axis=0)
    inner = np.diag(p.sum(axis=0)) - p.T @ p
    whole = np.block([[np.array([[slope]]), across[None]], [across[:, None], inner]])
    return whole + PRIOR * np.eye(len(whole))


def too_few_for_isotonic(rows: int) -> str:
    """Return why isotonic recalibration is refused, in words."""
    return (
        f"Isotonic recalibration needs {ISOTONIC_ROWS:,} patients outside the fit, and there are "
        f"{rows:,}; with fewer it follows chance. Choose logistic or temperature."
    )


def _fit_isotonic(probabilities: np.ndarray, outcome: np.ndarray) -> dict[str, Any]:
    from sklearn.isotonic import IsotonicRegression

    if len(outcome) < ISOTONIC_ROWS:
        raise FitError(too_few_for_isotonic(len(outcome)))
    knots = []
    for place in range(probabilities.shape[1]):
        bend = IsotonicRegression(y_min=0, y_max=1).fit(probabilities[:, place], outcome == place)
        knots.append([bend.X_thresholds_.tolist(), bend.y_thresholds_.tolist()])
    return {"method": "isotonic", "knots": knots}
