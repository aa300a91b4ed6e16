"""Several kinds of input as one vector: one encoder each, joined by fusion.

`ENCODERS` is the table of constructors: kind → name → constructor. A constructor takes the block's
spec (`shape` of an item, `settings` of the kind's section, the block's `traits`) and returns a
module with a `width` that maps standardised items (rows, *shape) to vectors (rows, width).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from medcore.config import ENCODER_NAMES, RunConfig
from medcore.errors import ConfigError
from medcore.models.audio import AUDIO_ENCODERS
from medcore.models.images import IMAGE_ENCODERS
from medcore.models.series import SERIES_ENCODERS
from medcore.models.start import hold_frozen, start_encoder
from medcore.models.table import TableEncoder
from medcore.models.text import TEXT_ENCODERS
from medcore.records import Block

ENCODERS: dict[str, dict[str, Callable[[dict], nn.Module]]] = {
    "image": IMAGE_ENCODERS,
    "audio": AUDIO_ENCODERS,
    "text": TEXT_ENCODERS,
    "series": SERIES_ENCODERS,
}


# Encoders rebuilt from a spec without it are of the first design, see `large_stem`.
DESIGN = 2


class Piece(NamedTuple):
    """One block's rows as tensors: standardised `values` (rows, …), `present` (rows,) bool."""

    values: Tensor
    present: Tensor


# A network over a table alone takes its values; over other kinds, the pieces by block.
Inputs = Tensor | Mapping[str, Piece]


def read_piece(block: Block, positions, device: torch.device) -> Piece:
    """Return a block's rows at `positions` (numpy int array) as an encoder takes them.

    Whole numbers that stand for something (tokens) stay whole, everything else is float32.
    """
    values = torch.from_numpy(block.gather(positions)).to(device)
    present = torch.from_numpy(block.present[positions]).to(device)
    if block.kind == "text" and block.values.dtype.kind == "i":
        return Piece(values.long(), present)
    values = values.float()
    if block.scale is not None:
        mean, spread = (torch.from_numpy(part).float().to(device) for part in block.scale)
        values = values.sub_(mean).div_(spread)
    return Piece(values, present)


def encoder_name(block: Block, config: RunConfig) -> str:
    """Return which encoder a block gets: the one it was prepared for, the model's own name, or its
    section's choice."""
    chosen = config.model.name
    if "encoder" in block.traits:
        return block.traits["encoder"]
    return chosen if chosen in ENCODER_NAMES[block.kind] else getattr(config, block.kind).encoder


def block_spec(block: Block, config: RunConfig) -> dict:
    """Return what an encoder of a block is rebuilt from, ready for JSON."""
    name = encoder_name(block, config)
    if name not in ENCODERS[block.kind]:
        raise ConfigError(f"There is no encoder '{name}' for {block.kind} columns.")
    return {
        "kind": block.kind,
        "encoder": name,
        "design": DESIGN,
        "shape": list(block.values.shape[1:]),
        "settings": getattr(config, block.kind).model_dump(mode="json"),
        **block.traits,
    }


class Fusion(nn.Module):
    """One vector of several blocks: each encoded, projected, and laid side by side.

    With one block the fusion is the identity. Where a row has no such thing, a learned vector says
    so. `chunks` are the sizes of the output's pieces that come from one block.

    Shape: pieces by block → (rows, width).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        self.keys = (["table"] if spec["table"] else []) + list(spec["blocks"])
        encoders = [TableEncoder(spec["table"])] if spec["table"] else []
        encoders += [ENCODERS[b["kind"]][b["encoder"]](b) for b in spec["blocks"].values()]
        self.encoders = nn.ModuleList(encoders)
        several = len(encoders) > 1
        widths = [spec["width"] if several else encoder.width for encoder in encoders]
        self.projections = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(encoder.width), nn.Linear(encoder.width, width), nn.ReLU())
            if several
            else nn.Identity()
            for encoder, width in zip(encoders, widths, strict=True)
        )
        self.absent = nn.ParameterList(nn.Parameter(torch.zeros(width)) for width in widths)
        self.chunks = widths
        self.width = sum(widths)

    def train(self, mode: bool = True) -> Fusion:
        """Switch to training, or away from it; layers whose weights are held stay as they are."""
        super().train(mode)
        if mode:
            hold_frozen(self.encoders)
        return self

    def forward(self, inputs: Mapping[str, Piece]) -> Tensor:
        """Return (rows, width)."""
        vectors = [
            self._encode(place, inputs[key]) for place, key in enumerate(self.keys)
        ]  # fmt: skip
        return vectors[0] if len(vectors) == 1 else torch.cat(vectors, dim=1)

    def _encode(self, place: int, piece: Piece) -> Tensor:
        encoder, project = self.encoders[place], self.projections[place]
        absent = self.absent[place]
        if not self.training or bool(piece.present.all()):
            vectors = project(encoder(piece.values))
            return torch.where(piece.present[:, None], vectors, absent.to(vectors.dtype))
        # What is not there must not move the statistics that layers keep of a batch.
        rows = piece.present.nonzero().squeeze(1)
        whole = absent.expand(len(piece.present), -1)
        if not len(rows):
            return whole
        vectors = project(encoder(piece.values[rows]))
        return whole.to(vectors.dtype).index_copy(0, rows, vectors)


def start_weights(
    network: nn.Module, spec: dict, starts: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Give the encoders of a network the starting weights that their settings name.

    `starts` are weights by block that pre-training found, as numpy arrays by name. Raises
    `FitError` when a file of weights cannot be used.
    """
    if not spec["blocks"]:
        return
    fusion = network.encoder
    for place, (key, block) in enumerate(spec["blocks"].items(), start=int(bool(spec["table"]))):
        if start := getattr(fusion.encoders[place], "start", None):
            start()
        settings = block["settings"]
        weights, frozen = settings.get("weights", ""), settings.get("frozen", 0.0)
        if starts and key in starts:
            found = {name: torch.from_numpy(array.copy()) for name, array in starts[key].items()}
            fusion.encoders[place].load_state_dict(found)
            weights = ""
        start_encoder(fusion.encoders[place], weights, frozen)
