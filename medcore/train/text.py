"""Random changes of a batch of training notes: tokens are hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from medcore.config import TextConfig


def hide_tokens(values: Tensor, config: TextConfig, traits: Mapping[str, Any]) -> Tensor:
    """Return tokens (rows, length) with a share of each note's hidden; vectors as they are.

    Drawn from torch's generator.
    """
    if not config.mask or traits.get("frozen"):
        return values
    drawn = torch.rand(values.shape, device=values.device) < config.mask
    return values.masked_fill(drawn & (values != traits["pad"]), traits["hidden"])
