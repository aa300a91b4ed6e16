"""A small recogniser: which token is spoken in each frame, and from frames to text.

Connectionist temporal classification (Graves et al. 2006): token 0 is the blank, repeats of a token
are one, a blank between two of the same keeps both. So "aa_ab" is read as "aab".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medcore.errors import FitError
from medcore.models.audio import find_sound, take_level

BLANK = 0
CHANNELS = 32
# Frames of 10 ms that become one step.
STRIDE = 2
BLANK_BIAS = 3.0


class Speller(nn.Module):
    """Convolutions over a spectrogram and a recurrent net in both directions, a token a step.

    Shape: log-mel spectrograms (rows, bands, frames) → log-probabilities (rows, steps, tokens).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        bands, width = int(spec["bands"]), int(spec["width"])
        self.level = bool(spec["level"])
        self.layers = nn.Sequential(
            nn.Conv2d(1, CHANNELS // 2, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(CHANNELS // 2),
            nn.ReLU(),
            nn.Conv2d(CHANNELS // 2, CHANNELS, 3, stride=(2, 1), padding=1, bias=False),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
        )
        left = (bands + 3) // 4
        self.narrow = nn.Sequential(nn.Linear(CHANNELS * left, width), nn.ReLU())
        self.recurrent = nn.GRU(width, width, 2, batch_first=True, bidirectional=True, dropout=0.1)
        self.head = nn.Linear(2 * width, int(spec["tokens"]))
        # Most steps are blank. A network that need not find that out first learns letters at once.
        with torch.no_grad():
            self.head.bias[BLANK] = BLANK_BIAS

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, steps, tokens)."""
        levelled = take_level(values, find_sound(values), self.level)
        maps = self.layers(levelled[:, None])
        states, _ = self.recurrent(self.narrow(maps.permute(0, 3, 1, 2).flatten(2)))
        return self.head(states).log_softmax(dim=2)


def count_steps(frames: int) -> int:
    """Return how many steps a network makes of so many frames."""
    return -(-frames // STRIDE)


def least_steps(target: Sequence[int]) -> int:
    """Return how many steps a text needs: one a token, and a blank between two of the same.

    >>> least_steps([1, 1, 2])
    4
    """
    same = sum(one == other for one, other in pairwise(target))
    return len(target) + same


def spelling_loss(said: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean over rows of the negative log-likelihood of a text, in nats a token.

    `said` (rows, steps, tokens) log-probabilities, `targets` (rows, longest) filled up with
    anything, `lengths` (rows,). Raises `FitError` where a text needs more steps than there are:
    its likelihood is zero, and the loss would be infinite.
    """
    steps = torch.full((len(said),), said.shape[1], dtype=torch.int64)
    losses = functional.ctc_loss(
        said.transpose(0, 1), targets, steps, lengths.cpu(), blank=BLANK, reduction="none"
    )
    if not bool(torch.isfinite(losses).all()):
        row = int((~torch.isfinite(losses)).nonzero()[0])
        raise FitError(
            f"A text of {int(lengths[row])} tokens is longer than its recording can hold "
            f"({said.shape[1]} steps); cut the recordings and texts alike."
        )
    return (losses / lengths.clamp_min(1).to(losses.device)).mean()


def collapse(path: Sequence[int]) -> list[int]:
    """Return the tokens of a path of steps: repeats are one, blanks are dropped.

    >>> letters = "_ab"
    >>> "".join(letters[token] for token in collapse([letters.index(c) for c in "aa_ab"]))
    'aab'
    """
    before, found = BLANK, []
    for token in path:
        if token not in (before, BLANK):
            found.append(int(token))
        before = token
    return found


def decode_greedily(said: np.ndarray) -> list[int]:
    """Return the tokens of the likeliest path; `said` (steps, tokens) log-probabilities."""
    return collapse(said.argmax(axis=1).tolist())


def decode_beam(said: np.ndarray, width: int = 16, least: float = -12.0) -> list[int]:
    """Return the likeliest text among `width` beginnings kept at each step (Hannun et al. 2014).

    All paths that read the same are added up, which the likeliest path alone does not do. Tokens
    below a log-probability of `least` are not tried.
    """
    # A beginning's log-probability, ending in a blank and in its last token.
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for step in np.asarray(said, dtype=np.float64):
        tried = [int(token) for token in np.flatnonzero(step > least) if token != BLANK]
        new: dict[tuple[int, ...], list[float]] = {}
        for text, (blank, full) in beams.items():
            both = np.logaddexp(blank, full)
            _add(new, text, 0, both + step[BLANK])
            if text:
                _add(new, text, 1, full + step[text[-1]])
            for token in tried:
                again = bool(text) and token == text[-1]
                _add(new, (*text, token), 1, (blank if again else both) + step[token])
        best = sorted(new.items(), key=lambda found: -np.logaddexp(*found[1]))[:width]
        beams = {text: (found[0], found[1]) for text, found in best}
    return list(max(beams.items(), key=lambda found: np.logaddexp(*found[1]))[0])


def _add(beams: dict[tuple[int, ...], list[float]], text: tuple, place: int, value: float) -> None:
    found = beams.setdefault(text, [-math.inf, -math.inf])
    found[place] = float(np.logaddexp(found[place], value))
