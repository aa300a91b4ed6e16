"""Training a small recogniser on spectrograms and what was said: a generator of `Epoch`s."""

from __future__ import annotations

import math
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
from medcore.train.fit import Checkpoint, fit_key, read_fit, start_fit
from medcore.train.passes import Lesson, run_passes
from medcore.train.pause import Pause

FIT, AT_ONCE = "recogniser", 32
# Frames of silence that a recording has on either side at least: a word's end is heard in it.
MARGIN = 10


@dataclass(frozen=True, eq=False)
class Spoken:
    """Recordings and their texts: `spectra` (items, bands, frames), often memory-mapped.

    Each lies in the middle of its frames and fills `frames` (items,) of them. `place` (rows,) is
    each row's recording; `targets` (rows, longest) are tokens from 1, `lengths` (rows,) how many
    of them count.
    """

    spectra: np.ndarray
    frames: np.ndarray
    place: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many frames each row's recording fills."""
        return self.frames[self.place]

    def read(
        self, rows: np.ndarray, device: torch.device, shift: float = 0.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return spectrograms, targets and lengths of some rows as tensors.

        As many frames as the longest of them needs, moved by up to a share `shift` either way.
        """
        whole = self.spectra.shape[2]
        wanted = min(whole, room_for(int(self.sizes[rows].max()), shift))
        start = (whole - wanted) // 2
        cut = self.spectra[self.place[rows], :, start : start + wanted]
        values = torch.from_numpy(np.ascontiguousarray(cut)).float()
        targets, lengths = (torch.from_numpy(part[rows]) for part in (self.targets, self.lengths))
        return values.to(device), targets.to(device), lengths


def room_for(frames: int, shift: float) -> int:
    """Return the frames in which a recording of so many may move by a share `shift` of them.

    >>> room_for(100, 0.0), room_for(100, 0.1)
    (120, 125)
    """
    return max(math.ceil(frames / (1 - 2 * min(shift, 0.4))), frames + 2 * MARGIN)


def train_speller(
    spec: dict,
    learn: Spoken,
    judge: Spoken,
    audio: AudioConfig,
    train: TrainConfig,
    *,
    seed: int,
    checkpoint: Checkpoint | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Generator[Epoch, None, dict[str, np.ndarray]]:
    """Train a `Speller` and return its weights by name; yield an `Epoch` after each pass.

    Keeps the weights of the epoch with the least validation loss (nats a token), or the last ones
    without validation rows; a stop returns the best so far. Raises `FitError`.
    """
    device = pick_device(train.device)
    torch.manual_seed(int(generator(seed, "torch", FIT).integers(2**62)))
    with memory_named("building the recogniser"):
        state = start_fit(Speller(spec), train, device)
    rows = [part for spoken in (learn, judge) for part in (spoken.place, spoken.targets)]
    heard = list(learn.spectra.shape)
    key = fit_key(spec, train.model_dump(), audio.model_dump(), seed, heard, *rows)
    if checkpoint is not None:
        read_fit(state, checkpoint, key)
    lesson = Lesson(
        len(learn.place),
        lambda network, places: _loss(network, learn, places.cpu().numpy(), audio, device),
        lambda network: judge_speller(network, judge, device) if len(judge.place) else None,
        "of the recogniser",
        learn.sizes,
    )
    pause = Pause(state, checkpoint, key, stopping)
    yield from run_passes(state, lesson, train, FIT, seed, pause)
    return state.weights()


def _loss(
    network: Speller, spoken: Spoken, rows: np.ndarray, audio: AudioConfig, device: torch.device
) -> Tensor:
    values, targets, lengths = spoken.read(rows, device, audio.shift)
    return spelling_loss(network(change_sounds(values, audio)), targets, lengths)


def judge_speller(network: Speller, spoken: Spoken, device: torch.device) -> float:
    """Return the mean loss over rows, in nats a token, nothing changed at random."""
    network.eval()
    total, rows = 0.0, np.argsort(spoken.sizes, kind="stable")
    with torch.inference_mode():
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            values, targets, lengths = spoken.read(some, device)
            total += float(spelling_loss(network(values), targets, lengths)) * len(some)
    return total / len(rows)


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
