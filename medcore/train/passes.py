"""Passes over rows for networks with a lesson of their own: imputers, autoencoders, recognisers.

As in the main loop, a fit can be left at any step and taken up again: the order of rows comes from
(seed, fit, epoch), and everything that moves is in `Fit`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.config import TrainConfig, generator
from medcore.records import Epoch
from medcore.train.device import memory_named
from medcore.train.fit import Fit, close_epoch, random_state, restore_random
from medcore.train.optimizer import clip_gradients, flat_parameters, learning_rate
from medcore.train.pause import Pause, check_loss

APART = 0.2


@dataclass(frozen=True)
class Lesson:
    """What is learned: so many `rows`, the loss of those at some places, and how it is judged.

    `batch_loss(network, places)` returns a scalar; `judge(network)` a number that is better the
    smaller it is, without gradients, or None where nobody is set aside to judge on; `name` ends
    "epoch 3 …" where something goes wrong. With `sizes` (rows,) a batch holds rows of about the
    same size, so that little of it is filled up.
    """

    rows: int
    batch_loss: Callable[[Any, Tensor], Tensor]
    judge: Callable[[Any], float | None]
    name: str
    sizes: np.ndarray | None = None


def draw_batches(lesson: Lesson, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return a pass's batches, as places of rows, in random order."""
    steps = -(-lesson.rows // size)
    if lesson.sizes is None:
        return np.array_split(rng.permutation(lesson.rows), steps)
    # Drawn apart by up to so much, batches differ from pass to pass.
    order = np.argsort(lesson.sizes * rng.uniform(1 - APART, 1 + APART, lesson.rows))
    batches = np.array_split(order, steps)
    return [batches[place] for place in rng.permutation(steps)]


def run_passes(
    state: Fit, lesson: Lesson, config: TrainConfig, fit: str, seed: int, pause: Pause
) -> Iterator[Epoch]:
    """Yield an `Epoch` after each pass until the fit is finished or stopped."""
    while not state.finished:
        start = time.perf_counter()
        with memory_named(f"epoch {state.epoch} {lesson.name}"):
            if pause.look() or not _run_steps(state, lesson, config, fit, seed, pause):
                return
            train_loss = float(state.loss_sum) / lesson.rows
            check_loss(train_loss, state.epoch)
            with torch.inference_mode():
                judged = lesson.judge(state.network.eval())
        epoch = close_epoch(state, config, fit, train_loss, judged, start)
        random = random_state(state.device)
        yield epoch
        restore_random(random, state.device)


def _run_steps(
    state: Fit, lesson: Lesson, config: TrainConfig, fit: str, seed: int, pause: Pause
) -> bool:
    """Do the epoch's remaining steps; return False when stopped."""
    network = state.network.train()
    steps = -(-lesson.rows // config.batch_size)
    rng = generator(seed, fit, "rows", state.epoch)
    batches = draw_batches(lesson, config.batch_size, rng)
    flats = flat_parameters(state.optimizer)
    for batch in batches[state.step :]:
        done = steps * (state.epoch - 1) + state.step
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(config, done, steps * config.epochs)
        loss = lesson.batch_loss(network, torch.from_numpy(batch).to(state.device))
        loss.backward()
        if config.clip_norm:
            clip_gradients([flat.grad for flat in flats], config.clip_norm)
        state.optimizer.step()
        for flat in flats:
            flat.grad.zero_()
        state.loss_sum.add_(loss.detach(), alpha=len(batch))
        state.step += 1
        if pause.due() and pause.look():
            return False
    return True
