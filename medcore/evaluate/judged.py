"""One model's test rows, and the rules by which a task's rows are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig
from medcore.evaluate.bootstrap import Measure
from medcore.records import Metric, PartEvaluation, Predictions

NORMAL = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Judged:
    """One model's rows of one part, ready to be measured.

    `thresholds` by fold (empty where none is needed), of several findings one each; `cluster`: an
    int per row, the patient; `ranks`: the place of each class in the outcome's order, None where
    it has none.
    """

    frame: pd.DataFrame
    predictions: Predictions
    thresholds: Mapping[int, Any]
    cluster: np.ndarray
    ranks: np.ndarray | None = None

    @property
    def event(self) -> np.ndarray:
        """Whether each row has the positive class."""
        return self.frame["outcome"].eq(self.predictions.positive).to_numpy(bool)

    @property
    def risk(self) -> np.ndarray:
        """The predicted risk of the positive class."""
        return self.frame[f"p_{self.predictions.positive}"].to_numpy(np.float64)

    @property
    def alarm(self) -> np.ndarray:
        """Whether each row's risk reaches its fold's threshold."""
        return self.risk >= self.frame["fold"].map(self.thresholds).to_numpy(np.float64)

    @property
    def probabilities(self) -> np.ndarray:
        """The predicted probabilities, (rows, classes)."""
        columns = [f"p_{name}" for name in self.predictions.classes]
        return self.frame[columns].to_numpy(np.float64)

    @property
    def truth(self) -> np.ndarray:
        """The outcome as codes into the classes."""
        return pd.Index(self.predictions.classes).get_indexer(self.frame["outcome"])

    @property
    def alone(self) -> bool:
        """Whether every patient has one row, so that rows are independent."""
        return len(np.unique(self.cluster)) == len(self.cluster)

    def take(self, mask: np.ndarray) -> Judged:
        """Return the rows where `mask` is true."""
        return replace(self, frame=self.frame[mask], cluster=self.cluster[mask])


def _nothing(*_: Any) -> dict[str, Metric]:
    return {}


@dataclass(frozen=True)
class TaskRules:
    """How the predictions of one task are judged; each task's module holds its own as `RULES`.

    `columns`: predicted columns, which must be numbers. `measure`: all metrics of some rows;
    `compared`: those in which a model is set against its baselines; `paired`: those in which two
    models are (default: the same). `curves`: what the charts of a model draw, JSON-ready.
    `threshold`: chosen on deciding rows, of several findings one each. `exact`: metrics whose
    interval has better than a bootstrap; `exact_differences`: the same for two models. `reason`:
    why a metric is undefined. `events`: how many rows have the outcome. `warn`: sentences about
    the judged part. `grouped`: what groups of patients and sites are judged by (default: `paired`),
    of which `subgroup` is shown for groups and `site` pooled over sites. `uncertainty`: what came
    of a promised coverage. `resamples`: how many the bootstrap draws.
    """

    columns: Callable[[Predictions], list[str]]
    measure: Callable[[Judged], Measure]
    compared: Callable[[Judged], Measure]
    curves: Callable[[str, Judged, RunConfig], dict[str, Any]]
    reason: Callable[[str], str]
    subgroup: tuple[str, ...]
    site: tuple[str, ...] = ()
    paired: Callable[[Judged], Measure] | None = None
    grouped: Callable[[Judged], Measure] | None = None
    threshold: Callable[[pd.DataFrame, Predictions, RunConfig], Any] | None = None
    exact: Callable[[Judged, Mapping[str, Metric]], dict[str, Metric]] = _nothing
    exact_differences: Callable[[Judged, Judged], dict[str, Metric]] = _nothing
    events: Callable[[Judged], int | None] = lambda _: None
    warn: Callable[[PartEvaluation], list[str]] = lambda _: []
    uncertainty: Callable[[Judged, RunConfig], dict[str, Any]] | None = None
    resamples: Callable[[Judged, RunConfig], int] = lambda _, config: config.evaluate.resamples

    def pair(self, rows: Judged) -> Measure:
        """Return the function from weights to what two models are compared in."""
        return (self.paired or self.compared)(rows)

    def group(self, rows: Judged) -> Measure:
        """Return the function from weights to what a group of patients is judged by."""
        return (self.grouped or self.pair)(rows)


def keep_named(measure: Measure, names: tuple[str, ...]) -> Measure:
    """Return the measure of only some of its metrics."""
    return lambda weights: {n: v for n, v in measure(weights).items() if n in names}


def rank_classes(predictions: Predictions, config: RunConfig) -> np.ndarray | None:
    """Return each class's place in the outcome's order; None where it has none.

    The order is that of the settings; classes that are numbers have one by nature.
    """
    classes = predictions.classes
    if len(classes) < 3:
        return None
    if set(config.outcome.order) == set(classes):
        return np.array([config.outcome.order.index(name) for name in classes])
    try:
        values = [float(name) for name in classes]
    except ValueError:
        return None
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")
