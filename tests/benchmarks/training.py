"""The training loop beside a bare PyTorch loop and Lightning's Trainer, epoch by epoch in turn.

50,000 rows × 30 numbers, an MLP 128-128, batches of 256, one thread. The bare loop is what a
careful user of PyTorch writes: `nn.Sequential`, `torch.optim.AdamW` and `OneCycleLR` with their
defaults, `clip_grad_norm_`, a batch taken as `X[perm[i:j]]`, the loss summed without leaving
tensors. Lightning's Trainer gets a `DataLoader` over a `TensorDataset`, and no logger, progress
bar or checkpoint. Each figure is the median of the ratios of neighbouring epochs.
"""

import logging
import statistics
import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medcore.config import RunConfig, change_config
from medcore.records import Block, Prepared
from medcore.train import train_network
from tests.benchmarks import Row

ROWS, FEATURES, BATCH, PAIRS = 50_000, 30, 256, 15
RATE, DECAY, CLIP = 2e-3, 1e-2, 1.0
STEPS = -(-ROWS // BATCH) * (PAIRS + 2)


def rows() -> Iterator[Row]:
    """Yield the figures of the training loop."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        values, outcome = make_data()
        yield from _bare_rows(values, outcome)
        yield _lightning_row(values, outcome)
    finally:
        torch.set_num_threads(threads)


def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Return float32 inputs and int64 classes with some signal."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    return values, (values[:, :3].sum(axis=1) + rng.normal(size=ROWS) > 0).astype(np.int64)


def _bare_rows(values: np.ndarray, outcome: np.ndarray) -> Iterator[Row]:
    cases = (
        ("training, with clipping", CLIP, False, "<= 1.0", "bare loop with clipping"),
        ("training, without clipping", 0.0, False, "<= 0.9", "bare loop without clipping"),
        ("training, against fused AdamW", CLIP, True, "", "bare loop with AdamW(fused=True)"),
    )
    for name, clip, fused, limit, other in cases:
        ours, bare = our_epochs(values, outcome, clip), bare_epochs(values, outcome, clip, fused)
        next(ours), next(bare)
        pairs = [(_seconds(ours), _seconds(bare)) for _ in range(PAIRS)]
        yield _row(name, pairs, limit, other)


def _row(name: str, pairs: list[tuple[float, float]], limit: str, other: str) -> Row:
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    return Row(name, ratio, limit, other, f"{ours:.3f} s against {theirs:.3f} s an epoch")


def _seconds(epochs: Iterator) -> float:
    start = time.perf_counter()
    next(epochs)
    return time.perf_counter() - start


def our_epochs(values: np.ndarray, outcome: np.ndarray, clip: float) -> Iterator:
    """Return the epochs of `train_network`."""
    changes = {"model.embedding": "none", "model.dropout": 0, "train.batch_size": BATCH}
    changes |= {"train.learning_rate": RATE, "train.weight_decay": DECAY, "train.clip_norm": clip}
    config = change_config(RunConfig(), changes | {"train.epochs": PAIRS + 2})
    names = tuple(f"n{place}" for place in range(FEATURES))
    present, row_id = np.ones(ROWS, dtype=bool), np.arange(ROWS)
    block = Block("table", names, names, values, present, numeric=tuple(range(FEATURES)))
    prepared = Prepared("binary", row_id, {"table": block}, outcome, ("no", "yes"), row_id)
    return train_network("mlp", prepared, None, config, fit="benchmark", seed=0)


def make_network() -> nn.Module:
    """Return the plain MLP 128-128."""
    first, second = nn.Linear(FEATURES, 128), nn.Linear(128, 128)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Linear(128, 2))


def bare_epochs(
    values: np.ndarray, outcome: np.ndarray, clip: float, fused: bool
) -> Iterator[Tensor]:
    """Yield the summed loss of each epoch of the bare loop."""
    torch.manual_seed(0)
    X, y = torch.from_numpy(values), torch.from_numpy(outcome)
    network = make_network()
    options = {"lr": RATE, "weight_decay": DECAY} | ({"fused": True} if fused else {})
    optimizer = torch.optim.AdamW(network.parameters(), **options)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    network.train()
    while True:
        perm = torch.randperm(ROWS)
        total = torch.zeros(())
        for i in range(0, ROWS, BATCH):
            chosen = perm[i : i + BATCH]
            loss = functional.cross_entropy(network(X[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
            schedule.step()
            total += loss.detach()
        yield total


def _lightning_row(values: np.ndarray, outcome: np.ndarray) -> Row:
    name, other = "training, against Lightning", "Lightning's Trainer with clipping"
    if find_spec("lightning") is None:
        return Row(name, float("nan"), "", other, "skipped: lightning is not installed")
    pairs: list[tuple[float, float]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _run_lightning(values, outcome, pairs)
    return _row(name, pairs, "<= 0.5", other)


def _run_lightning(
    values: np.ndarray, outcome: np.ndarray, pairs: list[tuple[float, float]]
) -> None:
    import lightning
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    ours = our_epochs(values, outcome, CLIP)
    next(ours)

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.network = make_network()

        def training_step(self, batch, place):
            return functional.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=DECAY)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
            return [optimizer], [{"scheduler": schedule, "interval": "step"}]

        def on_train_epoch_start(self):
            self.start = time.perf_counter()

        def on_train_epoch_end(self):
            theirs = time.perf_counter() - self.start
            pairs.append((_seconds(ours), theirs))

    data = TensorDataset(torch.from_numpy(values), torch.from_numpy(outcome))
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    trainer = lightning.Trainer(
        max_epochs=5, accelerator="cpu", gradient_clip_val=CLIP, enable_model_summary=False, **quiet
    )
    trainer.fit(Module(), DataLoader(data, batch_size=BATCH, shuffle=True))
    del pairs[0]
