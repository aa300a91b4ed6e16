"""An effect judged: averages, who benefits, overlap, and what the tests of robustness found.

All figures come from predictions for patients whom the models did not learn from; there is no test
part. Rows: arm (1 treated), propensity, untreated, treated (expected outcomes), effect (predicted
for the patient); `model` is "model", the name of a test of robustness, or "causal_forest", which
the model may be compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, generator
from medcore.errors import DataError
from medcore.evaluate.benefit import (
    calibrate_effects,
    group_effects,
    measure_benefit,
    uplift_curves,
)
from medcore.evaluate.bootstrap import Measure, bootstrap_differences, bootstrap_metrics
from medcore.evaluate.causal import Compared, e_value, estimate_effects
from medcore.evaluate.overlap import (
    effective_size,
    propensity_histogram,
    share_beyond,
)
from medcore.records import Evaluation, Metric, Predictions

FEWEST_ARM = 10
FOREST = "causal_forest"
TESTS = ("placebo", "random_confounder")
COLUMNS = ("arm", "propensity", "untreated", "treated", "effect")
BARS = 30


def judge_effect(predictions: Predictions, config: RunConfig) -> Evaluation:
    """Judge the predictions of an effect; `Evaluation.effect` holds the figures.

    Raises `DataError` where the arms do not overlap enough; see `medcore.evaluate.overlap`.
    """
    frame = predictions.frame[predictions.frame["model"] == "model"].sort_values("row_id")
    if not np.isfinite(frame[list(COLUMNS)].to_numpy(np.float64)).all():
        raise DataError("Some predictions are not numbers; train again with a lower learning rate.")
    kept = inside_trim(frame, config)
    chance = frame["propensity"].to_numpy(np.float64)
    rows = read_compared(frame, predictions, config)
    check_overlap(chance[kept], rows.treated[kept], config)
    rows, effect = rows.take(kept), frame["effect"].to_numpy(np.float64)[kept]
    binary = bool(predictions.classes)
    found = {name: asdict(metric) for name, metric in estimate_effects(rows, binary).items()}
    turned = -1.0 if config.effect.better == "lower" else 1.0
    without, given = rows.arm_scores
    measure = measure_benefit(turned * effect, turned * rows.scores, without, given)
    rng = generator(config.seed, "benefit")
    drawn = bootstrap_metrics(measure, rows.cluster, config.evaluate.resamples, rng)
    found |= {name: asdict(metric) for name, metric in _explain_gaps(drawn).items()}
    for test in TESTS:
        again = predictions.frame[predictions.frame["model"] == test].sort_values("row_id")
        if len(again):
            compared = read_compared(again, predictions, config).take(kept)
            found[f"ate_{test}"] = asdict(estimate_effects(compared, binary)["ate"])
    beside = _judge_forest(predictions, config, rows, kept, measure)
    found |= {name: asdict(metric) for name, metric in beside.items()}
    facts = _count(rows, chance, kept, config)
    told = _ratio_or_difference(found, binary)
    spread = float(rows.outcome.std(ddof=1))
    evaluation_effect = {**facts, **found, "e_value": e_value(told, binary, spread)}
    curves = {
        "propensity": propensity_histogram(chance, frame["arm"].to_numpy(np.float64)),
        "uplift": uplift_curves(turned * effect, turned * rows.scores, rows.cluster),
        "calibration": calibrate_effects(effect, rows.scores, rows.cluster),
        "effects": _histogram(effect),
    }
    return Evaluation(
        task="effect", positive=predictions.positive, classes=predictions.classes, parts={},
        baselines={}, curves={"model": curves}, effect=evaluation_effect,
        warnings=tuple(_warn(evaluation_effect)),
    )  # fmt: skip


def _judge_forest(
    predictions: Predictions, config: RunConfig, rows: Compared, kept: np.ndarray, model: Measure
) -> dict[str, Metric]:
    """Return what a causal forest does on the same patients; nothing where none was grown.

    Who benefits is held against the same doubly robust scores as the model's; `model` is what
    measures the model, for the paired difference.
    """
    frame = predictions.frame[predictions.frame["model"] == FOREST].sort_values("row_id")
    if not len(frame):
        return {}
    compared = read_compared(frame, predictions, config).take(kept)
    turned = -1.0 if config.effect.better == "lower" else 1.0
    effect = frame["effect"].to_numpy(np.float64)[kept]
    measure = measure_benefit(turned * effect, turned * rows.scores, *rows.arm_scores)
    resamples, cluster = config.evaluate.resamples, rows.cluster
    rng = generator(config.seed, "benefit")
    drawn = _explain_gaps(bootstrap_metrics(measure, cluster, resamples, rng))
    rng = generator(config.seed, "compare")
    apart = bootstrap_differences((model, measure), cluster, resamples, rng)
    return {
        f"ate_{FOREST}": estimate_effects(compared, bool(predictions.classes))["ate"],
        f"qini_{FOREST}": drawn["qini"],
        f"effect_slope_{FOREST}": drawn["effect_slope"],
        f"qini_over_{FOREST}": apart["qini"],
    }


def compare_effects(
    first: Predictions, second: Predictions, config: RunConfig
) -> dict[str, Metric]:
    """Return first − second of what tells who benefits, on the same patients (paired bootstrap).

    Both are held against the first one's doubly robust scores. Raises `DataError` for other rows
    or arms.
    """
    frames = [
        told.frame[told.frame["model"] == "model"].sort_values("row_id").reset_index(drop=True)
        for told in (first, second)
    ]
    same = ["row_id", "outcome", "arm"]
    if not frames[0][same].equals(frames[1][same]):
        raise DataError(
            "These models tell the effect for different patients or arms, so a difference between "
            "them could be one between patients."
        )
    rows = read_compared(frames[0], first, config)
    turned = -1.0 if config.effect.better == "lower" else 1.0
    without, given = rows.arm_scores
    measures = tuple(
        measure_benefit(
            turned * frame["effect"].to_numpy(np.float64), turned * rows.scores, without, given
        )
        for frame in frames
    )
    rng = generator(config.seed, "compare")
    found = bootstrap_differences(measures, rows.cluster, config.evaluate.resamples, rng)
    return {name: found[name] for name in ("qini", "effect_slope", "policy_value")}


def read_compared(frame: pd.DataFrame, predictions: Predictions, config: RunConfig) -> Compared:
    """Return rows to compare, chances of treatment bounded as the settings say."""
    outcome = frame["outcome"]
    value = outcome.eq(predictions.positive) if predictions.classes else outcome
    patient = frame["patient"].astype(object).where(frame["patient"].notna(), frame["row_id"])
    arm, chance, untreated, treated = (
        frame[name].to_numpy(np.float64) for name in ("arm", "propensity", "untreated", "treated")
    )
    least = config.effect.overlap
    bounded = np.clip(chance, least, 1 - least)
    values = value.to_numpy(np.float64)
    return Compared(values, arm, bounded, untreated, treated, pd.factorize(patient)[0])


def inside_trim(frame: pd.DataFrame, config: RunConfig) -> np.ndarray:
    """Return which rows the effect is told of: those not trimmed, bool (rows,)."""
    chance, trim = frame["propensity"].to_numpy(np.float64), config.effect.trim
    return (chance >= trim) & (chance <= 1 - trim)


def check_overlap(
    chance: np.ndarray, treated: np.ndarray, config: RunConfig, apart: str = ""
) -> None:
    """Raise `DataError` where too many patients of one arm have nobody like them in the other.

    `apart` says which input sets the arms apart most.
    """
    least, allowed = config.effect.overlap, config.effect.beyond
    arms = [int((treated == arm).sum()) for arm in (0, 1)]
    if min(arms, default=0) < FEWEST_ARM:
        raise DataError(
            f"After trimming, an arm has {min(arms, default=0)} patients left; {FEWEST_ARM} at "
            "least are needed in each: set effect.trim lower, or compare patients more alike."
        )
    beyond = share_beyond(chance, least)
    if beyond <= allowed:
        return
    raise DataError(
        f"No effect is told, because the arms do not overlap: {beyond:.0%} of patients have a "
        f"chance of one arm below {least:.2g}, given their inputs, and {allowed:.0%} are allowed "
        f"(effect.beyond), so that there is nobody to compare them with.{apart} Leave out inputs "
        "that are only known after treatment, keep patients who could have had either arm, or set "
        "effect.trim to 0.1 to tell the effect in those alone."
    )


def judge_effect_groups(
    predictions: Predictions, config: RunConfig, groupings: Mapping[str, pd.Series]
) -> dict[str, list[dict[str, Any]]]:
    """Return the average effect in the groups of several columns, ready for JSON."""
    frame = predictions.frame[predictions.frame["model"] == "model"].sort_values("row_id")
    kept = inside_trim(frame, config)
    rows = read_compared(frame, predictions, config).take(kept)
    found = {}
    for column, groups in groupings.items():
        labels = groups.astype("string").reindex(frame["row_id"][kept]).fillna("unknown")
        if labels.nunique() <= BARS:
            names = labels.to_numpy(object)
            found[column] = group_effects(names, rows.scores, rows.treated, rows.cluster)
    return found


def _explain_gaps(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    reason = "the model predicts the same effect for everybody"
    return {
        name: metric if np.isfinite(metric.value) else Metric(
            np.nan, np.nan, np.nan, metric.n, "none", reason
        )
        for name, metric in metrics.items()
    }  # fmt: skip


def _count(
    rows: Compared, chance: np.ndarray, kept: np.ndarray, config: RunConfig
) -> dict[str, Any]:
    treated = rows.treated == 1
    least = config.effect.overlap
    return {
        "design": config.effect.design,
        "better": config.effect.better,
        "n": len(rows.outcome),
        "patients": len(np.unique(rows.cluster)),
        "n_treated": int(treated.sum()),
        "n_control": int((~treated).sum()),
        "trimmed": int((~kept).sum()),
        "bounded": int(((chance[kept] < least) | (chance[kept] > 1 - least)).sum()),
        "least_chance": float(chance[kept].min()),
        "most_chance": float(chance[kept].max()),
        "ess_treated": effective_size(rows.weights[treated]),
        "ess_control": effective_size(rows.weights[~treated]),
    }


def _ratio_or_difference(found: Mapping[str, Any], binary: bool) -> Metric:
    return Metric(**found["risk_ratio" if binary else "ate"])


def _histogram(effect: np.ndarray) -> dict[str, list[float]]:
    counts, edges = np.histogram(effect, BARS if np.ptp(effect) > 0 else 1)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _warn(effect: Mapping[str, Any]) -> list[str]:
    told = []
    if effect["trimmed"]:
        told.append(
            f"{effect['trimmed']:,} patients whose chance of one arm is too small were set aside; "
            "the effect is that in the others."
        )
    if effect["bounded"]:
        told.append(
            f"For {effect['bounded']:,} patients the chance of one arm is smaller than the least "
            "that counts; it was bounded there."
        )
    for arm, name in (("treated", "treated"), ("control", "not treated")):
        if effect[f"ess_{arm}"] < effect[f"n_{arm}"] / 2:
            told.append(
                f"Weighting leaves the {effect[f'n_{arm}']:,} patients {name} with the weight of "
                f"{effect[f'ess_{arm}']:,.0f}: few of them stand for many."
            )
    placebo = effect.get("ate_placebo")
    if placebo and not placebo["low"] <= 0 <= placebo["high"]:
        told.append(
            "With treatment dealt at random the method still finds an effect, which happens to one "
            "in twenty tests by chance alone, and otherwise means that the interval is too narrow."
        )
    return told
