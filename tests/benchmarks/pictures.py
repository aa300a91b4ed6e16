"""Learning from images: a step beside bare PyTorch, a warm start, memory.

The step: the default network on 28 × 28 grey images, batches of 64, one thread, nothing changed at
random; the bare loop is what a careful user of PyTorch writes over the same network. Memory:
processes of their own that train on 20,000 images of 128 × 128, or a deep network.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from medcore.config import RunConfig, change_config, preset_config
from medcore.data.media import MediaFolder
from medcore.models import build_from_spec, network_spec
from medcore.prepare import fit_preparation, prepare_rows
from medcore.records import Block, Column, Dataset, Prepared
from medcore.train import TrainedNetwork, predict_network, train_network
from tests.benchmarks import Row, peak_memory

ROWS, BATCH, PAIRS = 640, 64, 5
FILES, MANY, LARGE, JUDGED = 2_000, 20_000, 128, 256
# The network that keeps most of an image, and images it sees whole batches of.
DEEP, FEW, SIDE = "densenet121", 256, 64
PLAIN = {"image.rotate": 0, "image.shift": 0, "image.zoom": 0, "image.intensity": 0}


def rows() -> Iterator[Row]:
    """Yield the figures of images."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield _step_row()
        yield _warm_row()
    finally:
        torch.set_num_threads(threads)
    yield _memory_row()
    yield _deep_row()


def make_rows(count: int, side: int) -> Prepared:
    """Return grey images with a signal in their brightness."""
    rng = np.random.default_rng(0)
    outcome = rng.integers(0, 2, count)
    values = rng.integers(0, 200, (count, 1, side, side)).astype(np.uint8)
    values += (outcome * 20).astype(np.uint8)[:, None, None, None]
    scale = (np.full((1, 1, 1), 110, np.float32), np.full((1, 1, 1), 58, np.float32))
    row_id, present = np.arange(count), np.ones(count, dtype=bool)
    block = Block("image", (), (), values, present, place=row_id, scale=scale, digest="made")
    return Prepared("binary", row_id, {"scan": block}, outcome, ("no", "yes"), row_id)


def _step_row() -> Row:
    prepared = make_rows(ROWS, 28)
    changes = {"model.name": "resnet_small", "train.epochs": PAIRS + 1, "train.batch_size": BATCH}
    config = change_config(RunConfig(), changes | PLAIN)
    ours = train_network("resnet_small", prepared, None, config, fit="benchmark", seed=0)
    bare = _bare_epochs(prepared, config)
    next(ours), next(bare)
    pairs = [(_seconds(ours), _seconds(bare)) for _ in range(PAIRS - 1)]
    ratio = statistics.median(mine / other for mine, other in pairs)
    mine, other = (statistics.median(times) / ROWS * 1e3 for times in zip(*pairs, strict=True))
    detail = f"{mine:.2f} ms against {other:.2f} ms an image"
    return Row("images: training step", ratio, "<= 1.1", "bare PyTorch, same network", detail)


def _bare_epochs(prepared: Prepared, config: RunConfig) -> Iterator[None]:
    torch.manual_seed(0)
    network = build_from_spec(network_spec("resnet_small", prepared.blocks, 2, config))
    body, head = network.encoder.encoders[0], nn.Linear(128, 2)
    parameters = [*body.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True)
    X = torch.from_numpy(prepared.blocks["scan"].values)
    y = torch.from_numpy(prepared.outcome)
    body.train()
    while True:
        order = torch.randperm(len(y))
        for start in range(0, len(y), BATCH):
            chosen = order[start : start + BATCH]
            values = (X[chosen].float() - 110) / 58
            loss = functional.cross_entropy(head(body(values)), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        yield


def _seconds(epochs: Iterator) -> float:
    # Of one thread: what other processes do meanwhile does not count.
    start = time.process_time()
    next(epochs)
    return time.process_time() - start


def _warm_row() -> Row:
    """Time from a read table to the first step of training, once images were decoded before."""
    with tempfile.TemporaryDirectory() as place:
        dataset, config = _draw_dataset(Path(place), FILES)
        times = [_start_training(dataset, config) for _ in range(2)]
    detail = f"instead of {times[0]:.2f} s for {FILES:,} images of {LARGE} × {LARGE}"
    return Row("images: seconds to the second start", times[1], "<= 3", "3 s", detail)


def _start_training(dataset: Dataset, config: RunConfig) -> float:
    start, begun = time.perf_counter(), []

    def stop() -> bool:
        # Asked for the first time right before the first step.
        begun.append(time.perf_counter() - start)
        return True

    rows = dataset.frame.index.to_numpy()
    preparation = fit_preparation(dataset, rows, config, ("no", "yes"))
    train = prepare_rows(preparation, dataset)
    fitting = train_network("resnet_small", train, None, config, fit="x", seed=0, stopping=stop)
    list(fitting)
    return begun[0]


def _memory_row() -> Row:
    with tempfile.TemporaryDirectory() as place:
        peak, own = _told("many", place)
    name = f"images: peak memory, {MANY:,} × {LARGE}²"
    detail = f"prepared, trained, judged; {own:.2f} GB of it not pages of the mapped files"
    return Row(name, peak, "<= 1.5", "1.5 GB", detail)


def _deep_row() -> Row:
    (peak,) = _told("deep")
    name = f"images: peak memory, DenseNet-121, {SIDE}²"
    return Row(name, peak, "<= 1.5", "1.5 GB", "batches of 128, two steps and a prediction")


def _told(*words: str) -> list[float]:
    """Return what a process of its own prints, in GB."""
    command = [sys.executable, "-m", "tests.benchmarks.pictures", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [float(word) / 1e9 for word in done.stdout.split()]


def train_deep() -> None:
    """Train a deep network on whole batches and predict; print this process's largest memory."""
    prepared = make_rows(FEW, SIDE)
    config = change_config(RunConfig(), {"model.name": DEEP, "train.epochs": 1} | PLAIN)
    fitting = train_network(DEEP, prepared, None, config, fit="deep", seed=0)
    predict_network(_finish(fitting), prepared)
    print(round(peak_memory() * 2**20))


def train_many(place: Path) -> None:
    """Prepare, train on and judge by many images; print this process's largest memory in bytes.

    First all that is resident, then the largest that is its own: pages of the mapped cache are
    counted by the first alone, and the system takes them back when it needs them. Memory does not
    grow from step to step but for those pages, so that all are looked at and training is stopped
    after half a minute.
    """
    torch.set_num_threads(1)
    dataset, config = _draw_dataset(place, MANY)
    with _own_memory() as own:
        rows = dataset.frame.index.to_numpy()
        prepared = prepare_rows(fit_preparation(dataset, rows, config, ("no", "yes")), dataset)
        prepared.blocks["scan"].values.max()
        stop = time.monotonic() + 30
        fitting = train_network(
            "resnet_small", prepared, None, config, fit="memory", seed=0,
            stopping=lambda: time.monotonic() > stop,
        )  # fmt: skip
        predict_network(_finish(fitting), prepared.take(rows[:JUDGED]))
    print(round(peak_memory() * 2**20), max(own))


def _finish(fitting: Generator[Any, None, TrainedNetwork]) -> TrainedNetwork:
    while True:
        try:
            next(fitting)
        except StopIteration as end:
            return end.value


@contextmanager
def _own_memory() -> Iterator[list[int]]:
    """Collect what this process holds beside mapped files, in bytes, some times a second."""
    seen, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            status = Path("/proc/self/status").read_text(encoding="ascii")
            seen.append(int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) * 1024)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _draw_dataset(place: Path, count: int) -> tuple[Dataset, RunConfig]:
    media, rng = MediaFolder(place / "media"), np.random.default_rng(0)
    names = [media.add(_draw(rng)) for _ in range(count)]
    frame = pd.DataFrame({"scan": names, "ill": rng.choice(["no", "yes"], count)}).astype("string")
    columns = Column("scan", "image", "input"), Column("ill", "category", "outcome")
    dataset = Dataset("many", "made", "0" * 64, frame, columns, (), media.folder)
    return dataset, change_config(preset_config("balanced", None, ["image"]), {"train.epochs": 1})


def _draw(rng: np.random.Generator) -> np.ndarray:
    small = Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8))
    return np.asarray(small.resize((LARGE, LARGE)))


if __name__ == "__main__":
    train_deep() if sys.argv[1] == "deep" else train_many(Path(sys.argv[2]))
