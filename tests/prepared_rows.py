"""Prepared rows with a known signal, and what tests of training share."""

import json
from collections.abc import Generator
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from medcore.config import RunConfig, change_config
from medcore.records import Block, Epoch, Prepared
from medcore.train import TrainedNetwork, train_network

SMALL = {"model.width": 16, "model.ensemble": 3, "train.epochs": 4, "train.batch_size": 32}


def small_config(**changes: Any) -> RunConfig:
    """Return a config that trains in a moment; `train__epochs=3` sets `train.epochs`."""
    return change_config(
        RunConfig(), SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    )


def prepared_rows(
    rows: int = 200, seed: int = 0, task: str = "binary", numbers: int = 4, flags: int = 2
) -> Prepared:
    """Return rows whose outcome depends on the first two numbers and the last flag.

    Regression outcomes lie around 500 with a spread of about 20.
    """
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, numbers + flags)).astype(np.float32)
    values[:, numbers:] = values[:, numbers:] > 0
    signal = 1.5 * values[:, 0] - values[:, 1] + (values[:, -1] if flags else 0)
    names = tuple(f"n{i}" for i in range(numbers)) + tuple(f"f{i}" for i in range(flags))
    block = Block(
        "table",
        names,
        names,
        values,
        np.ones(rows, dtype=bool),
        numeric=tuple(range(numbers)),
        bins=tuple(np.linspace(-2.5, 2.5, 9) for _ in range(numbers)),
    )
    if task == "regression":
        outcome = 500 + 10 * (signal + 0.2 * rng.normal(size=rows))
    elif task == "binary":
        outcome = (signal + 0.5 * rng.logistic(size=rows) > 0.5).astype(np.int64)
    else:
        outcome = np.digitize(signal, [-0.5, 1.5]).astype(np.int64)
    classes = {"binary": ("no", "yes"), "multiclass": ("low", "middle", "high")}.get(task, ())
    row_id = np.arange(rows)
    return Prepared(task, row_id, {"table": block}, outcome, classes, row_id)


def finish(
    training: Generator[Epoch, None, TrainedNetwork],
) -> tuple[list[Epoch], TrainedNetwork]:
    """Run a training to its end."""
    epochs = []
    while True:
        try:
            epochs.append(next(training))
        except StopIteration as stop:
            return epochs, stop.value


def fit(train: Prepared, validation: Prepared | None, config: RunConfig, **options: Any):
    """Train (an MLP unless `name` says otherwise) and return epochs and network."""
    options = {"name": "mlp", "fit": "model", "seed": 0} | options
    name = options.pop("name")
    return finish(train_network(name, train, validation, config, **options))


class KeptCheckpoint:
    """A checkpoint that goes through safetensors and JSON, as on a disk."""

    def __init__(self) -> None:
        self.kept: tuple[bytes, str] | None = None
        self.writes = 0

    def read(self) -> tuple[dict[str, np.ndarray], dict] | None:
        return self.kept and (load(self.kept[0]), json.loads(self.kept[1]))

    def write(self, arrays: dict[str, np.ndarray], meta: dict) -> None:
        self.kept = (save(arrays), json.dumps(meta))
        self.writes += 1

    def clear(self) -> None:
        self.kept = None
