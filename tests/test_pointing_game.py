"""The pointing game: do maps point at a lesion whose place is known, and only once taught?

A hit is a map whose highest place lies inside the lesion itself, without any tolerance. The network
is the best of three, taught on other chests, by its hits on phantoms other than those asked here.
"""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from medcore.config import RunConfig, change_config, generator, preset_config
from medcore.data.phantoms import draw_phantom
from medcore.models.fusion import Piece
from medcore.models.images import IMAGE_ENCODERS
from medcore.models.places import Places, watch_places
from medcore.models.saliency import MAP_LAYERS, METHODS, Look, points_at, randomised
from medcore.records import Block, Prepared
from medcore.train import predict_network
from tests.prepared_rows import fit

SIDE, MIDDLE, SPREAD = 40, 90.0, 40.0
LEARN, JUDGE, ASKED = 400, 100, 200


def draw(count, name, *, lesion=None):
    """Return small chests, every second one with a lesion, or all with or without one."""
    return [
        draw_phantom(
            generator(0, name, place), lesion=bool(place % 2) if lesion is None else lesion,
            size=SIDE, radius=(0.1, 0.15), contrast=(0.2, 0.4),
        )
        for place in range(count)
    ]  # fmt: skip


def prepare(chests):
    row_id = np.arange(len(chests))
    values = np.stack([chest.pixels for chest in chests])[:, None]
    scale = tuple(np.full((1, 1, 1), number, np.float32) for number in (MIDDLE, SPREAD))
    block = Block(
        "image", (), (), values, np.ones(len(row_id), bool), place=row_id, scale=scale, digest="x"
    )
    outcome = np.array([int(chest.contrast > 0) for chest in chests])
    return Prepared("binary", row_id, {"image": block}, outcome, ("no", "yes"), row_id)


@pytest.fixture(scope="module")
def taught():
    changes = {"train.epochs": 8, "train.batch_size": 32, "image.views": 1}
    config = change_config(preset_config("balanced", RunConfig(), ["image"]), changes)
    learn, judge = prepare(draw(LEARN, "b")), prepare(draw(JUDGE, "bj"))
    return fit(learn, judge, config, name="resnet_small")[1]


def count_hits(look, method, chests):
    hits = []
    for chest in chests:
        values = (torch.from_numpy(chest.pixels.copy()).float()[None, None] - MIDDLE) / SPREAD
        piece = Piece(values, torch.ones(1, dtype=torch.bool))
        asked = Look(look.network, look.spec, {"image": piece}, "image", 1)
        hits.append(points_at(METHODS[method](asked), chest.mask))
    return float(np.mean(hits))


def test_maps_point_at_the_lesion_once_the_network_was_taught_and_not_before(taught):
    chests = draw(ASKED, "asked", lesion=True)
    held = prepare(draw(ASKED, "held"))
    assert roc_auc_score(held.outcome, predict_network(taught, held)[:, 1]) > 0.95
    chance = np.mean([chest.mask.mean() for chest in chests])
    piece = Piece(torch.zeros(1, 1, SIDE, SIDE), torch.ones(1, dtype=torch.bool))
    look = Look(taught.network, taught.spec["network"], {"image": piece}, "image", 1)
    for method in ("grad_cam", "hires_cam"):
        assert count_hits(look, method, chests) >= 0.8
        untaught = [count_hits(randomised(look, n), method, chests[::4]) for n in range(4)]
        assert np.mean(untaught) < chance + 0.15


@pytest.mark.parametrize("name", MAP_LAYERS)
@pytest.mark.parametrize("side", [48, 160])
def test_a_place_of_a_map_lies_where_the_network_looks_from_there(name, side):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = IMAGE_ENCODERS[name]({"shape": (1, side, side)}).double()
    for module in encoder.modules():
        # Linear networks of positive weights look evenly to all sides of where they look from.
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        if isinstance(module, torch.nn.MaxPool2d):
            module.forward = lambda values, own=module: torch.nn.functional.avg_pool2d(
                values, own.kernel_size, own.stride, own.padding
            )
    encoder.eval()
    layer = dict(encoder.named_modules())[MAP_LAYERS[name]]
    values = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    with watch_places(encoder, layer) as seen:
        encoder(values)
    places = seen.output.shape[2]
    middle = places // 2
    (seen_from,) = torch.autograd.grad(seen.output[0, :, middle, middle].sum(), values)
    weight = seen_from[0, 0].sum(dim=1)
    centre = float((weight * torch.arange(side)).sum() / weight.sum())
    # Where the view is wider than the image its border cuts a part of it off.
    expected = seen.first[0] + seen.step[0] * middle
    assert centre == pytest.approx(expected, abs=0.25 * seen.step[0])


def test_a_map_is_brought_to_an_image_s_size_with_its_peak_in_its_place():
    values = np.zeros((5, 6))
    values[1, 4] = 1.0
    seen = Places(first=[1.0, 2.0], step=[8.0, 4.0])
    found = seen.spread(values, (40, 24))
    assert found.shape == (40, 24)
    assert np.unravel_index(found.argmax(), found.shape) == (9, 18)
    # Two neighbours that are alike point between them.
    values[1, 3] = 1.0
    found = seen.spread(values, (40, 24))
    assert np.unravel_index(found.argmax(), found.shape) == (9, 16)
    np.testing.assert_allclose(seen.spread(np.full((5, 6), 3.0), (40, 24)), 3.0)
