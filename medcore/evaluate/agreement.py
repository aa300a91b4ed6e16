"""Do predicted risks by a time come true? Slope and mean distance, for many resamples at once.

The complementary log-log of the predicted risk enters a proportional hazards regression in the
judged patients, followed up to that time: as it is for the slope, where 1 leaves the risks as they
are, and bent by a restricted cubic spline for the distance (Austin, Harrell and van Klaveren 2020;
with other causes the subdistribution hazard of Fine and Gray 1999).
"""

from __future__ import annotations

import numpy as np

from medcore.evaluate.followup import before
from medcore.evaluate.prognosis import Drawn, draw

STEPS = 15
EDGE = 1e-6
# One risk for all, but for rounding, tells nobody apart.
SPREAD = 1e-9
KNOTS = (0.1, 0.5, 0.9)


def calibrate_at(
    drawn: Drawn, risk: np.ndarray, cause: int, moment: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return calibration slope and ICI by `moment`, each (resamples,); NaN where it fails.

    `risk`: (rows,) by then. ICI is the mean distance of the risk from the regression's.
    """
    said = np.clip(drawn.followup.rows(risk), EDGE, 1 - EDGE)
    link = np.log(-np.log1p(-said))
    nothing = np.full(len(drawn.weights), np.nan)
    happened = (drawn.followup.event == cause) & (drawn.followup.duration <= moment)
    if link.std() < SPREAD or not happened.any():
        return nothing, nothing
    spread = link.std()
    z = ((link - link.mean()) / spread)[None]
    slope, settled, _ = _fit(drawn, z, happened, cause)
    bent = np.concatenate([z, *_bend(z[0])])
    beta, fits, hazard = _fit(drawn, bent, happened, cause)
    with np.errstate(over="ignore", invalid="ignore"):
        fitted = -np.expm1(-hazard[:, None] * np.exp(beta @ bent))
    ici = np.einsum("ij,ij->i", drawn.weights, np.abs(fitted - said)) / drawn.total[:, 0]
    return np.where(settled, slope[:, 0] / spread, np.nan), np.where(fits, ici, np.nan)


def _bend(z: np.ndarray) -> list[np.ndarray]:
    """Return the bent part of a restricted cubic spline with three knots, (1, rows), if any."""
    first, middle, last = np.quantile(z, KNOTS)
    if not first < middle < last:
        return []
    cube = [np.maximum(z - knot, 0) ** 3 for knot in (first, middle, last)]
    bent = cube[0] - cube[1] * (last - first) / (last - middle)
    bent += cube[2] * (middle - first) / (last - middle)
    return [(bent / (last - first) ** 2)[None]]


def _fit(
    drawn: Drawn, columns: np.ndarray, happened: np.ndarray, cause: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients (resamples, columns), whether they settled, and the hazard up to then.

    Every resample starts where the cohort itself ends.
    """
    everyone, count = np.ones((1, columns.shape[1])), len(drawn.weights)
    plain = _Regression(draw(drawn.followup, everyone), columns, happened, cause)
    start, settled = plain.fit(np.zeros((1, len(columns))))
    if not settled[0]:
        nothing = np.full((count, len(columns)), np.nan)
        return nothing, np.zeros(count, bool), nothing[:, 0]
    regression = plain
    if drawn.weights.shape != everyone.shape or not (drawn.weights == everyone).all():
        regression = _Regression(drawn, columns, happened, cause)
    beta, settled = regression.fit(np.repeat(start, count, axis=0))
    return beta, settled, regression.hazard(beta)


class _Regression:
    """A regression of the hazard on one column or two, for all resamples; ties as Breslow 1974."""

    def __init__(self, drawn: Drawn, columns: np.ndarray, happened: np.ndarray, cause: int) -> None:
        followup = drawn.followup
        self.drawn, self.columns = drawn, columns
        self.deaths = np.add.reduceat(drawn.weights * happened, followup.starts, axis=1)
        self.reached = (drawn.weights * happened) @ columns.T
        self.never: np.ndarray | None = None
        other = (followup.event > 0) & (followup.event != cause)
        if other.any():
            # Who had another event stays at risk, as far as would not have been censored since.
            self.free = before(drawn.free)
            with np.errstate(invalid="ignore", divide="ignore"):
                share = drawn.weights * other / self.free[:, followup.place]
            self.never = np.nan_to_num(share, posinf=0.0)

    def _risk(self, beta: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.exp(beta @ self.columns)

    def _at_risk(self, values: np.ndarray) -> np.ndarray:
        """Return the sums of `values` (resamples, rows) over those at risk at each time."""
        starts = self.drawn.followup.starts
        by_time = np.add.reduceat(self.drawn.weights * values, starts, axis=1)
        total = np.cumsum(by_time[:, ::-1], axis=1)[:, ::-1]
        if self.never is None:
            return total
        gone = np.add.reduceat(self.never * values, starts, axis=1)
        return total + before(np.cumsum(gone, axis=1), 0.0) * self.free

    def fit(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients of each resample by Newton's steps, and whether they settled."""
        size, step = beta.shape[1], np.full(beta.shape, np.inf)
        for _ in range(STEPS):
            gradient, curve = self._derive(beta)
            curve += 1e-10 * np.eye(size)
            solvable = np.isfinite(curve).all(axis=(1, 2)) & np.isfinite(gradient).all(axis=1)
            step = np.full(beta.shape, np.nan)
            if solvable.any():
                step[solvable] = np.linalg.solve(curve[solvable], gradient[solvable, :, None])[
                    ..., 0
                ]
            beta = beta + np.clip(step, -2, 2)
            if np.nanmax(np.abs(step), initial=0) < 1e-7:
                break
        return beta, (np.abs(step) < 1e-5).all(axis=1)

    def _derive(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient (resamples, columns) and minus the curvature of the likelihood."""
        risk, size = self._risk(beta), beta.shape[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(self.deaths > 0, self.deaths / self._at_risk(risk), 0.0)
            first = [self._at_risk(risk * column) for column in self.columns]
            gradient = self.reached - np.stack([(share * s).sum(axis=1) for s in first], axis=1)
            curve = np.empty((len(beta), size, size))
            per = np.where(self.deaths > 0, share / self.deaths, 0.0)
            for i in range(size):
                for j in range(i, size):
                    second = self._at_risk(risk * (self.columns[i] * self.columns[j]))
                    value = (share * second - share * per * first[i] * first[j]).sum(axis=1)
                    curve[:, i, j] = curve[:, j, i] = value
        return gradient, curve

    def hazard(self, beta: np.ndarray) -> np.ndarray:
        """Return the cumulative hazard up to the last event, where every column is 0."""
        with np.errstate(invalid="ignore", divide="ignore"):
            at_risk = self._at_risk(self._risk(beta))
            return np.where(self.deaths > 0, self.deaths / at_risk, 0.0).sum(axis=1)
