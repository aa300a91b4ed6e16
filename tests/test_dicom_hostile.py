"""Files made to do harm, read the way uploads are: a sentence each, bounded, the rest goes on."""

import io
import struct
import zipfile
import zlib

import nibabel
import numpy as np
import psutil
import pytest

from medcore.data import Wishes, read_table_isolated
from medcore.errors import DataError
from tests.dicom_files import make_header, to_bytes
from tests.test_data_images import huge_png
from tests.test_dicom_brought import image, pack

GIGABYTES = 4


def zeros(bits):
    """Return gigabytes of zeros, compressed into a few megabytes without ever being there."""
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    first = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (GIGABYTES * 1024 - 1) + packer.flush()


def deflated_bomb():
    header = make_header(np.zeros((4, 4), np.uint8))
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    raw = to_bytes(header)
    start = 144 + int.from_bytes(raw[140:144], "little")
    return raw[:start] + zeros(-zlib.MAX_WBITS)


def nifti_bomb():
    head = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)).to_bytes()
    raw = bytearray(head[:352])
    raw[40:56] = struct.pack("<8h", 3, 20_000, 20_000, 10, 1, 1, 1, 1)
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    head = packer.compress(bytes(raw)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + zeros(-zlib.MAX_WBITS)


def nested():
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    begin = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff"
    return bytes(128) + b"DICM" + (begin + item) * 20_000


def wrong_lengths():
    raw = bytearray(image("1", 5))
    place = raw.index(b"\x10\x00\x10\x00PN") + 6
    raw[place : place + 2] = b"\xfe\xff"
    return bytes(raw)


def test_one_archive_of_harmful_files_costs_bounded_memory_and_the_good_one_is_read(tmp_path):
    huge = make_header(np.zeros((4, 4), np.uint16), Rows=65_000, Columns=65_000)
    huge.NumberOfFrames = 100_000
    files = {
        "1.dcm": image("4711", 1),
        "2.dcm": deflated_bomb(),
        "3.nii.gz": nifti_bomb(),
        "4.png": huge_png(40_000, 40_000),
        "5.dcm": nested(),
        "6.dcm": to_bytes(huge),
        "7.dcm": wrong_lengths(),
        "8.dcm": image("4711", 2)[:-50],
    }
    path = pack(tmp_path / "x.zip", files)
    peaks = []

    def watch():
        for child in psutil.Process().children():
            try:
                peaks.append(child.memory_info().rss)
            except psutil.Error:
                continue
        return False

    dataset = read_table_isolated(path, name="x", wishes=Wishes(), stopping=watch)
    assert len(dataset.frame) == 1
    reasons = next(e.reason for e in dataset.ledger if e.step == "unreadable images")
    for place, words in {
        2: "would unfold to more than 512 MB", 3: "20,000 × 20,000 × 10 voxels",
        4: "1,600,000,000 pixels; at most 100,000,000",
        5: "nested too deep", 6: "65,000 × 65,000 pixels", 8: "ends before its pixels do",
    }.items():  # fmt: skip
        assert f"File {place}" in reasons, reasons
        assert any(word in reasons for word in words.split("|")), reasons
    assert "File 7" in reasons
    # A third of what one such file would unfold to, and of what a small server has.
    assert max(peaks) < 2**30
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {"x.zip"}


def test_an_archive_of_100_000_files_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.dcm", image("1"))
        for place in range(100_000):
            archive.writestr(zipfile.ZipInfo(f"{place}.dcm"), b"")
    with pytest.raises(DataError, match="100,001 files; at most 50,000"):
        read_table_isolated(tmp_path / "x.zip", name="x")


def test_an_archive_that_unfolds_a_thousandfold_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", image("1"))
        archive.writestr("b.dcm", bytes(100 * 2**20))
    (tmp_path / "x.zip").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"100 MB that was packed .* unfold too far"):
        read_table_isolated(tmp_path / "x.zip", name="x")
