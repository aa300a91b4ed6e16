"""The pointing game: do the maps of a well-taught network point at a lesion of known place?

The default network learns from 2,000 synthetic chests as the sample draws them; 200 others, each
with a lesion, are asked about. A hit is a map whose highest place lies inside the lesion, without
tolerance; "near" allows 5 pixels of 96 beyond its rim, less than the 15 of 224 of Zhang et al.
(2016). Untaught: the same network with random weights. How maps are brought to the image's size
(`medcore.models.places`) was chosen on phantoms and a network of other seeds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from medcore.config import change_config, generator, preset_config
from medcore.data.phantoms import SIZE, Phantom, draw_phantom, lesion_mask, phantom_dataset
from medcore.models import read_piece
from medcore.models.fusion import Piece
from medcore.models.saliency import METHODS, Look, points_at, randomised
from medcore.prepare import fit_preparation, prepare_rows
from medcore.train import TrainedNetwork, predict_network, train_network
from tests.benchmarks import Row

LEARN, HELD, ASKED, SEED, TOLERANCE = 2000, 300, 200, 42, 5
SHOWN = {"grad_cam": "Grad-CAM", "hires_cam": "HiRes-CAM"}


def rows() -> Iterator[Row]:
    """Yield the discrimination, and for each way of looking the share of hits."""
    from sklearn.metrics import roc_auc_score

    with tempfile.TemporaryDirectory() as place:
        network, held, piece = _teach(Path(place))
        area = roc_auc_score(held.outcome, predict_network(network, held)[:, 1])
    yield Row("pointing game: the network's AUROC", area, ">= 0.95", f"{HELD} other phantoms")
    look = Look(network.network, network.spec["network"], {"image": piece}, "image", 1)
    mean, spread = held.blocks["image"].scale
    asked = [draw_phantom(generator(SEED, "asked", number), lesion=True) for number in range(ASKED)]
    chance = float(np.mean([phantom.mask.mean() for phantom in asked]))
    for method, title in SHOWN.items():
        told = _hits(look, method, asked, mean, spread)
        blank = _hits(randomised(look, SEED), method, asked, mean, spread)
        name, detail = f"pointing game: {title}", f"{told[1]:.1%} within {TOLERANCE} pixels"
        yield Row(name, float(told[0]), ">= 0.8", "hits inside the lesion", detail)
        yield Row(f"{name}, untaught", float(blank[0]), "<= 0.1", f"by chance {chance:.1%}")


def _teach(place: Path) -> tuple[TrainedNetwork, object, Piece]:
    learned = phantom_dataset(LEARN, seed=SEED, media=place / "learn")
    other = phantom_dataset(HELD, seed=SEED + 1, media=place / "held")
    config = change_config(preset_config("balanced", None, ["image"]), {"image.views": 1})
    order = generator(SEED, "parts").permutation(LEARN)
    train, validation = np.sort(order[LEARN // 6 :]), np.sort(order[: LEARN // 6])
    preparation = fit_preparation(learned, train, config, ("no", "yes"))
    parts = (prepare_rows(preparation, learned, rows) for rows in (train, validation))
    fitting = train_network("resnet_small", *parts, config, fit="pointing", seed=SEED)
    while True:
        try:
            next(fitting)
        except StopIteration as end:
            held = prepare_rows(preparation, other)
            piece = read_piece(held.blocks["image"], np.array([0]), torch.device("cpu"))
            return end.value, held, piece


def _hits(
    look: Look, method: str, asked: list[Phantom], mean: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """Return the shares of exact and near hits."""
    hits = []
    for phantom in asked:
        values = torch.from_numpy((phantom.pixels.astype(np.float32) - mean) / spread)[None]
        piece = Piece(values, torch.ones(1, dtype=torch.bool))
        found = METHODS[method](Look(look.network, look.spec, {"image": piece}, "image", 1))
        place = (phantom.row, phantom.column, phantom.radius + TOLERANCE)
        near = lesion_mask((SIZE, SIZE), *place)
        hits.append((points_at(found, phantom.mask), points_at(found, near)))
    return np.mean(hits, axis=0)
