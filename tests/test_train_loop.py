"""Training learns what is there to learn, sees only what it is given, and says what goes wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from medcore.errors import FitError
from medcore.models import build_from_spec
from medcore.train import TrainedNetwork, loop, predict_members, predict_network, train_network
from medcore.train.augment import Batch
from medcore.train.rows import GATHER_BYTES, Rows, split_batches
from tests.prepared_rows import finish, fit, prepared_rows, small_config

TASKS = ["binary", "multiclass", "regression"]
NAMES = ["mlp", "tabm"]


def log_loss(probabilities, outcome):
    return -np.log(probabilities[np.arange(len(outcome)), outcome]).mean()


def prevalence_loss(train, test):
    shares = np.bincount(train.outcome, minlength=len(train.classes)) / len(train.outcome)
    return -np.log(shares[test.outcome]).mean()


def equal_weights(first, second):
    return first.arrays.keys() == second.arrays.keys() and all(
        np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_network_beats_prevalence_where_there_is_signal_and_not_where_there_is_none(name, task):
    train, validation, test = (prepared_rows(400, seed, task) for seed in range(3))
    config = small_config(train__epochs=15, train__learning_rate=1e-2)
    _, trained = fit(train, validation, config, name=name)
    assert log_loss(predict_network(trained, test), test.outcome) < 0.8 * prevalence_loss(
        train, test
    )
    shuffled = [
        replace(part, outcome=np.random.default_rng(9 + place).permutation(part.outcome))
        for place, part in enumerate((train, validation, test))
    ]
    _, fooled = fit(*shuffled[:2], config, name=name)
    loss = log_loss(predict_network(fooled, shuffled[2]), shuffled[2].outcome)
    assert loss > 0.99 * prevalence_loss(*shuffled[::2])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_regression_answers_in_the_outcome_s_own_unit(name, optimizer):
    train, validation, test = (prepared_rows(400, seed, "regression") for seed in range(3))
    rate = {"adamw": 1e-2, "sgd": 0.3}[optimizer]
    config = small_config(train__epochs=20, train__learning_rate=rate, train__optimizer=optimizer)
    _, trained = fit(train, validation, config, name=name)
    answer = predict_network(trained, test)
    assert answer.shape == (400,) and answer.dtype == np.float64
    assert (
        np.abs(answer - test.outcome).mean()
        < 0.5 * np.abs(test.outcome - test.outcome.mean()).mean()
    )
    assert trained.spec["outcome_mean"] == pytest.approx(train.outcome.mean())
    assert trained.spec["outcome_spread"] == pytest.approx(train.outcome.std())


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(task):
    train, validation = prepared_rows(100, 0, task), prepared_rows(50, 1, task)
    config = small_config(model__dropout=0.3)
    one, two, other = (
        fit(train, validation, config, name="tabm", seed=seed)[1] for seed in (5, 5, 6)
    )
    assert equal_weights(one, two)
    assert not equal_weights(one, other)


def test_what_happens_between_epochs_does_not_change_the_fit():
    train, config = prepared_rows(100), small_config(model__dropout=0.3)
    training = train_network("mlp", train, None, config, fit="model", seed=0)
    next(training)
    torch.manual_seed(123)
    torch.rand(7)
    assert equal_weights(finish(training)[1], fit(train, None, config)[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_row_s_prediction_is_the_same_in_any_company(name):
    train, test = prepared_rows(100), prepared_rows(700, 2)
    _, trained = fit(train, None, small_config(), name=name)
    together = predict_network(trained, test)
    order = np.random.default_rng(0).permutation(700)
    assert np.array_equal(predict_network(trained, test.take(order)), together[order])
    for place in (0, 255, 256, 699):
        assert np.array_equal(
            predict_network(trained, test.take(np.array([place])))[0], together[place]
        )
    assert predict_network(trained, test.take(np.array([], dtype=int))).shape == (0, 2)


def test_the_order_of_validation_rows_does_not_matter():
    train, validation = prepared_rows(100), prepared_rows(80, 1)
    turned = validation.take(np.arange(80)[::-1])
    one, two = (fit(train, part, small_config())[1] for part in (validation, turned))
    assert equal_weights(one, two)


def test_only_inputs_and_outcomes_of_the_given_rows_are_learned_from():
    everyone = prepared_rows(150)
    others = replace(everyone, outcome=np.where(np.arange(150) < 100, everyone.outcome, 0))
    others.blocks["table"].values[100:] = 7
    renamed = replace(others, row_id=others.row_id + 1000, group=np.zeros(150, dtype=np.int64))
    part = np.arange(100)
    one, two = (fit(rows.take(part), None, small_config())[1] for rows in (everyone, renamed))
    assert equal_weights(one, two)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_the_same_after_safetensors_and_json(name, task):
    train = prepared_rows(60, 0, task)
    _, trained = fit(train, None, small_config(train__epochs=1), name=name)
    again = TrainedNetwork(json.loads(json.dumps(trained.spec)), load(save(trained.arrays)))
    assert np.array_equal(predict_network(again, train), predict_network(trained, train))


@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_the_network_s_own_pooled_over_members(task):
    train = prepared_rows(60, 0, task)
    _, trained = fit(train, None, small_config(), name="tabm")
    network = build_from_spec(trained.spec["network"]).eval()
    network.load_state_dict({n: torch.from_numpy(a) for n, a in trained.arrays.items()})
    with torch.no_grad():
        output = network(torch.from_numpy(train.blocks["table"].values)).double()
    if task == "regression":
        members = output[:, :, 0].numpy() * train.outcome.std() + train.outcome.mean()
    else:
        members = output.softmax(2).numpy()
    np.testing.assert_allclose(predict_members(trained, train), members, rtol=1e-5)
    np.testing.assert_allclose(predict_network(trained, train), members.mean(1), rtol=1e-5)
    assert members.shape[:2] == (60, 3)


def test_probabilities_sum_to_one():
    train = prepared_rows(60, 0, "multiclass")
    _, trained = fit(train, None, small_config(), name="tabm")
    answer = predict_network(trained, train)
    assert answer.shape == (60, 3) and (answer >= 0).all()
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-12)


def test_the_weights_of_the_best_epoch_are_kept_and_patience_ends_the_fit():
    train, validation = prepared_rows(40), prepared_rows(300, 1)
    config = small_config(
        train__epochs=200, train__patience=5, train__learning_rate=0.05, model__dropout=0
    )
    epochs, trained = fit(train, validation, config)
    losses = [epoch.validation_loss for epoch in epochs]
    best = int(np.argmin(losses))
    assert len(epochs) == best + 1 + 5 < 200
    assert [epoch.best for epoch in epochs] == [
        loss < min(losses[:place], default=np.inf) for place, loss in enumerate(losses)
    ]
    assert trained.spec["best_epoch"] == epochs[best].epoch == best + 1
    assert trained.spec["epochs"] == len(epochs)
    achieved = log_loss(predict_network(trained, validation), validation.outcome)
    assert achieved == pytest.approx(losses[best], rel=1e-5)
    assert achieved < losses[-1]


def test_without_validation_every_epoch_runs_and_the_last_weights_stay():
    train = prepared_rows(100)
    epochs, trained = fit(train, None, small_config(train__epochs=7))
    assert [epoch.epoch for epoch in epochs] == list(range(1, 8))
    assert {epoch.validation_loss for epoch in epochs} == {None}
    assert trained.spec["best_epoch"] == 7
    assert [entry["epoch"] for entry in trained.spec["history"]] == list(range(1, 8))


def test_the_training_loss_is_the_mean_over_rows():
    train = prepared_rows(75)
    config = small_config(
        train__epochs=1, train__learning_rate=1e-12, train__batch_size=32, model__dropout=0
    )
    epochs, trained = fit(train, None, config)
    expected = log_loss(predict_network(trained, train), train.outcome)
    assert epochs[0].train_loss == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_makes_risks_less_extreme():
    train = prepared_rows(300)
    plain, smooth = (
        predict_network(
            fit(train, None, small_config(train__epochs=20, train__label_smoothing=share))[1],
            train,
        )
        for share in (0.0, 0.4)
    )
    assert np.abs(smooth - 0.5).max() < np.abs(plain - 0.5).max()


def test_gradient_clipping_bounds_the_step():
    train = prepared_rows(64, 0, "regression")
    options = {
        "train__epochs": 1,
        "train__batch_size": 64,
        "train__optimizer": "sgd",
        "train__schedule": "constant",
        "train__learning_rate": 1.0,
        "train__weight_decay": 0,
    }
    moved = {}
    for limit in (1e-3, 0):
        _, after = fit(train, None, small_config(train__clip_norm=limit, **options))
        _, before = fit(
            train,
            None,
            small_config(train__clip_norm=limit, **options | {"train__learning_rate": 1e-30}),
        )
        moved[limit] = np.sqrt(
            sum(((after.arrays[n] - before.arrays[n]) ** 2).sum() for n in after.arrays)
        )
    assert moved[1e-3] == pytest.approx(1e-3, rel=0.01)
    assert moved[0] > 0.1


@pytest.mark.parametrize("rows, batch_size", [(2, 1), (3, 2), (65, 64), (5, 64), (130, 64)])
@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_rows_goes_with_any_batch_size(name, rows, batch_size):
    train = prepared_rows(rows)
    train = replace(train, outcome=np.arange(rows) % 2)
    config = small_config(train__batch_size=batch_size, train__epochs=2)
    _, trained = fit(train, prepared_rows(1, 1), config, name=name)
    assert np.isfinite(predict_network(trained, train)).all()


def test_batches_hold_each_row_once_and_differ_by_one_row_at_most():
    values = torch.arange(1000.0)[:, None].repeat(1, 3)
    rows = Rows(values, torch.arange(1000))
    order = torch.from_numpy(np.random.default_rng(0).permutation(1000))
    batches = list(split_batches(rows, order, steps=7, first=0))
    sizes = [len(outcome) for _, outcome in batches]
    assert len(sizes) == 7 and max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat([outcome for _, outcome in batches]), order)
    assert all(torch.equal(v[:, 0].long(), outcome) for v, outcome in batches)
    later = list(split_batches(rows, order, steps=7, first=3))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(batches[3:], later, strict=True))


@pytest.mark.parametrize(
    "settings", [{}, {"balance__strategy": "class_weight"}, {"augment__mixup": 0.4}]
)
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_batch_that_is_taken_in_pieces_makes_the_same_step(monkeypatch, settings, task):
    train, validation = (prepared_rows(90, seed, task) for seed in range(2))
    config = small_config(train__epochs=3, train__batch_size=40, model__dropout=0.0, **settings)
    ratio = np.array([0.5, 2.0]) if task == "binary" else None
    pieces, made = [], []
    split = Batch.split

    def count(batch, rows):
        found = list(split(batch, rows))
        pieces.append(len(found))
        return found

    monkeypatch.setattr(Batch, "split", count)
    for rows in (10**9, 7):
        monkeypatch.setattr(loop, "rows_to_learn", lambda *_, rows=rows: rows)
        made.append(fit(train, validation, config, name="mlp", ratio=ratio)[1])
    assert pieces == [1] * 9 + [5] * 9  # 30 rows a step
    for name, whole in made[0].arrays.items():
        np.testing.assert_allclose(made[1].arrays[name], whole, atol=2e-4, err_msg=name)
    first, last = (made[place].spec["history"][-1]["train_loss"] for place in (0, 1))
    assert last == pytest.approx(first, rel=1e-4)


def test_large_tables_are_gathered_piece_by_piece(monkeypatch):
    monkeypatch.setattr("medcore.train.rows.GATHER_BYTES", 600)
    rows = Rows(torch.rand(100, 5), torch.arange(100))
    order = torch.from_numpy(np.random.default_rng(0).permutation(100))
    pieces = list(split_batches(rows, order, steps=10, first=0))
    assert pieces[0][0].untyped_storage().nbytes() <= 600 < GATHER_BYTES
    assert torch.equal(torch.cat([outcome for _, outcome in pieces]), order)


def _with_outcome(rows, outcome):
    return replace(rows, outcome=np.asarray(outcome))


BAD = {
    "no rows": (lambda rows: rows.take(np.array([], dtype=int)), "no training rows"),
    "one class": (lambda rows: _with_outcome(rows, [1] * 50), "have the outcome 'yes'"),
    "unknown": (lambda rows: _with_outcome(rows, [-1] + [0, 1] * 24 + [0]), "unknown in 1 of 50"),
    "no input": (lambda rows: replace(rows, blocks={}), "no input column"),
}


@pytest.mark.parametrize("case", BAD)
def test_rows_that_cannot_be_learned_from_are_refused_in_words(case):
    spoil, words = BAD[case]
    with pytest.raises(FitError, match=words):
        fit(spoil(prepared_rows(50)), None, small_config())


def test_one_outcome_value_is_refused_in_regression_too():
    rows = prepared_rows(50, 0, "regression")
    with pytest.raises(FitError, match=r"the same outcome, 3\.5"):
        fit(_with_outcome(rows, [3.5] * 50), None, small_config())
    with pytest.raises(FitError, match="unknown in 1 of 50"):
        fit(_with_outcome(rows, [np.nan, *range(49)]), None, small_config())


def test_inputs_that_are_not_numbers_are_named():
    rows = prepared_rows(50)
    rows.blocks["table"].values[3, 2] = np.nan
    with pytest.raises(FitError, match=r"'n2'.*training rows"):
        fit(rows, None, small_config())
    with pytest.raises(FitError, match=r"'n2'.*validation rows"):
        fit(prepared_rows(50), rows, small_config())


def test_a_fit_that_diverges_says_to_lower_the_learning_rate():
    config = small_config(
        train__optimizer="sgd", train__learning_rate=10, train__clip_norm=0, train__epochs=50
    )
    with pytest.raises(FitError, match="lower the learning rate"):
        fit(prepared_rows(200, 0, "regression"), None, config)


def test_other_features_than_the_trained_ones_are_refused():
    _, trained = fit(prepared_rows(50), None, small_config(train__epochs=1))
    with pytest.raises(FitError, match="6 features then, 7 now"):
        predict_network(trained, prepared_rows(5, numbers=5))
