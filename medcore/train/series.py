"""Random changes of a batch of courses: visits left out, values with noise."""

from __future__ import annotations

import torch
from torch import Tensor

from medcore.config import SeriesConfig
from medcore.models.series.moments import LEAD


def change_series(values: Tensor, config: SeriesConfig) -> Tensor:
    """Return courses (rows, steps, 2 + 2 × channels) changed as the settings say.

    A visit that is left out is gone with its time; each row keeps its last one. Drawn from torch's
    generator.
    """
    if config.noise:
        channels = (values.shape[2] - LEAD) // 2
        values = values.clone()
        known = values[..., LEAD + channels :]
        noise = torch.randn_like(known) * config.noise
        values[..., LEAD : LEAD + channels] += noise * known
    return _leave_out(values, config.drop) if config.drop else values


def _leave_out(values: Tensor, share: float) -> Tensor:
    there = values[..., 0] > 0.5
    last = there.sum(dim=1, keepdim=True) - 1
    steps = torch.arange(values.shape[1], device=values.device)
    drawn = torch.rand(there.shape, device=values.device) >= share
    kept = there & (drawn | (steps == last))
    # Those that stay move up, in their order, so that gaps stand at the end.
    order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)
    moved = values.gather(1, order[..., None].expand_as(values))
    return moved * kept.gather(1, order)[..., None]
