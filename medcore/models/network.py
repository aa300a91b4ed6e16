"""Networks: one encoder per kind of input → fusion → trunk → head.

With a table alone the encoder is the table's; else `Fusion` joins one encoder per block. Every
network answers (rows, members, outputs): an ensemble has several members, a plain network one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from medcore.config import RunConfig
from medcore.errors import FitError
from medcore.models.arms import ArmHeads, DragonHeads
from medcore.models.fusion import ENCODERS, Fusion, Inputs, block_spec
from medcore.models.table import TableEncoder, table_spec
from medcore.records import Block

# What networks for time to event are made of; they differ in what they learn and answer.
BODIES = {"deepsurv": "mlp", "logistic_hazard": "mlp", "deephit": "mlp"}
# Networks that look at numbers and categories alone, whatever else there is.
TABLE_ONLY = ("tabm",)


class Network(nn.Module):
    """An encoder, a trunk and a head.

    Shape: a table's float32 (rows, features), or pieces by block → logits or standardised values
    (rows, members, outputs).
    """

    def __init__(self, encoder: nn.Module, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.trunk = trunk
        self.head = head

    def forward(self, inputs: Inputs) -> Tensor:
        """Return (rows, members, outputs)."""
        return self.head(self.trunk(self.encoder(inputs)))


def network_blocks(name: str, blocks: Mapping[str, Block]) -> dict[str, Block]:
    """Return the blocks that the network `name` looks at; raises `FitError` when it has none."""
    seen = {
        key: block
        for key, block in blocks.items()
        if (block.names if block.kind == "table" else name not in TABLE_ONLY)
    }
    if seen:
        return seen
    if any(block.kind != "table" for block in blocks.values()):
        raise FitError(
            f"'{name}' looks at numbers and categories, and no input is one: choose recommended."
        )
    raise FitError("There is no input column to learn from: give a column the role input.")


def build_network(
    name: str, blocks: Mapping[str, Block], outputs: int, config: RunConfig
) -> Network:
    """Return an untrained network for some blocks; weights come from torch's generator.

    >>> import numpy as np, torch
    >>> from medcore.config import ModelConfig
    >>> values = np.zeros((4, 2), np.float32)
    >>> block = Block("table", ("age", "sex=f"), ("age", "sex"), values, np.ones(4, bool),
    ...               numeric=(0,), bins=(np.array([-1.0, 0.0, 1.0]),))
    >>> config = RunConfig(model=ModelConfig(ensemble=3))
    >>> network = build_network("tabm", {"table": block}, 2, config)
    >>> tuple(network(torch.from_numpy(values)).shape)
    (4, 3, 2)
    """
    return build_from_spec(network_spec(name, blocks, outputs, config))


def network_spec(name: str, blocks: Mapping[str, Block], outputs: int, config: RunConfig) -> dict:
    """Return all that a network of this shape is rebuilt from, ready for JSON.

    `table` is None without tabular columns; `blocks` holds the other kinds' by column.
    """
    model = config.model
    seen = network_blocks(name, blocks)
    table = seen.pop("table", None)
    return {
        "network": name,
        "outputs": int(outputs),
        "width": model.width,
        "layers": model.layers,
        "dropout": model.dropout,
        "members": model.ensemble if name == "tabm" else 1,
        "table": None if table is None else table_spec(table, model.embedding),
        "blocks": {key: block_spec(block, config) for key, block in seen.items()},
    }


def build_from_spec(spec: dict) -> Network:
    """Return the untrained network that a `network_spec` describes."""
    return NETWORKS[spec["network"]](spec)


def _build_encoder(spec: dict) -> TableEncoder | Fusion:
    return Fusion(spec) if spec["blocks"] else TableEncoder(spec["table"])


class _OneMember(nn.Linear):
    """A linear head whose output has an axis for its single member."""

    def forward(self, values: Tensor) -> Tensor:
        return super().forward(values).unsqueeze(1)


class Dropout(nn.Module):
    """Dropout whose mask is drawn four values at a time.

    PyTorch draws its masks on the processor one value at a time, which took a third of TabM's
    training. The share is rounded to 1/65,536.

    Shape: any → the same.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.dropped = round(share * 65536)

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self.dropped:
            return values
        scale = 65536 / (65536 - self.dropped)
        if values.device.type != "cpu":
            return functional.dropout(values, 1 - 1 / scale)
        draws = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        draws = draws.view(torch.int16)[: values.numel()].view(values.shape)
        return values * (draws >= self.dropped - 32768).to(values.dtype).mul_(scale)


def _build_mlp(spec: dict) -> Network:
    encoder = _build_encoder(spec)
    layers: list[nn.Module] = []
    width = encoder.width
    for _ in range(spec["layers"]):
        layers += [nn.Linear(width, spec["width"]), nn.ReLU(), Dropout(spec["dropout"])]
        width = spec["width"]
    return Network(encoder, nn.Sequential(*layers), _OneMember(width, spec["outputs"]))


def _build_named(spec: dict) -> Network:
    """Return a network named by its encoder: the head follows at once where nothing is fused."""
    if spec["table"] or len(spec["blocks"]) > 1:
        return _build_mlp(spec)
    encoder = _build_encoder(spec)
    return Network(encoder, Dropout(spec["dropout"]), _OneMember(encoder.width, spec["outputs"]))


def _build_arms(heads: Callable[[int, int], nn.Module]) -> Callable[[dict], Network]:
    """Return the constructor of a network with heads for two arms above a shared trunk."""

    def build(spec: dict) -> Network:
        shared = _build_mlp({**spec, "layers": max(1, spec["layers"])})
        return Network(shared.encoder, shared.trunk, heads(spec["width"], max(1, spec["layers"])))

    return build


def _build_tabm(spec: dict) -> Network:
    """TabM (Gorishniy et al. 2025): many MLPs that share weights and are trained side by side.

    The members differ by scalings of each layer's inputs and outputs; only those of the inputs
    start at random, one value a column, the others at one.
    """
    from tabm import EnsembleView, LinearBatchEnsemble, LinearEnsemble

    encoder = TableEncoder(spec["table"])
    members, width = spec["members"], encoder.width
    start = ("normal" if spec["table"]["bins"] else "random-signs", "ones")
    layers: list[nn.Module] = [EnsembleView(k=members)]
    for place in range(spec["layers"]):
        first = {"scaling_init": start, "first_scaling_init_chunks": encoder.chunks}
        options = {"scaling_init": "ones"} if place else first
        layers.append(LinearBatchEnsemble(width, spec["width"], k=members, **options))
        layers += [nn.ReLU(), Dropout(spec["dropout"])]
        width = spec["width"]
    head = LinearEnsemble(width, spec["outputs"], k=members)
    return Network(encoder, nn.Sequential(*layers), head)


NETWORKS: dict[str, Callable[[dict], Network]] = {
    "mlp": _build_mlp,
    "tabm": _build_tabm,
    "tarnet": _build_arms(ArmHeads),
    "dragonnet": _build_arms(DragonHeads),
    **{name: _build_named for encoders in ENCODERS.values() for name in encoders},
}
