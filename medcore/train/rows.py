"""Prepared rows as tensors, checked before a fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from medcore.errors import FitError
from medcore.models import Inputs, read_piece
from medcore.records import Block, Prepared

# Rows gathered at once: whole epochs of most tables, without doubling the memory of large ones.
GATHER_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Rows:
    """Inputs and outcome: class codes or standardised values (rows,), follow-up, or findings.

    `outcome` is (rows, 2) for durations and causes, (rows, findings) for several findings.
    `values` (rows, features) float32 is the table's, where it is the only block; else `blocks`,
    which are read step by step, because images of a whole epoch need not fit into memory.
    """

    values: Tensor
    outcome: Tensor
    blocks: Mapping[str, Block] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.outcome)

    def gather(self, places: Tensor) -> tuple[Inputs, Tensor]:
        """Return inputs and outcome of the rows at `places`."""
        if not self.blocks:
            return self.values[places], self.outcome[places]
        rows, device = places.cpu().numpy(), self.outcome.device
        pieces = {key: read_piece(block, rows, device) for key, block in self.blocks.items()}
        return pieces, self.outcome[places]

    def split(self, size: int) -> Iterator[tuple[Inputs, Tensor]]:
        """Yield all rows in their order, `size` at a time."""
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            yield self.gather(torch.arange(start, stop, device=self.outcome.device))


def split_batches(
    rows: Rows, order: Tensor, steps: int, first: int
) -> Iterator[tuple[Inputs, Tensor]]:
    """Yield an epoch's batches from batch `first` on.

    Sizes differ by one row at most, so that no row of a small last batch weighs more than others.
    """
    bounds = [len(order) * step // steps for step in range(steps + 1)]
    if rows.blocks:
        for step in range(first, steps):
            yield rows.gather(order[bounds[step] : bounds[step + 1]])
        return
    row_bytes = rows.values[0].numel() * rows.values.element_size()
    gathered = max(1, GATHER_BYTES // (row_bytes * bounds[1])) if row_bytes else steps
    for start in range(first, steps, gathered):
        stop = min(start + gathered, steps)
        sizes = [bounds[step + 1] - bounds[step] for step in range(start, stop)]
        values, outcome = rows.gather(order[bounds[start] : bounds[stop]])
        yield from zip(values.split(sizes), outcome.split(sizes), strict=True)


def check_rows(blocks: Mapping[str, Block], prepared: Prepared, part: str) -> None:
    """Raise `FitError` when rows cannot be learned from or judged by."""
    table = blocks.get("table")
    if table is not None and not np.isfinite(table.values).all():
        place = int(np.argmin(np.isfinite(table.values).all(axis=0)))
        raise FitError(
            f"Input '{table.names[place]}' has values in the {part} rows that are not numbers: "
            "mend the column or leave it out."
        )
    outcome = prepared.outcome
    known = {
        "regression": lambda: np.isfinite(outcome),
        "survival": lambda: np.isfinite(outcome).all(axis=1),
        "effect": lambda: np.isfinite(outcome).all(axis=1),
        "multilabel": lambda: np.isfinite(outcome).any(axis=1),
    }.get(prepared.task, lambda: outcome >= 0)()
    if not known.all():
        raise FitError(
            f"The outcome is unknown in {int((~known).sum())} of {len(known)} {part} rows: "
            "set these rows aside before training."
        )


def check_outcome(prepared: Prepared) -> None:
    """Raise `FitError` when the training rows hold nothing to tell apart."""
    if not len(prepared.outcome):
        raise FitError("There are no training rows: give the training part a larger share.")
    if prepared.task == "survival":
        _check_events(prepared.outcome[:, 1], prepared.classes)
        return
    if prepared.task == "multilabel":
        _check_findings(prepared.outcome)
        return
    if prepared.task == "effect":
        if len(np.unique(prepared.outcome[:, 1])) < 2:
            raise FitError("All training rows are in one arm, so that there is no effect to learn.")
        return
    found = np.unique(prepared.outcome)
    if len(found) > 1:
        return
    if prepared.task == "regression":
        value = f"the same outcome, {found[0]:g}"
    else:
        value = f"the outcome '{prepared.classes[int(found[0])]}'"
    raise FitError(
        f"All {len(prepared.outcome)} training rows have {value}: there is nothing to tell apart; "
        "choose another outcome or split."
    )


def _check_events(cause: np.ndarray, causes: tuple[str, ...]) -> None:
    for place, name in enumerate(causes):
        if not (cause == place + 1).any():
            raise FitError(
                f"None of {len(cause)} training rows had the event '{name}': there is nothing to "
                "learn; choose another split, or merge it with another cause."
            )


def _check_findings(outcome: np.ndarray) -> None:
    """A finding that these rows all have or lack is learned as such; one at least must differ."""
    if not any({0.0, 1.0} <= set(np.unique(values).tolist()) for values in outcome.T):
        raise FitError(
            f"No finding tells the {len(outcome)} training rows apart: choose other outcomes, or "
            "another split."
        )


def outcome_scale(prepared: Prepared) -> tuple[float, float]:
    """Return mean and standard deviation of an outcome that is a number; (0, 1) for classes."""
    if prepared.task == "effect" and not prepared.classes:
        values = prepared.outcome[:, 0]
        return float(values.mean()), float(values.std()) or 1.0
    if prepared.task != "regression":
        return 0.0, 1.0
    return float(prepared.outcome.mean()), float(prepared.outcome.std())


def load_rows(
    blocks: Mapping[str, Block],
    prepared: Prepared,
    scale: tuple[float, float],
    device: torch.device,
) -> Rows:
    """Return the rows on a device, a regression outcome standardised with `scale`."""
    if prepared.task in ("survival", "multilabel"):
        outcome = torch.from_numpy(prepared.outcome.astype(np.float32))
    elif prepared.task == "effect":
        middle, spread = np.array([scale[0], 0.0]), np.array([scale[1], 1.0])
        outcome = torch.from_numpy(((prepared.outcome - middle) / spread).astype(np.float32))
    elif prepared.task == "regression":
        outcome = torch.from_numpy(((prepared.outcome - scale[0]) / scale[1]).astype(np.float32))
    else:
        outcome = torch.from_numpy(prepared.outcome.astype(np.int64))
    outcome = outcome.to(device)
    if list(blocks) != ["table"]:
        return Rows(torch.empty(0, device=device), outcome, dict(blocks))
    values = torch.from_numpy(np.array(blocks["table"].values, dtype=np.float32, order="C"))
    return Rows(values.to(device), outcome)
