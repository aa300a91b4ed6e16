"""What training makes small, and what early stopping watches."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from medcore.config import Task


def member_loss(output: Tensor, outcome: Tensor, task: Task, smoothing: float) -> Tensor:
    """Return the mean of the members' own losses, which is what an ensemble is trained with.

    `output`: (rows, members, classes) logits, or (rows, members, 1) standardised values.
    `outcome`: (rows,) class codes or standardised values. Cross-entropy in nats with label
    smoothing, or squared error.

    >>> output = torch.zeros(3, 2, 4)
    >>> round(float(member_loss(output, torch.tensor([0, 1, 3]), "multiclass", 0.0)), 4)
    1.3863
    """
    members = output.shape[1]
    if members > 1:
        outcome = outcome.repeat_interleave(members)
    output = output.flatten(0, 1)
    if task == "regression":
        return functional.mse_loss(output.squeeze(1), outcome)
    return functional.cross_entropy(output, outcome, label_smoothing=smoothing)


def ensemble_losses(output: Tensor, outcome: Tensor, task: Task) -> Tensor:
    """Return each row's loss of the members' mean prediction, (rows,).

    Negative log-likelihood of the mean probability, without smoothing, or squared error.
    """
    output = output.float()
    if task == "regression":
        return (output.squeeze(2).mean(1) - outcome) ** 2
    logs = torch.log_softmax(output, dim=2)
    pooled = torch.logsumexp(logs, dim=1) - math.log(output.shape[1])
    return -pooled.gather(1, outcome[:, None]).squeeze(1)
