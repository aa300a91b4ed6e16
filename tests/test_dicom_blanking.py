"""Rectangles that are blanked out: gone from every byte that is kept, and nothing else is."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.checks import check_dataset
from medcore.data.dicom import read_header
from medcore.data.dicom.blanking import Rectangle, blank_images, suspected
from medcore.data.dicom.brought import Wishes, read_brought
from medcore.data.media import image_shape, read_image
from medcore.data.media.account import read_audit
from medcore.prepare.pixels import Shape, load_pixels
from tests.dicom_files import inflate, make_header, make_slices, to_bytes
from tests.test_dicom_brought import pack

NAME = np.frombuffer(b"WINTERBOTTOM", np.uint8)


def bring(tmp_path, files, **wishes):
    path = pack(tmp_path / "x.zip", files)
    return read_brought(path, tmp_path / "made" / "media", name="Scans", wishes=Wishes(**wishes))


def written(inverted=False):
    """Return a picture whose third row of pixels holds letters as values."""
    values = np.full((20, 30), 100, np.uint8)
    values[2, 5 : 5 + len(NAME)] = NAME
    photometric = "MONOCHROME1" if inverted else "MONOCHROME2"
    return to_bytes(make_header(values, Modality="US", PhotometricInterpretation=photometric))


@pytest.mark.parametrize("inverted", [False, True])
def test_what_was_written_is_in_no_byte_of_the_new_folder(tmp_path, inverted):
    dataset = bring(tmp_path, {"a.dcm": written(inverted), "b.dcm": to_bytes(make_slices(1)[0])})
    row = dataset.frame.index[suspected(dataset)][0]
    name = dataset.frame["image"][row]
    before = (dataset.media / name).read_bytes()
    assert NAME.tobytes() in inflate(before)
    done = blank_images(
        dataset, "image", {name: [Rectangle(0, 0, 4, 29)]}, tmp_path / "new" / "media"
    )
    for path in (tmp_path / "new").rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert NAME.tobytes() not in raw
            assert path.suffix != ".dcm" or NAME.tobytes() not in inflate(raw)
    kept = done.frame["image"][row]
    assert kept != name
    with (done.media / kept).open("rb") as file:
        header = read_header(file)
    codes = [item.CodeValue for item in header.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101", "113107"]
    assert header.BurnedInAnnotation == "NO"
    assert not suspected(done).any()
    assert done.sha256 != dataset.sha256
    assert read_audit(done.media)
    other = dataset.frame["image"].drop(row).iloc[0]
    assert (done.media / other).read_bytes() == (dataset.media / other).read_bytes()


@given(st.integers(-5, 25), st.integers(-5, 35), st.integers(-5, 25), st.integers(-5, 35))
@settings(max_examples=60)
def test_a_rectangle_covers_what_it_says_and_no_more(top, left, bottom, right):
    picture = np.ones((20, 30))
    picture[Rectangle(top, left, bottom, right).inside(20, 30)] = 0
    rows, columns = np.mgrid[:20, :30]
    inside = (rows >= min(top, bottom)) & (rows <= max(top, bottom))
    inside &= (columns >= min(left, right)) & (columns <= max(left, right))
    np.testing.assert_array_equal(picture == 0, inside)


def test_every_slice_of_a_volume_is_blanked_out(tmp_path):
    files = {f"{n}.dcm": to_bytes(piece) for n, piece in enumerate(make_slices(5))}
    dataset = bring(tmp_path, files, series=True)
    name = dataset.frame["image"][0]
    done = blank_images(dataset, "image", {name: [Rectangle(0, 0, 1, 1)]}, tmp_path / "n" / "media")
    volume = read_image(done.media, done.frame["image"][0])
    assert (volume[:, :2, :2] == 0).all()
    assert volume[:, 3, 3].tolist() == [0, 1, 2, 3, 4]


def test_a_picture_that_is_no_dicom_is_blanked_out_too(tmp_path):
    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(50, 255, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    dataset = bring(tmp_path, {"a.png": buffer.getvalue(), "b.dcm": written()})
    name = next(n for n in dataset.frame["image"] if n.endswith("png"))
    done = blank_images(
        dataset, "image", {name: [Rectangle(0, 0, 3, 29)]}, tmp_path / "n" / "media"
    )
    kept = read_image(done.media, next(n for n in done.frame["image"] if n.endswith("png")))
    assert len(np.unique(kept[:4])) == 1
    np.testing.assert_array_equal(kept[4:], pixels[4:])


def test_checks_warn_of_writing_in_pictures(tmp_path):
    dataset = bring(tmp_path, {"a.dcm": written(), "b.dcm": to_bytes(make_slices(1)[0])})
    (finding,) = [f for f in check_dataset(dataset) if f.code == "text_in_image"]
    assert finding.title == "1 image may have names written in the picture"


def test_a_ct_is_seen_through_the_window_that_was_asked_for(tmp_path):
    ramp = np.arange(-1000, 1000, 2, dtype=np.int16).reshape(20, 50)
    dataset = bring(tmp_path, {"a.dcm": to_bytes(make_header(ramp)), "b.dcm": written()})
    frame = dataset.frame
    ct = frame["image"][frame["modality"] == "CT"].iloc[0]
    assert read_image(dataset.media, ct).tolist() == ramp.tolist()
    brain = read_image(dataset.media, ct, "brain")
    assert brain.dtype == np.uint16
    assert (brain[ramp <= 0] == 0).all()
    assert (brain[ramp >= 80] == 65535).all()
    assert image_shape(dataset.media, ct)[3] == "float32"
    assert image_shape(dataset.media, ct, "brain")[3] == "uint16"
    us = frame["image"][frame["modality"] == "US"].iloc[0]
    np.testing.assert_array_equal(
        read_image(dataset.media, us), read_image(dataset.media, us, "brain")
    )
    whole = load_pixels(dataset.media, [ct], Shape(1, 20, 50, "float32"))
    part = load_pixels(dataset.media, [ct], Shape(1, 20, 50, "uint16", "brain"))
    assert whole.digest != part.digest
    assert np.unique(part.values).size < np.unique(whole.values).size
