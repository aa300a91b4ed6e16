"""Does a model hold at each site? Its figures there, pooled, and how much the sites differ."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.evaluate.bootstrap import interval_of, resample_measure
from medcore.evaluate.judged import Judged, TaskRules, keep_named
from medcore.evaluate.meta import pool_places

FEWEST = 10
MOST_SITES = 50
# On which scale a figure of several sites is pooled (Debray et al. 2017).
SCALES = {
    "auroc": "logit", "accuracy": "logit", "c_index": "logit", "o_e": "log", "mae": "log",
    "rmse": "log", "calibration_slope": "identity",
}  # fmt: skip


def judge_sites(rows: Judged, rules: TaskRules, config: RunConfig) -> dict[str, Any] | None:
    """Return each site's figures and the pooled ones, JSON-ready; None without two sites.

    `unseen`: whether each site was judged by a model that had not seen it. A site with fewer than
    ten patients with, or without, the outcome is shown and not pooled. Intervals by a bootstrap of
    the site's patients; variances on the pooling scale by the delta method.
    """
    site = rows.frame["site"] if "site" in rows.frame else pd.Series(dtype="string")
    names = sorted(site.dropna().unique())
    if not 2 <= len(names) <= MOST_SITES or not rules.site:
        return None
    found = [_judge_site(str(name), rows, site.eq(name), rules, config) for name in names]
    return {
        "unseen": config.split.kind == "site",
        "without": int(site.isna().sum()),
        "sites": [{key: one[key] for key in ("site", "n", "events", "few")} for one in found],
        "figures": {figure: _pool(figure, found) for figure in rules.site},
    }


def _judge_site(
    name: str, rows: Judged, inside: pd.Series, rules: TaskRules, config: RunConfig
) -> dict[str, Any]:
    part = rows.take(inside.fillna(False).to_numpy(bool))
    patients, events = len(np.unique(part.cluster)), rules.events(part)
    fewest = patients if events is None else min(events, patients - events)
    measure = keep_named(rules.group(part), rules.site)
    whole = measure(np.ones((1, len(part.cluster))))
    rng = generator(config.seed, "site", name)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = resample_measure(measure, part.cluster, rules.resamples(part, config), rng)
    metrics = {
        figure: interval_of(float(whole[figure][0]), drawn[figure], patients)
        for figure in rules.site
    }
    spread = {
        figure: float(np.var(values[np.isfinite(values)], ddof=1))
        if np.isfinite(values).sum() > 1
        else math.nan
        for figure, values in drawn.items()
    }
    return {
        "site": name,
        "n": patients,
        "events": events,
        "few": fewest < FEWEST,
        "metrics": metrics,
        "variance": spread,
    }


def _pool(figure: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    scale = SCALES[figure]
    usable = [
        (_to(one["metrics"][figure].value, scale), _variance(one, figure, scale))
        for one in found
        if not one["few"]
    ]
    usable = [pair for pair in usable if np.isfinite(pair).all() and pair[1] > 0]
    result: dict[str, Any] = {"metrics": [asdict(one["metrics"][figure]) for one in found]}
    if len(usable) < 2:
        reason = "fewer than two sites have enough patients of either outcome for this figure"
        return result | {"pooled": None, "reason": reason}
    pooled = asdict(pool_places(*zip(*usable, strict=True)))
    for end in ("value", "low", "high", "predict_low", "predict_high"):
        pooled[end] = _back(pooled[end], scale)
    return result | {"pooled": pooled, "reason": None}


def _to(value: float, scale: str) -> float:
    if scale == "identity":
        return value
    if not 0 < value < (1 if scale == "logit" else math.inf):
        return math.nan
    return math.log(value) if scale == "log" else math.log(value / (1 - value))


def _variance(one: dict[str, Any], figure: str, scale: str) -> float:
    value, variance = one["metrics"][figure].value, one["variance"][figure]
    if scale == "identity":
        return variance
    slope = value if scale == "log" else value * (1 - value)
    return variance / slope**2 if slope else math.nan


def _back(value: float, scale: str) -> float:
    if scale == "identity":
        return value
    return math.exp(value) if scale == "log" else 1 / (1 + math.exp(-value))
