"""Text written into pictures: suspected where it is, and seldom where it is not."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont

from medcore.data.dicom import read_header, show
from medcore.data.dicom.burned import looks_written_on, suspect_text
from medcore.data.phantoms import make_phantoms
from tests.dicom_files import make_header

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
WRITTEN = {"examples_jpeg2k.dcm", "examples_palette.dcm", "examples_rgb_color.dcm"}


@pytest.fixture(scope="module")
def chests():
    return [phantom.pixels / 255 for phantom in make_phantoms(8, 256)]


def write(picture, size, at, ink=1.0):
    """Write a name into a picture."""
    image = Image.fromarray((255 * picture).astype(np.uint8))
    ImageDraw.Draw(image).text(
        at, "WINTERBOTTOM AGATHA 1947-11-03", fill=int(255 * ink), font=ImageFont.load_default(size)
    )
    return np.asarray(image) / 255


@pytest.mark.parametrize("size", [10, 12, 16, 24])
@pytest.mark.parametrize("at", [(4, 4), (4, 226), (120, 4)])
def test_a_name_near_an_edge_is_seen(size, at):
    ground = np.clip(np.random.default_rng(2).normal(0.1, 0.02, (256, 256)), 0, 1)
    assert not looks_written_on(ground)
    assert looks_written_on(write(ground, size, at))


def test_black_letters_on_a_light_ground_are_seen():
    assert looks_written_on(write(np.full((256, 256), 0.9), 14, (4, 4), ink=0))


def test_chests_without_writing_are_not_suspected(chests):
    assert not any(looks_written_on(chest) for chest in chests)


def test_of_the_bundled_files_those_with_writing_are_seen_and_no_others():
    seen = set()
    for path in FILES.glob("examples_*.dcm"):
        if looks_written_on(show(read_header(io.BytesIO(path.read_bytes())))[0]):
            seen.add(path.name)
    for name in ("CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm"):
        assert not looks_written_on(show(read_header(io.BytesIO((FILES / name).read_bytes())))[0])
    assert seen == WRITTEN


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "the file says so"),
        ({"Modality": "US"}, "ultrasound"),
        ({"Modality": "OT"}, "of another kind"),
        ({"ImageType": ["DERIVED", "SECONDARY"]}, "saved screen"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "captured from a screen"),
        ({"DateOfSecondaryCapture": "20200101"}, "captured from a screen"),
    ],
)
def test_the_header_alone_raises_the_suspicion(elements, reason):
    header = make_header(np.zeros((64, 64), np.uint8), **elements)
    (said,) = suspect_text(header, np.zeros((64, 64)))
    assert reason in said


def test_a_plain_ct_is_not_suspected_and_a_file_that_says_no_is_believed():
    header = make_header(np.zeros((64, 64), np.uint8))
    assert suspect_text(header, np.zeros((64, 64))) == ()
    header = make_header(np.zeros((64, 64), np.uint8), Modality="US", BurnedInAnnotation="NO")
    assert suspect_text(header, np.zeros((64, 64))) == ()
    assert suspect_text(header, write(np.zeros((256, 256)), 12, (4, 4)))
