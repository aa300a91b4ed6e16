"""What encoders of courses make of the moments first: parts, times since, the last moment."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LEAD = 2


class Moments(NamedTuple):
    """`there` (rows, steps) bool; `time` (rows, steps) ≤ 0; `values`, `known` (rows, steps, c)."""

    there: Tensor
    time: Tensor
    values: Tensor
    known: Tensor


def split_moments(inputs: Tensor) -> Moments:
    """Return the parts of what an encoder of courses is given."""
    channels = (inputs.shape[2] - LEAD) // 2
    values, known = inputs[..., LEAD : LEAD + channels], inputs[..., LEAD + channels :]
    return Moments(inputs[..., 0] > 0.5, inputs[..., 1], values, known)


def count_channels(spec: dict) -> int:
    """Return how many things are measured at a moment, from a block's spec."""
    return (spec["shape"][1] - LEAD) // 2


def time_since_known(moments: Moments) -> tuple[Tensor, Tensor]:
    """Return for each channel the time since its last value before a moment, and that value.

    As in GRU-D: from the first moment on where nothing was measured yet, with the value 0.

    Shape: (rows, steps, channels) both.
    """
    steps = torch.arange(moments.there.shape[1], device=moments.time.device)
    place = torch.where(moments.known > 0.5, steps[None, :, None], -1)
    latest = place.cummax(dim=1).values
    before = torch.cat([torch.full_like(latest[:, :1], -1), latest[:, :-1]], dim=1)
    at = before.clamp(min=0)
    time = moments.time[..., None].expand_as(moments.values)
    since = time - time.gather(1, at)
    last = moments.values.gather(1, at) * (before >= 0)
    return since.clamp(min=0), last


def time_since_visit(moments: Moments) -> Tensor:
    """Return the time since the moment before, 0 at the first, (rows, steps)."""
    gaps = moments.time[:, 1:] - moments.time[:, :-1]
    gaps = torch.cat([torch.zeros_like(gaps[:, :1]), gaps], dim=1)
    return gaps * moments.there


def take_last(states: Tensor, there: Tensor) -> Tensor:
    """Return the state at each row's last moment, (rows, width) of (rows, steps, width)."""
    last = (there.sum(dim=1) - 1).clamp(min=0)
    return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)
