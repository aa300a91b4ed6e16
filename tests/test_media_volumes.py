"""TIFF and NIfTI: the same picture however it lies in the file; hostile ones refused."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
from PIL import Image

from medcore.data.media import decode_image
from medcore.errors import DataError


def anatomy():
    """Return a volume (right→left, back→front, feet→head), every voxel different."""
    return np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def save_nifti(path, codes, values=None, steps=(1.0, 2.0, 3.0), kind=nibabel.Nifti1Image):
    """Save `anatomy` with its axes stored in another order and direction."""
    image = kind(anatomy() if values is None else values, np.diag([-steps[0], *steps[1:], 1]))
    now = nibabel.orientations.io_orientation(image.affine)
    wanted = nibabel.orientations.axcodes2ornt(codes)
    image = image.as_reoriented(nibabel.orientations.ornt_transform(now, wanted))
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("codes", ["LAS", "RAS", "PIR", "SAL", "IPL"])
def test_a_nifti_file_gives_the_same_slices_however_it_is_stored(tmp_path, codes):
    picture = decode_image(save_nifti(tmp_path / "x.nii.gz", codes))
    assert picture.volume
    # Slices from feet to head, rows from front to back, the patient's right on the left.
    expected = anatomy().transpose(2, 1, 0)[:, ::-1, :]
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.meta["spacing"] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_both_versions_and_scaled_values_are_read(tmp_path, kind):
    values = np.random.default_rng(3).normal(size=(4, 5, 6)).astype(np.float32)
    path = save_nifti(tmp_path / "x.nii", "LAS", values, kind=kind)
    np.testing.assert_allclose(
        decode_image(path).pixels, values.transpose(2, 1, 0)[:, ::-1, :], rtol=1e-6
    )


def test_of_a_series_in_time_the_first_volume_is_taken(tmp_path):
    values = np.stack([anatomy(), anatomy() + 1000], axis=3)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1, 1, 1, 1])), tmp_path / "x.nii")
    assert decode_image(tmp_path / "x.nii").pixels.max() == anatomy().max()


def test_a_truncated_nifti_file_says_that_it_ends_early(tmp_path):
    path = save_nifti(tmp_path / "x.nii", "LAS")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=r"'x.nii' ends early"):
        decode_image(path)


def test_huge_declared_nifti_dimensions_are_refused(tmp_path):
    path = save_nifti(tmp_path / "x.nii", "LAS")
    raw = bytearray(path.read_bytes())
    raw[40:56] = struct.pack("<8h", 3, 30_000, 30_000, 30_000, 1, 1, 1, 1)
    path.write_bytes(raw)
    with pytest.raises(DataError, match="30,000 × 30,000 × 30,000 voxels"):
        decode_image(path)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x1f\x8b\x08rubbish", b"n+1" * 200, gzip.compress(b"x")],
    ids=["empty", "half zipped", "repeated", "zipped"],
)
def test_rubbish_named_nifti_is_refused_in_a_sentence(tmp_path, raw):
    (tmp_path / "x.nii.gz").write_bytes(raw)
    with pytest.raises(DataError, match=r"x\.nii\.gz"):
        decode_image(tmp_path / "x.nii.gz")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_file_keeps_its_depth(tmp_path, dtype):
    values = (np.random.default_rng(0).random((7, 9)) * 200).astype(dtype)
    Image.fromarray(values).save(tmp_path / "x.tif")
    pixels = decode_image(tmp_path / "x.tif").pixels
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels, values)


def test_pages_of_a_tiff_file_are_a_volume_if_they_are_alike(tmp_path):
    pages = [Image.fromarray(np.full((5, 6), n, np.uint8)) for n in range(4)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    picture = decode_image(tmp_path / "x.tif")
    assert picture.volume
    assert picture.pixels[:, 0, 0].tolist() == [0, 1, 2, 3]
    pages[0].save(tmp_path / "y.tif", save_all=True, append_images=[pages[1].resize((3, 3))])
    with pytest.raises(DataError, match="2 pages that are no volume"):
        decode_image(tmp_path / "y.tif")


def test_a_damaged_tiff_file_is_refused_in_a_sentence(tmp_path):
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(tmp_path / "x.tif")
    raw = (tmp_path / "x.tif").read_bytes()
    (tmp_path / "x.tif").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"'x\.tif' is damaged"):
        decode_image(tmp_path / "x.tif")
