"""Do predicted risks by a time come true? Slope and mean distance, for many resamples at once.

The complementary log-log of the predicted risk enters a proportional hazards regression in the
judged patients, followed up to that time (Austin, Harrell and van Klaveren 2020; with other causes
the subdistribution hazard of Fine and Gray 1999). A slope of 1 leaves the risks as they are.
"""

from __future__ import annotations

import numpy as np

from medcore.evaluate.followup import before
from medcore.evaluate.prognosis import Drawn, draw

STEPS = 12
EDGE = 1e-6
# One risk for all, but for rounding, tells nobody apart.
SPREAD = 1e-9


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
    middle, spread = link.mean(), link.std()
    z = (link - middle) / spread
    everyone = np.ones((1, len(z)))
    plain = _Regression(draw(drawn.followup, everyone), z, happened, cause)
    start, settled = plain.fit(np.zeros(1))
    if not settled[0]:
        return nothing, nothing
    regression = plain if _same(drawn, everyone) else _Regression(drawn, z, happened, cause)
    slope, settled = regression.fit(np.full(len(drawn.weights), start[0]))
    hazard = regression.hazard(slope)
    with np.errstate(over="ignore", invalid="ignore"):
        fitted = -np.expm1(-hazard[:, None] * np.exp(slope[:, None] * z))
    ici = np.einsum("ij,ij->i", drawn.weights, np.abs(fitted - said)) / drawn.total[:, 0]
    return np.where(settled, slope / spread, np.nan), np.where(settled, ici, np.nan)


def _same(drawn: Drawn, everyone: np.ndarray) -> bool:
    return drawn.weights.shape == everyone.shape and bool((drawn.weights == everyone).all())


class _Regression:
    """A regression of the hazard on one number, for all resamples; ties as Breslow 1974."""

    def __init__(self, drawn: Drawn, z: np.ndarray, happened: np.ndarray, cause: int) -> None:
        followup = drawn.followup
        self.drawn, self.z = drawn, z
        at = followup.starts
        self.deaths = np.add.reduceat(drawn.weights * happened, at, axis=1)
        self.reached = (drawn.weights * happened) @ z
        self.never: np.ndarray | None = None
        other = (followup.event > 0) & (followup.event != cause)
        if other.any():
            # Who had another event stays at risk, as far as would not have been censored since.
            self.free = before(drawn.free)
            with np.errstate(invalid="ignore", divide="ignore"):
                share = drawn.weights * other / self.free[:, followup.place]
            self.never = np.nan_to_num(share, posinf=0.0)
            self.stay = drawn.weights * ~other
        else:
            self.stay = drawn.weights

    def sums(self, beta: np.ndarray, powers: int) -> list[np.ndarray]:
        """Return the sums over those at risk of risk · zᵏ at each time, k below `powers`."""
        with np.errstate(over="ignore"):
            risk = np.exp(beta[:, None] * self.z)
        found = []
        for power in range(powers):
            value = risk * self.z**power
            total = self._at_risk(self.stay * value)
            if self.never is not None:
                gone = np.add.reduceat(self.never * value, self.drawn.followup.starts, axis=1)
                since = before(np.cumsum(gone, axis=1), 0.0)
                own = np.add.reduceat(
                    self.drawn.weights * value * (self.never > 0),
                    self.drawn.followup.starts,
                    axis=1,
                )
                ahead = np.cumsum(own[:, ::-1], axis=1)[:, ::-1]
                total = total + since * self.free + ahead
            found.append(total)
        return found

    def _at_risk(self, values: np.ndarray) -> np.ndarray:
        by_time = np.add.reduceat(values, self.drawn.followup.starts, axis=1)
        return np.cumsum(by_time[:, ::-1], axis=1)[:, ::-1]

    def fit(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficient of each resample by Newton's steps, and whether it settled."""
        step = np.full(len(beta), np.inf)
        for _ in range(STEPS):
            s0, s1, s2 = self.sums(beta, 3)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(self.deaths > 0, s1 / s0, 0.0)
                square = np.where(self.deaths > 0, s2 / s0, 0.0)
                gradient = self.reached - (self.deaths * mean).sum(axis=1)
                curve = (self.deaths * (square - mean**2)).sum(axis=1)
                step = gradient / curve
            beta = beta + np.clip(step, -2, 2)
            if np.nanmax(np.abs(step), initial=0) < 1e-7:
                break
        return beta, np.abs(step) < 1e-5

    def hazard(self, beta: np.ndarray) -> np.ndarray:
        """Return the cumulative hazard up to the last event, at z = 0."""
        (s0,) = self.sums(beta, 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.deaths > 0, self.deaths / s0, 0.0).sum(axis=1)
