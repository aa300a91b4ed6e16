"""Networks are what their spec says, and baselines what scikit-learn says."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.config import ModelConfig, RunConfig
from medcore.models import (
    build_baseline,
    build_from_spec,
    build_network,
    fit_baseline,
    network_spec,
    predict_baseline,
)
from medcore.models.network import Dropout
from medcore.models.table import EMBEDDING_WIDTH, TableEncoder, clean_edges, table_spec
from tests.prepared_rows import prepared_rows

CONFIG = RunConfig(model=ModelConfig(width=16, ensemble=3))


@pytest.fixture
def block():
    return prepared_rows(20).blocks["table"]


@pytest.mark.parametrize("name", ["mlp", "tabm"])
@pytest.mark.parametrize("embedding", ["none", "piecewise_linear"])
@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_a_network_answers_rows_by_members_by_outputs(block, name, embedding, outputs):
    config = RunConfig(model=ModelConfig(width=16, ensemble=3, embedding=embedding))
    network = build_network(name, {"table": block}, outputs, config)
    answer = network(torch.from_numpy(block.values))
    assert tuple(answer.shape) == (20, 3 if name == "tabm" else 1, outputs)
    assert answer.dtype == torch.float32


@pytest.mark.parametrize("name", ["mlp", "tabm"])
def test_a_network_is_rebuilt_from_its_json_spec_and_weights(block, name):
    network = build_network(name, {"table": block}, 2, CONFIG).eval()
    spec = json.loads(json.dumps(network_spec(name, {"table": block}, 2, CONFIG)))
    again = build_from_spec(spec).eval()
    again.load_state_dict(network.state_dict())
    values = torch.from_numpy(block.values)
    assert torch.equal(network(values), again(values))


@pytest.mark.parametrize("name", ["mlp", "tabm"])
@pytest.mark.parametrize("keep", [[0, 1], [2, 3], [0, 2], [1]])
def test_tables_of_numbers_only_or_flags_only_are_fine(name, keep):
    block = prepared_rows(5, numbers=2, flags=2).blocks["table"]
    numbers = [place for place in keep if place < 2]
    block = replace(
        block,
        names=tuple(block.names[place] for place in keep),
        sources=tuple(block.sources[place] for place in keep),
        values=block.values[:, keep],
        numeric=tuple(range(len(numbers))),
        bins=tuple(block.bins[place] for place in numbers),
    )
    answer = build_network(name, {"table": block}, 2, CONFIG)(torch.from_numpy(block.values))
    assert torch.isfinite(answer).all()


def test_the_order_of_features_does_not_decide_which_are_numbers():
    block = prepared_rows(30, numbers=2, flags=2).blocks["table"]
    order = [2, 1, 3, 0]
    moved = replace(
        block,
        names=tuple(block.names[i] for i in order),
        sources=tuple(block.sources[i] for i in order),
        values=np.ascontiguousarray(block.values[:, order]),
        numeric=(3, 1),
    )
    encoders = [TableEncoder(table_spec(b, "piecewise_linear")) for b in (block, moved)]
    encoders[1].load_state_dict(encoders[0].state_dict())
    encoded = [
        encoder(torch.from_numpy(b.values))
        for encoder, b in zip(encoders, (block, moved), strict=True)
    ]
    assert torch.equal(encoded[0], encoded[1])


def test_a_number_beyond_its_range_counts_as_the_range_s_end(block):
    network = build_network("mlp", {"table": block}, 2, CONFIG).eval()
    values = torch.from_numpy(block.values.copy())
    values[:, 0] = 2.5
    expected = network(values)
    values[:, 0] = 1e6
    assert torch.equal(network(values), expected)


def test_the_embedding_is_piecewise_linear_between_its_edges():
    base = prepared_rows(4, numbers=2, flags=1).blocks["table"]
    block = replace(base, bins=(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0])))
    encoder = TableEncoder(table_spec(block, "piecewise_linear"))
    with torch.no_grad():
        encoder.embedding.linear.weight.normal_()
    points = torch.zeros(5, 3)
    points[:, 0] = torch.tensor([0.0, 0.5, 1.0, 2.0, 3.0])
    curve = encoder(points)[:, :EMBEDDING_WIDTH]
    torch.testing.assert_close(curve[1], (curve[0] + curve[2]) / 2)
    torch.testing.assert_close(curve[3], (curve[2] + curve[4]) / 2)
    assert not torch.allclose(curve[2], curve[0] + (curve[4] - curve[0]) / 3)


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=20))
@settings(deadline=None)
def test_edges_always_rise_and_are_at_least_two(edges):
    cleaned = clean_edges(np.array(edges, dtype=np.float64))
    assert len(cleaned) >= 2
    assert (np.diff(np.float32(cleaned)) > 0).all()


def test_chunks_hold_the_places_of_one_column_together():
    base = prepared_rows(4, numbers=1, flags=4).blocks["table"]
    block = replace(base, sources=("age", "sex", "sex", "site", "age"))
    spec = table_spec(block, "piecewise_linear")
    assert TableEncoder(spec).chunks == [EMBEDDING_WIDTH, 2, 1, 1]
    assert TableEncoder(table_spec(block, "none")).chunks == [1, 2, 1, 1]


def test_tabm_members_differ_and_share_their_weights(block):
    network = build_network("tabm", {"table": block}, 2, CONFIG).eval()
    answer = network(torch.from_numpy(block.values))
    assert not torch.allclose(answer[:, 0], answer[:, 1])
    one = sum(p.numel() for p in build_network("mlp", {"table": block}, 2, CONFIG).parameters())
    assert sum(p.numel() for p in network.parameters()) < 3 * one


def test_dropout_drops_its_share_keeps_the_mean_and_rests_in_prediction():
    torch.manual_seed(0)
    layer = Dropout(0.3)
    values = torch.ones(1000, 1001)
    dropped = layer(values)
    assert abs(float((dropped == 0).float().mean()) - 0.3) < 0.005
    assert abs(float(dropped.mean()) - 1) < 0.005
    assert torch.allclose(dropped[dropped > 0], torch.tensor(1 / 0.7), atol=1e-4)
    columns = (dropped == 0).float().mean(0)
    assert columns.min() > 0.2 and columns.max() < 0.4
    assert layer.eval()(values) is values


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("name", ["prevalence", "logistic", "random_forest", "gradient_boosting"])
def test_every_baseline_answers_in_the_order_of_the_classes(name, task):
    rows = prepared_rows(120, task=task)
    values = rows.blocks["table"].values
    model = fit_baseline(name, task, values, rows.outcome, seed=1)
    answer = predict_baseline(model, values[:7], task, len(rows.classes))
    assert answer.dtype == np.float64
    if task == "regression":
        assert answer.shape == (7,)
    else:
        assert answer.shape == (7, len(rows.classes))
        np.testing.assert_allclose(answer.sum(axis=1), 1)


@pytest.mark.parametrize("name", ["prevalence", "logistic", "random_forest", "gradient_boosting"])
def test_a_baseline_gives_the_same_numbers_for_the_same_seed(name):
    rows = prepared_rows(150)
    values = rows.blocks["table"].values
    answers = [
        predict_baseline(
            fit_baseline(name, "binary", values, rows.outcome, seed=3),
            values,
            "binary",
            2,
        )
        for _ in range(2)
    ]
    assert np.array_equal(answers[0], answers[1])


def test_prevalence_says_the_shares_whatever_the_inputs():
    outcome = np.array([0, 2, 2, 2])
    model = fit_baseline("prevalence", "multiclass", np.ones((4, 1)), outcome, 0)
    answer = predict_baseline(model, np.zeros((2, 1)), "multiclass", 3)
    np.testing.assert_allclose(answer, [[0.25, 0, 0.75]] * 2)
    assert model.predict(np.zeros((1, 1))).tolist() == [2]


def test_a_class_absent_from_training_gets_the_probability_zero():
    rows = prepared_rows(100)
    values = rows.blocks["table"].values
    model = fit_baseline("logistic", "multiclass", values, rows.outcome * 2, 0)
    answer = predict_baseline(model, values, "multiclass", 4)
    assert answer.shape == (100, 4)
    assert (answer[:, [1, 3]] == 0).all() and (answer[:, [0, 2]] > 0).all()


def test_forests_shrink_as_rows_grow():
    sizes = [
        build_baseline("random_forest", "binary", rows, 0) for rows in (500, 20_000, 1_000_000)
    ]
    assert [forest.n_estimators for forest in sizes] == [200, 200, 100]
    assert [forest.min_samples_leaf for forest in sizes] == [2, 4, 200]
