"""Networks over images: shapes, weights from elsewhere, held layers, changed and moved images."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from medcore.config import ImageConfig, RunConfig, change_config, load_config
from medcore.config.modalities import Modality
from medcore.data import told_modality
from medcore.errors import FitError
from medcore.models.fusion import Piece, block_spec, read_piece
from medcore.models.images import IMAGE_ENCODERS
from medcore.models.memory import HELD, LOOK_BYTES, kept_bytes, looked_at_once
from medcore.models.start import hold_frozen, start_encoder
from medcore.models.views import MOVES, count_views, move_images
from medcore.prepare import fit_preparation, prepare_rows
from medcore.prepare.pixels import PLAIN_NAMES, Shape, fit_pixels, plain_features
from medcore.train.augment import plan_augmentation
from medcore.train.images import change_images, hide_patches
from medcore.train.trained import LEARN_BYTES, LEAST_IMAGES, rows_to_learn
from tests.picture_rows import picture_dataset


@pytest.mark.parametrize("name", IMAGE_ENCODERS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 70, 96)])
def test_every_encoder_makes_vectors_of_its_width(name, shape):
    encoder = IMAGE_ENCODERS[name]({"shape": shape}).eval()
    with torch.inference_mode():
        assert tuple(encoder(torch.rand(1, *shape)).shape) == (1, encoder.width)


def test_the_default_network_is_small():
    encoder = IMAGE_ENCODERS["resnet_small"]({"shape": (1, 28, 28)})
    assert sum(parameter.numel() for parameter in encoder.parameters()) < 500_000


def test_published_sizes_are_met():
    # Without the last layer of 1,000 classes: torchvision's counts less its `fc` or `classifier`.
    published = {"resnet18": 11_176_512, "resnet50": 23_508_032, "densenet121": 6_953_856}
    published["efficientnet_b0"] = 4_007_548
    for name, count in published.items():
        encoder = IMAGE_ENCODERS[name]({"shape": (3, 224, 224)})
        assert sum(parameter.numel() for parameter in encoder.parameters()) == count, name


def test_large_networks_halve_what_is_no_longer_small_and_old_ones_stay_as_they_were():
    for name, first in (("resnet50", "conv1"), ("densenet121", "features.conv0")):
        kernels = {}
        for side, design in ((32, 2), (64, 2), (64, 1)):
            encoder = IMAGE_ENCODERS[name]({"shape": (1, side, side), "design": design})
            layer = encoder.get_submodule(first)
            kernels[side, design] = layer.kernel_size[0], layer.stride[0]
        assert kernels == {(32, 2): (3, 1), (64, 2): (7, 2), (64, 1): (3, 1)}, name
    sides = [
        IMAGE_ENCODERS["efficientnet_b0"]({"shape": (1, side, side), "design": design})
        .features(torch.zeros(1, 1, side, side)).shape[2]
        for side, design in ((32, 2), (64, 2), (64, 1), (128, 2))
    ]  # fmt: skip
    assert sides == [4, 4, 8, 4]


@pytest.mark.parametrize("name", IMAGE_ENCODERS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (1, 224, 224), (8, 1, 48, 48)])
def test_learning_keeps_no_more_than_there_is_room_for(name, shape):
    if name == "resnet3d_small" and len(shape) == 3:
        return
    spec = {"shape": shape, "design": 2, "settings": {"pooling": "mean"}}
    encoder = IMAGE_ENCODERS[name](spec).train()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    rows = rows_to_learn([(encoder, shape)], torch.device("cpu"))
    images = rows * int(np.prod(shape[:-3]))
    assert encoder.training and images >= LEAST_IMAGES
    for key, value in encoder.state_dict().items():
        assert torch.equal(value, before[key]), "looking at what it takes changed the network"
    if rows > 2 and images > LEAST_IMAGES:
        assert rows * kept_bytes(encoder, shape) <= LEARN_BYTES


def test_what_is_kept_of_a_row_is_what_pytorch_keeps():
    # A convolution keeps its input, a rectifier in place its output, of float32 each.
    encoder = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(inplace=True), torch.nn.Conv2d(4, 2, 3)
    )
    assert kept_bytes(encoder, (1, 10, 10)) == 4 * (1 * 100 + 4 * 100)
    assert looked_at_once(encoder, (1, 10, 10), 10**6) == LOOK_BYTES // (HELD * 4 * 400)


def test_weights_of_a_file_are_taken_and_colour_serves_grey(tmp_path):
    colour = IMAGE_ENCODERS["resnet18"]({"shape": (3, 224, 224)})
    values = {f"module.{name}": value for name, value in colour.state_dict().items()}
    save_file({**values, "fc.weight": torch.zeros(1000, 512)}, tmp_path / "w.safetensors")
    grey = IMAGE_ENCODERS["resnet18"]({"shape": (1, 224, 224)})
    start_encoder(grey, str(tmp_path / "w.safetensors"), 0.0)
    expected = colour.conv1.weight.sum(dim=1, keepdim=True)
    torch.testing.assert_close(grey.conv1.weight, expected)
    assert torch.equal(grey.layer4[1].conv2.weight, colour.layer4[1].conv2.weight)


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path):
    encoder = IMAGE_ENCODERS["resnet_small"]({"shape": (1, 28, 28)})
    with pytest.raises(FitError, match=r"no file of weights 'w\.safetensors'"):
        start_encoder(encoder, str(tmp_path / "w.safetensors"), 0.0)
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(FitError, match="not a safetensors file"):
        start_encoder(encoder, str(tmp_path / "w.safetensors"), 0.0)
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(FitError, match="of another network: 0 of"):
        start_encoder(encoder, str(tmp_path / "w.safetensors"), 0.0)


def test_held_layers_neither_learn_nor_gather_statistics():
    encoder = IMAGE_ENCODERS["resnet_small"]({"shape": (1, 28, 28)})
    start_encoder(encoder, "", 0.5)
    encoder.train()
    hold_frozen(encoder)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    loss = encoder(torch.rand(4, 1, 28, 28)).square().mean()
    loss.backward()
    held = [name for name, p in encoder.named_parameters() if not p.requires_grad]
    assert 0 < len(held) < len(list(encoder.parameters()))
    assert all(p.grad is None for p in encoder.parameters() if not p.requires_grad)
    assert torch.equal(encoder.state_dict()["stem.1.running_mean"], before["stem.1.running_mean"])


def test_a_layer_that_the_file_does_not_hold_learns_however_much_is_held(tmp_path):
    # Small images have a stem of their own, which published weights do not know.
    large = IMAGE_ENCODERS["resnet18"]({"shape": (3, 224, 224)})
    save_file(large.state_dict(), tmp_path / "w.safetensors")
    small = IMAGE_ENCODERS["resnet18"]({"shape": (3, 32, 32)})
    start_encoder(small, str(tmp_path / "w.safetensors"), 1.0)
    learning = [name for name, value in small.named_parameters() if value.requires_grad]
    assert learning == ["conv1.weight"]


OFF = {"rotate": 0, "shift": 0, "zoom": 0, "intensity": 0}


def a_batch(rows=16, side=20):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(rows, 1, side, side, generator=generator)


def test_switched_off_nothing_changes():
    values = a_batch()
    assert torch.equal(change_images(values, ImageConfig(**OFF).changes_for("other")), values)


@pytest.mark.parametrize(
    "setting",
    [{"rotate": 10}, {"shift": 0.1}, {"zoom": 0.2}, {"intensity": 0.3}, {"noise": 0.2},
     {"erase": 0.8}, {"flips": "horizontal"}, {"flips": "both"}],
)  # fmt: skip
def test_each_change_changes_images_and_is_drawn_from_the_seed(setting):
    values, config = a_batch(), ImageConfig(**(OFF | setting))
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        made.append(change_images(values, config.changes_for("other")))
    assert torch.equal(*made)
    assert made[0].shape == values.shape and torch.isfinite(made[0]).all()
    assert not torch.equal(made[0], values)


def test_a_turn_keeps_a_disc_in_the_middle_where_it_is_in_any_format():
    for height, width in ((21, 21), (21, 41)):
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        disc = ((y - height // 2) ** 2 + (x - width // 2) ** 2 < 36).float()[None, None]
        torch.manual_seed(0)
        turned = change_images(
            disc.repeat(8, 1, 1, 1), ImageConfig(**(OFF | {"rotate": 90})).changes_for("other")
        )
        assert (turned - disc).abs().mean() < 0.03


def test_flips_are_never_drawn_unless_asked_for():
    values = torch.zeros(64, 1, 8, 8)
    values[:, :, :, :2] = 1
    torch.manual_seed(0)
    changed = change_images(values, ImageConfig(rotate=0, shift=0.02).changes_for("other"))
    assert (changed[..., :4].mean(dim=(1, 2, 3)) > changed[..., 4:].mean(dim=(1, 2, 3))).all()


@pytest.mark.parametrize("modality", get_args(Modality))
def test_what_is_random_suits_the_modality_and_what_is_set_wins(modality):
    usual = ImageConfig(modality=modality).changes_for("other")
    # Left and right or up and down mean something, as the heart on the left.
    sided = {"other", "radiograph", "ct", "mri", "ultrasound"}
    assert (usual.flips == "none") == (modality in sided)
    assert (usual.flips == "both") == (usual.rotate == 180) == (modality in {"skin", "microscopy"})
    held = ImageConfig(modality=modality, flips="none", rotate=0).changes_for("other")
    assert held == usual._replace(flips="none", rotate=0)
    assert load_config({"image": {"modality": modality}}).image.changes_for("skin") == usual
    # Left open, what the images say of themselves decides.
    assert ImageConfig().changes_for(modality) == usual


@pytest.mark.parametrize(
    ("codes", "source", "kind"),
    [
        (["DX", "CR", None], "films", "radiograph"),
        (["CT", "CT", "CT"], "heads", "ct"),
        (["CT", "MR", "CT"], "mixed", "other"),
        (["radiotherapy"] * 3, "x", "other"),
        (None, "dermamnist_64.npz", "skin"),
        (None, "photographs", "other"),
    ],
)
def test_the_kind_of_image_is_what_all_headers_say(tmp_path, codes, source, kind):
    dataset = replace(picture_dataset(tmp_path, rows=30), source=source)
    if codes:
        dataset.frame["modality"] = pd.Series(codes * 10, dtype="string")
    assert told_modality(dataset, dataset.frame.index) == kind
    preparation = fit_preparation(dataset, dataset.frame.index.to_numpy(), RunConfig(), ())
    block = prepare_rows(preparation, dataset).blocks["scan"]
    assert block_spec(block, RunConfig())["modality"] == kind
    augmentation = plan_augmentation({"scan": block}, RunConfig(), torch.device("cpu"))
    torch.manual_seed(0)
    piece = read_piece(block, np.arange(30), torch.device("cpu"))
    changed = augmentation.change({"scan": piece}, torch.zeros(30)).inputs["scan"].values
    torch.manual_seed(0)
    expected = change_images(piece.values, ImageConfig(modality=kind).changes_for("other"))
    assert torch.equal(changed, expected)


@pytest.mark.parametrize("shape", [(64, 1, 30, 20), (64, 3, 1, 16, 16)])
def test_masking_blanks_a_share_of_an_image_s_patches(shape):
    values = torch.ones(shape)
    hidden = hide_patches(values, 0.25)
    assert set(hidden.unique().tolist()) == {0.0, 1.0}
    assert float((hidden == 0).float().mean()) == pytest.approx(0.25, abs=0.04)
    if len(shape) == 5:
        assert torch.equal(hidden[:, 0], hidden[:, 2]), "slices are hidden alike"
    # Whole patches of an eighth of the longer side, here 4 and 2 pixels.
    side = -(-max(shape[-2:]) // 8)
    corner = hidden.flatten(1, -3)[:, 0, :side, :side]
    assert all(len(patch.unique()) == 1 for patch in corner)
    assert torch.equal(hide_patches(values, 0.0), values)


def test_masking_works_where_an_image_is_the_only_input(tmp_path):
    dataset = picture_dataset(tmp_path, rows=30)
    config = change_config(RunConfig(), {"augment.mask": 0.5} | {f"image.{n}": 0 for n in OFF})
    rows = dataset.frame.index.to_numpy()
    block = prepare_rows(fit_preparation(dataset, rows, config, ()), dataset).blocks["scan"]
    device = torch.device("cpu")
    piece = read_piece(block, rows, device)
    batch = plan_augmentation({"scan": block}, config, device).change(
        {"scan": piece}, piece.present
    )
    blank = batch.inputs["scan"].values == 0
    assert 0.35 < float(blank.float().mean()) < 0.65


def test_views_move_an_image_by_a_little_each_in_its_own_way():
    spec = {"blocks": {"scan": {"kind": "image", "settings": {"views": 9}}}}
    assert count_views(spec) == len(MOVES) == 9
    values = torch.zeros(1, 1, 10, 10)
    values[..., 5, 5] = 1
    inputs = {"scan": Piece(values, torch.ones(1, dtype=torch.bool))}
    places = {tuple(view["scan"].values[0, 0].nonzero()[0].tolist()) for view in
              move_images(inputs, spec)}  # fmt: skip
    assert places == {(y, x) for y in (4, 5, 6) for x in (4, 5, 6)}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(10, 20), (20, 10), (40, 40), (3, 200)])
def test_images_keep_their_aspect_and_range_in_any_size(dtype, size):
    rng = np.random.default_rng(0)
    pixels = rng.integers(10, 200, size).astype(dtype)
    fitted = fit_pixels(pixels, Shape(1, 16, 16, dtype))
    assert fitted.shape == (1, 16, 16) and fitted.dtype == dtype
    inner = fitted[0][fitted[0] != fitted[0].min()]
    assert inner.min() >= 10 and inner.max() <= 200
    rows, columns = (np.flatnonzero((fitted[0] != fitted[0, 0, 0]).any(axis=a)) for a in (1, 0))
    if size == (10, 20):
        assert len(columns) > 1.5 * len(rows)


def test_colour_and_grey_and_depths_meet_in_one_shape():
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 255, (8, 8), np.uint8), rng.integers(0, 255, (8, 8, 3), np.uint8)
    as_colour = fit_pixels(grey, Shape(3, 8, 8, "uint8"))
    assert all(np.array_equal(plane, grey) for plane in as_colour)
    as_grey = fit_pixels(colour, Shape(1, 8, 8, "uint8"))[0].astype(float)
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.abs(as_grey - luma).max() <= 0.5001
    deep = fit_pixels(grey, Shape(1, 8, 8, "uint16"))
    assert np.array_equal(deep[0], grey.astype(np.uint16) * 257)
    assert np.array_equal(fit_pixels(deep[0], Shape(1, 8, 8, "uint8"))[0], grey)


@pytest.mark.parametrize("size", [(16, 16), (33, 20), (5, 7)])
def test_simple_features_are_means_of_a_coarse_grid_and_percentiles(size):
    values = np.random.default_rng(0).integers(0, 255, (1, *size)).astype(np.uint8)
    plain = plain_features(values)
    assert len(plain) == len(PLAIN_NAMES) and np.isfinite(plain).all()
    assert plain[PLAIN_NAMES.index("mean brightness")] == pytest.approx(values.mean(), rel=1e-5)
    assert plain[PLAIN_NAMES.index("50 % of pixels are darker")] == np.percentile(values, 50)
    if size == (16, 16):
        np.testing.assert_allclose(plain[:256].reshape(16, 16), values[0], rtol=1e-5)
