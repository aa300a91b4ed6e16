"""The training loop: `train_network` yields an `Epoch` after each pass over the training rows.

A fit can be left at any step and taken up again: everything that moves is in `Fit`, the order of
rows comes from (seed, fit, epoch), so that a resumed fit ends with the very same weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.config import AugmentConfig, RunConfig, Task, TrainConfig, generator
from medcore.models import build_from_spec, network_spec
from medcore.records import Epoch, Prepared
from medcore.train.augment import Batch, Layout, augment_batch, read_layout
from medcore.train.device import memory_named, mixed_precision, pick_device
from medcore.train.fit import (
    Checkpoint,
    Fit,
    fit_key,
    random_state,
    read_fit,
    restore_random,
    start_fit,
)
from medcore.train.loss import Emphasis, build_emphasis, ensemble_losses, member_loss
from medcore.train.optimizer import clip_gradients, flat_parameters, learning_rate
from medcore.train.pause import Pause, check_loss
from medcore.train.rows import Rows, check_outcome, check_rows, load_rows, outcome_scale
from medcore.train.trained import TrainedNetwork, network_block

# Rows gathered at once: whole epochs of most tables, without doubling the memory of large ones.
GATHER_BYTES = 64 * 2**20
JUDGE_ROWS = 1024


@dataclass(frozen=True)
class Course:
    """What stays the same during a fit."""

    fit: str
    seed: int
    task: Task
    config: TrainConfig
    train: Rows
    validation: Rows | None
    forward: AbstractContextManager
    emphasis: Emphasis
    augment: AugmentConfig
    layout: Layout
    chance: np.ndarray | None

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-len(self.train) // self.config.batch_size)


def train_network(
    name: str,
    train: Prepared,
    validation: Prepared | None,
    config: RunConfig,
    *,
    fit: str,
    seed: int,
    ratio: np.ndarray | None = None,
    checkpoint: Checkpoint | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Generator[Epoch, None, TrainedNetwork]:
    """Train the network `name` and return it; yield an `Epoch` after each pass.

    Keeps the weights of the epoch with the least validation loss (mean negative log-likelihood in
    nats, or squared error of the standardised outcome, of the members' mean prediction) and ends
    after `config.train.patience` epochs without a better one. Without validation rows all epochs
    run and the last weights are kept. `ratio` says how many times more than it occurs each class
    counts under `config.balance` (see `class_ratio`); it is taken out of the validation loss.

    `stopping` is asked about four times a second; a stop returns the best weights so far, with
    `stopped: true` in the spec. With a `checkpoint`, the fit goes on from there and ends with the
    same weights as one that was never interrupted. Raises `FitError`.
    """
    check_outcome(train)
    device = pick_device(config.train.device)
    course = _plan_course(train, validation, config, fit, seed, device, ratio)
    outputs = 1 if train.task == "regression" else len(train.classes)
    network = network_spec(name, network_block(train), outputs, config.model)
    torch.manual_seed(int(generator(seed, "torch", fit).integers(2**62)))
    with memory_named("building the network"):
        state = start_fit(build_from_spec(network), config.train, device)
    key = ""
    if checkpoint is not None:
        key = _course_key(network, train, validation, course, config)
        read_fit(state, checkpoint, key)
    pause = Pause(state, checkpoint, key, stopping)
    if not state.finished:
        yield from _run_epochs(state, course, pause)
    mean, spread = outcome_scale(train)
    spec = {
        "network": network,
        "task": train.task,
        "classes": list(train.classes),
        "outcome_mean": mean,
        "outcome_spread": spread,
        "fit": fit,
        "seed": seed,
        "device": config.train.device,
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "stopped": pause.stopped,
        "history": state.history,
    }
    return TrainedNetwork(spec, state.weights())


def _plan_course(
    train: Prepared,
    validation: Prepared | None,
    config: RunConfig,
    fit: str,
    seed: int,
    device: torch.device,
    ratio: np.ndarray | None,
) -> Course:
    scale = outcome_scale(train)
    block = network_block(train)
    check_rows(block, train, "training")
    judged = None
    if validation is not None and len(validation.outcome):
        judged_block = network_block(validation, list(block.names))
        check_rows(judged_block, validation, "validation")
        judged = load_rows(judged_block, validation, scale, device)
    rows = load_rows(block, train, scale, device)
    chance = None
    if config.balance.strategy == "balanced_sampler" and ratio is not None:
        chance = ratio[train.outcome] / ratio[train.outcome].sum()
    return Course(
        fit=fit,
        seed=seed,
        task=train.task,
        config=config.train,
        train=rows,
        validation=judged,
        forward=mixed_precision(device, config.train.mixed_precision),
        emphasis=build_emphasis(config.balance, ratio, device),
        augment=config.augment,
        layout=read_layout(block, device),
        chance=chance,
    )


def _course_key(
    network: dict,
    train: Prepared,
    validation: Prepared | None,
    course: Course,
    config: RunConfig,
) -> str:
    sections = [part.model_dump() for part in (config.train, config.balance, config.augment)]
    parts: list[Any] = [network, *sections, course.fit, course.seed]
    for prepared in (train, validation):
        if prepared is not None:
            parts += [prepared.blocks["table"].values, prepared.outcome]
    return fit_key(*parts)


def _run_epochs(state: Fit, course: Course, pause: Pause) -> Generator[Epoch, None, None]:
    while not state.finished:
        start = time.perf_counter()
        batch = min(course.config.batch_size, len(course.train))
        with memory_named(f"epoch {state.epoch} with a batch size of {batch}"):
            if pause.look() or not _run_steps(state, course, pause):
                return
            train_loss = float(state.loss_sum) / len(course.train)
            check_loss(train_loss, state.epoch)
            validation_loss = _judge(state, course, pause)
            if pause.stopped:
                return
        epoch = _close_epoch(state, course, train_loss, validation_loss, start)
        if state.finished:
            pause.write()
        random = random_state(state.device)
        yield epoch
        # What the caller draws between epochs must not change what comes next.
        restore_random(random, state.device)


def _run_steps(state: Fit, course: Course, pause: Pause) -> bool:
    """Do the epoch's remaining steps; return False when stopped."""
    config, train, network = course.config, course.train, state.network.train()
    order = torch.from_numpy(_draw_order(course, state.epoch)).to(state.device)
    flats = flat_parameters(state.optimizer)
    gradients = [flat.grad for flat in flats]
    total = course.steps * config.epochs
    done = course.steps * (state.epoch - 1)
    for values, outcome in split_batches(train, order, course.steps, state.step):
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(config, done + state.step, total)
        with course.forward:
            loss = _batch_loss(network, values, outcome, course)
        loss.backward()
        if config.clip_norm:
            clip_gradients(gradients, config.clip_norm)
        state.optimizer.step()
        for gradient in gradients:
            gradient.zero_()
        state.loss_sum.add_(loss.detach(), alpha=len(values))
        state.step += 1
        if pause.due() and pause.look():
            return False
    return True


def _draw_order(course: Course, epoch: int) -> np.ndarray:
    """Return an epoch's rows in their order; the balanced sampler draws them with replacement."""
    rng, rows = generator(course.seed, course.fit, "rows", epoch), len(course.train)
    return (
        rng.permutation(rows) if course.chance is None else rng.choice(rows, rows, p=course.chance)
    )


def _batch_loss(network: Any, values: Tensor, outcome: Tensor, course: Course) -> Tensor:
    augment = course.augment
    batch = Batch(values, outcome)
    if augment.noise or augment.mask or augment.mixup:
        batch = augment_batch(values, outcome, augment, course.layout)
    output, smoothing = network(batch.values), course.config.label_smoothing
    loss = member_loss(output, batch.outcome, course.task, smoothing, course.emphasis)
    if batch.partner is None:
        return loss
    other = member_loss(output, batch.partner, course.task, smoothing, course.emphasis)
    return (1 - batch.share) * loss + batch.share * other


def split_batches(
    rows: Rows, order: Tensor, steps: int, first: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield an epoch's batches from batch `first` on.

    Sizes differ by one row at most, so that no row of a small last batch weighs more than others.
    """
    bounds = [len(order) * step // steps for step in range(steps + 1)]
    row_bytes = rows.values[0].numel() * rows.values.element_size()
    gathered = max(1, GATHER_BYTES // (row_bytes * bounds[1])) if row_bytes else steps
    for start in range(first, steps, gathered):
        stop = min(start + gathered, steps)
        sizes = [bounds[step + 1] - bounds[step] for step in range(start, stop)]
        places = order[bounds[start] : bounds[stop]]
        values, outcome = rows.values[places], rows.outcome[places]
        yield from zip(values.split(sizes), outcome.split(sizes), strict=True)


def _judge(state: Fit, course: Course, pause: Pause) -> float | None:
    """Return the validation loss; None without validation rows, or when stopped meanwhile."""
    if course.validation is None:
        return None
    network = state.network.eval()
    losses = []
    pieces = zip(
        course.validation.values.split(JUDGE_ROWS),
        course.validation.outcome.split(JUDGE_ROWS),
        strict=True,
    )
    with torch.inference_mode():
        for values, outcome in pieces:
            with course.forward:
                output = network(values)
            losses.append(ensemble_losses(output, outcome, course.task, course.emphasis.correction))
            if pause.due() and pause.look():
                return None
        loss = float(torch.cat(losses).cpu().double().mean())
    check_loss(loss, state.epoch)
    return loss


def _close_epoch(
    state: Fit, course: Course, train_loss: float, validation_loss: float | None, start: float
) -> Epoch:
    """Judge the epoch, move the fit on to the next one and return the record."""
    config = course.config
    best = validation_loss is None or state.best_loss is None or validation_loss < state.best_loss
    if best:
        state.best_loss, state.best_epoch, state.stale = validation_loss, state.epoch, 0
        if validation_loss is not None:
            state.keep_best()
    else:
        state.stale += 1
    rate = state.optimizer.param_groups[0]["lr"]
    epoch = Epoch(
        fit=course.fit,
        epoch=state.epoch,
        epochs=config.epochs,
        train_loss=train_loss,
        validation_loss=validation_loss,
        learning_rate=rate,
        seconds=time.perf_counter() - start,
        best=best,
    )
    names = ("epoch", "train_loss", "validation_loss", "learning_rate")
    state.history.append({name: getattr(epoch, name) for name in names})
    state.finished = state.epoch == config.epochs or state.stale >= config.patience
    state.epoch, state.step = state.epoch + 1, 0
    state.loss_sum.zero_()
    return epoch
