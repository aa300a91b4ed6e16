"""Predictions of each task, made up, ready to be judged."""

import numpy as np
import pandas as pd

from medcore.config import RunConfig, change_config
from medcore.records import Predictions

CONFIG = change_config(RunConfig(), {"evaluate.resamples": 100})


def frame_of(part, model="model", fold=-1, first=0, **columns) -> pd.DataFrame:
    """Return rows of one model and part."""
    rows = len(columns["outcome"])
    known = {
        "row_id": np.arange(first, first + rows),
        "patient": pd.Series([None] * rows, dtype="string"),
        "part": part,
        "fold": fold,
        "model": model,
    }
    return pd.DataFrame(known | columns)


def binary_rows(part, rows, seed, skill=0.4, **known) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    event = rng.random(rows) < 0.35
    risk = np.clip(rng.random(rows) * 0.6 + skill * event, 0, 1).round(2)
    shares = {"p_no": 1 - risk, "p_yes": risk}
    return frame_of(part, outcome=np.where(event, "yes", "no"), **shares, **known)


def binary(skill=0.4, rows=120) -> Predictions:
    frames = [
        binary_rows("validation", 80, 1, skill, first=1000),
        binary_rows("test", rows, 2, skill),
        binary_rows("validation", 80, 3, 0.0, first=1000, model="logistic"),
        binary_rows("test", rows, 2, 0.1, model="logistic"),
    ]
    return Predictions("binary", ("no", "yes"), "yes", pd.concat(frames, ignore_index=True))


def multiclass() -> Predictions:
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 150, p=[0.6, 0.3, 0.1])
    share = rng.random((150, 4)) * [1, 1, 1, 0.01] + np.eye(4)[truth] * 0.6
    share /= share.sum(axis=1, keepdims=True)
    names = ("a", "b", "c", "rare one")
    columns = {f"p_{name}": share[:, place] for place, name in enumerate(names)}
    frame = frame_of("test", outcome=np.array(names)[truth], **columns)
    return Predictions("multiclass", names, None, frame)


def regression(spread=3.0) -> Predictions:
    rng = np.random.default_rng(0)
    outcome = rng.normal(70, 1, 90) * (spread > 0) + 10
    said = outcome + rng.normal(0, 1, 90)
    frame = frame_of("test", outcome=outcome, predicted=said, low=said - 2, high=said + 2)
    return Predictions("regression", (), None, frame)


CASES = {"binary": binary, "multiclass": multiclass, "regression": regression}
