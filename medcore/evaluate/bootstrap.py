"""Percentile bootstrap of many metrics at once, by patient where patients repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from medcore.records import Metric

Measure = Callable[[np.ndarray], Mapping[str, np.ndarray]]
BLOCK_CELLS = 2_000_000
FEWEST = 0.5


def bootstrap_metrics(
    measure: Measure, cluster: np.ndarray, resamples: int, rng: np.random.Generator
) -> dict[str, Metric]:
    """Return every metric of `measure` with its 95 % percentile interval (Efron 1979).

    `measure` maps weights (resamples, rows) to arrays (resamples,). Clusters (int codes, one per
    row, the patient) are drawn with replacement, all rows of a cluster together. Resamples in
    which a metric is undefined are left out of its interval and counted in its reason; with fewer
    than half left there is no interval.
    """
    rows = len(cluster)
    value = {name: float(v[0]) for name, v in measure(np.ones((1, rows))).items()}
    drawn = resample_measure(measure, cluster, resamples, rng)
    return {name: interval_of(value[name], drawn[name], rows) for name in value}


def bootstrap_differences(
    measures: tuple[Measure, Measure], cluster: np.ndarray, resamples: int, rng: np.random.Generator
) -> dict[str, Metric]:
    """Return first − second of every metric, both measured on the same resampled patients."""
    first, second = measures

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        ours, theirs = first(weights), second(weights)
        return {name: ours[name] - theirs[name] for name in ours if name in theirs}

    return bootstrap_metrics(measure, cluster, resamples, rng)


def resample_measure(
    measure: Measure, cluster: np.ndarray, resamples: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return every metric in every resample, (resamples,), whole clusters drawn together."""
    _, codes = np.unique(cluster, return_inverse=True)
    clusters = int(codes.max()) + 1
    single = clusters == len(codes)
    block = max(1, min(resamples, BLOCK_CELLS // len(codes)))
    found: dict[str, list[np.ndarray]] = {}
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        picks = rng.integers(clusters, size=(count, clusters))
        picks += np.arange(count)[:, None] * clusters
        weights = np.bincount(picks.ravel(), minlength=count * clusters).reshape(count, clusters)
        weights = weights.astype(np.float64)
        for name, values in measure(weights if single else weights[:, codes]).items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def interval_of(value: float, drawn: np.ndarray, rows: int) -> Metric:
    """Return a figure with the percentile interval of its resampled values."""
    kept = drawn[np.isfinite(drawn)]
    lost = len(drawn) - len(kept)
    if not np.isfinite(value):
        return Metric(np.nan, np.nan, np.nan, rows, "none", "undefined for these patients")
    if len(kept) < FEWEST * len(drawn):
        reason = f"undefined in {lost} of {len(drawn)} resamples, so there is no interval"
        return Metric(value, np.nan, np.nan, rows, "none", reason)
    low, high = np.quantile(kept, [0.025, 0.975])
    reason = f"undefined in {lost} of {len(drawn)} resamples, which are left out" if lost else None
    # With very few rows the percentiles can miss the value itself; the interval must hold it.
    return Metric(value, min(float(low), value), max(float(high), value), rows, "bootstrap", reason)
