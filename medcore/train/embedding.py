"""What a network makes of one input on its own: a vector; like things lie near each other."""

from __future__ import annotations

import numpy as np
import torch

from medcore.models import build_from_spec, read_piece
from medcore.records import Prepared
from medcore.train.device import memory_named
from medcore.train.trained import CPU_ROWS, GPU_ROWS, TrainedNetwork, rows_at_once, seen_blocks


def embed_rows(trained: TrainedNetwork, prepared: Prepared, key: str) -> np.ndarray:
    """Return the encoder's vector of a block for each row, float32 (rows, width).

    It is what the network knows of the image before anything else is joined to it. NaN where a row
    has no such thing.
    """
    spec, network = trained.spec["network"], trained.network
    block = seen_blocks(spec, prepared)[key]
    fusion = network.encoder
    encoder = fusion.encoders[fusion.keys.index(key)]
    device = next(network.parameters()).device
    size = rows_at_once(network, spec, CPU_ROWS if device.type == "cpu" else GPU_ROWS)
    found = np.full((len(prepared.row_id), encoder.width), np.nan, dtype=np.float32)
    there = np.flatnonzero(block.present)
    with torch.inference_mode(), memory_named(f"comparing {size} rows at a time"):
        for start in range(0, len(there), size):
            places = there[start : start + size]
            found[places] = encoder(read_piece(block, places, device).values).cpu().numpy()
    return found


def untaught(trained: TrainedNetwork, seed: int) -> TrainedNetwork:
    """Return a network of the same shape that has learned nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_from_spec(trained.spec["network"])
    arrays = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return TrainedNetwork(trained.spec, arrays)
