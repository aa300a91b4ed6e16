"""Encoders of notes: tokens (rows, length), or a pretrained transformer's vectors, to vectors.

What fills a note up (`pad`) is never looked at; an empty note becomes the zero vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

EMBEDDING, HIDDEN, LAYERS, HEADS = 96, 96, 2, 4
DROPOUT = 0.2


class Vectors(nn.Module):
    """A frozen transformer's vectors as they are.

    Shape: (rows, width) → the same.
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        self.width = spec["shape"][0]

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, width)."""
        return values


class Tokens(nn.Module, ABC):
    """What encoders of tokens share: an embedding, and which places hold a token.

    `embed` may be asked for embeddings that stand elsewhere, on the way to a note (see
    `medcore.models.passages`).
    """

    def __init__(self, spec: dict) -> None:
        super().__init__()
        self.pad = spec["pad"]

    @property
    def embedding(self) -> nn.Embedding:
        """The layer that knows each token's vector."""
        return self.table

    def forward(self, values: Tensor) -> Tensor:
        """Return (rows, width)."""
        if self.training:
            # Long notes decide how much the others are filled up; only within one batch.
            longest = max(1, int((values != self.pad).sum(dim=1).max()))
            values = values[:, :longest]
        return self.encode(self.embedding(values), values != self.pad)

    @abstractmethod
    def encode(self, embedded: Tensor, there: Tensor) -> Tensor:
        """Return vectors of embedded tokens (rows, length, embedding) where `there` is True."""


def pool(states: Tensor, there: Tensor) -> Tensor:
    """Return mean and maximum of the states of a note's tokens, (rows, 2 × width)."""
    weight = there[..., None].to(states.dtype)
    mean = (states * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1)
    largest = states.masked_fill(~there[..., None], -1e4).amax(dim=1)
    return torch.cat([mean, torch.where(there.any(dim=1, keepdim=True), largest, 0.0)], dim=1)


class Bag(Tokens):
    """Which tokens a note holds, whatever their order: mean and maximum of their embeddings.

    Shape: int64 (rows, length) → (rows, 192).
    """

    width = 2 * EMBEDDING

    def __init__(self, spec: dict) -> None:
        super().__init__(spec)
        self.table = nn.Embedding(spec["vocabulary"], EMBEDDING)
        self.dropout = nn.Dropout(DROPOUT)

    def encode(self, embedded: Tensor, there: Tensor) -> Tensor:
        """Return (rows, 192)."""
        return self.dropout(pool(embedded, there))


class Recurrent(Tokens):
    """Two readings of a note, forwards and backwards, by gated recurrent units (Cho et al. 2014).

    Shape: int64 (rows, length) → (rows, 384).
    """

    width = 4 * HIDDEN

    def __init__(self, spec: dict) -> None:
        super().__init__(spec)
        self.table = nn.Embedding(spec["vocabulary"], EMBEDDING)
        self.forwards = nn.GRU(EMBEDDING, HIDDEN, batch_first=True)
        self.backwards = nn.GRU(EMBEDDING, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)

    def encode(self, embedded: Tensor, there: Tensor) -> Tensor:
        """Return (rows, 384)."""
        embedded = self.dropout(embedded)
        onwards, _ = self.forwards(embedded)
        # Turned within each note, so that what fills it up comes last here too.
        count = there.sum(dim=1, keepdim=True)
        steps = torch.arange(embedded.shape[1], device=embedded.device)[None]
        turn = torch.where(steps < count, count - 1 - steps, steps)[..., None]
        back, _ = self.backwards(embedded.gather(1, turn.expand_as(embedded)))
        back = back.gather(1, turn.expand_as(back))
        return self.dropout(pool(torch.cat([onwards, back], dim=2), there))


class Transformer(Tokens):
    """A small transformer (Vaswani et al. 2017) with learned places, normed before each layer.

    Shape: int64 (rows, length) → (rows, 192).
    """

    width = 2 * EMBEDDING

    def __init__(self, spec: dict) -> None:
        super().__init__(spec)
        self.table = nn.Embedding(spec["vocabulary"], EMBEDDING)
        self.places = nn.Parameter(torch.randn(1, spec["shape"][0], EMBEDDING) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                EMBEDDING, HEADS, 4 * EMBEDDING, dropout=DROPOUT, activation="gelu",
                batch_first=True, norm_first=True,
            )
            for _ in range(LAYERS)
        )  # fmt: skip
        self.norm = nn.LayerNorm(EMBEDDING)

    def encode(self, embedded: Tensor, there: Tensor) -> Tensor:
        """Return (rows, 192)."""
        states = embedded + self.places[:, : embedded.shape[1]]
        # A row without any token looks at its first place: attention to nothing is no number.
        hidden = ~there
        hidden = torch.cat([hidden[:, :1] & there.any(dim=1, keepdim=True), hidden[:, 1:]], dim=1)
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=hidden)
        return pool(self.norm(states), there)


class Pretrained(Tokens):
    """A pretrained transformer that is fine-tuned, lower layers more slowly; its mean state.

    Shape: int64 (rows, length) → (rows, hidden size).
    """

    def __init__(self, spec: dict) -> None:
        from medcore.models.pretrained import load_transformer

        super().__init__(spec)
        self.settings = spec["settings"]
        self.transformer = load_transformer("", spec["transformer"])
        self.width = int(self.transformer.config.hidden_size)
        self._set_rates()

    @property
    def embedding(self) -> nn.Embedding:
        """The layer that knows each token's vector."""
        return self.transformer.get_input_embeddings()

    def start(self) -> None:
        """Take over the pretrained weights."""
        from medcore.models.pretrained import find_text_model, load_transformer

        found = load_transformer(find_text_model(self.settings["model"]).place)
        self.transformer.load_state_dict(found.state_dict())

    def _set_rates(self) -> None:
        """Write into each parameter how fast it learns; what belongs to no layer as the lowest."""
        stacks = [m for m in self.transformer.modules() if isinstance(m, nn.ModuleList)]
        layers = list(max(stacks, key=len)) if stacks else []
        rate, decay = self.settings["rate"], self.settings["decay"]
        for parameter in self.transformer.parameters():
            parameter.rate = rate * decay ** len(layers)
        for place, layer in enumerate(layers):
            for parameter in layer.parameters():
                parameter.rate = rate * decay ** (len(layers) - 1 - place)

    def encode(self, embedded: Tensor, there: Tensor) -> Tensor:
        """Return (rows, hidden size)."""
        seen = torch.cat([there[:, :1] | ~there.any(dim=1, keepdim=True), there[:, 1:]], dim=1)
        states = self.transformer(inputs_embeds=embedded, attention_mask=seen.long())
        weight = there[..., None].to(embedded.dtype)
        summed = (states.last_hidden_state * weight).sum(dim=1)
        return summed / weight.sum(dim=1).clamp_min(1)


TEXT_ENCODERS: dict[str, Callable[[dict], nn.Module]] = {
    "text_pretrained": lambda spec: (Vectors if spec["frozen"] else Pretrained)(spec),
    "text_bag": Bag,
    "text_gru": Recurrent,
    "text_transformer": Transformer,
}
