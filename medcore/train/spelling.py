"""Training a small recogniser on spectrograms and what was said: a generator of `Epoch`s."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medcore.config import AudioConfig, TrainConfig, generator
from medcore.models.ctc import Speller, spelling_loss
from medcore.records import Epoch
from medcore.train.audio import change_sounds
from medcore.train.device import memory_named, pick_device
from medcore.train.optimizer import build_optimizer, clip_gradients, flat_parameters, learning_rate
from medcore.train.pause import check_loss

AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Spoken:
    """Recordings and their texts: `spectra` (items, bands, frames), often memory-mapped.

    `place` (rows,) is each row's recording; `targets` (rows, longest) are tokens from 1,
    `lengths` (rows,) how many of them count.
    """

    spectra: np.ndarray
    place: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray

    def read(self, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return spectrograms, targets and lengths of some rows as tensors."""
        values = torch.from_numpy(np.ascontiguousarray(self.spectra[self.place[rows]])).float()
        targets, lengths = (torch.from_numpy(part[rows]) for part in (self.targets, self.lengths))
        return values.to(device), targets.to(device), lengths


def train_speller(
    spec: dict,
    learn: Spoken,
    judge: Spoken,
    audio: AudioConfig,
    train: TrainConfig,
    *,
    seed: int,
    stopping: Callable[[], bool] = lambda: False,
) -> Generator[Epoch, None, dict[str, np.ndarray]]:
    """Train a `Speller` and return its weights by name; yield an `Epoch` after each pass.

    Keeps the weights of the epoch with the least validation loss (nats a token), or the last ones
    without validation rows; a stop returns the best so far. Raises `FitError`.
    """
    device = pick_device(train.device)
    torch.manual_seed(int(generator(seed, "torch", "recogniser").integers(2**62)))
    with memory_named("building the recogniser"):
        network = Speller(spec).to(device)
    optimizer = build_optimizer(network, train)
    gradients = [flat.grad for flat in flat_parameters(optimizer)]
    steps = -(-len(learn.place) // train.batch_size)
    best, best_loss, stale = _weights(network), np.inf, 0
    for epoch in range(1, train.epochs + 1):
        started, total = time.perf_counter(), 0.0
        order = generator(seed, "recogniser", "rows", epoch).permutation(len(learn.place))
        network.train()
        for step, rows in enumerate(np.array_split(order, steps)):
            if stopping():
                return best
            for group in optimizer.param_groups:
                done = steps * (epoch - 1) + step
                group["lr"] = learning_rate(train, done, steps * train.epochs)
            with memory_named(f"epoch {epoch} with a batch size of {train.batch_size}"):
                loss = _step(network, learn, rows, audio, device)
            loss.backward()
            if train.clip_norm:
                clip_gradients(gradients, train.clip_norm)
            optimizer.step()
            for gradient in gradients:
                gradient.zero_()
            total += float(loss.detach()) * len(rows)
        check_loss(total / len(order), epoch)
        judged = judge_speller(network, judge, device) if len(judge.place) else None
        better = judged is None or judged < best_loss
        if better:
            best, best_loss, stale = _weights(network), judged if judged is not None else 0.0, 0
        else:
            stale += 1
        rate = optimizer.param_groups[0]["lr"]
        yield Epoch("recogniser", epoch, train.epochs, total / len(order), judged, rate,
                    time.perf_counter() - started, better)  # fmt: skip
        if stale >= train.patience:
            break
    return best


def _step(
    network: Speller, spoken: Spoken, rows: np.ndarray, audio: AudioConfig, device: torch.device
) -> Tensor:
    values, targets, lengths = spoken.read(rows, device)
    return spelling_loss(network(change_sounds(values, audio)), targets, lengths)


def judge_speller(network: Speller, spoken: Spoken, device: torch.device) -> float:
    """Return the mean loss over rows, in nats a token, nothing changed at random."""
    network.eval()
    total, rows = 0.0, np.arange(len(spoken.place))
    with torch.inference_mode():
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            values, targets, lengths = spoken.read(some, device)
            total += float(spelling_loss(network(values), targets, lengths)) * len(some)
    return total / len(rows)


def _weights(network: Speller) -> dict[str, np.ndarray]:
    return {name: part.detach().cpu().numpy().copy() for name, part in network.state_dict().items()}


def spell(network: Speller, spectra: np.ndarray) -> np.ndarray:
    """Return log-probabilities (rows, steps, tokens) of spectrograms, one row at a time."""
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        said = [
            network(torch.from_numpy(np.array(one[None], dtype=np.float32)).to(device))[0]
            for one in spectra
        ]
    return torch.stack(said).cpu().numpy()
