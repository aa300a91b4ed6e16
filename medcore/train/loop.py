"""The training loop: `train_network` yields an `Epoch` after each pass over the training rows.

A fit can be left at any step and taken up again: everything that moves is in `Fit`, the order of
rows comes from (seed, fit, epoch), so that a resumed fit ends with the very same weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.config import RunConfig, Task, TrainConfig, generator
from medcore.models import BODIES, Inputs, build_from_spec, network_spec
from medcore.models.fusion import start_weights
from medcore.records import Epoch, Prepared
from medcore.train.arms import Arms, plan_arms
from medcore.train.augment import Augmentation, Batch, plan_augmentation
from medcore.train.device import memory_named, mixed_precision, pick_device
from medcore.train.fit import (
    Checkpoint,
    Fit,
    close_epoch,
    fit_key,
    key_parts,
    random_state,
    read_fit,
    restore_random,
    start_fit,
)
from medcore.train.hazards import Hazards, plan_hazards
from medcore.train.loss import Emphasis, build_emphasis, ensemble_losses, member_loss
from medcore.train.optimizer import clip_gradients, flat_parameters, learning_rate
from medcore.train.pause import Pause, check_loss
from medcore.train.quantiles import Quantiles, plan_quantiles
from medcore.train.risks import hazards_spec, keep_baseline
from medcore.train.rows import (
    Rows,
    check_outcome,
    check_rows,
    load_rows,
    outcome_scale,
    split_batches,
)
from medcore.train.trained import (
    TrainedNetwork,
    image_encoders,
    network_output,
    rows_at_once,
    rows_to_learn,
    seen_blocks,
)

JUDGE_ROWS = 1024
# An epoch over images has so many steps, unless they would be of fewer rows than this.
LEAST_STEPS, LEAST_BATCH = 8, 8


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
    augmentation: Augmentation | None
    chance: np.ndarray | None
    piece_rows: int
    judge_rows: int
    hazards: Hazards | Arms | Quantiles | None = None

    @cached_property
    def batch_size(self) -> int:
        """Rows per step: as is set, but of few images fewer, so that an epoch has steps.

        A network with batch normalisation over images learns next to nothing in one step an epoch.
        """
        size = self.config.batch_size
        if any(block.kind == "image" for block in self.train.blocks.values()):
            size = min(size, max(LEAST_BATCH, len(self.train) // LEAST_STEPS))
        return size if self.hazards is None else max(size, self.hazards.least_rows(self.train))

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-len(self.train) // self.batch_size)

    def loss(self, output: Tensor, outcome: Tensor) -> Tensor:
        """Return what a step makes small: the mean of the members' own losses."""
        if self.hazards is not None:
            return self.hazards.loss(output, outcome)
        smoothing = self.config.label_smoothing
        return member_loss(output, outcome, self.task, smoothing, self.emphasis)


def train_network(
    name: str,
    train: Prepared,
    validation: Prepared | None,
    config: RunConfig,
    *,
    fit: str,
    seed: int,
    ratio: np.ndarray | None = None,
    starts: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    checkpoint: Checkpoint | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Generator[Epoch, None, TrainedNetwork]:
    """Train the network `name` and return it; yield an `Epoch` after each pass.

    Keeps the weights of the epoch with the least validation loss (mean negative log-likelihood in
    nats, or squared error of the standardised outcome, of the members' mean prediction) and ends
    after `config.train.patience` epochs without a better one. Without validation rows all epochs
    run and the last weights are kept. `ratio` says how many times more than it occurs each class
    counts under `config.balance` (see `class_ratio`); it is taken out of the validation loss.
    `starts` are weights that encoders start from, by block.

    `stopping` is asked about four times a second; a stop returns the best weights so far, with
    `stopped: true` in the spec. With a `checkpoint`, the fit goes on from there and ends with the
    same weights as one that was never interrupted. Raises `FitError`.
    """
    check_outcome(train)
    device = pick_device(config.train.device)
    hazards = plan_hazards(name, train, config.model.intervals) or plan_arms(name, train)
    hazards = hazards or plan_quantiles(train, config)
    outputs = 1 if train.task == "regression" else len(train.classes)
    body = BODIES.get(name, name)
    outputs = hazards.outputs if hazards is not None else outputs
    network = network_spec(body, train.blocks, outputs, config)
    torch.manual_seed(int(generator(seed, "torch", fit).integers(2**62)))
    with memory_named("building the network"):
        built = build_from_spec(network)
        start_weights(built, network, starts)
        state = start_fit(built, config.train, device)
        learned = rows_to_learn(image_encoders(built, network), device)
        at_once = learned, rows_at_once(built, network, JUDGE_ROWS)
    course = _plan_course(
        network, train, validation, config, fit, seed, device, ratio, hazards, at_once
    )
    key = ""
    if checkpoint is not None:
        key = _course_key(network, train, validation, course, config)
        read_fit(state, checkpoint, key)
    pause = Pause(state, checkpoint, key, stopping)
    if not state.finished:
        yield from _run_epochs(state, course, pause)
    spec = _describe_fit(state, train, config) | {
        "network": network, "fit": fit, "seed": seed, "stopped": pause.stopped,
        "batch_size": min(course.batch_size, len(course.train)),
    }  # fmt: skip
    trained = TrainedNetwork(spec, state.weights())
    return _with_risks(trained, train, hazards) if isinstance(hazards, Hazards) else trained


def _describe_fit(state: Fit, train: Prepared, config: RunConfig) -> dict[str, Any]:
    """Return what a trained network's spec says of the rows and epochs it learned from."""
    mean, spread = outcome_scale(train)
    return {
        "task": train.task,
        "classes": list(train.classes),
        "outcome_mean": mean,
        "outcome_spread": spread,
        "device": config.train.device,
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "history": state.history,
    }


def _with_risks(trained: TrainedNetwork, train: Prepared, hazards: Hazards) -> TrainedNetwork:
    """Add what turns the network's answers into risks; with partial likelihoods from its rows."""
    told = hazards_spec(hazards, train.times)
    told = keep_baseline(told, network_output(trained, train), train.outcome)
    return replace(trained, spec={**trained.spec, "hazards": told})


def _plan_course(
    network: dict,
    train: Prepared,
    validation: Prepared | None,
    config: RunConfig,
    fit: str,
    seed: int,
    device: torch.device,
    ratio: np.ndarray | None,
    hazards: Hazards | Arms | Quantiles | None,
    at_once: tuple[int, int],
) -> Course:
    scale = outcome_scale(train)
    seen = seen_blocks(network, train)
    check_rows(seen, train, "training")
    judged = None
    if validation is not None and len(validation.outcome):
        judged_blocks = seen_blocks(network, validation)
        check_rows(judged_blocks, validation, "validation")
        judged = load_rows(judged_blocks, validation, scale, device)
    rows = load_rows(seen, train, scale, device)
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
        augmentation=plan_augmentation(seen, config, device),
        chance=chance,
        piece_rows=at_once[0],
        judge_rows=at_once[1],
        hazards=hazards,
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
    if course.hazards is not None:
        parts += [course.hazards.name, asdict(course.hazards)]
    for prepared in (train, validation):
        if prepared is not None:
            parts += key_parts(prepared)
    return fit_key(*parts)


def _run_epochs(state: Fit, course: Course, pause: Pause) -> Generator[Epoch, None, None]:
    while not state.finished:
        start = time.perf_counter()
        batch = min(course.batch_size, len(course.train))
        with memory_named(f"epoch {state.epoch} with a batch size of {batch}"):
            if pause.look() or not _run_steps(state, course, pause):
                return
            train_loss = float(state.loss_sum) / len(course.train)
            check_loss(train_loss, state.epoch)
            validation_loss = _judge(state, course, pause)
            if pause.stopped:
                return
        epoch = close_epoch(state, course.config, course.fit, train_loss, validation_loss, start)
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
    for inputs, outcome in split_batches(train, order, course.steps, state.step):
        for group in state.optimizer.param_groups:
            group["lr"] = group["rate"] * learning_rate(config, done + state.step, total)
        loss = _learn_batch(network, inputs, outcome, course)
        if config.clip_norm:
            clip_gradients(gradients, config.clip_norm)
        state.optimizer.step()
        for gradient in gradients:
            gradient.zero_()
        state.loss_sum.add_(loss, alpha=len(outcome))
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


def _learn_batch(network: Any, inputs: Inputs, outcome: Tensor, course: Course) -> Tensor:
    """Add the gradients of a batch's loss, piece by piece where memory asks for it; return it."""
    batch = Batch(inputs, outcome)
    if course.augmentation is not None:
        batch = course.augmentation.change(inputs, outcome)
    # What compares patients with one another needs all of a batch at once.
    rows = course.piece_rows if course.hazards is None else len(outcome)
    total = torch.zeros((), device=outcome.device)
    for piece in batch.split(rows):
        with course.forward:
            loss = _batch_loss(network, piece, course) * (len(piece.outcome) / len(outcome))
        loss.backward()
        total += loss.detach()
    return total


def _batch_loss(network: Any, batch: Batch, course: Course) -> Tensor:
    output = network(batch.inputs)
    loss = course.loss(output, batch.outcome)
    if batch.partner is None:
        return loss
    other = course.loss(output, batch.partner)
    return (1 - batch.share) * loss + batch.share * other


def _judge(state: Fit, course: Course, pause: Pause) -> float | None:
    """Return the validation loss; None without validation rows, or when stopped meanwhile."""
    if course.validation is None:
        return None
    network = state.network.eval()
    losses = []
    with torch.inference_mode():
        for inputs, outcome in course.validation.split(course.judge_rows):
            with course.forward:
                output = network(inputs)
            if course.hazards is None:
                correction = course.emphasis.correction
                output = ensemble_losses(output, outcome, course.task, correction)
            losses.append(output)
            if pause.due() and pause.look():
                return None
        # Partial likelihoods compare patients, so all of them are judged together.
        every = torch.cat(losses)
        if course.hazards is not None:
            every = course.hazards.loss(every, course.validation.outcome)
        loss = float(every.cpu().double().mean())
    check_loss(loss, state.epoch)
    return loss
