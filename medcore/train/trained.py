"""A trained network: what is kept of it, and its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from medcore.errors import FitError
from medcore.models import Network, build_from_spec
from medcore.records import Block, Prepared
from medcore.train.device import memory_named, pick_device

# Rows are always pushed through in blocks of one size, the last one filled up: matrix products
# may round differently for other shapes, and a patient's risk must not depend on who else is asked.
CPU_ROWS = 256
GPU_ROWS = 4096


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """All that is kept of a trained network.

    `spec` is ready for JSON: `network` (see `network_spec`), task, classes, mean and spread of
    the outcome (regression), fit, seed, epochs run, best_epoch, stopped, device and the history.
    `arrays` are its weights by name, for safetensors.
    """

    spec: dict
    arrays: dict[str, np.ndarray]

    @cached_property
    def network(self) -> Network:
        """The network with its weights, ready to predict."""
        with torch.random.fork_rng(devices=[]):
            network = build_from_spec(self.spec["network"])
        weights = {name: torch.from_numpy(np.array(array)) for name, array in self.arrays.items()}
        network.load_state_dict(weights)
        return network.requires_grad_(False).eval().to(_device(self.spec["device"]))


def predict_network(trained: TrainedNetwork, prepared: Prepared) -> np.ndarray:
    """Return float64 probabilities (rows, classes), or values (rows,) in the outcome's unit.

    An ensemble answers with the mean of its members. A row's answer is the same bit for bit
    whatever other rows are asked about. Raises `FitError` when the features are not the trained
    ones.
    """
    return predict_members(trained, prepared).mean(axis=1)


def predict_members(trained: TrainedNetwork, prepared: Prepared) -> np.ndarray:
    """Return each member's answer: as `predict_network`, with a second axis of members."""
    spec = trained.spec
    values = network_block(prepared, spec["network"]["table"]["names"]).values
    network = trained.network
    device = next(network.parameters()).device
    size = CPU_ROWS if device.type == "cpu" else GPU_ROWS
    shape = (len(values), spec["network"]["members"], spec["network"]["outputs"])
    output = np.empty(shape, dtype=np.float64)
    with torch.inference_mode(), memory_named(f"predicting {size} rows at a time"):
        for start in range(0, len(values), size):
            rows = torch.zeros((size, values.shape[1]), dtype=torch.float32)
            piece = values[start : start + size]
            rows[: len(piece)] = torch.from_numpy(np.ascontiguousarray(piece, dtype=np.float32))
            answer = network(rows.to(device))[: len(piece)].cpu().double()
            if spec["task"] != "regression":
                answer = answer.softmax(dim=2)
            output[start : start + size] = answer.numpy()
    if spec["task"] == "regression":
        return output[:, :, 0] * spec["outcome_spread"] + spec["outcome_mean"]
    return output


def network_block(prepared: Prepared, names: list[str] | None = None) -> Block:
    """Return the block that networks learn from; raises `FitError` when it is not as expected."""
    block = prepared.blocks.get("table")
    if block is None or not block.names:
        raise FitError("There is no input column to learn from: give a column the role input.")
    if names is not None and list(block.names) != names:
        raise FitError(
            "The prepared columns differ from those that the network was trained on: "
            f"{len(names)} features then, {len(block.names)} now; prepare the rows with the "
            "run's own preparation."
        )
    return block


def _device(name: str) -> torch.device:
    """Return the device a network was trained for, or the processor where it is absent."""
    try:
        return pick_device(name)
    except FitError:
        return torch.device("cpu")
