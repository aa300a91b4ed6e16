"""Who benefits: whether predicted effects of single patients rank and hit what treatment does.

Everything is measured with doubly robust scores of patients whom the models did not learn from.
`benefit` is the effect turned so that more is better for the patient; `score` likewise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medcore.evaluate.bootstrap import Measure
from medcore.evaluate.causal import influence_metric
from medcore.records import Metric

GRID = 50
GROUPS, ROWS_A_GROUP = 5, 40
FEWEST_GROUP = 10


def measure_benefit(
    benefit: np.ndarray, score: np.ndarray, without: np.ndarray, given: np.ndarray
) -> Measure:
    """Return the function from weights to the figures on who benefits, (resamples,) each.

    qini: the area between what treating in the order of predicted benefit gains and what treating
    as many at random gains, per patient (Radcliffe 2007, with doubly robust scores as Yadlowsky et
    al. 2021); auuc: the area under the former alone. effect_slope: the regression of the score on
    the predicted effect, 1 where predicted differences are as large as they should be.
    policy_value: the mean outcome if those with a predicted benefit were treated, policy_all and
    policy_none if everybody or nobody were; policy_over_all and policy_over_none: what that gains,
    more being better. `without` and `given` are the arms' scores.
    """
    order = np.argsort(-benefit, kind="stable")
    chosen = benefit > 0

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(axis=1)
        sorted_weights = weights[:, order]
        place = (np.cumsum(sorted_weights, axis=1) - sorted_weights / 2) / total[:, None]
        ranked = sorted_weights * score[order]
        auuc = ((1 - place) * ranked).sum(axis=1) / total
        mean = weights @ score / total
        value = weights @ np.where(chosen, given, without) / total
        everyone, nobody = weights @ given / total, weights @ without / total
        gain = weights @ np.where(chosen, score, 0.0) / total
        return {
            "qini": auuc - mean / 2,
            "auuc": auuc,
            "effect_slope": _slope(weights, benefit, score),
            "policy_value": value,
            "policy_all": everyone,
            "policy_none": nobody,
            "policy_over_all": gain - mean,
            "policy_over_none": gain,
        }

    return measure


def _slope(weights: np.ndarray, known: np.ndarray, told: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1)
    middle, level = weights @ known / total, weights @ told / total
    spread = weights @ known**2 / total - middle**2
    both = weights @ (known * told) / total - middle * level
    flat = spread <= 1e-12 * (1 + middle**2)
    return np.where(flat, np.nan, both / np.where(flat, 1.0, spread))


def uplift_curves(
    benefit: np.ndarray, score: np.ndarray, cluster: np.ndarray
) -> dict[str, list[float]]:
    """Return what treating the patients with the largest predicted benefit gains, by their share.

    `gain` is per patient of everybody, `random` what as many drawn at random would gain; `uplift`
    the mean effect in those treated. With 95 % intervals at each share.
    """
    order = np.argsort(-benefit, kind="stable")
    rows = len(score)
    counts = np.unique(np.ceil(np.linspace(0, 1, GRID + 1)[1:] * rows).astype(int))
    found: dict[str, list[float]] = {
        name: [] for name in ("share", "gain", "gain_low", "gain_high", "random",
                              "uplift", "uplift_low", "uplift_high")
    }  # fmt: skip
    mean = float(score.mean())
    for count in counts:
        inside = np.zeros(rows)
        inside[order[:count]] = 1
        gain = float(inside @ score) / rows
        told = influence_metric(gain, inside * score - gain, cluster)
        own = gain * rows / count
        group = influence_metric(own, inside * (score - own) * rows / count, cluster)
        found["share"].append(count / rows)
        found["random"].append(mean * count / rows)
        for name, metric in (("gain", told), ("uplift", group)):
            found[name].append(metric.value)
            found[f"{name}_low"].append(metric.low)
            found[f"{name}_high"].append(metric.high)
    return found


def calibrate_effects(
    effect: np.ndarray, score: np.ndarray, cluster: np.ndarray
) -> list[dict[str, Any]]:
    """Return groups of patients by predicted effect, each with its mean and the effect in it."""
    count = max(1, min(GROUPS, len(score) // ROWS_A_GROUP))
    order = np.argsort(effect, kind="stable")
    found = []
    for places in np.array_split(order, count):
        metric = mean_effect(score[places], cluster[places])
        found.append(
            {
                "predicted": float(effect[places].mean()), "observed": metric.value,
                "low": metric.low, "high": metric.high, "n": len(places),
            }
        )  # fmt: skip
    return found


def mean_effect(score: np.ndarray, cluster: np.ndarray) -> Metric:
    """Return the average effect in a group from its doubly robust scores."""
    value = float(score.mean())
    return influence_metric(value, score - value, cluster)


def group_effects(
    labels: np.ndarray, score: np.ndarray, treated: np.ndarray, cluster: np.ndarray
) -> list[dict[str, Any]]:
    """Return the average effect in each named group and against the rest, the largest first.

    `few` says that an arm has fewer than ten rows there, too few to tell.
    """
    names, counts = np.unique(labels.astype(str), return_counts=True)
    found = []
    for name in names[np.argsort(-counts, kind="stable")]:
        inside = labels.astype(str) == name
        arms = [int((inside & (treated == arm)).sum()) for arm in (0, 1)]
        own = mean_effect(score[inside], cluster[inside])
        told = {"name": str(name), "n": int(inside.sum()), "few": min(arms) < FEWEST_GROUP,
                "effect": own.value, "low": own.low, "high": own.high}  # fmt: skip
        if not inside.all():
            share = inside.mean()
            away = own.value - float(score[~inside].mean())
            influence = np.where(inside, (score - own.value) / share, 0) - np.where(
                inside, 0, (score - score[~inside].mean()) / (1 - share)
            )
            against = influence_metric(away, influence, cluster)
            told |= {"difference": against.value, "difference_low": against.low,
                     "difference_high": against.high}  # fmt: skip
        found.append(told)
    return found


def tell_apart(frame: Any, columns: Any, benefit: np.ndarray) -> list[dict[str, Any]]:
    """Return what sets the third with the largest predicted benefit apart from the least third."""
    from medcore.evaluate.overlap import describe_balance

    order = np.argsort(benefit, kind="stable")
    third = max(2, len(order) // 3)
    places = np.concatenate([order[:third], order[-third:]])
    most = np.r_[np.zeros(third), np.ones(third)]
    rows = describe_balance(frame.iloc[places], columns, most, np.ones(len(places)))
    rows = sorted(rows, key=lambda row: -abs(row["before"]))
    return [
        {"column": row["column"], "level": row["level"], "least": row["control"],
         "most": row["treated"], "difference": row["before"]}
        for row in rows
    ]  # fmt: skip
