"""Prepared rows as tensors, checked before a fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from medcore.errors import FitError
from medcore.records import Block, Prepared


@dataclass(frozen=True)
class Rows:
    """Inputs (rows, features) float32 and outcome (rows,): class codes, or standardised values."""

    values: Tensor
    outcome: Tensor

    def __len__(self) -> int:
        return len(self.values)


def check_rows(block: Block, prepared: Prepared, part: str) -> None:
    """Raise `FitError` when rows cannot be learned from or judged by."""
    if not np.isfinite(block.values).all():
        place = int(np.argmin(np.isfinite(block.values).all(axis=0)))
        raise FitError(
            f"Input '{block.names[place]}' has values in the {part} rows that are not numbers: "
            "mend the column or leave it out."
        )
    known = (
        np.isfinite(prepared.outcome) if prepared.task == "regression" else prepared.outcome >= 0
    )
    if not known.all():
        raise FitError(
            f"The outcome is unknown in {int((~known).sum())} of {len(known)} {part} rows: "
            "set these rows aside before training."
        )


def check_outcome(prepared: Prepared) -> None:
    """Raise `FitError` when the training rows hold nothing to tell apart."""
    if not len(prepared.outcome):
        raise FitError("There are no training rows: give the training part a larger share.")
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


def outcome_scale(prepared: Prepared) -> tuple[float, float]:
    """Return mean and standard deviation of a regression outcome; (0, 1) for classes."""
    if prepared.task != "regression":
        return 0.0, 1.0
    return float(prepared.outcome.mean()), float(prepared.outcome.std())


def load_rows(
    block: Block, prepared: Prepared, scale: tuple[float, float], device: torch.device
) -> Rows:
    """Return the rows on a device, a regression outcome standardised with `scale`."""
    values = torch.from_numpy(np.array(block.values, dtype=np.float32, order="C"))
    if prepared.task == "regression":
        outcome = torch.from_numpy(((prepared.outcome - scale[0]) / scale[1]).astype(np.float32))
    else:
        outcome = torch.from_numpy(prepared.outcome.astype(np.int64))
    return Rows(values.to(device), outcome.to(device))
