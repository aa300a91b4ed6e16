"""Random changes of a batch of training rows: noise, hidden columns, mixtures of two patients.

`CHANGES` is the table of what else is done to a kind of column: kind → function of standardised
values (rows, …), the kind's section of the settings and the block's traits. All is drawn from
torch's generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.config import AugmentConfig, RunConfig
from medcore.errors import FitError
from medcore.models import Inputs, Piece
from medcore.records import Block
from medcore.train.audio import change_sounds
from medcore.train.images import change_images, hide_patches
from medcore.train.series import change_series
from medcore.train.text import hide_tokens

CHANGES: dict[str, Callable[[Tensor, Any, Mapping[str, Any]], Tensor]] = {
    "image": lambda values, config, traits: change_images(
        values, config.changes_for(traits.get("modality", "other"))
    ),
    "audio": lambda values, config, _: change_sounds(values, config),
    "text": hide_tokens,
    "series": lambda values, config, _: change_series(values, config),
}


@dataclass(frozen=True)
class Layout:
    """Which features are scaled numbers, which column each comes from, which say "missing"."""

    numeric: Tensor
    column: Tensor
    indicator: Tensor


@dataclass(frozen=True)
class Batch:
    """Rows with their outcome; where they are mixtures, `partner` has `share` of the outcome."""

    inputs: Inputs
    outcome: Tensor
    partner: Tensor | None = None
    share: float = 0.0

    def split(self, rows: int) -> Iterator[Batch]:
        """Yield pieces of about the same size, of at most so many rows."""
        count = -(-len(self.outcome) // rows)
        if count <= 1:
            yield self
            return
        bounds = [len(self.outcome) * number // count for number in range(count + 1)]
        for some in map(slice, bounds[:-1], bounds[1:]):
            inputs = _rows(self.inputs, some)
            partner = None if self.partner is None else self.partner[some]
            yield Batch(inputs, self.outcome[some], partner, self.share)


@dataclass(frozen=True)
class Augmentation:
    """What is changed: settings of all kinds, and of each block its kind's and its traits."""

    config: AugmentConfig
    layout: Layout | None
    sections: Mapping[str, tuple[str, Any, Mapping[str, Any]]]

    def change(self, inputs: Inputs, outcome: Tensor) -> Batch:
        """Return a changed batch."""
        if self.layout is not None and not self.sections:
            return augment_batch(inputs, outcome, self.config, self.layout)
        return _mix(self._change_pieces(inputs), outcome, self.config)

    def _change_pieces(self, inputs: Mapping[str, Piece]) -> dict[str, Piece]:
        pieces = {}
        for key, piece in inputs.items():
            if key == "table":
                still = without_mixup(self.config)
                changed = augment_batch(piece.values, piece.present, still, self.layout).inputs
                pieces[key] = Piece(changed, piece.present)
                continue
            kind, section, traits = self.sections[key]
            change = CHANGES.get(kind)
            values = piece.values if change is None else change(piece.values, section, traits)
            pieces[key] = Piece(values, piece.present)
        if not self.config.mask:
            return pieces
        if len(pieces) > 1:
            return _hide(pieces, self.config.mask)
        ((key, piece),) = pieces.items()
        if key not in self.sections or self.sections[key][0] != "image":
            return pieces
        return {key: Piece(hide_patches(piece.values, self.config.mask), piece.present)}


def _rows(inputs: Inputs, some: slice) -> Inputs:
    if isinstance(inputs, Tensor):
        return inputs[some]
    return {key: Piece(*(part[some] for part in piece)) for key, piece in inputs.items()}


def without_mixup(config: AugmentConfig) -> AugmentConfig:
    """Return the settings without mixup, which is done to all blocks together."""
    return config.model_copy(update={"mixup": 0.0})


def _hide(pieces: Mapping[str, Piece], share: float) -> dict[str, Piece]:
    """Hide whole images, notes and the like; a row keeps all it has where nothing would be left."""
    keys = [key for key in pieces if key != "table"]
    kept = {}
    for key in keys:
        drawn = torch.rand(len(pieces[key].present), device=pieces[key].present.device)
        kept[key] = pieces[key].present & (drawn >= share)
    if "table" in pieces:
        left = torch.ones_like(kept[keys[0]])
    else:
        left = torch.stack(list(kept.values())).any(dim=0)
    changed = dict(pieces)
    for key in keys:
        changed[key] = Piece(pieces[key].values, torch.where(left, kept[key], pieces[key].present))
    return changed


def _mix(pieces: Mapping[str, Piece], outcome: Tensor, config: AugmentConfig) -> Batch:
    """Mix two patients in all their blocks; a thing that one of them lacks counts as zeros."""
    if not config.mixup:
        return Batch(pieces, outcome)
    share, order = _draw_mixture(outcome, config.mixup)
    mixed = {
        key: Piece(
            piece.values * (1 - share) + piece.values[order] * share,
            piece.present | piece.present[order],
        )
        for key, piece in pieces.items()
    }
    return Batch(mixed, outcome, outcome[order], share)


def _draw_mixture(outcome: Tensor, alpha: float) -> tuple[float, Tensor]:
    drawn = torch.tensor(alpha, dtype=torch.float64)
    share = float(torch.distributions.Beta(drawn, drawn).sample())
    return share, torch.randperm(len(outcome), device=outcome.device)


def plan_augmentation(
    blocks: Mapping[str, Block], config: RunConfig, device: torch.device
) -> Augmentation | None:
    """Return what is changed in training, None for nothing; raises `FitError` where it cannot be.

    Tokens of a text are numbers of words: halfway between two of them lies nothing; nor between
    visits at different times.
    """
    if config.augment.mixup and any(block.kind == "series" for block in blocks.values()):
        raise FitError("Mixup cannot mix courses, whose visits differ: set augment.mixup to 0.")
    if config.augment.mixup and any(
        block.kind == "text" and not block.traits.get("frozen") for block in blocks.values()
    ):
        raise FitError("Mixup cannot mix words: set augment.mixup to 0.")
    sections = {
        key: (block.kind, getattr(config, block.kind), block.traits)
        for key, block in blocks.items()
        if block.kind != "table"
    }
    augment = config.augment
    if not sections and not (augment.noise or augment.mask or augment.mixup):
        return None
    table = blocks.get("table")
    layout = None if table is None else read_layout(table, device)
    return Augmentation(augment, layout, sections)


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
    share, order = _draw_mixture(outcome, config.mixup)
    mixed = values * (1 - share) + values[order] * share
    return Batch(mixed, outcome, outcome[order], share)
