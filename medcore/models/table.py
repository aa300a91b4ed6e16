"""The encoder of tables: numbers are embedded, 0/1 features pass through."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from medcore.records import Block

EMBEDDING_WIDTH = 8


def table_spec(block: Block, embedding: str) -> dict:
    """Return what a `TableEncoder` is rebuilt from, ready for JSON.

    Without number embeddings, or without numbers, `bins` is empty.
    """
    numeric = [int(position) for position in block.numeric]
    embedded = embedding == "piecewise_linear" and bool(numeric)
    return {
        "names": list(block.names),
        "sources": list(block.sources),
        "numeric": numeric,
        "bins": [clean_edges(edges) for edges in block.bins] if embedded else [],
    }


def clean_edges(edges: np.ndarray) -> list[float]:
    """Return rising, finite float32 edges, at least two of them.

    A number without spread in the training rows gets one piece of width 1.

    >>> clean_edges(np.array([0.0, 0.0, 2.0]))
    [0.0, 2.0]
    >>> clean_edges(np.array([3.0]))
    [3.0, 4.0]
    """
    values = np.unique(np.asarray(edges, dtype=np.float32))
    values = values[np.isfinite(values)]
    if len(values) < 2:
        start = float(values[0]) if len(values) else 0.0
        return [start, start + 1.0]
    return [float(value) for value in values]


class TableEncoder(nn.Module):
    """Turn `Block.values` into one vector a row.

    Each number becomes a learned piecewise-linear curve in `EMBEDDING_WIDTH` dimensions
    (Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep learning";
    version B of Gorishniy et al. 2025, TabM), flat beyond the range seen in training, so that one
    mistyped value cannot move a prediction without bound. 0/1 features pass unchanged.

    Shape: (rows, features) → (rows, width). `chunks` are the sizes of the output's pieces that
    come from one column, in order; they sum to `width`.
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        features = len(spec["names"])
        numeric = list(spec["numeric"])
        flags = sorted(set(range(features)) - set(numeric))
        sources = [spec["sources"][position] for position in flags]
        flag_chunks = [len(list(run)) for _, run in groupby(sources)]
        self.embedding: nn.Module | None = None
        if spec["bins"]:
            self._add_embedding(spec["bins"], numeric, flags)
            self.chunks = [EMBEDDING_WIDTH] * len(numeric) + flag_chunks
        else:
            self.chunks = _plain_chunks(spec["sources"], set(numeric))
        self.width = sum(self.chunks)

    def _add_embedding(self, bins: Sequence[Sequence[float]], numeric: list, flags: list) -> None:
        from rtdl_num_embeddings import PiecewiseLinearEmbeddings

        edges = [torch.tensor(list(edge), dtype=torch.float32) for edge in bins]
        with warnings.catch_warnings():
            # A number with a single piece is linear here, which is what it should be.
            warnings.filterwarnings("ignore", message=".*just two bin edges")
            self.embedding = PiecewiseLinearEmbeddings(
                edges, EMBEDDING_WIDTH, activation=False, version="B"
            )
        self.register_buffer("low", torch.stack([edge[0] for edge in edges]), persistent=False)
        self.register_buffer("high", torch.stack([edge[-1] for edge in edges]), persistent=False)
        self.register_buffer("numeric", torch.tensor(numeric), persistent=False)
        self.register_buffer("flags", torch.tensor(flags, dtype=torch.long), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Encode float32 (rows, features) as (rows, width)."""
        if self.embedding is None:
            return values
        numbers = values.index_select(1, self.numeric).clamp(self.low, self.high)
        embedded = self.embedding(numbers).flatten(1)
        if not len(self.flags):
            return embedded
        return torch.cat([embedded, values.index_select(1, self.flags)], dim=1)


def _plain_chunks(sources: Sequence[str], numeric: set[int]) -> list[int]:
    """Return the sizes of runs of neighbours from one column; a number stands for itself."""
    keys = [
        (source, position if position in numeric else -1) for position, source in enumerate(sources)
    ]
    return [len(list(run)) for _, run in groupby(keys)]
