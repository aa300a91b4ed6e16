"""Networks: one encoder per kind of input → trunk → head.

With several kinds, their encoders' vectors are fused before the trunk; with one kind the fusion is
the identity. Every network answers (rows, members, outputs): an ensemble has several members, a
plain network one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from medcore.config import ModelConfig
from medcore.models.table import TableEncoder, table_spec
from medcore.records import Block


class Network(nn.Module):
    """An encoder, a trunk and a head.

    Shape: float32 (rows, features) → logits or standardised values (rows, members, outputs).
    """

    def __init__(self, encoder: nn.Module, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.trunk = trunk
        self.head = head

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, members, outputs)."""
        return self.head(self.trunk(self.encoder(values)))


def build_network(name: str, block: Block, outputs: int, config: ModelConfig) -> Network:
    """Return an untrained network for a block's features; weights come from torch's generator.

    >>> import numpy as np
    >>> values = np.zeros((4, 2), np.float32)
    >>> block = Block("table", ("age", "sex=f"), ("age", "sex"), values, np.ones(4, bool),
    ...               numeric=(0,), bins=(np.array([-1.0, 0.0, 1.0]),))
    >>> import torch
    >>> network = build_network("tabm", block, 2, ModelConfig(ensemble=3))
    >>> tuple(network(torch.from_numpy(values)).shape)
    (4, 3, 2)
    """
    return build_from_spec(network_spec(name, block, outputs, config))


def network_spec(name: str, block: Block, outputs: int, config: ModelConfig) -> dict:
    """Return all that a network of this shape is rebuilt from, ready for JSON."""
    return {
        "network": name,
        "outputs": int(outputs),
        "width": config.width,
        "layers": config.layers,
        "dropout": config.dropout,
        "members": config.ensemble if name == "tabm" else 1,
        "table": table_spec(block, config.embedding),
    }


def build_from_spec(spec: dict) -> Network:
    """Return the untrained network that a `network_spec` describes."""
    return NETWORKS[spec["network"]](spec)


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
    encoder = TableEncoder(spec["table"])
    layers: list[nn.Module] = []
    width = encoder.width
    for _ in range(spec["layers"]):
        layers += [nn.Linear(width, spec["width"]), nn.ReLU(), Dropout(spec["dropout"])]
        width = spec["width"]
    return Network(encoder, nn.Sequential(*layers), _OneMember(width, spec["outputs"]))


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


NETWORKS: dict[str, Callable[[dict], Network]] = {"mlp": _build_mlp, "tabm": _build_tabm}
