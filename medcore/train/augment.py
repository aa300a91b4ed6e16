"""Random changes of a batch of training rows: noise, hidden columns, mixtures of two patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medcore.config import AugmentConfig
from medcore.records import Block


@dataclass(frozen=True)
class Layout:
    """Which features are scaled numbers, which column each comes from, which say "missing"."""

    numeric: Tensor
    column: Tensor
    indicator: Tensor


@dataclass(frozen=True)
class Batch:
    """Rows with their outcome; where they are mixtures, `partner` has `share` of the outcome."""

    values: Tensor
    outcome: Tensor
    partner: Tensor | None = None
    share: float = 0.0


def read_layout(block: Block, device: torch.device) -> Layout:
    """Return the layout of a block's features."""
    numeric = np.isin(np.arange(len(block.names)), block.numeric)
    _, column = np.unique(np.array(block.sources, dtype=object).astype(str), return_inverse=True)
    pairs = zip(block.names, block.sources, strict=True)
    indicator = np.array([name == f"{source}: missing" for name, source in pairs])
    arrays = (numeric, column.astype(np.int64), indicator)
    return Layout(*(torch.from_numpy(array).to(device) for array in arrays))


def augment_batch(values: Tensor, outcome: Tensor, config: AugmentConfig, layout: Layout) -> Batch:
    """Return a batch with the configured changes, drawn from torch's generator.

    Masking shows a hidden column as missing: numbers at their middle, no category, its indicator
    on. Mixup (Zhang et al. 2018) draws one share a batch from Beta(alpha, alpha).
    """
    if config.noise:
        drawn = torch.randn_like(values) * config.noise
        values = values + drawn * layout.numeric
    if config.mask:
        columns = int(layout.column.max()) + 1 if len(layout.column) else 0
        hidden = torch.rand(len(values), columns, device=values.device) < config.mask
        places = hidden[:, layout.column]
        values = torch.where(places, layout.indicator.to(values.dtype), values)
    if not config.mixup:
        return Batch(values, outcome)
    alpha = torch.tensor(config.mixup, dtype=torch.float64)
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    order = torch.randperm(len(values), device=values.device)
    mixed = values * (1 - share) + values[order] * share
    return Batch(mixed, outcome, outcome[order], share)
