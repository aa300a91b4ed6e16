"""Copies among images: found after what people do to pictures, seldom among different ones."""

import io

import numpy as np
import pytest
from PIL import Image

from medcore.data.likeness import Prints, find_copies, print_image, read_prints
from medcore.data.media import MediaFolder
from medcore.data.phantoms import make_phantoms


@pytest.fixture(scope="module")
def chests():
    return [phantom.pixels for phantom in make_phantoms(60, 160)]


def prints(images):
    exact, detail, bits = (np.array(part) for part in zip(*map(print_image, images), strict=True))
    return Prints(tuple(map(str, range(len(images)))), exact, detail, bits)


def as_jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=50)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "saved as JPEG": as_jpeg,
    "brightened": lambda image: np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8),
    "half the size": lambda image: np.asarray(Image.fromarray(image).resize((80, 80))),
    "gamma": lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8),
    "16 bits": lambda image: image.astype(np.uint16) * 257,
    "colour": lambda image: np.repeat(image[..., None], 3, axis=2),
    "written on": lambda image: np.where(np.arange(160)[:, None] < 12, 255, image).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(chests, change):
    copies = find_copies(prints(chests[:20]), prints([CHANGES[change](c) for c in chests[:20]]))
    found = {(row.first, row.second) for row in copies.itertuples()}
    assert {(n, n) for n in range(20)} <= found
    assert all(a == b for a, b in found)


def test_equal_images_are_equal_and_named_once(chests):
    copies = find_copies(prints([chests[0], chests[1], chests[0].copy()]))
    assert copies[["first", "second", "kind"]].to_numpy().tolist() == [[0, 2, "equal"]]


def test_different_chests_are_no_copies(chests):
    assert find_copies(prints(chests)).empty


def test_flat_images_are_equal_only_if_they_are():
    flat = [np.full((40, 40), grey, np.uint8) for grey in (0, 9, 9)]
    copies = find_copies(prints(flat))
    assert copies[["first", "second"]].to_numpy().tolist() == [[1, 2]]


def test_prints_are_made_once_and_read_again(tmp_path, chests):
    folder = MediaFolder(tmp_path / "media")
    names = [folder.add(chest) for chest in chests[:5]]
    first = read_prints(folder.folder, names)
    for name in names:
        (folder.folder / name).unlink()
    again = read_prints(folder.folder, names)
    np.testing.assert_array_equal(first.detail, again.detail)
    assert again.take(names[::-1]).exact.tolist() == first.take(names).exact.tolist()[::-1]


def test_no_images_have_no_copies(tmp_path):
    assert find_copies(read_prints(tmp_path / "media", [])).empty
