"""What networks for time to event make small: partial likelihood, logistic hazard, DeepHit.

Networks answer (rows, members, outputs). Durations are in one unit; `cause` is 0 where follow-up
ended without an event, else the cause's number from 1. An ensemble is trained with the mean of its
members' own losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medcore.records import Prepared

# DeepHit's ranking part: its share, and how far apart two risks must be (Lee et al. 2018).
RANKING, SIGMA = 0.2, 0.1
TINY = 1e-12
# A partial likelihood within a batch leans on how many events it holds.
EVENTS = 24
# Beyond so many steps an epoch, larger groups to compare within tell more than further steps.
MOST_STEPS = 200


@dataclass(frozen=True, eq=False)
class Hazards:
    """What a network for time to event learns: `name` of its objective, causes, and intervals.

    `cuts` (intervals + 1,) begin at 0; they divide time where the objective has intervals.
    """

    name: str
    causes: int
    cuts: tuple[float, ...] = ()

    @property
    def outputs(self) -> int:
        """How many numbers the network answers for each patient."""
        intervals = len(self.cuts) - 1
        return {
            "deepsurv": self.causes,
            "logistic_hazard": self.causes * intervals,
            "deephit": self.causes * intervals + 1,
        }[self.name]

    def loss(self, output: Tensor, outcome: Tensor) -> Tensor:
        """Return the mean loss; `outcome` (rows, 2) are durations and causes.

        Partial likelihoods compare each event with those of the same batch who were followed for
        longer; a batch without events teaches nothing and has the loss 0.
        """
        duration, cause = outcome[:, 0], outcome[:, 1].long()
        output = output.float()
        if self.name == "deepsurv":
            return cox_loss(output, duration, cause)
        last = place_of(duration, cause, self._cuts(output))
        if self.name == "logistic_hazard":
            return hazard_loss(output, last, cause, self.causes)
        return deephit_loss(output, last, cause, duration, self.causes)

    def least_rows(self, rows: Any) -> int:
        """Return how many rows a step needs so that enough events are compared within it."""
        cause = rows.outcome[:, 1]
        share = float((cause > 0).float().mean())
        if self.name != "deepsurv":
            return 1
        return min(len(rows), max(round(EVENTS / max(share, 1e-9)), len(rows) // MOST_STEPS))

    def _cuts(self, like: Tensor) -> Tensor:
        return torch.tensor(self.cuts, dtype=torch.float32, device=like.device)


def plan_hazards(name: str, train: Prepared, intervals: int) -> Hazards | None:
    """Return what the network `name` learns of training rows; None for another task."""
    if train.task != "survival":
        return None
    cuts: tuple[float, ...] = ()
    if name != "deepsurv":
        cuts = draw_cuts(train.outcome[:, 0], train.outcome[:, 1], intervals)
    return Hazards(name, len(train.classes), cuts)


def draw_cuts(duration: np.ndarray, cause: np.ndarray, intervals: int) -> tuple[float, ...]:
    """Return the bounds of intervals that hold about equally many events each, the first 0.

    >>> draw_cuts(np.arange(1.0, 9.0), np.ones(8), 4)
    (0.0, 2.0, 4.0, 6.0, 8.0)
    """
    times = duration[cause > 0]
    shares = np.linspace(0, 1, intervals + 1)[1:]
    inner = np.quantile(times, shares, method="inverted_cdf")
    kept = np.unique(inner.astype(np.float32))
    return (0.0, *kept[kept > 0].tolist())


def place_of(duration: Tensor, cause: Tensor, cuts: Tensor) -> Tensor:
    """Return the interval of an event, or how many intervals a censored patient came through.

    An event after the last cut belongs to the last interval.
    """
    place = torch.searchsorted(cuts, duration.contiguous(), right=False) - 1
    through = torch.searchsorted(cuts, duration.contiguous(), right=True) - 1
    last = len(cuts) - 2
    return torch.where(cause > 0, place.clamp(0, last), through.clamp(0, last + 1))


def cox_loss(output: Tensor, duration: Tensor, cause: Tensor) -> Tensor:
    """Return the negative log partial likelihood per event, with Efron's ties (Efron 1977).

    `output` (rows, members, causes) are log hazard ratios; other causes count as censored.
    """
    causes = output.shape[2]
    losses = [_cox_cause(output[:, :, k], duration, cause == k + 1) for k in range(causes)]
    events = (cause > 0).sum().clamp(min=1)
    return torch.stack(losses).sum() / events


def _cox_cause(output: Tensor, duration: Tensor, event: Tensor) -> Tensor:
    """Return the sum over events, averaged over the members, of `output` (rows, members)."""
    if not event.any():
        return output.sum() * 0
    # Longest followed first; at one time events lead.
    key = torch.argsort(event.to(torch.int8), descending=True, stable=True)
    order = key[torch.argsort(duration[key], descending=True, stable=True)]
    linear, event, time = output[order], event[order], duration[order]
    fresh = torch.ones(len(time), dtype=torch.bool, device=time.device)
    fresh[1:] = time[1:] != time[:-1]
    group = fresh.cumsum(0) - 1
    groups = int(group[-1]) + 1
    top = linear.detach().amax(dim=0)
    risk = (linear - top).exp()
    members = linear.shape[1]
    sums = risk.new_zeros(groups, members)
    everyone = sums.index_add(0, group, risk).cumsum(0)
    tied = sums.index_add(0, group, risk * event[:, None])
    mine = group[event]
    deaths = torch.bincount(mine, minlength=groups)
    place = torch.arange(len(mine), device=mine.device) - (deaths.cumsum(0) - deaths)[mine]
    share = (place / deaths[mine])[:, None]
    below = (everyone[mine] - share * tied[mine]).clamp(min=TINY).log() + top
    return (below - linear[event]).sum() / members


def hazard_loss(output: Tensor, last: Tensor, cause: Tensor, causes: int) -> Tensor:
    """Return the negative log-likelihood of hazards by interval (Brown 1975; Gensheimer 2019)."""
    logs = log_hazards(output, causes)
    rows, members, intervals, _ = logs.shape
    step = torch.arange(intervals, device=output.device)
    through = (step < last[:, None]).to(logs.dtype)
    likely = (logs[..., 0] * through[:, None, :]).sum(2)
    happened = cause > 0
    place = last.clamp(max=intervals - 1)
    index = place[:, None, None, None].expand(rows, members, 1, causes + 1)
    own = logs.gather(2, index).squeeze(2)
    own = own.gather(2, cause[:, None, None].expand(rows, members, 1)).squeeze(2)
    return -(likely + own * happened[:, None]).mean()


def log_hazards(output: Tensor, causes: int) -> Tensor:
    """Return the log chance in each interval of none (place 0) and of each cause.

    `output` (rows, members, causes · intervals) → (rows, members, intervals, causes + 1).
    """
    rows, members, _ = output.shape
    logits = output.reshape(rows, members, causes, -1).transpose(2, 3)
    return functional.pad(logits, (1, 0)).log_softmax(dim=3)


def masses(output: Tensor) -> Tensor:
    """Return DeepHit's chances, which sum to one: causes by interval, then none by the last cut."""
    return output.softmax(dim=2)


def deephit_loss(
    output: Tensor, last: Tensor, cause: Tensor, duration: Tensor, causes: int
) -> Tensor:
    """Return DeepHit's likelihood and ranking losses (Lee et al. 2018).

    Likelihood: the chance of the own cause in the own interval, or of no event up to censoring.
    """
    rows, members, _ = output.shape
    share = masses(output)
    by_cause = share[:, :, :-1].reshape(rows, members, causes, -1)
    happened = cause > 0
    intervals = by_cause.shape[3]
    step = torch.arange(intervals, device=output.device)
    later = (step >= last[:, None]).to(share.dtype)
    free = (by_cause.sum(2) * later[:, None, :]).sum(2) + share[:, :, -1]
    mine = (cause - 1).clamp(min=0)
    chosen = by_cause.gather(2, mine[:, None, None, None].expand(rows, members, 1, intervals))
    place = last.clamp(max=intervals - 1)[:, None, None]
    own = chosen.squeeze(2).gather(2, place.expand(rows, members, 1)).squeeze(2)
    likely = torch.where(happened[:, None], own, free).clamp(min=TINY).log()
    return -likely.mean() + RANKING * _ranking(by_cause, place, cause, duration)


def _ranking(by_cause: Tensor, place: Tensor, cause: Tensor, duration: Tensor) -> Tensor:
    """Return how far those with an event fall short of the risk of who was followed for longer."""
    rows, _, causes, _ = by_cause.shape
    total = by_cause.sum() * 0
    for k in range(causes):
        case = cause == k + 1
        if not case.any():
            continue
        reached = by_cause[:, :, k].cumsum(2)
        at = place[case].squeeze(2).squeeze(1)
        theirs = reached[:, :, at]
        own = theirs[case].diagonal(dim1=0, dim2=2)
        after = (duration[:, None] > duration[case]).to(total.dtype)
        lag = ((theirs - own) / SIGMA).exp() * after[:, None, :]
        total = total + lag.mean(1).sum() / (rows * rows)
    return total
