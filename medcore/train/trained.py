"""A trained network: what is kept of it, and its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from medcore.errors import FitError
from medcore.models import Inputs, Network, build_from_spec, network_blocks, read_piece
from medcore.models.fusion import Piece
from medcore.models.memory import kept_bytes, looked_at_once
from medcore.models.views import move_images
from medcore.records import Block, Prepared
from medcore.train.arms import read_effects
from medcore.train.device import memory_named, pick_device
from medcore.train.risks import read_risks

# Rows are always pushed through in blocks of one size, the last one filled up: matrix products
# may round differently for other shapes, and a patient's risk must not depend on who else is asked.
CPU_ROWS = 256
GPU_ROWS = 4096
# What the items of one block of rows may take; what a network makes of them takes some times more.
ITEM_BYTES = 8 * 2**20
# What learning may keep of a batch on a processor, and the fewest images whose statistics tell.
LEARN_BYTES, LEAST_IMAGES = 256 * 2**20, 4


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """All that is kept of a trained network.

    `spec` is ready for JSON: `network` (see `network_spec`), task, classes, mean and spread of
    the outcome (regression), `hazards` (time to event; see `read_risks`), fit, seed, epochs
    run, best_epoch, stopped, device and the history.
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

    Time to event: incidences (rows, causes, times); two arms: effects (rows,). An ensemble answers
    with the mean of its members. A row's answer is the same bit for bit whatever other rows are
    asked about. Raises `FitError` when the features are not the trained ones.
    """
    return predict_members(trained, prepared).mean(axis=1)


def predict_members(trained: TrainedNetwork, prepared: Prepared) -> np.ndarray:
    """Return each member's answer: as `predict_network`, with a second axis of members."""
    spec, output = trained.spec, network_output(trained, prepared)
    if spec["task"] == "survival":
        return read_risks(spec["hazards"], output)
    if spec["task"] == "effect":
        return read_effects(output, bool(spec["classes"]), spec["outcome_spread"])
    if spec["task"] == "regression":
        return output[:, :, 0] * spec["outcome_spread"] + spec["outcome_mean"]
    if spec["task"] == "multilabel":
        return torch.from_numpy(output).sigmoid().numpy()
    return torch.from_numpy(output).softmax(dim=2).numpy()


def network_output(trained: TrainedNetwork, prepared: Prepared) -> np.ndarray:
    """Return what the network itself answers, float64 (rows, members, outputs).

    Of images, the mean over the views that its settings ask for.
    """
    spec = trained.spec
    blocks = seen_blocks(spec["network"], prepared)
    network = trained.network
    device = next(network.parameters()).device
    most = CPU_ROWS if device.type == "cpu" else GPU_ROWS
    size, rows = rows_at_once(network, spec["network"], most), len(prepared.row_id)
    shape = (rows, spec["network"]["members"], spec["network"]["outputs"])
    output = np.empty(shape, dtype=np.float64)
    with torch.inference_mode(), memory_named(f"predicting {size} rows at a time"):
        for start in range(0, rows, size):
            places = np.arange(start, min(start + size, rows))
            inputs = _fill_up(blocks, places, size, device)
            seen = [network(view).double() for view in move_images(inputs, spec["network"])]
            answer = (sum(seen) / len(seen))[: len(places)].cpu()
            output[start : start + size] = answer.numpy()
    return output


def rows_at_once(network: Network, spec: dict, most: int) -> int:
    """Return how many rows a network looks at together: fewer the more memory each takes."""
    numbers = [b.get("numbers", np.prod(b["shape"])) for b in spec["blocks"].values()]
    most = max(1, min(most, ITEM_BYTES // max(4 * int(sum(numbers)), 1)))
    images = image_encoders(network, spec)
    return min((looked_at_once(*image, most) for image in images), default=most)


def rows_to_learn(encoders: Iterable[tuple[nn.Module, Sequence[int]]], device: torch.device) -> int:
    """Return how many rows networks with these encoders of images learn from together.

    Larger batches are taken in pieces whose gradients are added up: the same step, but that layers
    which look at a batch as a whole (batch normalisation) look at a piece.
    """
    room, kept, images = LEARN_BYTES, 1, 1
    if device.type == "cuda":
        room = torch.cuda.get_device_properties(device).total_memory // 2
    for encoder, shape in encoders:
        kept += kept_bytes(encoder, shape)
        images = max(images, int(np.prod(shape[:-3])))
    return max(2, -(-LEAST_IMAGES // images), room // kept)


def image_encoders(network: Network, spec: dict) -> Iterator[tuple[nn.Module, Sequence[int]]]:
    """Yield a network's encoders of images, each with the shape of an item."""
    for key, block in spec["blocks"].items():
        if block["kind"] == "image":
            yield network.encoder.encoders[network.encoder.keys.index(key)], block["shape"]


def _fill_up(
    blocks: dict[str, Block], places: np.ndarray, size: int, device: torch.device
) -> Inputs:
    """Return the rows at `places`, filled up with empty ones to `size`."""
    pieces = {}
    for key, block in blocks.items():
        values, present = read_piece(block, places, device)
        rows = values.new_zeros((size, *values.shape[1:]))
        rows[: len(places)] = values
        there = present.new_zeros(size)
        there[: len(places)] = present
        pieces[key] = Piece(rows, there)
    return pieces["table"].values if list(pieces) == ["table"] else pieces


def seen_blocks(network: dict, prepared: Prepared) -> dict[str, Block]:
    """Return the blocks that a network of this spec looks at, in its order.

    Raises `FitError` when they are not as the network was made for.
    """
    table = network["table"]
    keys = (["table"] if table is not None else []) + list(network["blocks"])
    found = network_blocks(network["network"], prepared.blocks)
    if (
        table is not None
        and list(found["table"].names if "table" in found else ()) != table["names"]
    ):
        now = len(found["table"].names) if "table" in found else 0
        raise FitError(
            "The prepared columns differ from those that the network was trained on: "
            f"{len(table['names'])} features then, {now} now; prepare the rows with the "
            "run's own preparation."
        )
    for key, spec in network["blocks"].items():
        if key not in found or list(found[key].values.shape[1:]) != spec["shape"]:
            raise FitError(
                f"'{key}' is not prepared as it was when the network was trained; prepare the rows "
                "with the run's own preparation."
            )
    return {key: found[key] for key in keys}


def _device(name: str) -> torch.device:
    """Return the device a network was trained for, or the processor where it is absent."""
    try:
        return pick_device(name)
    except FitError:
        return torch.device("cpu")
