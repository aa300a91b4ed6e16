"""Numbers with quantiles: what is learned, and intervals that keep their promise."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medcore.predict import FittedModel, Reference, predict_interval
from medcore.train import predict_network
from medcore.train.quantiles import pinball_loss, predict_reach
from tests.prepared_rows import fit, prepared_rows, small_config


def test_the_pinball_loss_is_least_at_the_quantile():
    values = torch.from_numpy(np.random.default_rng(0).gamma(2.0, size=4000))
    grid = torch.linspace(0, 8, 801, dtype=torch.float64)
    for level in (0.05, 0.5, 0.95):
        losses = [float(pinball_loss(at.expand_as(values), values, level)) for at in grid]
        assert float(grid[int(np.argmin(losses))]) == pytest.approx(
            np.quantile(values.numpy(), level), abs=0.02
        )


def spread_rows(rows, seed):
    """Return rows whose outcome varies ten times more where the first number is above 0."""
    prepared, rng = prepared_rows(rows, seed, "regression"), np.random.default_rng(seed + 100)
    values = prepared.blocks["table"].values
    outcome = 10 * values[:, 1] + rng.normal(size=rows) * np.where(values[:, 0] > 0, 20.0, 2.0)
    return replace(prepared, outcome=outcome.astype(np.float64))


def test_intervals_are_wide_where_outcomes_vary_and_keep_their_promise():
    train, held, test = (spread_rows(rows, seed) for rows, seed in ((800, 1), (400, 2), (2000, 3)))
    config = small_config(
        train__epochs=20, model__quantiles=True, train__learning_rate=0.01, model__width=32
    )
    _, network = fit(train, held, config)
    said, reach = (
        [ask(network, part) for part in (held, test)] for ask in (predict_network, predict_reach)
    )
    model = FittedModel(
        "mlp", "regression", (), None, (), (), Reference(held.outcome, said[0], reach[0])
    )
    low, high = predict_interval(model, said[1], said[1], 0.9, reach[1])
    covered = (low <= test.outcome) & (test.outcome <= high)
    wide = test.blocks["table"].values[:, 0] > 0.3
    narrow = test.blocks["table"].values[:, 0] < -0.3
    assert 0.87 <= covered.mean() <= 0.93
    assert (high - low)[wide].mean() > 2.5 * (high - low)[narrow].mean()
    plain = replace(model, reference=replace(model.reference, reach=None))
    flat = predict_interval(plain, said[1], said[1], 0.9, reach[1])
    assert np.ptp(flat[1] - flat[0]) < 1e-9
    inside = (flat[0] <= test.outcome) & (test.outcome <= flat[1])
    spread = [abs(part[wide].mean() - part[narrow].mean()) for part in (covered, inside)]
    assert spread[0] < spread[1]


def test_a_network_without_quantiles_answers_as_before():
    train, held = (prepared_rows(120, seed, "regression") for seed in (1, 2))
    _, network = fit(train, held, small_config())
    assert network.spec["network"]["outputs"] == 1
    assert predict_reach(network, held) is None
