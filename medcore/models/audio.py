"""Encoders of recordings: a convolutional-recurrent network, and states that are ready."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from medcore.sound import SILENCE

CHANNELS = (16, 32, 64)
HIDDEN = 64


class States(nn.Module):
    """What a pretrained recogniser heard, as it is: the head learns on top of it.

    Shape: (rows, width) → the same.
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        self.width = int(spec["shape"][0])

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, width)."""
        return values


class Crnn(nn.Module):
    """Convolutions over a spectrogram, a recurrent net over time in both directions, attention.

    Sound is told from the silence that fills recordings up by its level alone; `level` takes each
    band's mean over the sound out. The last layers are pooled by learned attention and by the
    largest value, over frames with sound (after Choi et al. 2017 and Yang et al. 2016).

    Shape: log-mel spectrograms (rows, bands, frames) → (rows, 256).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        bands = int(spec["shape"][0])
        self.level = bool(spec["settings"]["level"])
        layers: list[nn.Module] = [
            nn.Conv2d(1, CHANNELS[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(CHANNELS[0]),
            nn.ReLU(),
        ]
        for place, (before, channels) in enumerate(pairwise(CHANNELS)):
            layers += [
                nn.Conv2d(before, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.MaxPool2d((2, 1 if place else 2), ceil_mode=True),
            ]
        self.layers = nn.Sequential(*layers)
        for _ in CHANNELS:
            bands = -(-bands // 2)
        self.narrow = nn.Sequential(nn.Linear(CHANNELS[-1] * bands, 2 * HIDDEN), nn.ReLU())
        self.recurrent = nn.GRU(2 * HIDDEN, HIDDEN, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * HIDDEN, 1)
        self.width = 4 * HIDDEN

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, 256)."""
        sound = find_sound(values)
        levelled = take_level(values, sound, self.level)
        maps = self.layers(levelled[:, None])
        steps = self.narrow(maps.permute(0, 3, 1, 2).flatten(2))
        states, _ = self.recurrent(steps)
        heard = nn.functional.max_pool1d(sound[:, None].float(), 4, ceil_mode=True)[:, 0] > 0
        heard = heard | ~heard.any(dim=1, keepdim=True)
        scores = self.attention(states)[..., 0].masked_fill(~heard, -1e4)
        summed = (scores.softmax(dim=1)[..., None] * states).sum(dim=1)
        largest = states.masked_fill(~heard[..., None], -1.0).amax(dim=1)
        return torch.cat([summed, largest], dim=1)


def find_sound(values: Tensor) -> Tensor:
    """Return which frames hold more than silence, bool (rows, frames)."""
    return values.amax(dim=1) > SILENCE + 1e-2


def take_level(values: Tensor, sound: Tensor, level: bool) -> Tensor:
    """Return spectrograms about 0, in units of about their spread; silence is 0.

    With `level` each band is taken against its mean over the row's sound, else against a constant.
    """
    there = sound[:, None].to(values.dtype)
    if level:
        count = there.sum(dim=2, keepdim=True).clamp_min(1.0)
        mean = (values * there).sum(dim=2, keepdim=True) / count
    else:
        mean = torch.full_like(values[:, :1, :1], SILENCE / 2)
    return (values - mean) / 3.0 * there


AUDIO_ENCODERS: dict[str, Callable[[dict], nn.Module]] = {"recogniser": States, "crnn": Crnn}
