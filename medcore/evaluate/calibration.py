"""Do predicted risks come true? Level, slope, and the smooth curve of observed on predicted risk.

Shapes: `weights` float64 (resamples, rows), `event` 0/1 and `risk` (rows,); results (resamples,).
"""

from __future__ import annotations

import numpy as np

from medcore.evaluate.bootstrap import bootstrap_metrics

MOST_FITTED_ROWS = 1_000
# Harrell's (2001) places for the three knots of a restricted cubic spline.
KNOTS = (0.1, 0.5, 0.9)
GRID = 41


def calibration_metrics(
    event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return calibration_slope, calibration_intercept, ici, e50 and e90.

    Slope: of a logistic regression on the logit of the risk (Cox 1958). Intercept: in the large,
    with the slope fixed at 1. ICI, E50 and E90: mean, median and 90th percentile of the distance
    between the risk and the smooth curve of what was observed (Austin and Steyerberg 2019; a
    restricted cubic spline of the logit with three knots). With many rows, neighbours in risk are
    joined to 1,000 groups first.
    """
    logit, weight, happened = _join(event, risk, weights)
    intercept = _fit_intercept(logit, weight, happened)
    line, curve = _fit_curve(logit, weight, happened)
    with np.errstate(over="ignore", invalid="ignore"):
        distance = np.abs(_sigmoid(curve @ _basis(logit, logit).T) - _sigmoid(logit))
        ici = np.einsum("ij,ij->i", weight, distance) / weight.sum(axis=1)
    half, most = _weighted_quantiles(distance, weight, (0.5, 0.9))
    return {
        "calibration_slope": line[:, 1] / (logit.std() or 1.0),
        "calibration_intercept": intercept,
        "ici": ici,
        "e50": half,
        "e90": most,
    }


def calibration_slope(event: np.ndarray, risk: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the slope alone, as in `calibration_metrics`."""
    logit, weight, happened = _join(event, risk, weights)
    line = _fit_logistic(_basis(logit, logit)[:, :2], weight, happened, np.zeros((len(weight), 2)))
    return line[:, 1] / (logit.std() or 1.0)


def smooth_calibration(
    event: np.ndarray,
    risk: np.ndarray,
    cluster: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, list[float]] | None:
    """Return the smooth observed risk at 41 predicted ones with its 95 % band; None if none fits.

    The curve behind ICI, JSON-ready: predicted, observed, low, high.
    """
    ends = np.quantile(risk, [0.01, 0.99])
    at = np.unique(np.linspace(*ends, GRID))

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        logit, weight, happened = _join(event, risk, weights)
        _, curve = _fit_curve(logit, weight, happened)
        fitted = _sigmoid(curve @ _basis(logit_of(at), logit).T)
        return {str(place): fitted[:, place] for place in range(len(at))}

    metrics = list(bootstrap_metrics(measure, cluster, resamples, rng).values())
    if not all(np.isfinite([m.value, m.low, m.high]).all() for m in metrics):
        return None
    return {
        "predicted": at.tolist(),
        "observed": [m.value for m in metrics],
        "low": [m.low for m in metrics],
        "high": [m.high for m in metrics],
    }


def logit_of(risk: np.ndarray) -> np.ndarray:
    """Return log(p / (1 − p)), with p kept within 1e-6 of 0 and 1."""
    safe = np.clip(risk, 1e-6, 1 - 1e-6)
    return np.log(safe) - np.log1p(-safe)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -500, 500)))


def _join(
    event: np.ndarray, risk: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    logit = logit_of(risk)
    if len(risk) <= MOST_FITTED_ROWS:
        return logit, weights, weights * event
    order = np.argsort(logit, kind="stable")
    starts = np.linspace(0, len(risk), MOST_FITTED_ROWS, endpoint=False).astype(int)
    size = np.diff(np.r_[starts, len(risk)])
    drawn = weights[:, order]
    middle = np.add.reduceat(logit[order], starts) / size
    happened = np.zeros((len(weights), len(starts)))
    cases = np.flatnonzero(event[order])
    # Only groups with a case have any; `reduceat` would give the others a neighbour's.
    group, first = np.unique(np.searchsorted(starts, cases, side="right") - 1, return_index=True)
    if len(cases):
        happened[:, group] = np.add.reduceat(drawn[:, cases], first, axis=1)
    return middle, np.add.reduceat(drawn, starts, axis=1), happened


def _basis(logit: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the spline's columns at logits, (rows, 3), or the line's where knots coincide.

    Knots and scaling are those of the reference logits. The line comes first, standardised; the
    bend is freed from it and scaled, so that Newton's steps are of one size.
    """
    middle, spread = reference.mean(), reference.std() or 1.0
    knots = (np.quantile(reference, KNOTS) - middle) / spread
    z, base = ((values - middle) / spread for values in (logit, reference))
    if np.diff(knots).min() < 1e-6:
        return np.stack([np.ones(len(z)), z], axis=1)
    line = np.stack([np.ones(len(base)), base], axis=1)
    bend = _bend(base, knots)
    share = np.linalg.lstsq(line, bend, rcond=None)[0]
    size = (bend - line @ share).std()
    columns = np.stack([np.ones(len(z)), z], axis=1)
    if size < 1e-9:
        return columns
    return np.column_stack([columns, (_bend(z, knots) - columns @ share) / size])


def _bend(z: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the restricted cubic spline's nonlinear term (Harrell 2001, section 2.4.5)."""
    first, second, third = knots
    cube = [np.maximum(z - knot, 0) ** 3 for knot in knots]
    inner = cube[1] * (third - first) - cube[2] * (second - first)
    return (cube[0] - inner / (third - second)) / (third - first) ** 2


def _fit_curve(
    logit: np.ndarray, weight: np.ndarray, happened: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of the line and of the spline, (resamples, 2) and (resamples, 3)."""
    basis = _basis(logit, logit)
    # From a flat curve: from the risks themselves, overconfident ones would send the first step
    # too far ever to come back.
    line = _fit_logistic(basis[:, :2], weight, happened, np.zeros((len(weight), 2)))
    if basis.shape[1] == 2:
        return line, line
    start = np.column_stack([line, np.zeros(len(line))])
    return line, _fit_logistic(basis, weight, happened, start)


def _fit_logistic(
    basis: np.ndarray, weight: np.ndarray, happened: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Newton's steps for the coefficients of every resample; NaN where they do not settle."""
    count = basis.shape[1]
    rows, columns = np.triu_indices(count)
    products = basis[:, rows] * basis[:, columns]
    found, step = start.copy(), start
    for _ in range(30):
        p = _sigmoid(found @ basis.T)
        gradient = (happened - weight * p) @ basis
        curve = np.empty((len(found), count, count))
        curve[:, rows, columns] = curve[:, columns, rows] = (weight * p * (1 - p)) @ products
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.sqrt(np.einsum("rii->ri", curve))
            settled = np.linalg.det(curve / size[:, :, None] / size[:, None, :]) > 1e-12
        # One risk for all, or separation, leaves nothing to solve but rounding.
        curve[~settled], gradient[~settled] = np.eye(count), np.nan
        step = np.linalg.solve(curve, gradient[:, :, None])[:, :, 0]
        found = found + np.clip(step, -4, 4)
        if np.nanmax(np.abs(step), initial=0) < 1e-9:
            break
    found[~(np.abs(step).max(axis=1) < 1e-6)] = np.nan
    return found


def _fit_intercept(logit: np.ndarray, weight: np.ndarray, happened: np.ndarray) -> np.ndarray:
    a = np.zeros(len(weight))
    for _ in range(50):
        p = _sigmoid(a[:, None] + logit)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = (happened - weight * p).sum(axis=1) / (weight * p * (1 - p)).sum(axis=1)
        a = a + np.clip(step, -2, 2)
        if np.nanmax(np.abs(step), initial=0) < 1e-10:
            break
    a[~(np.abs(step) < 1e-6)] = np.nan
    return a


def _weighted_quantiles(
    values: np.ndarray, weight: np.ndarray, shares: tuple[float, ...]
) -> list[np.ndarray]:
    """Return the smallest value that at least each share of a resample's weight does not exceed."""
    order = np.argsort(values, axis=1)
    reached = np.cumsum(np.take_along_axis(weight, order, axis=1), axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    total = reached[:, -1:]
    places = [(reached >= share * total * (1 - 1e-12)).argmax(axis=1) for share in shares]
    return [ordered[np.arange(len(values)), place] for place in places]
