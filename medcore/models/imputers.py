"""Networks that fill gaps: a denoising autoencoder, and MIWAE, a deep generative model.

Both take a row's scaled cells with zeros in the gaps, and beside it which cells are known. A
number has one place, a category one per word; see `Layout`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST_SPREAD = 0.05
TRAINING_PROPOSALS = 10


class Layout(nn.Module):
    """Which places of a row belong to which column, and how wrong an estimate of each is.

    `blocks` are (start, stop) of each column's places, `wordy` says which hold words.
    """

    def __init__(self, blocks: Sequence[Sequence[int]], wordy: Sequence[bool]) -> None:
        super().__init__()
        pairs = list(zip(blocks, wordy, strict=True))
        self.words = [(start, stop) for (start, stop), words in pairs if words]
        numbers = [start for (start, _), words in pairs if not words]
        column = [place for place, (start, stop) in enumerate(blocks) for _ in range(start, stop)]
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.int64), persistent=False)
        self.register_buffer("column", torch.tensor(column, dtype=torch.int64), persistent=False)
        self.register_buffer(
            "first", torch.tensor([start for start, _ in blocks]), persistent=False
        )
        self.places = len(column)
        self.columns = len(blocks)

    def spread(self, columns: Tensor) -> Tensor:
        """Return one value a place from one a column: (…, columns) → (…, places)."""
        return columns[..., self.column]

    def gather(self, places: Tensor) -> Tensor:
        """Return one value a column, its first place's: (…, places) → (…, columns)."""
        return places[..., self.first]

    def errors(self, output: Tensor, values: Tensor) -> Tensor:
        """Return squared errors of numbers and cross-entropies (nats) of words.

        Shape: (rows, places) twice → (rows, columns).
        """
        wrong = (output - values) ** 2
        for start, stop in self.words:
            likely = functional.log_softmax(output[:, start:stop], dim=1)
            loss = -(likely * values[:, start:stop]).sum(dim=1)
            wrong[:, start] = loss
        return self.gather(wrong)

    def estimates(self, output: Tensor) -> Tensor:
        """Return numbers as they are, and words' logits as probabilities."""
        found = output.clone()
        for start, stop in self.words:
            found[..., start:stop] = output[..., start:stop].softmax(dim=-1)
        return found


class DenoisingAutoencoder(nn.Module):
    """A network that restores hidden cells from the visible ones (Vincent et al. 2008).

    A linear path stands beside the layers, so that the network starts where ridge regressions end
    and learns what bends.

    Shape: values and known, both float32 (rows, places) → (rows, places): numbers, and logits.
    """

    def __init__(self, layout: Layout, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layout = layout
        self.linear = nn.Linear(layout.places + layout.columns, layout.places)
        self.layers = _layers(layout.places + layout.columns, width, layers, dropout)
        self.head = nn.Linear(width, layout.places)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Return estimates of every place, the known ones included."""
        row = torch.cat([values * known, self.layout.gather(known)], dim=1)
        return self.linear(row) + self.head(self.layers(row))

    def loss(self, values: Tensor, seen: Tensor, hidden: Tensor) -> Tensor:
        """Return the mean error of the `hidden` cells (columns), given the `seen` ones (places)."""
        wrong = self.layout.errors(self(values, seen), values)
        return (wrong * hidden).sum() / hidden.sum().clamp(min=1)

    def estimate(self, values: Tensor, known: Tensor, proposals: int | None = None) -> Tensor:
        """Return numbers and probabilities of every place; there are no `proposals` here."""
        del proposals
        return self.layout.estimates(self(values, known))


class MIWAE(nn.Module):
    """A latent-variable model fitted on the known cells alone (Mattei and Frellsen 2019).

    The encoder proposes latent vectors from the known cells; the decoder says how each column is
    distributed given one: Student's t for numbers, a categorical for words. Estimates are means
    over many proposals, weighted by how well each explains the known cells. Proposals use the same
    noise for all rows, kept with the weights, so that a row is estimated alike in any company.
    """

    def __init__(
        self, layout: Layout, width: int, layers: int, latent: int, proposals: int
    ) -> None:
        super().__init__()
        self.layout = layout
        self.latent = latent
        self.encoder = _layers(layout.places + layout.columns, width, layers, 0.0)
        self.guide = nn.Linear(width, 2 * latent)
        self.decoder = _layers(latent, width, layers, 0.0)
        self.linear = nn.Linear(latent, layout.places)
        self.head = nn.Linear(width, layout.places)
        self.scale = nn.Linear(width, layout.places)
        self.freedom = nn.Parameter(torch.full((layout.places,), 2.0))
        self.register_buffer("noise", torch.randn(proposals, latent))

    def forward(self, values: Tensor, known: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return log weights (rows, proposals) and outputs (rows, proposals, places).

        `noise` is (rows or 1, proposals, latent).
        """
        row = torch.cat([values * known, self.layout.gather(known)], dim=1)
        centre, width = self.guide(self.encoder(row)).chunk(2, dim=1)
        spread = functional.softplus(width) + 1e-3
        z = centre[:, None] + spread[:, None] * noise
        hidden = self.decoder(z)
        output = self.linear(z) + self.head(hidden)
        explained = (
            self._explain(output, self.scale(hidden), values) * self.layout.gather(known)[:, None]
        )
        # Prior over proposal; both normal, so the constants cancel.
        prior = -(z**2).sum(dim=2) / 2
        proposal = -(noise**2).sum(dim=2) / 2 - spread.log().sum(dim=1)[:, None]
        return explained.sum(dim=2) + prior - proposal, output

    def loss(self, values: Tensor, seen: Tensor, hidden: Tensor) -> Tensor:
        """Return the negative importance-weighted bound, in nats per known cell."""
        del hidden
        draws = TRAINING_PROPOSALS
        noise = torch.randn(len(values), draws, self.latent, device=values.device)
        weights, _ = self(values, seen, noise)
        bound = torch.logsumexp(weights, dim=1) - math.log(draws)
        return -bound.sum() / self.layout.gather(seen).sum().clamp(min=1)

    def estimate(self, values: Tensor, known: Tensor, proposals: int | None = None) -> Tensor:
        """Return numbers and probabilities of every place; fewer `proposals` are quicker."""
        weights, output = self(values, known, self.noise[None, :proposals])
        shares = weights.softmax(dim=1)
        return torch.einsum("rk,rkp->rp", shares, self.layout.estimates(output))

    def _explain(self, output: Tensor, scale: Tensor, values: Tensor) -> Tensor:
        """Return the log-density of each column's value, (rows, proposals, columns)."""
        spread = functional.softplus(scale) + SMALLEST_SPREAD
        freedom = functional.softplus(self.freedom) + 2
        away = (values[:, None] - output) / spread
        density = (
            torch.lgamma((freedom + 1) / 2)
            - torch.lgamma(freedom / 2)
            - 0.5 * torch.log(math.pi * freedom)
            - spread.log()
            - (freedom + 1) / 2 * torch.log1p(away**2 / freedom)
        )
        columns = self.layout.gather(density).clone()
        for (start, stop), place in zip(self.layout.words, self._word_columns(), strict=True):
            likely = functional.log_softmax(output[..., start:stop], dim=2)
            columns[..., place] = (likely * values[:, None, start:stop]).sum(dim=2)
        return columns

    def _word_columns(self) -> list[int]:
        return [int(self.layout.column[start]) for start, _ in self.layout.words]


def imputer_spec(name: str, blocks: Sequence[slice], wordy: Sequence[bool], rows: int) -> dict:
    """Return all that an imputing network is rebuilt from, ready for JSON.

    Its width grows with the columns; few rows get a narrower one.
    """
    places = blocks[-1].stop
    width = int(min(256, max(32, 2 ** round(math.log2(4 * places)), 32)))
    return {
        "network": name,
        "blocks": [[block.start, block.stop] for block in blocks],
        "wordy": list(wordy),
        "width": width if rows >= 1000 else min(width, 128),
        "layers": 2,
        "dropout": 0.1,
        "latent": int(min(16, max(2, places // 2))),
        "proposals": 200,
    }


def build_imputer(spec: dict) -> DenoisingAutoencoder | MIWAE:
    """Return the untrained network that an `imputer_spec` describes."""
    layout = Layout(spec["blocks"], spec["wordy"])
    if spec["network"] == "miwae":
        return MIWAE(layout, spec["width"], spec["layers"], spec["latent"], spec["proposals"])
    return DenoisingAutoencoder(layout, spec["width"], spec["layers"], spec["dropout"])


def _layers(inputs: int, width: int, layers: int, dropout: float) -> nn.Sequential:
    made: list[nn.Module] = []
    for _ in range(layers):
        made += [nn.Linear(inputs, width), nn.SiLU()]
        if dropout:
            made.append(nn.Dropout(dropout))
        inputs = width
    return nn.Sequential(*made)
