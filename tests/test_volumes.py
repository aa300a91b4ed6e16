"""Volumes from file to prediction: slices kept, pooled or seen in 3-D, explained slice by slice."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from medcore import pipeline
from medcore.config import RunConfig, change_config
from medcore.data.media import MediaFolder, count_slices
from medcore.explanation.images import choose_slice, explain_image
from medcore.explanation.subject import open_subject
from medcore.models import read_piece
from medcore.models.images import FLAT_ENCODERS, IMAGE_ENCODERS
from medcore.models.images.slices import SlicePool
from medcore.models.saliency import METHODS, Look
from medcore.prepare import fit_preparation, prepare_rows
from medcore.prepare.pixels import PLAIN_NAMES, Shape, fit_pixels, plain_features
from medcore.records import Column, Dataset, Watch
from medcore.train import predict_network
from tests.prepared_rows import fit
from tests.test_kinds import kind_config

ROWS, SLICES, SIDE = 90, 5, 14
CLASSES = ("no", "yes")


def volume_dataset(folder, rows=ROWS):
    """Return noisy volumes, half of them with a bright ball somewhere, and in which slice."""
    rng, media = np.random.default_rng(0), MediaFolder(folder / "media")
    there = rng.random(rows) < 0.5
    centres = np.column_stack([rng.uniform(0, SLICES - 1, rows), rng.uniform(4, 10, (rows, 2))])
    z, y, x = np.mgrid[:SLICES, :SIDE, :SIDE]
    names = []
    for (depth, down, right), ball in zip(centres, there, strict=True):
        away = (3 * (z - depth)) ** 2 + (y - down) ** 2 + (x - right) ** 2
        values = rng.normal(0, 60, z.shape) + 500 * ball * (away < 9)
        names.append(media.add(values.astype(np.int16)))
    frame = pd.DataFrame({"scan": names, "ball": np.where(there, "yes", "no")}).astype("string")
    columns = (
        Column("scan", "image", "input"),
        Column("ball", "category", "outcome", None, CLASSES),
    )
    return Dataset("Balls", "balls", "1" * 64, frame, columns, (), media.folder), centres


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    return volume_dataset(tmp_path_factory.mktemp("balls"))


def learn(dataset, name, **changes):
    config = kind_config(train__epochs=8, train__learning_rate=3e-3, **changes)
    preparation = fit_preparation(dataset, np.arange(60), config, CLASSES)
    train, held = (prepare_rows(preparation, dataset, np.arange(*r)) for r in ((0, 60), (60, ROWS)))
    return fit(train, None, config, name=name)[1], train, held


@pytest.fixture(scope="module")
def pooled(balls):
    """A network whose slices are pooled by the largest."""
    return learn(balls[0], "resnet_small", image__pooling="max")


def test_a_ball_in_one_or_two_slices_is_found_where_slices_are_pooled(balls, pooled):
    network, _, held = pooled
    assert held.blocks["scan"].values.shape[1:] == (SLICES, 1, SIDE, SIDE)
    for told in (network, learn(balls[0], "resnet_small")[0]):
        right = predict_network(told, held).argmax(axis=1) == held.outcome
        assert right.mean() >= 0.8


def test_a_ball_is_found_in_three_dimensions(balls):
    network, _, held = learn(balls[0], "resnet3d_small")
    right = predict_network(network, held).argmax(axis=1) == held.outcome
    assert right.mean() >= 0.8


def test_one_slice_is_the_middle_one_as_an_image(balls):
    dataset, _ = balls
    config = kind_config(image__slices=1)
    preparation = fit_preparation(dataset, np.arange(60), config, CLASSES)
    block = prepare_rows(preparation, dataset, np.arange(3)).blocks["scan"]
    assert block.values.shape[1:] == (1, SIDE, SIDE)
    whole = np.load(dataset.media / dataset.frame.loc[0, "scan"])
    np.testing.assert_array_equal(block.gather(np.array([0]))[0, 0], whole[SLICES // 2])


def test_a_volume_s_answer_does_not_depend_on_the_order_of_slices_where_they_are_pooled():
    torch.manual_seed(0)
    for pooling in ("attention", "max", "mean"):
        spec = {"shape": [5, 1, 20, 20], "settings": {"pooling": pooling}}
        encoder = IMAGE_ENCODERS["resnet_small"](spec).eval()
        assert isinstance(encoder, SlicePool)
        values = torch.rand(2, 5, 1, 20, 20)
        with torch.inference_mode():
            torch.testing.assert_close(
                encoder(values), encoder(values[:, torch.tensor([3, 0, 4, 1, 2])])
            )


def test_attention_weighs_slices_by_shares_and_can_choose_one():
    torch.manual_seed(0)
    pool = SlicePool(FLAT_ENCODERS["resnet_small"]({"shape": (1, 20, 20)}), "attention").eval()
    vectors = torch.randn(3, 6, pool.width)
    shares = pool.slice_shares(vectors)
    assert shares.shape == (3, 6, 1)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(3, 1))
    with torch.no_grad():
        pool.weigh.weight.mul_(1e3)
    assert pool.slice_shares(vectors).amax(dim=1).min() > 0.9


@pytest.mark.parametrize("name", IMAGE_ENCODERS)
def test_every_encoder_takes_volumes(name):
    spec = {"shape": [3, 1, 24, 24], "settings": {"pooling": "max"}}
    encoder = IMAGE_ENCODERS[name](spec).eval()
    with torch.inference_mode():
        assert encoder(torch.rand(2, 3, 1, 24, 24)).shape == (2, encoder.width)


def test_slices_are_taken_evenly_and_repeated_where_there_are_fewer():
    volume = np.arange(8, dtype=np.float32)[:, None, None] * np.ones((8, 4, 4), np.float32)
    kept = fit_pixels(volume, Shape(1, 4, 4, "float32", slices=4))
    assert kept[:, 0, 0, 0].tolist() == [1, 3, 5, 7]
    kept = fit_pixels(volume[:2], Shape(1, 4, 4, "float32", slices=4))
    assert kept[:, 0, 0, 0].tolist() == [0, 0, 1, 1]
    image = fit_pixels(volume[3], Shape(1, 4, 4, "float32", slices=3))
    assert image.shape == (3, 1, 4, 4) and (image == 3).all()
    assert len(plain_features(image.mean(axis=0))) == len(PLAIN_NAMES)


def test_slices_are_counted_from_the_header(tmp_path):
    media = MediaFolder(tmp_path)
    rng = np.random.default_rng(0)
    pictures = {
        "grey": rng.integers(0, 255, (9, 9), np.uint8),
        "colour": rng.integers(0, 255, (9, 9, 3), np.uint8),
        "volume": rng.integers(0, 255, (5, 9, 9)).astype(np.int16),
    }
    counts = {name: count_slices(tmp_path, media.add(p)) for name, p in pictures.items()}
    assert counts == {"grey": 1, "colour": 1, "volume": 5}


def test_a_map_of_a_volume_has_slices_and_points_at_the_one_with_the_ball(balls, pooled):
    network, _, held = pooled
    centres = balls[1][60:]
    near = []
    for row in np.flatnonzero(held.outcome == 1)[:6]:
        piece = read_piece(held.blocks["scan"], np.array([row]), torch.device("cpu"))
        look = Look(network.network, network.spec["network"], {"scan": piece}, "scan", 1)
        found = {name: METHODS[name](look) for name in ("grad_cam", "integrated_gradients")}
        assert all(one.shape == (SLICES, SIDE, SIDE) for one in found.values())
        pixels = np.zeros((SLICES, SIDE, SIDE))
        place = choose_slice(found["grad_cam"], pixels)
        near.append(abs(place - centres[row, 0]) <= 1.01)
        assert choose_slice(METHODS["occlusion"](look), pixels) == SLICES // 2
    assert np.mean(near) >= 0.8


def test_a_run_over_volumes_is_judged(balls, tmp_path):
    settings = {
        "train.epochs": 2, "train.batch_size": 16, "train.learning_rate": 3e-3,
        "evaluate.resamples": 100, "model.name": "resnet_small", "image.views": 3,
        "image.pretrain": 2,
    }  # fmt: skip
    config = change_config(RunConfig(), settings)
    evaluation = pipeline.run(config, replace(balls[0]), Watch(), folder=tmp_path / "run")
    assert 0 <= evaluation.parts["test"].metrics["auroc"].value <= 1
    subject = open_subject(tmp_path / "run", balls[0])
    # A class activation map may be blank where nothing speaks for a class; these shares are not.
    asked = (subject, int(subject.judged[0]), "scan", "yes", "integrated_gradients")
    each = [explain_image(*asked, place) for place in range(SLICES)]
    assert [said["slice"] for said in each] == list(range(SLICES))
    assert all(said["slices"] == SLICES for said in each)
    peaks = [np.abs(said["found"]).max() for said in each]
    assert max(peaks) == pytest.approx(1)
    first = explain_image(*asked)
    assert first["slice"] == int(np.argmax(peaks))
    assert first["found"] == each[first["slice"]]["found"]
    assert len({str(said["pixels"]) for said in each}) == SLICES
