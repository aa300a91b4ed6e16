"""Permutation importance: how much worse a model is when a column tells it nothing.

A column's values, or those of columns that go together, are shuffled among the test patients, and
the model is judged again (Breiman 2001; Fisher, Rudin and Dominici 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medcore.evaluate.bootstrap import bootstrap_metrics
from medcore.evaluate.ranking import delong, ranking_metrics
from medcore.explain.mixing import Mixture
from medcore.records import Metric

NORMAL = 1.959963984540054
# Where patients repeat, AUROC has no formula here; this many resamples of each shuffle's curve.
AREA_RESAMPLES = 200


@dataclass(frozen=True, eq=False)
class Truth:
    """What happened to the test patients, for one target.

    `kind` "event": `values` are 1 where the class occurred, NaN where nobody knows, and the model's
    answer is its risk;
    "number": values in the outcome's unit; "none": not known, so only shifts are measured.
    `place` is the target's column in the model's answers.
    """

    name: str
    place: int
    kind: Literal["event", "number", "none"]
    values: np.ndarray


def permutation_importance(
    mixture: Mixture,
    rows: np.ndarray,
    groups: Sequence[Sequence[str]],
    truths: Sequence[Truth],
    cluster: np.ndarray,
    *,
    repeats: int,
    resamples: int,
    rng: np.random.Generator,
    tell: Callable[[int], bool] = lambda _: True,
) -> list[dict[str, list[Metric]]] | None:
    """Return, for each truth, its measures by name: a `Metric` for each group of columns.

    `rows` are source rows, the test patients; `cluster` has one code per row, the patient. An
    event's measures are `auroc` (the loss of AUROC), `brier` (its rise); a number's is `mae` (the
    rise of the mean error); always `shift`, the mean size of the prediction's change. Values are
    means over `repeats` shuffles, the same for all groups; intervals are over test patients, whose
    differences hold the shuffles' chance too: bootstrap, and DeLong for AUROC where every patient
    has one row. `tell` hears the number of groups done; when it says False, None comes back.
    """
    before = mixture.ask(mixture.plain(rows))
    shuffles = [rng.permutation(rows) for _ in range(repeats)]
    rises: list[dict[str, list[np.ndarray]]] = [{} for _ in truths]
    areas: list[list[Metric]] = [[] for _ in truths]
    for done, group in enumerate(groups):
        if not tell(done):
            return None
        after = _shuffle(mixture, rows, group, shuffles, before)
        for place, truth in enumerate(truths):
            was, now = before[:, truth.place], after[:, :, truth.place]
            for name, rise in _rises(truth, was, now).items():
                rises[place].setdefault(name, []).append(rise)
            if truth.kind == "event":
                known = np.isfinite(truth.values)
                told = (truth.values[known], was[known], now[:, known], cluster[known])
                areas[place].append(_area_loss(*told, rng))
    found = []
    for place, truth in enumerate(truths):
        measures = {}
        for name, columns in rises[place].items():
            known = np.isfinite(columns[0])
            told = np.column_stack(columns)[known]
            measures[name] = _mean_rises(told, cluster[known], resamples, rng)
        found.append({"auroc": areas[place], **measures} if truth.kind == "event" else measures)
    return found


def _shuffle(
    mixture: Mixture,
    rows: np.ndarray,
    group: Sequence[str],
    shuffles: list[np.ndarray],
    before: np.ndarray,
) -> np.ndarray:
    """Return the answers with a group's columns taken from other rows, (repeats, rows, targets)."""
    places = [mixture.columns.index(name) for name in group]
    picks, drawn = np.tile(mixture.plain(rows), (len(shuffles), 1)), np.concatenate(shuffles)
    picks[:, places] = drawn[:, None]
    # Who is dealt the values they had is not asked about again: with a yes/no column, many are.
    own = mixture.codes[np.tile(rows, len(shuffles))][:, places]
    moved = (mixture.codes[drawn][:, places] != own).any(axis=1)
    said = np.tile(before, (len(shuffles), 1))
    if moved.any():
        said[moved] = mixture.ask(picks[moved])
    return said.reshape(len(shuffles), len(rows), -1)


def _rises(truth: Truth, was: np.ndarray, now: np.ndarray) -> dict[str, np.ndarray]:
    """Return by how much each row's loss grows, the mean over shuffles, (rows,)."""
    found = {}
    if truth.kind == "event":
        found["brier"] = ((now - truth.values) ** 2 - (was - truth.values) ** 2).mean(axis=0)
    elif truth.kind == "number":
        found["mae"] = (np.abs(now - truth.values) - np.abs(was - truth.values)).mean(axis=0)
    return found | {"shift": np.abs(now - was).mean(axis=0)}


def _mean_rises(
    rises: np.ndarray, cluster: np.ndarray, resamples: int, rng: np.random.Generator
) -> list[Metric]:
    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        means = weights @ rises / weights.sum(axis=1, keepdims=True)
        return {str(place): means[:, place] for place in range(rises.shape[1])}

    return list(bootstrap_metrics(measure, cluster, resamples, rng).values())


def _area_loss(
    event: np.ndarray,
    was: np.ndarray,
    now: np.ndarray,
    cluster: np.ndarray,
    rng: np.random.Generator,
) -> Metric:
    """Return the AUROC as it is less the mean of those after each shuffle."""
    if len(np.unique(cluster)) < len(cluster):

        def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
            after = [ranking_metrics(event, risk, weights)["auroc"] for risk in now]
            return {"auroc": ranking_metrics(event, was, weights)["auroc"] - np.mean(after, axis=0)}

        return bootstrap_metrics(measure, cluster, AREA_RESAMPLES, rng)["auroc"]
    areas, covariance = delong(event, was, *now)
    contrast = np.r_[1.0, np.full(len(now), -1 / len(now))]
    value, spread = float((areas[0] - areas[1:]).mean()), float(contrast @ covariance @ contrast)
    if (now == was).all():
        spread = 0.0
    if not np.isfinite(value):
        reason = "needs patients with and without the outcome"
        return Metric(np.nan, np.nan, np.nan, len(event), "none", reason)
    if not np.isfinite(spread):
        return Metric(
            value, np.nan, np.nan, len(event), "none", "needs two patients of either kind"
        )
    reach = NORMAL * np.sqrt(max(spread, 0.0))
    return Metric(value, value - reach, value + reach, len(event), "delong")
