"""What training makes small, and what early stopping watches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medcore.config import BalanceConfig, Task

SMALLEST = 1e-7


@dataclass(frozen=True)
class Emphasis:
    """What a strategy for rare classes does to the loss; empty for none.

    All are (classes,); of several findings (findings, 2), those without and those with each.
    `weights` multiply a row's loss, `shift` is added to the logits in training only, `gamma` is
    focal loss's; `correction` is added to log-probabilities when judging, so that validation
    patients are judged at the frequency they have.
    """

    weights: Tensor | None = None
    shift: Tensor | None = None
    gamma: float = 0.0
    correction: Tensor | None = None


NO_EMPHASIS = Emphasis()


def build_emphasis(
    balance: BalanceConfig, ratio: np.ndarray | None, device: torch.device
) -> Emphasis:
    """Return what the strategy does, given each class's `ratio` (see `class_ratio`).

    Class weights are the ratio itself; focal loss is Lin et al. (2017), without their alpha;
    logit adjustment is Menon et al. (2021): the logarithm of the classes' shares, times tau, is
    added to the logits while learning, and so is kept out of them.
    """
    if balance.strategy == "focal":
        return Emphasis(gamma=balance.gamma)
    if ratio is None or balance.strategy == "none":
        return NO_EMPHASIS
    grown = torch.from_numpy(np.log(ratio)).float().to(device)
    weights = grown.exp() if balance.strategy == "class_weight" else None
    shift = -grown if balance.strategy == "logit_adjusted" else None
    return Emphasis(weights, shift, correction=-grown)


def member_loss(
    output: Tensor,
    outcome: Tensor,
    task: Task,
    smoothing: float,
    emphasis: Emphasis = NO_EMPHASIS,
) -> Tensor:
    """Return the mean of the members' own losses, which is what an ensemble is trained with.

    `output`: (rows, members, classes) logits, or (rows, members, 1) standardised values.
    `outcome`: (rows,) class codes or standardised values, or (rows, findings). Cross-entropy in
    nats with label smoothing, or squared error.

    >>> output = torch.zeros(3, 2, 4)
    >>> round(float(member_loss(output, torch.tensor([0, 1, 3]), "multiclass", 0.0)), 4)
    1.3863
    """
    members = output.shape[1]
    if members > 1:
        outcome = outcome.repeat_interleave(members, dim=0)
    output = output.flatten(0, 1)
    if task == "regression":
        return functional.mse_loss(output.squeeze(1), outcome)
    if task == "multilabel":
        return finding_losses(output, outcome, smoothing, emphasis).mean()
    if emphasis.shift is not None:
        output = output + emphasis.shift
    if emphasis.weights is None and not emphasis.gamma:
        return functional.cross_entropy(output, outcome, label_smoothing=smoothing)
    losses = functional.cross_entropy(output, outcome, label_smoothing=smoothing, reduction="none")
    if emphasis.gamma:
        likely = output.log_softmax(dim=1).gather(1, outcome[:, None]).squeeze(1).exp()
        losses = (1 - likely).clamp(min=1e-7) ** emphasis.gamma * losses
    if emphasis.weights is not None:
        losses = losses * emphasis.weights[outcome]
    return losses.mean()


def finding_losses(
    output: Tensor, outcome: Tensor, smoothing: float = 0.0, emphasis: Emphasis = NO_EMPHASIS
) -> Tensor:
    """Return each row's binary cross-entropy, (rows,): the sum over known findings by their number.

    `output` (rows, findings) logits; a finding that is NaN in `outcome` teaches nothing.

    >>> known = torch.tensor([[1.0, torch.nan]])
    >>> round(float(finding_losses(torch.zeros(1, 2), known)), 4)
    0.3466
    """
    known = outcome.isfinite()
    has = torch.where(known, outcome, 0.0).to(output.dtype)
    wanted = has * (1 - smoothing) + smoothing / 2
    losses = functional.binary_cross_entropy_with_logits(output, wanted, reduction="none")
    if emphasis.gamma:
        likely = torch.sigmoid(torch.where(has > 0, output, -output))
        losses = (1 - likely).clamp(min=1e-7) ** emphasis.gamma * losses
    if emphasis.weights is not None:
        losses = losses * torch.where(has > 0, emphasis.weights[:, 1], emphasis.weights[:, 0])
    return (losses * known).sum(1) / output.shape[1]


def ensemble_losses(
    output: Tensor, outcome: Tensor, task: Task, correction: Tensor | None = None
) -> Tensor:
    """Return each row's loss of the members' mean prediction, (rows,).

    Negative log-likelihood of the mean probability, without smoothing, or squared error.
    """
    output = output.float()
    if task == "regression":
        return (output.squeeze(2).mean(1) - outcome) ** 2
    if task == "multilabel":
        likely = torch.sigmoid(output).mean(1).clamp(SMALLEST, 1 - SMALLEST)
        pooled = torch.logit(likely)
        if correction is not None:
            pooled = pooled + correction[:, 1] - correction[:, 0]
        return finding_losses(pooled, outcome)
    logs = torch.log_softmax(output, dim=2)
    pooled = torch.logsumexp(logs, dim=1) - math.log(output.shape[1])
    if correction is not None:
        pooled = torch.log_softmax(pooled + correction, dim=1)
    return -pooled.gather(1, outcome[:, None]).squeeze(1)
