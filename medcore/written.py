"""Predictions written beside the rows of a table, as a file of new patients gets them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medcore.data import write_labels
from medcore.predict import Predicted, Threshold


def add_predictions(
    frame: pd.DataFrame,
    predicted: Predicted,
    positive: str | None = None,
    threshold: Threshold = None,
) -> pd.DataFrame:
    """Return a table with the prediction's columns added on the right; nothing else changes.

    Rows must be in the order of `predicted`. Classes and findings: `predicted` and
    `probability_CLASS`; numbers: `predicted`, `predicted_low`, `predicted_high`; time to event:
    `risk_5y` and alike, the risk of `positive` by each horizon; effect of treatment: `effect`,
    `effect_low`, `effect_high`. A name that exists gets the suffix `_medcore`. For `positive` and
    `threshold` see `choose_class`.
    """
    new = prediction_columns(predicted, positive, threshold)
    taken = {str(name) for name in frame.columns}
    out = frame.copy()
    for name, values in new.items():
        free = name
        while free in taken:
            free += "_medcore"
        taken.add(free)
        out[free] = values
    return out


def prediction_columns(
    predicted: Predicted, positive: str | None = None, threshold: Threshold = None
) -> dict[str, np.ndarray]:
    """Return the columns that stand for a prediction in a file, by name."""
    if predicted.horizons:
        return risk_columns(predicted, positive)
    if predicted.task == "effect":
        bounds = {"effect_low": predicted.low, "effect_high": predicted.high}
        return {"effect": predicted.value, **bounds}
    if not predicted.classes:
        bounds = {"predicted_low": predicted.low, "predicted_high": predicted.high}
        return {"predicted": predicted.value, **bounds}
    shares = {
        f"probability_{name}": predicted.value[:, place]
        for place, name in enumerate(predicted.classes)
    }
    return {"predicted": choose_class(predicted, positive, threshold), **shares}


def risk_columns(predicted: Predicted, cause: str | None) -> dict[str, np.ndarray]:
    """Return the risk of a cause by each horizon, `risk_5y` and alike, (rows,)."""
    place = predicted.classes.index(cause) if cause else 0
    return {
        f"risk_{horizon.label}": predicted.value[:, place, predicted.times.index(horizon.time)]
        for horizon in predicted.horizons
    }


def choose_class(
    predicted: Predicted, positive: str | None = None, threshold: Threshold = None
) -> np.ndarray:
    """Return a class name for every row, (rows,) of str.

    With two classes and a threshold: `positive` where its risk reaches the threshold, as the
    model was judged. Several findings: all whose risk reaches their own. Otherwise the most likely
    class.
    """
    if isinstance(threshold, Mapping):
        limits = np.array([threshold[name] for name in predicted.classes])
        named = (predicted.value >= limits).astype(np.float64)
        return np.array(write_labels(named, predicted.classes), dtype=object)
    names = np.array(predicted.classes, dtype=object)
    if len(names) != 2 or positive is None or threshold is None:
        return names[predicted.value.argmax(axis=1)]
    place = predicted.classes.index(positive)
    return np.where(predicted.value[:, place] >= threshold, names[place], names[1 - place])
