"""Recurrent encoders of courses: GRU and LSTM told of gaps, and GRU-D, in which values fade."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from medcore.models.series.moments import (
    count_channels,
    split_moments,
    take_last,
    time_since_known,
    time_since_visit,
)


class Recurrent(nn.Module):
    """A GRU or LSTM over values, what was measured, and the times between visits.

    Shape: (rows, steps, 2 + 2 × channels) → (rows, width).
    """

    def __init__(self, spec: dict, layer: Callable[..., nn.RNNBase]) -> None:
        super().__init__()
        self.width = spec["settings"]["width"]
        self.layer = layer(2 * count_channels(spec) + 2, self.width, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the state after each row's last visit, (rows, width)."""
        moments = split_moments(inputs)
        gap = torch.log1p(time_since_visit(moments).clamp(min=0))
        ago = torch.log1p((-moments.time).clamp(min=0))
        told = [moments.values, moments.known, gap[..., None], ago[..., None]]
        states, _ = self.layer(torch.cat(told, dim=2))
        return take_last(states, moments.there)


class GRUD(nn.Module):
    """GRU-D (Che, Purushotham, Cho, Sontag, Liu 2018): what is not measured again fades.

    A missing value decays from the last known one to the mean, exp(−max(0, w·δ + b)) of it being
    left after the time δ (equations 4–6, with one weight a channel), and so does the hidden state
    (equation 7) before each visit; the gates also see what was measured. One term is added: the
    state decays once more from the last visit to the index time.

    Shape: (rows, steps, 2 + 2 × channels) → (rows, width).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        channels, self.width = count_channels(spec), spec["settings"]["width"]
        self.input_decay = nn.Parameter(torch.full((2, channels), 0.1))
        self.state_decay = nn.Linear(channels, self.width)
        self.gates = nn.Linear(2 * channels, 3 * self.width)
        self.memory = nn.Linear(self.width, 2 * self.width, bias=False)
        self.candidate = nn.Linear(self.width, self.width, bias=False)
        nn.init.uniform_(self.state_decay.weight, 0.0, 0.05)
        nn.init.zeros_(self.state_decay.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the state at the index time, (rows, width)."""
        moments = split_moments(inputs)
        since, last = time_since_known(moments)
        left = torch.exp(-torch.relu(self.input_decay[0] * since + self.input_decay[1]))
        filled = torch.where(moments.known > 0.5, moments.values, left * last)
        gates = self.gates(torch.cat([filled, moments.known], dim=2))
        decay = torch.exp(-torch.relu(self.state_decay(since)))
        state = inputs.new_zeros(len(inputs), self.width)
        steps = int(moments.there.sum(dim=1).max()) if self.training else inputs.shape[1]
        each = zip(
            gates[:, :steps].unbind(1), decay[:, :steps].unbind(1),
            moments.there[:, :steps].unbind(1), strict=True,
        )  # fmt: skip
        for gate, kept, there in each:
            state = torch.where(there[:, None], self._step(gate, kept * state), state)
        final = -take_last(moments.time[..., None], moments.there).clamp(max=0)
        return state * torch.exp(-torch.relu(self.state_decay(final.expand(-1, since.shape[2]))))

    def _step(self, gate: Tensor, state: Tensor) -> Tensor:
        width = self.width
        control = torch.sigmoid(gate[:, : 2 * width] + self.memory(state))
        update, reset = control[:, :width], control[:, width:]
        fresh = torch.tanh(gate[:, 2 * width :] + self.candidate(reset * state))
        return (1 - update) * state + update * fresh
