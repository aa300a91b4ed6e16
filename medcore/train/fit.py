"""The moving parts of one fit, and how they are kept in a checkpoint."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from medcore.config import TrainConfig
from medcore.models import Network
from medcore.records import Epoch, Prepared
from medcore.train.optimizer import build_optimizer, flat_parameters


class Checkpoint(Protocol):
    """A place that keeps one checkpoint; `write` replaces what was there in one go."""

    def read(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """Return what was written last, or None."""

    def write(self, arrays: dict[str, np.ndarray], meta: dict) -> None:
        """Keep arrays and JSON-ready `meta`."""

    def clear(self) -> None:
        """Forget what was written."""


@dataclass
class Fit:
    """A network in training. `step` counts the steps done in `epoch`, which counts from 1."""

    network: Network
    optimizer: torch.optim.Optimizer
    loss_sum: Tensor
    epoch: int = 1
    step: int = 0
    stale: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return self.loss_sum.device

    def keep_best(self) -> None:
        """Remember the present weights as the best."""
        self.best = {name: value.clone() for name, value in self.network.state_dict().items()}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the best weights, or the present ones when nothing was judged yet."""
        return {name: _array(value) for name, value in (self.best or self._present()).items()}

    def _present(self) -> dict[str, Tensor]:
        return dict(self.network.state_dict())


def start_fit(network: Network, config: TrainConfig, device: torch.device) -> Fit:
    """Return a fit at its first step."""
    network = network.to(device)
    return Fit(network, build_optimizer(network, config), torch.zeros((), device=device))


def fit_key(*parts: Any) -> str:
    """Return the hash of everything that decides a fit; arrays by their bytes, the rest as JSON."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.shape}{part.dtype}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()


def key_parts(prepared: Prepared) -> list[Any]:
    """Return what prepared rows are, for `fit_key`: a digest stands for values too many to read."""
    parts: list[Any] = [prepared.row_id, prepared.outcome]
    for key, block in prepared.blocks.items():
        parts += [key, list(block.names), block.present]
        if block.place is None:
            parts.append(block.values)
            continue
        parts += [block.place, block.digest, dict(block.traits)]
        parts += [np.asarray(part) for part in block.scale or ()]
        parts += [block.plain] if block.plain is not None else []
        for weighed in (block.terms, block.grams):
            if weighed is not None:
                parts += [list(weighed.shape), weighed.indices, weighed.data]
    return parts


def write_fit(fit: Fit, checkpoint: Checkpoint, key: str) -> None:
    """Write all that the fit needs to go on as if it had never paused."""
    arrays = {f"present/{name}": _array(value) for name, value in fit.network.state_dict().items()}
    arrays |= {f"best/{name}": _array(value) for name, value in fit.best.items()}
    for group, flat in enumerate(flat_parameters(fit.optimizer)):
        for name, value in fit.optimizer.state[flat].items():
            if value is not None:
                arrays[f"optimizer/{group}/{name}"] = _array(value)
    arrays |= {f"random/{name}": _array(value) for name, value in random_state(fit.device).items()}
    names = ("epoch", "step", "stale", "best_loss", "best_epoch", "finished", "history")
    meta = {name: getattr(fit, name) for name in names}
    checkpoint.write(arrays, meta | {"loss_sum": float(fit.loss_sum), "key": key})


def read_fit(fit: Fit, checkpoint: Checkpoint, key: str) -> None:
    """Bring a new fit to where its checkpoint was; one of another fit is passed over."""
    found = checkpoint.read()
    if found is None or found[1].get("key") != key:
        return
    arrays, meta = found
    parts: dict[str, dict[str, Tensor]] = {}
    for path, array in arrays.items():
        part, name = path.split("/", 1)
        parts.setdefault(part, {})[name] = torch.from_numpy(np.array(array))
    fit.network.load_state_dict(parts["present"])
    fit.best = {name: value.to(fit.device) for name, value in parts.get("best", {}).items()}
    for path, value in parts.get("optimizer", {}).items():
        group, name = path.split("/")
        flat = flat_parameters(fit.optimizer)[int(group)]
        fit.optimizer.state[flat][name] = value.to(fit.device)
    restore_random(parts["random"], fit.device)
    fit.loss_sum.fill_(meta["loss_sum"])
    for name in ("epoch", "step", "stale", "best_loss", "best_epoch", "finished", "history"):
        setattr(fit, name, meta[name])


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's generators that a fit draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random(state: dict[str, Tensor], device: torch.device) -> None:
    """Set torch's generators to a `random_state`."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    if "mps" in state and device.type == "mps":
        torch.mps.set_rng_state(state["mps"])


def _array(value: Tensor) -> np.ndarray:
    return value.detach().cpu().numpy().copy()


def close_epoch(
    state: Fit,
    config: TrainConfig,
    fit: str,
    train_loss: float,
    validation_loss: float | None,
    start: float,
) -> Epoch:
    """Judge the epoch, move the fit on to the next one and return the record.

    The network is kept where it is the best so far; without a validation loss every epoch counts as
    the best and nothing is kept. `start` is when the epoch began (`time.perf_counter`).
    """
    best = validation_loss is None or state.best_loss is None or validation_loss < state.best_loss
    if best:
        state.best_loss, state.best_epoch, state.stale = validation_loss, state.epoch, 0
        if validation_loss is not None:
            state.keep_best()
    else:
        state.stale += 1
    epoch = Epoch(
        fit=fit,
        epoch=state.epoch,
        epochs=config.epochs,
        train_loss=train_loss,
        validation_loss=validation_loss,
        learning_rate=state.optimizer.param_groups[0]["lr"],
        seconds=time.perf_counter() - start,
        best=best,
    )
    names = ("epoch", "train_loss", "validation_loss", "learning_rate")
    state.history.append({name: getattr(epoch, name) for name in names})
    state.finished = state.epoch == config.epochs or state.stale >= config.patience
    state.epoch, state.step = state.epoch + 1, 0
    state.loss_sum.zero_()
    return epoch
