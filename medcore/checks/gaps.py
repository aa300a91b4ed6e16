"""Why values may be missing: by row, group and time, told by the others, and what deleting costs.

Whether a value is missing because of what it would have been (missing not at random) cannot be
seen in any data; what can be seen is whether the known values tell of the gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medcore.checks.figures import missing_by_column
from medcore.config import generator
from medcore.evaluate.ranking import delong
from medcore.records import Column, Dataset

FEWEST_GAPS = 10
MOST_ROWS, MOST_WORDS, MOST_PERIODS, FOLDS = 5_000, 8, 12, 5
LITTLE_COLUMNS, LITTLE_STEPS, LITTLE_TOLERANCE = 30, 300, 1e-6


def missing_by_row(dataset: Dataset) -> pd.DataFrame:
    """Return how many rows miss how many inputs: missing, rows, share."""
    names = [column.name for column in dataset.with_role("input")]
    counts = dataset.frame[names].isna().sum(axis=1).value_counts().sort_index()
    share = counts.to_numpy() / max(len(dataset.frame), 1)
    return pd.DataFrame({"missing": counts.index, "rows": counts.to_numpy(), "share": share})


def missing_by_group(dataset: Dataset, name: str) -> pd.DataFrame:
    """Return the share missing of each input with gaps (rows) in each group (columns).

    Groups are the column's values; of a date, its periods: years, quarters or months, twelve at
    most. Rows without a value form the group "(unknown)".
    """
    groups = _groups(dataset.frame[name], dataset.column(name))
    names = [gap for gap in missing_by_column(dataset)["column"] if gap != name]
    return dataset.frame[names].isna().groupby(groups.to_numpy(), sort=True).mean().T


def _groups(values: pd.Series, column: Column) -> pd.Series:
    if column.kind != "date":
        return values.astype("string").fillna("(unknown)")
    dates = pd.to_datetime(values)
    for period in ("M", "Q"):
        words = dates.dt.to_period(period).astype("string")
        if words.nunique() <= MOST_PERIODS:
            return words.fillna("(unknown)")
    years = dates.dt.year
    step = -(-int(years.max() - years.min() + 1) // MOST_PERIODS)
    start = years.min() + (years - years.min()) // step * step
    end = np.minimum(start + step - 1, years.max())
    words = [
        "(unknown)" if np.isnan(a) else f"{a:.0f}" if a == b else f"{a:.0f}–{b:.0f}"
        for a, b in zip(start, end, strict=True)
    ]
    return pd.Series(words, index=values.index)


def lost_by_limit(dataset: Dataset, limit: float) -> tuple[pd.Series, list[str]]:
    """Return which rows (bool) and which inputs miss more than the share `limit`."""
    names = [column.name for column in dataset.with_role("input")]
    gaps = dataset.frame[names].isna()
    share = gaps.mean()
    return gaps.mean(axis=1) > limit, [name for name in names if share[name] > limit]


def gap_predictability(dataset: Dataset, seed: int = 0) -> pd.DataFrame:
    """Return how well the other inputs tell where each has gaps: column, missing, auroc, low, high.

    The AUROC of a cross-validated ridge regression of the gap on the other inputs' values and
    gaps, patients kept whole, with DeLong's interval; 0.5 says they tell nothing. Columns with
    fewer than ten gaps or ten values are passed over. Of more than 5,000 rows, so many are drawn.
    """
    rows = generator(seed, "gaps").permutation(len(dataset.frame))[:MOST_ROWS]
    frame = dataset.frame.iloc[np.sort(rows)]
    names = missing_by_column(dataset)["column"].tolist()
    features, sources, places = scale_features(frame, dataset.with_role("input"))
    folds = _folds(dataset, frame, seed)
    crosses = [_cross(features[folds != number]) for number in range(FOLDS)]
    found = []
    for name in names:
        gap = frame[name].isna().to_numpy()
        row = {"column": name, "missing": int(gap.sum())}
        others = np.flatnonzero(sources != name)
        few = min(gap.sum(), (~gap).sum()) < FEWEST_GAPS
        if few or name not in places or not len(others):
            continue
        score = np.zeros(len(frame))
        for number, (cross, count) in enumerate(crosses):
            held = folds == number
            ridge = cross[np.ix_(others, others)] + np.eye(len(others)) * (1 + 0.01 * count)
            weights = np.linalg.solve(ridge, cross[others, places[name]])
            score[held] = features[held][:, others] @ weights
        areas, covariance = delong(gap.astype(np.float64), score)
        reach = 1.959963984540054 * float(np.sqrt(max(covariance[0, 0], 0)))
        area = float(areas[0])
        bounds = {"low": max(0.0, area - reach), "high": min(1.0, area + reach)}
        found.append(row | {"auroc": area} | bounds)
    return pd.DataFrame(found, columns=["column", "missing", "auroc", "low", "high"])


def scale_features(
    frame: pd.DataFrame, columns: tuple[Column, ...]
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Return centred and scaled features, the column each comes from, and each gap's place."""
    made, sources, places = [], [], {}
    for column in columns:
        values = frame[column.name]
        gaps = values.isna().to_numpy()
        if gaps.all():
            continue
        if column.kind == "category":
            words = values.astype("string")
            for word in words.value_counts().index[:MOST_WORDS]:
                made.append(words.eq(word).fillna(False).to_numpy(np.float64))
                sources.append(column.name)
        elif column.kind in ("number", "date"):
            numbers = values if column.kind == "number" else pd.to_datetime(values).astype("int64")
            numbers = np.where(gaps, np.nan, numbers.to_numpy(np.float64, na_value=np.nan))
            made.append(np.where(gaps, np.nanmean(numbers), numbers))
            sources.append(column.name)
        if gaps.any():
            places[column.name] = len(made)
            made.append(gaps.astype(np.float64))
            sources.append(column.name)
    matrix = np.column_stack(made)
    matrix = matrix - matrix.mean(axis=0)
    spread = matrix.std(axis=0)
    return matrix / np.where(spread > 0, spread, 1), np.array(sources, dtype=object), places


def _folds(dataset: Dataset, frame: pd.DataFrame, seed: int) -> np.ndarray:
    """Return each row's fold, a patient's rows together."""
    patients = dataset.with_role("patient")
    codes = np.arange(len(frame))
    if patients:
        known, _ = pd.factorize(frame[patients[0].name])
        codes = np.where(known < 0, known.max() + 1 + codes, known)
    fold = generator(seed, "gaps", "folds").permutation(codes.max() + 1) % FOLDS
    return fold[codes]


def _cross(features: np.ndarray) -> tuple[np.ndarray, int]:
    centred = features - features.mean(axis=0)
    return centred.T @ centred, len(features)


@dataclass(frozen=True)
class LittleTest:
    """Little's (1988) test of "missing completely at random" among the inputs that are numbers.

    `statistic` follows a chi-squared law with `freedom` degrees where gaps are without pattern; `p`
    is the chance of a larger one; `patterns` counts the sets of columns missing together.
    """

    statistic: float
    freedom: int
    p: float
    columns: int
    rows: int
    patterns: int


def run_little(dataset: Dataset, seed: int = 0) -> LittleTest | None:
    """Return Little's test; None with fewer than two number inputs, or no gaps among them.

    Means and covariance are the maximum-likelihood ones of a normal law (EM, Dempster et al. 1977).
    """
    from scipy.special import chdtrc

    rows = generator(seed, "gaps").permutation(len(dataset.frame))[:MOST_ROWS]
    names = [column.name for column in dataset.with_role("input") if column.kind == "number"]
    values = dataset.frame.iloc[np.sort(rows)][names].to_numpy(np.float64, na_value=np.nan)
    values = values[:, np.nan_to_num(np.nanstd(values, axis=0)) > 0] if values.size else values
    order = np.argsort(-np.isnan(values).sum(axis=0), kind="stable")[:LITTLE_COLUMNS]
    values = values[:, np.sort(order)]
    values = values[~np.isnan(values).all(axis=1)]
    if values.shape[1] < 2 or not np.isnan(values).any():
        return None
    scaled = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    groups = _patterns(scaled)
    mean, covariance = fit_normal(scaled, groups)
    statistic, freedom = 0.0, -values.shape[1]
    for known, own in groups:
        away = scaled[np.ix_(own, known)].mean(axis=0) - mean[known]
        inverse = np.linalg.pinv(covariance[np.ix_(known, known)], hermitian=True)
        statistic += len(own) * float(away @ inverse @ away)
        freedom += len(known)
    p = float(chdtrc(freedom, statistic)) if freedom > 0 else float("nan")
    return LittleTest(statistic, freedom, p, values.shape[1], len(values), len(groups))


def _patterns(values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return each pattern's known columns and its rows."""
    kinds, codes = np.unique(~np.isnan(values), axis=0, return_inverse=True)
    codes = codes.ravel()
    return [(np.flatnonzero(k), np.flatnonzero(codes == place)) for place, k in enumerate(kinds)]


def fit_normal(
    values: np.ndarray, groups: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of a normal law by EM, from standardised rows with NaN.

    Each pattern's count, sums and cross products are all that its rows are needed for.
    """
    columns, rows = values.shape[1], len(values)
    told = []
    for known, own in groups:
        x = values[np.ix_(own, known)]
        lost = np.setdiff1d(np.arange(columns), known)
        told.append((known, lost, len(own), x.sum(axis=0), x.T @ x))
    mean, covariance = np.zeros(columns), np.eye(columns)
    for _ in range(LITTLE_STEPS):
        total, square = np.zeros(columns), np.zeros((columns, columns))
        for known, lost, count, sums, cross in told:
            inner = np.linalg.pinv(covariance[np.ix_(known, known)], hermitian=True)
            slope = covariance[np.ix_(lost, known)] @ inner
            start = mean[lost] - slope @ mean[known]
            rest = covariance[np.ix_(lost, lost)] - slope @ covariance[np.ix_(known, lost)]
            between = np.outer(start, sums) + slope @ cross
            total[known] += sums
            total[lost] += count * start + slope @ sums
            square[np.ix_(known, known)] += cross
            square[np.ix_(lost, known)] += between
            square[np.ix_(known, lost)] += between.T
            square[np.ix_(lost, lost)] += (
                count * (np.outer(start, start) + rest)
                + np.outer(start, slope @ sums)
                + np.outer(slope @ sums, start)
                + slope @ cross @ slope.T
            )
        before = covariance
        mean = total / rows
        covariance = square / rows - np.outer(mean, mean)
        if np.abs(covariance - before).max() < LITTLE_TOLERANCE:
            break
    return mean, covariance
