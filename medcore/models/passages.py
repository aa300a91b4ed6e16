"""Which words of a note raised a class: integrated gradients on tokens (Sundararajan et al. 2017).

Shares add up to the difference that all words together make to the score: the class's log-odds
against the others, or the predicted value. Nothing stands for a note whose tokens are all hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.models.fusion import Piece
from medcore.models.saliency import Look, class_score

STEPS = 32
Measure = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True, eq=False)
class Shares:
    """Each token's (or term's) share, float64 (tokens,), and what all of them make together.

    `gap` is what the steps of the sum leave between the two.
    """

    values: np.ndarray
    difference: float

    @property
    def gap(self) -> float:
        """How far the shares are from adding up, as a part of the difference."""
        return abs(float(self.values.sum()) - self.difference) / max(abs(self.difference), 1e-6)


def integrate(
    embedded: Tensor, nothing: Tensor, score: Callable[[Tensor], Tensor], steps: int = STEPS
) -> Shares:
    """Return the shares of embedded tokens (…, tokens, width) on the way from `nothing`."""
    embedded, nothing = embedded.detach(), nothing.detach()
    total = torch.zeros_like(embedded)
    for step in range(steps):
        point = nothing + (embedded - nothing) * ((step + 0.5) / steps)
        point = point.requires_grad_(True)
        (gradient,) = torch.autograd.grad(score(point), point)
        total += gradient
    with torch.no_grad():
        difference = float(score(embedded) - score(nothing))
    values = ((embedded - nothing) * total / steps).sum(dim=-1)
    return Shares(values.double().cpu().numpy(), difference)


def token_shares(look: Look, hidden: int, measure: Measure = class_score) -> Shares:
    """Return the shares of the tokens of a note that a network reads itself, (length,)."""
    fusion: Any = look.network.encoder
    layer = fusion.encoders[fusion.keys.index(look.key)].embedding
    tokens = look.inputs[look.key].values
    pad = look.spec["blocks"][look.key]["pad"]
    there = tokens != pad
    with torch.no_grad():
        embedded, nothing = layer(tokens), layer(torch.where(there, hidden, tokens))

    def score(point: Tensor) -> Tensor:
        handle = layer.register_forward_hook(lambda _module, _inputs, _output: point)
        try:
            return measure(look.network(look.inputs), look.place).sum()
        finally:
            handle.remove()

    shares = integrate(embedded, nothing, score)
    return Shares(np.where(there[0].cpu().numpy(), shares.values[0], 0.0), shares.difference)


def vector_shares(reader: Any, tokens: np.ndarray, score: Callable[[Tensor], Tensor]) -> Shares:
    """Return the shares of the tokens of a note that a frozen transformer reads, (tokens,).

    `score` takes the mean state (width,).
    """
    windows, _ = reader.windows([tokens])
    size = max(map(len, windows))
    ids = torch.full((len(windows), size), reader.pad, dtype=torch.int64)
    there = torch.zeros((len(windows), size), dtype=torch.int64)
    inner = torch.zeros((len(windows), size), dtype=torch.bool)
    first, last = len(reader.before), len(reader.after)
    for row, window in enumerate(windows):
        ids[row, : len(window)], there[row, : len(window)] = torch.tensor(window), 1
        inner[row, first : len(window) - last] = True
    layer = reader.network.get_input_embeddings()
    hidden = reader.pad if reader.hidden is None else reader.hidden
    embedded, nothing = layer(ids), layer(ids.masked_fill(inner, hidden))

    def whole(point: Tensor) -> Tensor:
        states = reader.network(inputs_embeds=point, attention_mask=there).last_hidden_state
        return score((states * there[..., None]).sum(dim=(0, 1)) / there.sum())

    shares = integrate(embedded, nothing, whole)
    return Shares(shares.values[inner.numpy()], shares.difference)


def term_shares(
    weights: np.ndarray, values: np.ndarray, rest: np.ndarray, score: Callable[[Tensor], Tensor]
) -> Shares:
    """Return the shares of weighted terms in a linear model; with two classes weight × value.

    `weights` (outputs, terms), `values` (terms,), `rest` (outputs,) is what all else adds up to.
    """
    matrix, others = torch.from_numpy(weights), torch.from_numpy(rest)
    given = torch.from_numpy(values)[:, None]
    return integrate(
        given, torch.zeros_like(given), lambda point: score(others + matrix @ point[:, 0])
    )


def odds_of(raw: Tensor, place: int, link: str) -> Tensor:
    """Return the log-odds of the output at `place` of a linear model's raw answers (outputs,).

    >>> odds_of(torch.tensor([2.0]), 0, "logistic").item()
    -2.0
    """
    if link == "logistic":
        return raw[0] if place == 1 else -raw[0]
    if link == "identity":
        return raw[0]
    return class_score(raw[None, None], place)[0]


def finding_score(output: Tensor, place: int) -> Tensor:
    """Return a finding's own log-odds, whatever the others are; (rows,) of (rows, members, …)."""
    return output.mean(dim=1)[:, place]


def vector_piece(
    look: Look,
    vector: Tensor,
    scale: tuple[np.ndarray, np.ndarray],
    measure: Measure = class_score,
) -> Tensor:
    """Return a network's score with another vector in place of the note's, as it is read."""
    mean, spread = (torch.from_numpy(np.asarray(part)).float() for part in scale)
    inputs = dict(look.inputs)
    present = inputs[look.key].present
    inputs[look.key] = Piece(((vector - mean) / spread)[None], present)
    return measure(look.network(inputs), look.place).sum()
