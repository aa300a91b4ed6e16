"""Recalibration in the large: a frozen model's predictions moved to the new patients' level.

One number is learned (an intercept on the logit of the risk, or a shift of the predicted number).
Each patient's own update is learned from the other four fifths of the patients, so that the
updated model is not judged on whom it was updated with.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.evaluate.calibration import calibration_metrics, logit_of
from medcore.records import Predictions
from medcore.split import cross_fit_folds

UPDATED, FOLDS = "updated", 5


def update_predictions(
    predictions: Predictions, config: RunConfig
) -> tuple[Predictions, float] | None:
    """Return the predictions with the updated model's beside them, and the update of everybody.

    None where there is nothing to learn: more than two classes, one class only, too few patients.
    """
    frame = predictions.frame
    if predictions.task not in ("binary", "regression") or len(frame) < 2 * FOLDS:
        return None
    patient = frame["patient"].astype(object).where(frame["patient"].notna(), frame["row_id"])
    rng = generator(config.seed, "update")
    held = cross_fit_folds(frame["outcome"], patient.astype(str), FOLDS, rng)
    weights = np.ones((FOLDS + 1, len(frame)))
    for fold, places in enumerate(held):
        weights[fold, places] = 0
    moves = _learn(predictions, weights)
    if not np.isfinite(moves).all():
        return None
    own = np.empty(len(frame))
    for fold, places in enumerate(held):
        own[places] = moves[fold]
    return _move(predictions, own), float(moves[FOLDS])


def _learn(predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Return the update that each row of weights learns, (weights,)."""
    frame = predictions.frame
    if predictions.task == "regression":
        gap = frame["outcome"].to_numpy(np.float64) - frame["predicted"].to_numpy(np.float64)
        return weights @ gap / weights.sum(axis=1)
    event = frame["outcome"].eq(predictions.positive).to_numpy(np.float64)
    if not ((weights @ event > 0) & (weights @ (1 - event) > 0)).all():
        return np.full(len(weights), np.nan)
    risk = frame[f"p_{predictions.positive}"].to_numpy(np.float64)
    return calibration_metrics(event, risk, weights)["calibration_intercept"]


def _move(predictions: Predictions, own: np.ndarray) -> Predictions:
    moved = predictions.frame.assign(model=UPDATED)
    if predictions.task == "regression":
        for name in ("predicted", "low", "high"):
            moved[name] = moved[name] + own
    else:
        other = next(name for name in predictions.classes if name != predictions.positive)
        logit = logit_of(moved[f"p_{predictions.positive}"].to_numpy(np.float64)) + own
        risk = 1 / (1 + np.exp(-logit))
        moved[f"p_{predictions.positive}"], moved[f"p_{other}"] = risk, 1 - risk
    frame = pd.concat([predictions.frame, moved], ignore_index=True)
    return replace(predictions, frame=frame)
