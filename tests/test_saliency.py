"""Where a network looked: maps find what was planted, and random weights give other maps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from medcore.data.media import MediaFolder
from medcore.errors import ConfigError, FitError
from medcore.explanation.images import METHODS as TITLES
from medcore.explanation.images import explain_image
from medcore.explanation.subject import open_subject
from medcore.models import build_from_spec, read_piece
from medcore.models.saliency import (
    METHODS,
    PATCH_SHARE,
    PATH_STEPS,
    Look,
    _map_layer,
    class_score,
    integrated_gradients,
    map_likeness,
    points_at,
    randomised,
)
from medcore.prepare import fit_preparation, prepare_rows
from medcore.records import Column, Dataset
from medcore.store import load_dataset, local_workspace, open_home
from tests.finished_runs import finish_run
from tests.prepared_rows import fit
from tests.test_kinds import kind_config

ROWS, SIDE, RADIUS = 160, 24, 4


def planted(folder):
    """Return noise with or without a bright disc, and the discs' centres."""
    rng, media = np.random.default_rng(0), MediaFolder(folder)
    centres = rng.uniform(RADIUS, SIDE - RADIUS, (ROWS, 2))
    there = rng.random(ROWS) < 0.5
    y, x = np.mgrid[:SIDE, :SIDE]
    names = []
    for (row, column), disc in zip(centres, there, strict=True):
        lit = 110 * ((y - row) ** 2 + (x - column) ** 2 < RADIUS**2) * disc
        noise = rng.normal(70, 20, (SIDE, SIDE))
        names.append(media.add((noise + lit).clip(0, 255).astype(np.uint8)))
    frame = pd.DataFrame({"scan": names, "disc": np.where(there, "yes", "no")}).astype("string")
    columns = (
        Column("scan", "image", "input"),
        Column("disc", "category", "outcome", None, ("no", "yes")),
    )
    return Dataset("Discs", "discs", "0" * 64, frame, columns, (), folder), centres


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small network that tells whether there is a disc, the rows, and the discs' centres."""
    dataset, centres = planted(tmp_path_factory.mktemp("discs") / "media")
    config = kind_config(train__epochs=8, train__learning_rate=3e-3)
    rows = prepare_rows(fit_preparation(dataset, np.arange(ROWS), config, ("no", "yes")), dataset)
    _, network = fit(rows, None, config, name="resnet_small")
    return network, rows, centres


def look_at(trained, row, place):
    network, rows, _ = trained
    piece = read_piece(rows.blocks["scan"], np.array([row]), torch.device("cpu"))
    return Look(network.network, network.spec["network"], {"scan": piece}, "scan", place)


@pytest.mark.parametrize("method", METHODS)
def test_a_map_has_the_image_s_size_and_points_at_what_was_planted(trained, method):
    _, rows, centres = trained
    y, x = np.mgrid[:SIDE, :SIDE]
    hits = []
    for row in np.flatnonzero(rows.outcome == 1)[:12]:
        found = METHODS[method](look_at(trained, row, 1))
        assert found.shape == (SIDE, SIDE) and np.isfinite(found).all()
        near = (y - centres[row, 0]) ** 2 + (x - centres[row, 1]) ** 2 < (1.5 * RADIUS) ** 2
        hits.append(points_at(found, near))
    # By chance one in five.
    assert np.mean(hits) >= 0.75


def test_integrated_gradients_add_up_to_the_difference_of_the_scores(trained):
    look = look_at(trained, 0, 1)
    found = integrated_gradients(look)
    values = look.inputs["scan"].values
    with torch.no_grad():
        difference = float(look.score(values) - look.score(torch.zeros_like(values)))
    assert found.sum() == pytest.approx(difference, abs=0.15 * abs(difference) + 0.05)
    assert PATH_STEPS >= 16


def test_the_maps_are_those_of_captum(trained):
    from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion

    look = look_at(trained, 0, 1)
    values = look.inputs["scan"].values.clone().requires_grad_(True)
    layer = LayerGradCam(look.score, _map_layer(look))
    theirs = layer.attribute(values, relu_attributions=True)
    theirs = LayerAttribution.interpolate(theirs, (SIDE, SIDE), "bilinear")
    assert METHODS["grad_cam"](look) == pytest.approx(theirs.detach()[0, 0].numpy(), abs=1e-5)
    theirs = IntegratedGradients(look.score).attribute(
        values, n_steps=PATH_STEPS, method="riemann_middle", internal_batch_size=1
    )
    assert integrated_gradients(look) == pytest.approx(theirs.detach().sum(1)[0].numpy(), abs=1e-5)
    patch = SIDE // PATCH_SHARE
    theirs = Occlusion(look.score).attribute(values.detach(), (1, patch, patch), (1, 1, 1), 0)
    # Captum's patches end at the border, ours reach over it.
    inside = (slice(SIDE - patch + 1),) * 2
    ours = METHODS["occlusion"](look)[inside]
    assert ours == pytest.approx(theirs[0, 0].numpy()[inside], abs=1e-4)


def test_random_weights_give_another_map(trained):
    likeness = []
    for row in range(6):
        look = look_at(trained, row, 1)
        found, blank = (METHODS["occlusion"](one) for one in (look, randomised(look, 5)))
        likeness.append(map_likeness(found, blank))
    assert abs(np.mean(likeness)) < 0.5


def test_what_is_asked_of_a_class_is_its_log_odds():
    output = torch.tensor([[[1.0, 3.0, 0.0]]])
    risk = output.softmax(2)[0, 0, 1]
    assert float(class_score(output, 1)) == pytest.approx(float(torch.log(risk / (1 - risk))))
    assert class_score(torch.tensor([[[4.0]], [[5.0]]]), 0).tolist() == [4.0, 5.0]


def test_likeness_is_spearman_s_correlation():
    from scipy.stats import spearmanr

    one, other = np.random.default_rng(0).normal(size=(2, 9, 9))
    expected = spearmanr(one.ravel(), other.ravel()).statistic
    assert map_likeness(one, other) == pytest.approx(expected)
    assert np.isnan(map_likeness(one, np.zeros((9, 9))))


def test_a_network_of_patches_says_why_it_has_no_map(trained):
    network = trained[0]
    spec = network.spec["network"]
    block = spec["blocks"]["scan"] | {"encoder": "vit_small"}
    spec = {**spec, "network": "vit_small", "blocks": {"scan": block}}
    look = look_at(trained, 0, 1)
    patches = replace(look, network=build_from_spec(spec).eval(), spec=spec)
    with pytest.raises(FitError, match="choose occlusion"):
        METHODS["grad_cam"](patches)
    assert METHODS["occlusion"](patches).shape == (SIDE, SIDE)


def test_a_run_s_image_is_explained_with_its_sanity_check():
    workspace = local_workspace(open_home())
    run = finish_run(workspace, "pictures")
    subject = open_subject(run.folder, load_dataset(workspace, run.dataset))
    row = int(subject.split.parts["test"][0])
    for method in TITLES:
        said = explain_image(subject, row, "scan", "upper", method)
        found = np.array(said["found"])
        assert found.shape == (16, 16) and np.abs(found).max() <= 1
        assert said["layer"] == ("stages of resnet_small" if method.endswith("cam") else "")
        assert np.array(said["pixels"]).max() == 255 and said["weight"] == pytest.approx(1)
    with pytest.raises(ConfigError, match="nothing there to look at"):
        explain_image(subject, 3, "scan", "upper", "occlusion")
    with pytest.raises(ConfigError, match="no way of explaining"):
        explain_image(subject, row, "scan", "upper", "magic")
