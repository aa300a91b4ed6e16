"""Time to event: risks by the horizons, judged in patients of whom some were not followed on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from medcore.config import RunConfig, generator
from medcore.evaluate.agreement import calibrate_at
from medcore.evaluate.bootstrap import Measure, bootstrap_metrics
from medcore.evaluate.decision import THRESHOLDS
from medcore.evaluate.followup import (
    Followup,
    incidence_curve,
    log_rank,
    read_followup,
    risk_table,
)
from medcore.evaluate.judged import Judged, TaskRules
from medcore.evaluate.prognosis import (
    Drawn,
    auroc_at,
    brier_at,
    concordance,
    draw,
    integrated_brier,
    net_benefit_at,
    observed_expected,
    observed_risk,
    plan_ranking,
    usable_moments,
)
from medcore.records import Horizon, PartEvaluation, Predictions

FEWEST = 10
# Resamples × patients: beyond, fewer resamples tell as much and take minutes less.
MOST_CELLS = 10_000_000
FEWEST_RESAMPLES = 100
GROUPS = ("Lowest third of risk", "Middle third", "Highest third of risk")
BINS = 5
COMPARED = ("c_index", "uno_c", "integrated_brier", "brier_scaled")
BEYOND = "no judged patient was followed for so long, or none had the event by then"


@dataclass(frozen=True, eq=False)
class Prognoses:
    """Judged rows of one model: who was followed how long, and the risks that were told.

    The cause that is told is number 1, any other 2. `curve` is (rows, times).
    """

    duration: np.ndarray
    cause: np.ndarray
    curve: np.ndarray
    times: np.ndarray
    horizons: tuple[Horizon, ...]

    @cached_property
    def followup(self) -> Followup:
        """The rows in the order of time."""
        return read_followup(self.duration, self.cause)

    @cached_property
    def score(self) -> np.ndarray:
        """One figure a row, larger for more at risk: the mean risk over the whole time."""
        edges = np.r_[0.0, self.times]
        risks = np.concatenate([np.zeros((len(self.curve), 1)), self.curve], axis=1)
        return np.trapezoid(risks, edges, axis=1) / self.times[-1]

    @property
    def usable(self) -> tuple[Horizon, ...]:
        """The horizons inside the judged patients' follow-up."""
        moments = np.array([horizon.time for horizon in self.horizons])
        inside = usable_moments(self.followup, moments)
        return tuple(h for h, kept in zip(self.horizons, inside, strict=True) if kept)

    @property
    def limit(self) -> float:
        """The time up to which Uno's C is told: the last usable horizon."""
        return self.usable[-1].time if self.usable else float(self.followup.times[-1])

    def risk(self, horizon: Horizon) -> np.ndarray:
        """The risk by a horizon, (rows,)."""
        return self.curve[:, int(np.searchsorted(self.times, horizon.time))]


def read_prognoses(rows: Judged) -> Prognoses:
    """Return one model's judged rows as durations, causes and risks."""
    predictions, frame = rows.predictions, rows.frame
    known = frame["outcome"].isin(predictions.classes).to_numpy(bool)
    cause = np.where(rows.event, 1, np.where(known, 2, 0))
    curve = frame[_columns(predictions)].to_numpy(np.float64)
    return Prognoses(
        frame["duration"].to_numpy(np.float64),
        cause,
        curve,
        np.asarray(predictions.times, np.float64),
        predictions.horizons,
    )


def _columns(predictions: Predictions) -> list[str]:
    return [f"curve_{place}" for place in range(len(predictions.times))]


def _measure(rows: Judged) -> Measure:
    told, compared = read_prognoses(rows), _compared(rows)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        drawn = draw(told.followup, weights)
        found = dict(compared(weights))
        nothing = np.full(len(weights), np.nan)
        usable = told.usable
        for horizon in told.horizons:
            values = _at_horizon(drawn, told, horizon) if horizon in usable else {}
            for name in ("auroc", "brier", "o_e", "calibration_slope", "ici"):
                found[f"{name}_{horizon.label}"] = values.get(name, nothing)
        return found

    return measure


def _at_horizon(drawn: Drawn, told: Prognoses, horizon: Horizon) -> dict[str, np.ndarray]:
    risk, moment = told.risk(horizon), np.array([horizon.time])
    slope, ici = calibrate_at(drawn, risk, 1, horizon.time)
    return {
        "auroc": auroc_at(drawn, risk, 1, horizon.time),
        "brier": brier_at(drawn, risk[:, None], 1, moment)[:, 0],
        "o_e": observed_expected(drawn, risk[:, None], 1, moment)[:, 0],
        "calibration_slope": slope,
        "ici": ici,
    }


def _compared(rows: Judged) -> Measure:
    """Return only what models are compared in; the rest would multiply the work."""
    told = read_prognoses(rows)
    ranking = plan_ranking(told.followup, told.score)
    inside = usable_moments(told.followup, told.times)
    # Kept below the end of follow-up, where hardly anybody stands for those who were lost.
    inside &= told.times <= np.quantile(told.duration, 0.95)
    moments, curve = told.times[inside], told.curve[:, inside]

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        drawn = draw(told.followup, weights)
        found = concordance(ranking, drawn, 1, told.limit)
        if not len(moments):
            nothing = np.full(len(weights), np.nan)
            return found | {"integrated_brier": nothing, "brier_scaled": nothing}
        score = integrated_brier(brier_at(drawn, curve, 1, moments), moments)
        share = observed_risk(drawn, 1, moments)
        with np.errstate(invalid="ignore", divide="ignore"):
            plain = integrated_brier(share * (1 - share), moments)
            return found | {"integrated_brier": score, "brier_scaled": 1 - score / plain}

    return measure


def _curves(name: str, rows: Judged, config: RunConfig) -> dict[str, Any]:
    told = read_prognoses(rows)
    found = {
        "horizons": [
            {"label": horizon.label, "time": horizon.time, **_overall(told, horizon)}
            for horizon in told.usable
        ],
        "limit": told.limit,
        "calibration": {h.label: _calibration(told, h) for h in told.usable},
        "decision": {h.label: _decide(name, told, h, rows, config) for h in told.usable},
    }
    return found | ({"groups": _groups(told)} if name == "model" else {})


def _overall(told: Prognoses, horizon: Horizon) -> dict[str, float | None]:
    """Return the mean predicted and the observed risk of everybody by a horizon."""
    predicted = float(told.risk(horizon).mean())
    return {"predicted": predicted, **_observed(told, np.ones(len(told.cause), bool), horizon)}


def _observed(told: Prognoses, mask: np.ndarray, horizon: Horizon) -> dict[str, float | None]:
    """Return the observed risk of some rows by a horizon; None where nobody is followed so long."""
    if told.duration[mask].max() < horizon.time:
        return {"observed": None, "low": None, "high": None}
    curve = incidence_curve(told.duration[mask], told.cause[mask])
    place = int(np.searchsorted(curve["time"], horizon.time, side="right")) - 1
    names = {"observed": "risk", "low": "low", "high": "high"}
    return {name: curve[key][place] for name, key in names.items()}


def _calibration(told: Prognoses, horizon: Horizon) -> dict[str, list[Any]]:
    """Return mean predicted and observed risk by a horizon in groups of equal size."""
    risk = told.risk(horizon)
    bins = min(BINS, max(1, len(risk) // 20))
    edges = np.unique(np.quantile(risk, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, risk, side="right") - 1, 0, max(0, len(edges) - 2))
    rows = []
    for number in np.unique(place):
        mask = place == number
        known = {"predicted": float(risk[mask].mean()), "n": int(mask.sum())}
        rows.append(known | _observed(told, mask, horizon))
    return {key: [row[key] for row in rows] for key in rows[0]}


def _decide(
    name: str, told: Prognoses, horizon: Horizon, rows: Judged, config: RunConfig
) -> dict[str, Any]:
    """Return net benefit by threshold by a horizon; the model's with a 95 % bootstrap band."""
    risk = told.risk(horizon)

    def measure(weights: np.ndarray) -> dict[str, np.ndarray]:
        values = net_benefit_at(draw(told.followup, weights), risk, 1, horizon.time)
        return {str(place): values[:, place] for place in range(values.shape[1])}

    if name != "model":
        values = [float(value[0]) for value in measure(np.ones((1, len(risk)))).values()]
        return {"threshold": THRESHOLDS.round(2).tolist(), "net_benefit": values[:-1]}
    rng = generator(config.seed, "decision", horizon.label)
    metrics = list(bootstrap_metrics(measure, rows.cluster, _resamples(rows, config), rng).values())
    share, odds = metrics[-1].value, THRESHOLDS / (1 - THRESHOLDS)
    return {
        "threshold": THRESHOLDS.round(2).tolist(),
        "net_benefit": [metric.value for metric in metrics[:-1]],
        "low": [metric.low for metric in metrics[:-1]],
        "high": [metric.high for metric in metrics[:-1]],
        "treat_all": (share - (1 - share) * odds).tolist(),
    }


def _groups(told: Prognoses) -> dict[str, Any]:
    """Return what became of the thirds of predicted risk, with a risk table and log-rank test."""
    rank = np.argsort(np.argsort(told.score, kind="stable"), kind="stable")
    place = rank * len(GROUPS) // len(rank)
    moments = np.linspace(0, float(told.duration.max()), 6)
    curves = [
        {
            "name": name,
            "n": int((place == number).sum()),
            "predicted": told.curve[place == number].mean(axis=0).tolist(),
            "at_risk": risk_table(told.duration[place == number], moments),
            **incidence_curve(told.duration[place == number], told.cause[place == number]),
        }
        for number, name in enumerate(GROUPS)
        if (place == number).any()
    ]
    _, p = log_rank(told.duration, told.cause, place)
    return {"times": told.times.tolist(), "moments": moments.tolist(), "curves": curves, "p": p}


def _resamples(rows: Judged, config: RunConfig) -> int:
    most = max(FEWEST_RESAMPLES, MOST_CELLS // max(1, len(rows.frame)))
    return min(config.evaluate.resamples, most)


def _reason(name: str) -> str:
    if name.startswith(("calibration_slope", "ici")):
        return "the regression does not settle: too few events, or one risk for all"
    if name in ("c_index", "uno_c"):
        return "no patient had the event while another was still followed"
    return BEYOND


def _warn(part: PartEvaluation) -> list[str]:
    if part.events is None or part.events >= FEWEST:
        return []
    return [f"Only {part.events} test patients had the event; every figure is uncertain."]


RULES = TaskRules(
    columns=_columns,
    measure=_measure,
    compared=_compared,
    curves=_curves,
    reason=_reason,
    events=lambda rows: rows.frame.loc[rows.event, "row_id"].nunique(),
    warn=_warn,
    subgroup=("c_index", "integrated_brier"),
    site=("c_index",),
    resamples=_resamples,
)
