"""Learning to look before learning to tell: an autoencoder over images without their outcome.

What its encoder learned is where a network starts from; how badly it draws a new image again, and
how far that image's code lies from the usual ones, tell how unusual the image is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medcore.config import RunConfig, generator
from medcore.errors import FitError
from medcore.models import ENCODERS, read_piece
from medcore.models.fusion import block_spec
from medcore.models.images.autoencoder import ImageAutoencoder
from medcore.models.memory import looked_at_once
from medcore.records import Block, Epoch
from medcore.train.device import memory_named, pick_device
from medcore.train.fit import Checkpoint, Fit, fit_key, read_fit, start_fit
from medcore.train.images import change_images
from medcore.train.passes import Lesson, run_passes
from medcore.train.pause import Pause
from medcore.train.trained import rows_to_learn

# A tenth of the images, these at most, are not learned from: they say when to stop, what is usual.
SET_ASIDE, MOST_ASIDE = 0.1, 2000
AT_ONCE = 64
LEAST = 20
STEPS = 101
# The spread of codes in directions that hardly any image takes is not known well.
SHRINK = 0.1


@dataclass(frozen=True, eq=False)
class TrainedAutoencoder:
    """All that is kept of an autoencoder of images.

    `spec`, ready for JSON: `block` (see `block_spec`), `usual` (shares of the images set aside by
    how unusual they are), `scale` (the usual sizes of the two errors) and the course of the fit.
    `arrays`: weights by name, and `code/mean`, `code/precision` of usual codes.
    """

    spec: dict
    arrays: dict[str, np.ndarray]

    @cached_property
    def network(self) -> ImageAutoencoder:
        """The network with its weights, ready to look."""
        with torch.random.fork_rng(devices=[]):
            network = _build(self.spec["block"])
        network.load_state_dict(
            {name: torch.from_numpy(np.array(a)) for name, a in self.arrays.items()
             if not name.startswith("code/")}
        )  # fmt: skip
        return network.requires_grad_(False).eval()

    def encoder_weights(self) -> dict[str, np.ndarray]:
        """Return the encoder's weights by their names in the encoder."""
        start = "encoder."
        return {n.removeprefix(start): a for n, a in self.arrays.items() if n.startswith(start)}


def train_autoencoder(
    blocks: Sequence[Block],
    config: RunConfig,
    *,
    fit: str,
    checkpoint: Checkpoint | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Generator[Epoch, None, TrainedAutoencoder]:
    """Learn to draw images again, those of all `blocks`; yields an `Epoch` after each pass.

    The blocks are prepared alike, and each different image counts once. `config.image.pretrain` is
    how many passes; that with the least error on images set aside is kept. Raises `FitError`.
    """
    spec, device = block_spec(blocks[0], config), pick_device(config.train.device)
    train = config.train.model_copy(
        update={"epochs": config.image.pretrain, "patience": max(config.image.pretrain, 1)}
    )
    seed = config.seed
    torch.manual_seed(int(generator(seed, "torch", fit).integers(2**62)))
    with memory_named("building the autoencoder"):
        state = start_fit(_build(spec), train, device)
        rows = rows_to_learn([(state.network.encoder, spec["shape"])], device)
    train = train.model_copy(update={"batch_size": min(train.batch_size, rows)})
    images = _list_images(blocks)
    learn, aside = _divide(images, generator(seed, fit, "aside"))
    digests = [block.digest for block in blocks]
    key = fit_key(spec, train.model_dump(), fit, seed, images, digests)
    if checkpoint is not None:
        read_fit(state, checkpoint, key)
    pause = Pause(state, checkpoint, key, stopping)
    lesson = Lesson(
        len(learn),
        lambda network, places: _loss(network, blocks, learn[places.cpu()], config, device),
        lambda network: float(_look(network, blocks, aside, device)[1].mean()),
        "of the autoencoder of images",
    )
    yield from run_passes(state, lesson, train, fit, seed, pause)
    return _finish(state, spec, blocks, (learn, aside), pause.stopped)


def unusual_shares(trained: TrainedAutoencoder, block: Block) -> np.ndarray:
    """Return the share of usual images that are less unusual than each row's, float64 (rows,).

    NaN where a row has no image.
    """
    shares = np.full(len(block.present), np.nan)
    rows = np.flatnonzero(block.present)
    if len(rows):
        images = np.column_stack([np.zeros_like(rows), rows])
        found = _look(trained.network, [block], images, torch.device("cpu"))
        scores = _scores(trained.spec["scale"], _distances(trained.arrays, found[0]), found[1])
        shares[rows] = np.interp(scores, trained.spec["usual"], np.linspace(0, 1, STEPS))
    return shares


def _build(spec: dict) -> ImageAutoencoder:
    return ImageAutoencoder(ENCODERS["image"][spec["encoder"]](spec), tuple(spec["shape"]))


def _list_images(blocks: Sequence[Block]) -> np.ndarray:
    """Return the block and the row of each different image, int64 (images, 2)."""
    found = []
    for number, block in enumerate(blocks):
        rows = np.flatnonzero(block.present)
        rows = rows[np.unique(block.place[rows], return_index=True)[1]]
        found.append(np.column_stack([np.full_like(rows, number), rows]))
    images = np.concatenate(found)
    if len(images) < LEAST:
        raise FitError(
            f"{len(images)} images are too few to learn from before training: set the passes of "
            "pre-training to 0."
        )
    return images


def _divide(images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = rng.permutation(images)
    count = min(MOST_ASIDE, max(1, round(SET_ASIDE * len(images))))
    return order[count:], order[:count]


def _read(blocks: Sequence[Block], images: np.ndarray, device: torch.device) -> Tensor:
    """Return standardised images, those of one block after those of another."""
    return torch.cat(
        [
            read_piece(block, images[images[:, 0] == number, 1], device).values
            for number, block in enumerate(blocks)
            if (images[:, 0] == number).any()
        ]
    )


def _loss(
    network: ImageAutoencoder, blocks: Sequence[Block], images: np.ndarray, config: RunConfig,
    device: torch.device,
) -> Tensor:  # fmt: skip
    told = blocks[0].traits.get("modality", "other")
    values = change_images(_read(blocks, images, device), config.image.changes_for(told))
    return network.errors(values)[1].mean()


def _look(
    network: ImageAutoencoder, blocks: Sequence[Block], images: np.ndarray, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes of some images and the errors of their drawings, float64."""
    codes, errors = [], []
    size = looked_at_once(network.encoder, blocks[0].values.shape[1:], AT_ONCE)
    with torch.inference_mode():
        for start in range(0, len(images), size):
            values = _read(blocks, images[start : start + size], device)
            code, error = network.errors(values)
            codes.append(code.cpu().double().numpy())
            errors.append(error.cpu().double().numpy())
    return np.concatenate(codes), np.concatenate(errors)


def _finish(
    state: Fit, spec: dict, blocks: Sequence[Block], parts: tuple[np.ndarray, np.ndarray],
    stopped: bool,
) -> TrainedAutoencoder:  # fmt: skip
    """Return the network with what is usual: codes of the images learned from, errors of others."""
    arrays = state.weights()
    state.network.load_state_dict({n: torch.from_numpy(a) for n, a in arrays.items()})
    network = state.network.eval()
    codes, _ = _look(network, blocks, parts[0], state.device)
    spread = np.cov(codes, rowvar=False) if len(codes) > 1 else np.eye(codes.shape[1])
    ridge = max(SHRINK * float(np.trace(spread)) / len(spread), 1e-6)
    arrays["code/mean"] = codes.mean(axis=0)
    arrays["code/precision"] = np.linalg.inv(spread + ridge * np.eye(len(spread)))
    codes, errors = _look(network, blocks, parts[1], state.device)
    distances = _distances(arrays, codes)
    scale = [max(float(np.median(values)), 1e-9) for values in (distances, errors)]
    usual = np.quantile(_scores(scale, distances, errors), np.linspace(0, 1, STEPS)).tolist()
    told: dict[str, Any] = {"block": spec, "usual": usual, "scale": scale, "stopped": stopped}
    return TrainedAutoencoder(told | {"history": state.history}, arrays)


def _distances(arrays: dict[str, np.ndarray], codes: np.ndarray) -> np.ndarray:
    """Return codes' squared Mahalanobis distances to the usual ones (Denouden et al. 2018)."""
    away = codes - arrays["code/mean"]
    return np.einsum("rc,cd,rd->r", away, arrays["code/precision"], away)


def _scores(scale: list[float], distances: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return how unusual images are: the two errors, each as a multiple of the usual one."""
    return distances / scale[0] + errors / scale[1]
