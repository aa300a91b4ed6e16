"""The training loop: `train_network` yields an `Epoch` after each pass over the training rows.

A fit can be left at any step and taken up again: everything that moves is in `Fit`, the order of
rows comes from (seed, fit, epoch), so that a resumed fit ends with the very same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from medcore.config import RunConfig, Task, TrainConfig, generator
from medcore.errors import FitError
from medcore.models import build_from_spec, network_spec
from medcore.records import Epoch, Prepared
from medcore.train.device import memory_named, mixed_precision, pick_device
from medcore.train.fit import (
    Checkpoint,
    Fit,
    fit_key,
    random_state,
    read_fit,
    restore_random,
    start_fit,
    write_fit,
)
from medcore.train.loss import ensemble_losses, member_loss
from medcore.train.optimizer import clip_gradients, flat_parameters, learning_rate
from medcore.train.rows import Rows, check_outcome, check_rows, load_rows, outcome_scale
from medcore.train.trained import TrainedNetwork, network_block

PAUSE_SECONDS = 0.25
CHECKPOINT_SECONDS = 2.0
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

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-len(self.train) // self.config.batch_size)


@dataclass
class Pause:
    """Looks up from the work about four times a second."""

    state: Fit
    checkpoint: Checkpoint | None
    key: str
    stopping: Callable[[], bool]
    next_look: float = field(default_factory=time.perf_counter)
    next_write: float = field(default_factory=lambda: time.perf_counter() + CHECKPOINT_SECONDS)
    stopped: bool = False

    def due(self) -> bool:
        """Tell whether it is time to `look`."""
        return time.perf_counter() >= self.next_look

    def look(self) -> bool:
        """Write a checkpoint when it is time, and tell whether to stop."""
        check_loss(float(self.state.loss_sum), self.state.epoch)
        self.stopped = self.stopped or self.stopping()
        if self.stopped or time.perf_counter() >= self.next_write:
            self.write()
        self.next_look = time.perf_counter() + PAUSE_SECONDS
        return self.stopped

    def write(self) -> None:
        """Write a checkpoint now."""
        if self.checkpoint is not None:
            write_fit(self.state, self.checkpoint, self.key)
        self.next_write = time.perf_counter() + CHECKPOINT_SECONDS


def train_network(
    name: str,
    train: Prepared,
    validation: Prepared | None,
    config: RunConfig,
    *,
    fit: str,
    seed: int,
    checkpoint: Checkpoint | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Generator[Epoch, None, TrainedNetwork]:
    """Train the network `name` and return it; yield an `Epoch` after each pass.

    Keeps the weights of the epoch with the least validation loss (mean negative log-likelihood in
    nats, or squared error of the standardised outcome, of the members' mean prediction) and ends
    after `config.train.patience` epochs without a better one. Without validation rows all epochs
    run and the last weights are kept.

    `stopping` is asked about four times a second; a stop returns the best weights so far, with
    `stopped: true` in the spec. With a `checkpoint`, the fit goes on from there and ends with the
    same weights as one that was never interrupted. Raises `FitError`.
    """
    check_outcome(train)
    device = pick_device(config.train.device)
    course = _plan_course(train, validation, config.train, fit, seed, device)
    outputs = 1 if train.task == "regression" else len(train.classes)
    network = network_spec(name, network_block(train), outputs, config.model)
    torch.manual_seed(int(generator(seed, "torch", fit).integers(2**62)))
    with memory_named("building the network"):
        state = start_fit(build_from_spec(network), config.train, device)
    key = ""
    if checkpoint is not None:
        key = _course_key(network, train, validation, course)
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
    config: TrainConfig,
    fit: str,
    seed: int,
    device: torch.device,
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
    forward = mixed_precision(device, config.mixed_precision)
    return Course(fit, seed, train.task, config, rows, judged, forward)


def _course_key(network: dict, train: Prepared, validation: Prepared | None, course: Course) -> str:
    parts: list[Any] = [network, course.config.model_dump(), course.fit, course.seed]
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
    order = generator(course.seed, course.fit, "rows", state.epoch).permutation(len(train))
    order = torch.from_numpy(order).to(state.device)
    flats = flat_parameters(state.optimizer)
    gradients = [flat.grad for flat in flats]
    total = course.steps * config.epochs
    done = course.steps * (state.epoch - 1)
    for values, outcome in split_batches(train, order, course.steps, state.step):
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(config, done + state.step, total)
        with course.forward:
            loss = member_loss(network(values), outcome, course.task, config.label_smoothing)
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
            losses.append(ensemble_losses(output, outcome, course.task))
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


def check_loss(loss: float, epoch: int) -> None:
    """Raise `FitError` when a loss is no longer a number."""
    if not math.isfinite(loss):
        raise FitError(
            f"Training went astray in epoch {epoch} (the loss is no longer a number): lower the "
            "learning rate, or switch gradient clipping on."
        )
