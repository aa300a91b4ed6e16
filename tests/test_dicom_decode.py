"""DICOM pixels: decoded, put into units, windowed, inverted and ordered as the standard says."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing

from medcore.data.dicom.decode import decode_pixels, read_header
from medcore.data.dicom.intensity import (
    CT_WINDOWS,
    Window,
    apply_window,
    read_values,
    show,
)
from medcore.data.dicom.series import group_slices, locate, read_spacing
from medcore.errors import DataError
from tests.dicom_files import make_header, make_item, make_slices, to_bytes

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def read(name):
    return read_header(io.BytesIO((FILES / name).read_bytes()))


def again(header):
    return read_header(io.BytesIO(to_bytes(header)))


def test_all_but_five_of_the_bundled_pixel_files_decode_and_each_of_those_says_why():
    refused, decoded = {}, 0
    for path in sorted(FILES.glob("*.dcm")):
        try:
            header = read_header(io.BytesIO(path.read_bytes()))
        except DataError:
            continue
        try:
            decode_pixels(header)
            decoded += 1
        except DataError as error:
            refused[path.stem] = str(error)
    assert refused == {
        "JPEG2000-embedded-sequence-delimiter": "holds JPEG 2000 Image Compression pixels that are "
        "damaged",
        "MR_truncated": "ends before its pixels do (8130 of 8192 bytes are there)",
        "badVR": "has a size that is not a number (a value is not what it must be)",
        "meta_missing_tsyntax": "does not say how its pixels are stored (no transfer syntax)",
        "nested_priv_SQ": "does not say its number of rows",
    }
    assert decoded == 59


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_twelve_bit_jpeg_keeps_its_twelve_bits(name):
    values = decode_pixels(read(name)).values[0]
    assert (values.dtype, values.max()) == (np.uint16, 264)
    assert (values[420, 140], values[230, 120]) == (244, 95)


def test_a_ct_reads_in_hounsfield_units():
    values = read_values(read("CT_small.dcm")).values
    assert (values.min(), values.max()) == (-896, 1167)


def test_a_colour_film_reads_as_thirty_rgb_frames():
    pixels = read_values(read("examples_ybr_color.dcm"))
    assert pixels.colour
    assert pixels.values.shape == (30, 240, 320, 3)


def test_palette_colours_are_those_of_the_table():
    header = read("examples_palette.dcm")
    expected = apply_color_lut(header.pixel_array, header)
    np.testing.assert_array_equal(decode_pixels(header).values[0], expected >> 8)


VOI_LUT = make_item(LUTDescriptor=[4096, 0, 12], LUTData=np.arange(4096, dtype=np.uint16).tobytes())


@pytest.mark.parametrize(
    ("proposed", "twin"),
    [
        ({}, {}),
        ({"WindowCenter": 700, "WindowWidth": 900}, {"WindowCenter": 4095 - 700 + 1}),
        ({"WindowCenter": 700, "WindowWidth": 900, "VOILUTFunction": "LINEAR_EXACT"},
         {"WindowCenter": 4095 - 700}),
        ({"WindowCenter": 700, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
         {"WindowCenter": 4095 - 700}),
    ],
)  # fmt: skip
def test_a_monochrome1_twin_looks_exactly_the_same(proposed, twin):
    values = np.random.default_rng(5).integers(0, 4096, (40, 30)).astype(np.uint16)
    common = {"Modality": "DX", "BitsStored": 12, "HighBit": 11} | proposed
    one = make_header(values, **common)
    other = make_header(4095 - values, **common | twin, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(show(again(one)), show(again(other)))


def test_a_monochrome1_twin_with_a_table_looks_the_same():
    values = np.arange(0, 4096, 5).astype(np.uint16).reshape(20, 41)
    common = {"Modality": "DX", "VOILUTSequence": [VOI_LUT]}
    one = show(again(make_header(values, **common)))
    other = show(
        again(make_header(4095 - values, **common, PhotometricInterpretation="MONOCHROME1"))
    )
    np.testing.assert_allclose(one, other, atol=1e-7)
    assert one.max() == pytest.approx(4095 / 4095, abs=2e-3)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(function):
    header = make_header(
        np.arange(-1000, 1001, dtype=np.int16).reshape(69, 29),
        WindowCenter=37.5, WindowWidth=410, VOILUTFunction=function,
    )  # fmt: skip
    theirs = apply_windowing(header.pixel_array, header)
    low, high = -(2**15), 2**15 - 1
    expected = (theirs - low) / (high - low)
    mine = apply_window(header.pixel_array, Window(37.5, 410), function)
    np.testing.assert_allclose(mine, expected, atol=1e-5)


def test_the_modality_table_agrees_with_pydicom():
    table = make_item(
        LUTDescriptor=[256, 0, 16], LUTData=(np.arange(256, dtype=np.uint16) * 3).tobytes()
    )
    header = make_header(np.arange(256, dtype=np.uint8).reshape(16, 16), Modality="DX",
                         ModalityLUTSequence=[table])  # fmt: skip
    header = again(header)
    expected = apply_modality_lut(header.pixel_array, header)
    np.testing.assert_array_equal(read_values(header).values[0], expected)


def test_each_frame_has_its_own_rescaling():
    values = np.ones((3, 2, 2), np.int16)
    groups = [
        make_item(PixelValueTransformationSequence=[
            make_item(RescaleSlope=slope, RescaleIntercept=-10, RescaleType="US")
        ])
        for slope in (1, 2, 5)
    ]  # fmt: skip
    header = make_header(values, PerFrameFunctionalGroupsSequence=groups)
    assert read_values(again(header)).values[:, 0, 0].tolist() == [-9, -8, -5]


def test_ct_keeps_its_whole_range_until_a_window_is_asked_for():
    header = read("CT_small.dcm")
    whole, brain = show(header), show(header, "brain")
    assert len(np.unique(whole)) > 1000
    hu = read_values(header).values
    assert (brain[hu < 0] == 0).all()
    assert (brain[hu > 80] == 1).all()
    assert set(CT_WINDOWS) == {"lung", "bone", "brain", "subdural"}
    with pytest.raises(DataError, match="is no CT"):
        show(read("MR_small.dcm"), "lung")


def test_bits_that_are_no_part_of_a_value_are_cleared():
    values = np.random.default_rng(1).integers(0, 4096, (8, 8)).astype(np.uint16)
    hidden = values | (np.uint16(0xA) << 12)
    header = make_header(hidden, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(decode_pixels(again(header)).values[0], values)
    header = make_header(values << 4, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(decode_pixels(again(header)).values[0], values)


def test_signed_values_keep_their_sign_when_bits_are_cleared():
    values = np.array([[-2048, -1], [0, 2047]], np.int16)
    header = make_header(values & 0x0FFF, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(decode_pixels(again(header)).values[0], values)


def test_constant_and_unknown_values_are_shown_as_black():
    header = make_header(np.full((4, 4), 9, np.uint8), Modality="DX")
    assert (show(again(header)) == 0).all()


# Hostile files.


def test_a_huge_declared_size_is_refused_before_any_memory_is_taken():
    header = make_header(np.zeros((4, 4), np.uint16), Rows=60_000, Columns=60_000)
    header.NumberOfFrames = 2_000_000_000
    raw = to_bytes(header)
    tracemalloc.start()
    with pytest.raises(DataError, match="60,000 × 60,000 pixels in 2,000,000,000 images"):
        decode_pixels(read_header(io.BytesIO(raw)))
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_deep_nesting_is_refused_in_a_sentence():
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    begin = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff"
    raw = bytes(128) + b"DICM" + (begin + item) * 5_000
    with pytest.raises(DataError, match=r"nested too deep|damaged"):
        read_header(io.BytesIO(raw))


@given(st.data())
@settings(max_examples=120)
def test_a_damaged_file_decodes_or_is_refused_in_a_sentence(data):
    name = data.draw(st.sampled_from(["CT_small.dcm", "MR_small_RLE.dcm", "SC_rgb_small_odd.dcm"]))
    raw = bytearray((FILES / name).read_bytes())
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    for _ in range(data.draw(st.integers(0, 4))):
        if raw:
            place = data.draw(st.integers(0, len(raw) - 1))
            raw[place] = data.draw(st.integers(0, 255))
    try:
        values = show(read_header(io.BytesIO(bytes(raw))))
        assert np.isfinite(values).all()
    except DataError as error:
        assert str(error)


def test_a_report_says_that_it_holds_no_image():
    with pytest.raises(DataError, match=r"holds no image \(Basic Text SR\)"):
        read("reportsi.dcm")


# Series.


@given(st.permutations(range(6)), st.sampled_from([0.0, 33.0]))
@settings(max_examples=30)
def test_shuffled_files_give_the_same_volume(order, turn):
    slices = make_slices(normal_turn=turn)
    (series,) = group_slices([locate(slices[i], str(i)) for i in order])
    assert [piece.key for piece in series.slices] == list("012345")
    assert series.step == pytest.approx(2.5, abs=1e-4)
    assert not series.notes


def test_gaps_and_doubles_are_reported_and_the_lower_number_is_kept():
    slices = make_slices(8)
    double = make_slices(8)[2]
    double.InstanceNumber = 99
    del slices[5]
    keys = [locate(piece, str(place)) for place, piece in enumerate(slices)]
    (series,) = group_slices([*keys, locate(double, "double")])
    assert [piece.key for piece in series.doubles] == ["double"]
    assert len(series.slices) == 7
    assert "1 file lies where another one does" in series.notes[0]
    assert "About 1 slice is missing" in series.notes[1]


def test_another_orientation_or_series_is_a_volume_of_its_own():
    slices = [*make_slices(3), *make_slices(3, normal_turn=90)]
    other = make_slices(3)
    for piece in other:
        piece.SeriesInstanceUID = "1.2.9"
    keys = [locate(piece, str(place)) for place, piece in enumerate([*slices, *other])]
    assert sorted(len(series.slices) for series in group_slices(keys)) == [3, 3, 3]


def test_spacing_is_rows_then_columns_in_millimetres():
    assert read_spacing(read("CT_small.dcm")) == pytest.approx((0.661468, 0.661468))
    assert read_spacing(make_header(np.zeros((2, 2), np.uint8))) is None
