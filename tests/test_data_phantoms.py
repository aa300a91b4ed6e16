"""Synthetic chests: the truth about each lesion is the truth, and there are no patients in them."""

import numpy as np
import pytest

from medcore.config import generator
from medcore.data.media import read_image
from medcore.data.phantoms import draw_phantom, lesion_mask, make_phantoms, phantom_dataset


def test_the_same_seed_draws_the_same_images_and_another_one_others():
    one, two, other = make_phantoms(6, 64), make_phantoms(6, 64), make_phantoms(6, 64, seed=1)
    for a, b, c in zip(one, two, other, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        assert (a.pixels != c.pixels).any()


def test_a_lesion_lies_where_the_truth_says_and_is_as_bright():
    brighter = []
    for place in range(20):
        with_it = draw_phantom(generator(3, place), lesion=True, contrast=(0.3, 0.3))
        shape, where = with_it.pixels.shape, (with_it.row, with_it.column)
        ring = lesion_mask(shape, *where, 2.2 * with_it.radius)
        ring &= ~lesion_mask(shape, *where, 1.6 * with_it.radius)
        inside = lesion_mask(shape, *where, 0.5 * with_it.radius)
        brighter.append(with_it.pixels[inside].mean() - np.median(with_it.pixels[ring]))
        assert with_it.mask.sum() == pytest.approx(np.pi * with_it.radius**2, rel=0.35)
    # Near the edge of a lung the ring is half outside it, where all is bright.
    assert min(brighter) > 0
    assert np.median(brighter) == pytest.approx(0.27 * 255, rel=0.15)


def test_without_a_lesion_there_is_no_place_and_no_mask():
    phantom = draw_phantom(generator(0, "plain"), lesion=False)
    assert phantom.contrast == 0
    assert np.isnan(phantom.row)
    assert not phantom.mask.any()


def test_the_share_with_a_lesion_is_as_asked_and_sizes_are():
    phantoms = make_phantoms(50, 48, share=0.4)
    assert sum(phantom.contrast > 0 for phantom in phantoms) == 20
    assert {phantom.pixels.shape for phantom in phantoms} == {(48, 48)}


def test_brightness_alone_does_not_tell_the_lesion():
    phantoms = make_phantoms(300, 48)
    means = np.array([phantom.pixels.mean() for phantom in phantoms])
    lesion = np.array([phantom.contrast > 0 for phantom in phantoms])
    ranks = means.argsort().argsort()
    pairs = lesion.sum() * (~lesion).sum()
    auroc = (ranks[lesion].sum() - lesion.sum() * (lesion.sum() - 1) / 2) / pairs
    assert 0.35 < auroc < 0.65


def test_the_data_set_keeps_images_and_truth_and_says_that_it_is_synthetic(tmp_path):
    dataset = phantom_dataset(12, 48, media=tmp_path / "media")
    assert "Synthetic" in dataset.name
    assert dataset.column("lesion").role == "outcome"
    assert {dataset.column(n).role for n in ("lesion_row", "lesion_contrast")} == {"ignored"}
    first = dataset.frame.iloc[0]
    np.testing.assert_array_equal(
        read_image(dataset.media, first["image"]), make_phantoms(12, 48)[0].pixels
    )
