"""What models say of rows, as `predictions.parquet` holds it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medcore.evaluate.pooling import DRAW
from medcore.predict import (
    COVERAGE,
    FittedModel,
    predict_dataset,
    predict_rows,
    split_draws,
    without_recalibration,
)
from medcore.recipes import Fitted
from medcore.recipes.plan import BASELINES
from medcore.records import Dataset, Parts


def predict_parts(
    fitted: Fitted,
    dataset: Dataset,
    parts: Parts,
    fold: int,
    positive: str | None = None,
    coverage: float = COVERAGE,
) -> pd.DataFrame | None:
    """Return the rows of `predictions.parquet` for one fit; None for a final model after folds."""
    if "test" not in parts:
        return None
    part_of = {int(row): part for part, rows in parts.items() for row in rows}
    held_fold = np.full(len(fitted.row_id), fold) if fold >= 0 else fitted.fold
    frames = []
    models = {"model": fitted.model}
    if "uncalibrated" in fitted.held_out:
        models["uncalibrated"] = without_recalibration(fitted.model)
    models |= {name: fitted.baselines[name] for name in BASELINES if name in fitted.baselines}
    for name, model in models.items():
        held = told_columns(model, positive, fitted.held_out[name])
        held |= {"row_id": fitted.row_id, "fold": held_fold, "model": name}
        frames.append(pd.DataFrame(held))
        later = [part for part in ("calibration", "test") if part in parts]
        rows = np.concatenate([parts[part] for part in later])
        said = predict_dataset(model, dataset, rows, coverage)
        new = told_columns(model, positive, said.value, said.low, said.high)
        frames.append(pd.DataFrame({**new, "row_id": rows, "fold": fold, "model": name}))
    for draw, model in split_draws(fitted.model).items():
        rows = parts["test"]
        new = told_columns(model, positive, predict_rows(model, dataset, rows))
        frames.append(
            pd.DataFrame({**new, "row_id": rows, "fold": fold, "model": f"{DRAW}{draw + 1}"})
        )
    frame = pd.concat(frames, ignore_index=True)
    frame["part"] = frame["row_id"].map(part_of)
    return describe_rows(frame, dataset)


def told_columns(
    model: FittedModel,
    positive: str | None,
    value: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> dict[str, object]:
    """Return predictions as the columns of `predictions.parquet`; time to event: risks, curves."""
    if model.task != "survival":
        return value_columns(model.classes, value, low, high)
    cohort, risk = model.cohort, value[:, model.classes.index(positive)]
    told = {f"risk_{h.label}": risk[:, cohort.times.index(h.time)] for h in cohort.horizons}
    return told | {f"curve_{place}": risk[:, place] for place in range(risk.shape[1])}


def value_columns(
    classes: tuple[str, ...],
    value: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> dict[str, object]:
    """Return predictions as the columns of `predictions.parquet`: p_CLASS, or predicted."""
    if classes:
        return {f"p_{name}": value[:, place] for place, name in enumerate(classes)}
    unknown = np.full(len(value), np.nan)
    return {
        "predicted": value,
        "low": unknown if low is None else low,
        "high": unknown if high is None else high,
    }


def describe_rows(frame: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Add who each row is and what happened to them, in the contract's order of columns."""
    source = dataset.frame.loc[frame["row_id"]]
    known: Mapping[str, pd.Series] = {
        role: source[columns[0].name] if (columns := dataset.with_role(role)) else None
        for role in ("patient", "site", "duration")
    }
    for role in ("patient", "site"):
        values = known[role]
        words = None if values is None else values.astype("string").to_numpy()
        frame[role] = pd.Series(words, index=frame.index, dtype="string")
    outcome = dataset.predicted_column()
    first = ["row_id", "patient", "site", "part", "fold", "model", "outcome"]
    if outcome.role == "event":
        frame["duration"] = known["duration"].to_numpy(np.float64)
        first.append("duration")
    frame["outcome"] = source[outcome.name].to_numpy()
    return frame[[*first, *(name for name in frame.columns if name not in first)]]
