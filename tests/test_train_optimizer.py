"""Losses, schedule, clipping and flattened parameters agree with PyTorch's own."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from medcore.config import TrainConfig
from medcore.errors import FitError
from medcore.models import build_network
from medcore.train.device import memory_named, pick_device
from medcore.train.loss import ensemble_losses, member_loss
from medcore.train.optimizer import (
    build_optimizer,
    clip_gradients,
    decays,
    flat_parameters,
    learning_rate,
)
from tests.prepared_rows import prepared_rows, small_config


@given(steps=st.integers(2, 400), peak=st.floats(1e-5, 1.0))
@settings(deadline=None, max_examples=40)
def test_one_cycle_equals_pytorch_s(steps, peak):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=peak)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=steps, cycle_momentum=False
    )
    config = TrainConfig(learning_rate=peak)
    for step in range(steps):
        assert learning_rate(config, step, steps) == pytest.approx(
            schedule.get_last_lr()[0], abs=1e-7
        )
        optimizer.step()
        if step + 1 < steps:
            schedule.step()


def test_a_fit_of_one_step_takes_the_peak():
    assert learning_rate(TrainConfig(learning_rate=0.5), 0, 1) == 0.5


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_classes_are_trained_with_each_member_s_cross_entropy(smoothing):
    torch.manual_seed(0)
    output, outcome = torch.randn(7, 4, 3), torch.tensor([0, 1, 2, 2, 1, 0, 0])
    expected = torch.stack(
        [
            functional.cross_entropy(output[:, k], outcome, label_smoothing=smoothing)
            for k in range(4)
        ]
    ).mean()
    torch.testing.assert_close(member_loss(output, outcome, "multiclass", smoothing), expected)


def test_label_smoothing_follows_its_formula():
    output, outcome = torch.tensor([[[2.0, -1.0]]]), torch.tensor([0])
    logs = torch.log_softmax(output[0, 0], 0)
    expected = -(0.95 * logs[0] + 0.05 * logs[1])
    torch.testing.assert_close(member_loss(output, outcome, "binary", 0.1), expected)


def test_numbers_are_trained_with_each_member_s_squared_error():
    output, outcome = torch.tensor([[[1.0], [3.0]], [[0.0], [0.0]]]), torch.tensor([2.0, 1.0])
    torch.testing.assert_close(member_loss(output, outcome, "regression", 0.0), torch.tensor(1.0))


def test_judging_pools_the_members_before_the_loss():
    torch.manual_seed(1)
    output, outcome = torch.randn(5, 3, 2), torch.tensor([0, 1, 1, 0, 1])
    pooled = output.softmax(2).mean(1)
    expected = functional.nll_loss(pooled.log(), outcome, reduction="none")
    torch.testing.assert_close(ensemble_losses(output, outcome, "binary"), expected)
    values = torch.randn(5, 3, 1)
    expected = (values[:, :, 0].mean(1) - outcome) ** 2
    torch.testing.assert_close(ensemble_losses(values, outcome.float(), "regression"), expected)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=30), st.floats(0.01, 100))
@settings(deadline=None)
def test_clipping_equals_pytorch_s_and_bounds_the_norm(values, limit):
    middle = len(values) // 2
    pieces = [torch.tensor(values[:middle]), torch.tensor(values[middle:])]
    holders = [nn.Parameter(torch.zeros_like(piece)) for piece in pieces]
    for holder, piece in zip(holders, pieces, strict=True):
        holder.grad = piece.clone()
    nn.utils.clip_grad_norm_(holders, limit)
    clip_gradients(pieces, limit)
    for holder, piece in zip(holders, pieces, strict=True):
        torch.testing.assert_close(holder.grad, piece)
    assert torch.cat(pieces).norm() <= limit * 1.001


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_flattened_parameters_move_as_pytorch_s_optimiser_moves_them(optimizer):
    config = TrainConfig(optimizer=optimizer, learning_rate=0.01, weight_decay=0.1, momentum=0.8)
    block = prepared_rows(32).blocks["table"]
    torch.manual_seed(0)
    ours = build_network("tabm", {"table": block}, 2, small_config()).eval()
    theirs = copy.deepcopy(ours)
    flat = build_optimizer(ours, config)
    groups = [
        {
            "params": [p for n, p in theirs.named_parameters() if decays(n, p) is decay],
            "weight_decay": 0.1 if decay else 0.0,
        }
        for decay in (True, False)
    ]
    reference = (
        torch.optim.AdamW(groups, lr=0.01)
        if optimizer == "adamw"
        else torch.optim.SGD(groups, lr=0.01, momentum=0.8)
    )
    values = torch.from_numpy(block.values)
    for _ in range(5):
        for network, steps in ((ours, flat), (theirs, reference)):
            network(values).square().sum().backward()
            steps.step()
        reference.zero_grad()
        for parameter in flat_parameters(flat):
            parameter.grad.zero_()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, msg=name)


def test_weight_decay_spares_biases_embeddings_and_member_scalings():
    block = prepared_rows(8).blocks["table"]
    parameters = build_network("tabm", {"table": block}, 2, small_config()).named_parameters()
    decayed = {name for name, parameter in parameters if decays(name, parameter)}
    assert decayed == {"trunk.1.weight", "trunk.4.weight", "head.weight"}


def test_running_out_of_memory_names_what_was_done():
    batch = "epoch 3 with a batch size of 64"
    with pytest.raises(FitError, match=f"out of memory in {batch}"), memory_named(batch):
        torch.empty(2**55)
    with pytest.raises(FitError, match="smaller batch size"), memory_named("epoch 1"):
        np.empty(2**55)
    with pytest.raises(RuntimeError, match="inconsistent"), memory_named("epoch 1"):
        torch.zeros(2) @ torch.zeros(3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_named():
    with pytest.raises(FitError, match="no CUDA device"):
        pick_device("cuda")
    assert pick_device("auto").type in ("cpu", "mps")
