"""A fit can be stopped and killed at any step, and goes on as if nothing had been."""

import time

import numpy as np
import pytest

from medcore.train import predict_network, train_network
from medcore.train.fit import fit_key
from tests.prepared_rows import KeptCheckpoint, finish, fit, prepared_rows, small_config

CONFIG = {"model__dropout": 0.3, "train__epochs": 6, "train__batch_size": 16}


class Killed(Exception):
    """Stands for SIGKILL: the fit ends without a word, only the checkpoint stays."""


@pytest.fixture
def each_step(monkeypatch):
    """Look up, and write a checkpoint, at every step instead of now and then."""
    monkeypatch.setattr("medcore.train.pause.PAUSE_SECONDS", 0)
    monkeypatch.setattr("medcore.train.pause.CHECKPOINT_SECONDS", 0)


def asked(times):
    """Return a `stopping` that says yes from the given time on that it is asked."""
    count = iter(range(10**9))
    return lambda: next(count) >= times


def killed_when_asked(times):
    count = iter(range(10**9))

    def stopping():
        if next(count) >= times:
            raise Killed
        return False

    return stopping


def same_weights(first, second):
    assert first.arrays.keys() == second.arrays.keys()
    for name in first.arrays:
        np.testing.assert_array_equal(first.arrays[name], second.arrays[name], err_msg=name)


@pytest.mark.parametrize("judged", [True, False])
@pytest.mark.parametrize("name", ["mlp", "tabm"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_fit_killed_again_and_again_ends_with_the_very_same_weights(
    each_step, optimizer, name, judged
):
    train = prepared_rows(70)
    validation = prepared_rows(30, 1) if judged else None
    config = small_config(train__optimizer=optimizer, train__learning_rate=0.05, **CONFIG)
    epochs, whole = fit(train, validation, config, name=name)
    checkpoint, seen = KeptCheckpoint(), []
    for _ in range(50):
        training = train_network(
            name, train, validation, config, fit="model", seed=0,
            checkpoint=checkpoint, stopping=killed_when_asked(8),
        )  # fmt: skip
        try:
            while True:
                seen.append(next(training))
        except Killed:
            continue
        except StopIteration as stop:
            resumed = stop.value
            break
    same_weights(resumed, whole)
    assert resumed.spec == whole.spec
    assert checkpoint.writes > 10
    for epoch in epochs:
        again = [other for other in seen if other.epoch == epoch.epoch]
        assert again and all(
            (other.train_loss, other.validation_loss, other.learning_rate, other.best)
            == (epoch.train_loss, epoch.validation_loss, epoch.learning_rate, epoch.best)
            for other in again
        )


@pytest.mark.parametrize("times", [1, 3, 7, 12])
def test_a_stopped_fit_keeps_its_best_weights_and_can_go_on(each_step, times):
    train, validation, config = prepared_rows(70), prepared_rows(30, 1), small_config(**CONFIG)
    whole_epochs, whole = fit(train, validation, config)
    checkpoint = KeptCheckpoint()
    epochs, stopped = fit(train, validation, config, checkpoint=checkpoint, stopping=asked(times))
    assert stopped.spec["stopped"] is True
    assert len(epochs) == stopped.spec["epochs"] < len(whole_epochs)
    assert np.isfinite(predict_network(stopped, validation)).all()
    if epochs:
        losses = [epoch.validation_loss for epoch in epochs]
        assert stopped.spec["best_epoch"] == np.argmin(losses) + 1
        answer = predict_network(stopped, validation)
        loss = -np.log(answer[np.arange(30), validation.outcome]).mean()
        assert loss == pytest.approx(min(losses), rel=1e-5)
    _, resumed = fit(train, validation, config, checkpoint=checkpoint)
    assert resumed.spec["stopped"] is False
    same_weights(resumed, whole)


def test_a_stop_within_an_epoch_is_obeyed_at_once():
    train = prepared_rows(20_000)
    config = small_config(train__batch_size=4, train__epochs=1000)
    start = time.perf_counter()
    epochs, stopped = fit(train, None, config, stopping=lambda: time.perf_counter() > start + 0.5)
    assert time.perf_counter() - start < 20
    assert not epochs and stopped.spec["stopped"]


def test_a_stop_asked_before_the_start_returns_the_checkpoint_s_best_weights(each_step):
    train, validation, config = prepared_rows(70), prepared_rows(30, 1), small_config(**CONFIG)
    checkpoint = KeptCheckpoint()
    _, stopped = fit(train, validation, config, checkpoint=checkpoint, stopping=asked(14))
    epochs, again = fit(train, validation, config, checkpoint=checkpoint, stopping=lambda: True)
    assert not epochs
    same_weights(again, stopped)
    assert again.spec == stopped.spec


def test_a_finished_fit_is_not_trained_again():
    train, config, checkpoint = prepared_rows(70), small_config(**CONFIG), KeptCheckpoint()
    _, trained = fit(train, prepared_rows(30, 1), config, checkpoint=checkpoint)
    epochs, again = fit(train, prepared_rows(30, 1), config, checkpoint=checkpoint)
    assert not epochs
    same_weights(again, trained)
    assert again.spec == trained.spec


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"fit": "fold 2 of 5"},
        {"name": "tabm"},
        {"config": small_config(**CONFIG | {"train__epochs": 5})},
        {"train": prepared_rows(70, seed=9)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_checkpoint_of_another_fit_is_passed_over(other):
    first = {"train": prepared_rows(70), "config": small_config(**CONFIG)}
    checkpoint = KeptCheckpoint()
    fit(validation=None, checkpoint=checkpoint, **first)
    expected = fit(validation=None, **first | other)[1]
    epochs, trained = fit(validation=None, checkpoint=checkpoint, **first | other)
    assert epochs
    same_weights(trained, expected)


def test_checkpoints_are_written_now_and_then_and_at_the_end(monkeypatch):
    checkpoint = KeptCheckpoint()
    training = train_network(
        "mlp", prepared_rows(70), None, small_config(**CONFIG), fit="a", seed=0,
        checkpoint=checkpoint,
    )  # fmt: skip
    next(training)
    assert checkpoint.writes == 0
    monkeypatch.setattr("medcore.train.pause.time.perf_counter", lambda: 1e12)
    next(training)
    assert checkpoint.writes == 1
    finish(training)
    assert checkpoint.read()[1]["finished"] is True


def test_a_key_tells_values_shapes_and_settings_apart():
    values = np.arange(6.0)
    keys = {
        fit_key(*parts)
        for parts in (
            (values,),
            (values.reshape(2, 3),),
            (values + 1,),
            (values.astype(np.float32),),
            (values, {"a": 1}),
            (values, {"a": 2}),
        )
    }
    assert len(keys) == 6
    assert fit_key({"a": 1, "b": 2}) == fit_key({"b": 2, "a": 1})
