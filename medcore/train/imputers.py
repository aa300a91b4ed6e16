"""The fit of imputing networks, their estimates, and how unusual a patient is to them.

A tenth of the training rows' known cells is set aside: never shown, never learned from, and used
to tell when to stop. Everything else is as in the main loop: a generator of `Epoch`s that can
stop and go on at any step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.config import TrainConfig, generator
from medcore.models.imputers import build_imputer, imputer_spec
from medcore.records import Epoch
from medcore.train.device import memory_named, pick_device
from medcore.train.fit import Checkpoint, fit_key, read_fit, start_fit
from medcore.train.passes import Lesson, run_passes
from medcore.train.pause import Pause

SET_ASIDE = 0.1
LEAST_HIDDEN, MOST_HIDDEN = 0.1, 0.7
STEPS = 3000
JUDGING_PROPOSALS = 20
# Fixed numbers of rows go through at a time: other shapes round differently.
ROWS = {"denoising_autoencoder": 256, "miwae": 32}


@dataclass(frozen=True, eq=False)
class TrainedImputer:
    """All that is kept of an imputing network: `spec` for JSON, `arrays` for safetensors."""

    spec: dict
    arrays: dict[str, np.ndarray]

    @cached_property
    def network(self) -> Any:
        """The network with its weights, ready to estimate."""
        with torch.random.fork_rng(devices=[]):
            network = build_imputer(self.spec["network"])
        weights = {name: torch.from_numpy(np.array(array)) for name, array in self.arrays.items()}
        network.load_state_dict(weights)
        device = "cpu" if self.spec["device"] == "cpu" else "auto"
        return network.requires_grad_(False).eval().to(pick_device(device))


@dataclass(frozen=True, eq=False)
class Cells:
    """The training rows on the device: values and what may be seen (places), aside (columns)."""

    values: Tensor
    seen: Tensor
    aside: Tensor


def imputer_training(rows: int, device: str) -> TrainConfig:
    """Return the settings of a fit: about 3,000 steps, at least 15 passes over the rows."""
    batch = int(min(512, max(32, 2 ** round(np.log2(max(rows, 2) / 16)))))
    epochs = max(15, round(STEPS / max(1, rows / batch)))
    return TrainConfig(
        epochs=epochs,
        batch_size=batch,
        learning_rate=2e-3,
        weight_decay=1e-3,
        patience=max(10, epochs // 4),
        device=device,
    )


def train_imputer(
    name: str,
    matrix: np.ndarray,
    blocks: tuple[slice, ...],
    wordy: tuple[bool, ...],
    *,
    fit: str,
    seed: int,
    device: str = "auto",
    checkpoint: Checkpoint | None = None,
    stopping: Callable[[], bool] = lambda: False,
    config: TrainConfig | None = None,
) -> Generator[Epoch, None, TrainedImputer]:
    """Fit `denoising_autoencoder` or `miwae` on float64 (rows, places) with NaN in the gaps.

    Yields an `Epoch` after each pass; its validation loss is the error of the cells set aside
    (squared error of scaled numbers, cross-entropy of words). Keeps the epoch with the least.
    A stop returns the best so far; with a `checkpoint` the fit goes on from there. Raises
    `FitError` when memory runs out or the loss is no number.
    """
    config = config or imputer_training(len(matrix), device)
    place = pick_device(config.device)
    spec = imputer_spec(name, blocks, wordy, len(matrix))
    torch.manual_seed(int(generator(seed, "torch", fit).integers(2**62)))
    with memory_named("building the imputing network"):
        network = build_imputer(spec)
        cells = _set_aside(matrix, blocks, generator(seed, fit, "aside"), place)
        state = start_fit(network, config, place)
    key = ""
    if checkpoint is not None:
        key = fit_key(spec, config.model_dump(), fit, seed, matrix)
        read_fit(state, checkpoint, key)
    pause = Pause(state, checkpoint, key, stopping)
    lesson = Lesson(
        len(matrix),
        lambda network, rows: _batch_loss(network, cells.values[rows], cells.seen[rows]),
        lambda network: _judge(network, cells),
        "of the imputing network",
    )
    yield from run_passes(state, lesson, config, fit, seed, pause)
    kept = {
        "network": spec,
        "fit": fit,
        "seed": seed,
        "device": config.device,
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "stopped": pause.stopped,
        "history": state.history,
    }
    return TrainedImputer(kept, state.weights())


def estimate_cells(trained: TrainedImputer, matrix: np.ndarray) -> np.ndarray:
    """Return estimates of every cell, float64 (rows, places): numbers, and words' probabilities.

    A row's estimates are the same bit for bit whatever other rows are asked about.
    """
    network = trained.network
    device = next(network.parameters()).device
    size = ROWS[trained.spec["network"]["network"]]
    out = np.empty(matrix.shape)
    with torch.inference_mode(), memory_named("estimating missing values"):
        for start in range(0, len(matrix), size):
            piece = matrix[start : start + size]
            rows = np.full((size, matrix.shape[1]), np.nan, dtype=np.float32)
            rows[: len(piece)] = piece
            known = ~np.isnan(rows)
            values = torch.from_numpy(np.where(known, rows, 0)).to(device)
            mask = torch.from_numpy(known.astype(np.float32)).to(device)
            found = network.estimate(values, mask)[: len(piece)]
            out[start : start + size] = found.cpu().double().numpy()
    return out


def complete_cells(trained: TrainedImputer, matrix: np.ndarray) -> np.ndarray:
    """Return the matrix with its gaps filled by the network's estimates."""
    return np.where(np.isnan(matrix), estimate_cells(trained, matrix), matrix)


def reconstruction_error(trained: TrainedImputer, matrix: np.ndarray) -> np.ndarray:
    """Return how badly each row's known cells can be told from its other cells, float64 (rows,).

    Each known column is hidden in turn and estimated from the rest; the mean of squared errors of
    scaled numbers and of words' surprise (nats). High values mark rows unlike the training rows;
    NaN where nothing is known.
    """
    blocks = [slice(*pair) for pair in trained.spec["network"]["blocks"]]
    wordy = trained.spec["network"]["wordy"]
    total, count = np.zeros(len(matrix)), np.zeros(len(matrix))
    for block, words in zip(blocks, wordy, strict=True):
        known = np.flatnonzero(~np.isnan(matrix[:, block.start]))
        if not len(known):
            continue
        hidden = matrix[known].copy()
        hidden[:, block] = np.nan
        found, true = estimate_cells(trained, hidden)[:, block], matrix[known, block]
        if words:
            # A word that no training row had is as surprising as one in a million.
            wrong = -np.log(np.maximum((found * true).sum(axis=1), 1e-6))
        else:
            wrong = (found[:, 0] - true[:, 0]) ** 2
        total[known] += wrong
        count[known] += 1
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _set_aside(
    matrix: np.ndarray, blocks: tuple[slice, ...], rng: np.random.Generator, device: torch.device
) -> Cells:
    known = ~np.isnan(matrix)
    columns = np.stack([known[:, block.start] for block in blocks], axis=1)
    aside = columns & (rng.random(columns.shape) < SET_ASIDE)
    widths = [block.stop - block.start for block in blocks]
    seen = known & ~np.repeat(aside, widths, axis=1)
    arrays = (np.where(known, matrix, 0), seen, aside)
    return Cells(*(torch.from_numpy(array.astype(np.float32)).to(device) for array in arrays))


def _batch_loss(network: Any, values: Tensor, known: Tensor) -> Tensor:
    """Return the loss with a random share of each row's known cells hidden."""
    layout = network.layout
    columns = layout.gather(known)
    share = torch.empty(len(values), 1, device=values.device)
    share.uniform_(LEAST_HIDDEN, MOST_HIDDEN)
    hidden = (torch.rand(columns.shape, device=values.device) < share).float() * columns
    seen = known * (1 - layout.spread(hidden))
    return network.loss(values, seen, hidden)


def _judge(network: Any, cells: Cells) -> float:
    """Return the mean error of the cells set aside, given all others."""
    total = torch.zeros((), device=cells.values.device)
    size = 512
    for start in range(0, len(cells.values), size):
        piece = slice(start, start + size)
        found = network.estimate(cells.values[piece], cells.seen[piece], JUDGING_PROPOSALS)
        wrong = _estimate_errors(network.layout, found, cells.values[piece])
        total += (wrong * cells.aside[piece]).sum()
    return float(total / cells.aside.sum().clamp(min=1))


def _estimate_errors(layout: Any, found: Tensor, values: Tensor) -> Tensor:
    wrong = (found - values) ** 2
    for start, stop in layout.words:
        right = (found[:, start:stop] * values[:, start:stop]).sum(dim=1)
        wrong[:, start] = -right.clamp(min=1e-6).log()
    return layout.gather(wrong)
