"""How much each member counts: from predictions for rows it was not fitted on.

Weights are shares (none negative, summing to 1). A prior of `PRIOR` rows for each member pulls
them towards equal shares, because the differences seen on a few hundred patients are mostly
chance: on the benchmark's tables weights free of it did worse than equal ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medcore.evaluate.prognosis import known_weights

PRIOR = 10.0
STEPS = 500


def choose_weights(
    predicted: np.ndarray, outcome: np.ndarray, times: Sequence[float] = ()
) -> np.ndarray:
    """Return the members' weights, float64 (members,).

    `predicted`: (members, rows, classes) probabilities with int `outcome` codes or, of several
    findings, (rows, findings); (members, rows) values with float outcomes, or (members, rows,
    causes, times) risks with durations and causes; rows that the members were not fitted on.
    """
    if predicted.ndim == 4:
        return _weights_by_brier(predicted, outcome, np.asarray(times))
    if predicted.ndim == 2:
        return _weights_by_error(predicted, outcome, len(outcome))
    if outcome.ndim == 2:
        known = np.isfinite(outcome)
        likely = np.where(outcome == 1, predicted, 1 - predicted)[:, known]
        # A patient's findings are no patients of their own beside the prior.
        return _weights_by_likelihood(likely, len(outcome) / max(1, int(known.sum())))
    likely = predicted[:, np.arange(len(outcome)), outcome]
    return _weights_by_likelihood(likely)


def _weights_by_likelihood(likely: np.ndarray, count: float = 1.0) -> np.ndarray:
    """Maximise the mixture's likelihood (Dempster, Laird and Rubin 1977), `likely` (members, rows).

    >>> _weights_by_likelihood(np.array([[0.9] * 1000, [0.1] * 1000])).round(2).tolist()
    [0.99, 0.01]
    """
    members, rows = likely.shape
    likely = np.maximum(likely, 1e-12)
    weights = np.full(members, 1 / members)
    for _ in range(STEPS):
        shares = likely * weights[:, None]
        shares /= shares.sum(axis=0)
        weights = (count * shares.sum(axis=1) + PRIOR) / (count * rows + PRIOR * members)
    return weights


def _weights_by_brier(predicted: np.ndarray, outcome: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Minimise the Brier score over time, patients of unknown fate stood for by others."""
    known = known_weights(outcome[:, 0], outcome[:, 1].astype(np.int64), times)
    happened = outcome[:, :1, None] <= times
    causes = np.arange(1, predicted.shape[2] + 1)[:, None]
    truth = happened & (outcome[:, 1, None, None] == causes)
    scale = np.sqrt(known)[:, None, :]
    flat = (predicted * scale).reshape(len(predicted), -1)
    return _weights_by_error(flat, (truth * scale).ravel(), len(outcome))


def _weights_by_error(predicted: np.ndarray, outcome: np.ndarray, rows: int) -> np.ndarray:
    """Minimise the squared error along the edges of the simplex (Frank and Wolfe 1956)."""
    members = len(predicted)
    weights = np.full(members, 1 / members)
    for _ in range(STEPS):
        mean = weights @ predicted
        best = int(np.argmin(predicted @ (mean - outcome)))
        towards = predicted[best] - mean
        length = float(towards @ towards)
        if length == 0:
            break
        step = float(np.clip(towards @ (outcome - mean) / length, 0, 1))
        if step < 1e-9:
            break
        weights *= 1 - step
        weights[best] += step
    return (weights * rows + PRIOR) / (rows + PRIOR * members)
