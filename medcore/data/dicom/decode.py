"""From a DICOM file to the values that its pixels store, or to one sentence on why not."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from medcore.data.refusal import BROKEN, is_refusal, reading, reason_of
from medcore.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

# Decoded bytes of one file; more is refused from its header, before any pixel is touched.
MOST_BYTES = 2**30
MOST_UNFOLDED = 2**29
HEAD_BYTES, DEFLATED = 4096, b"1.2.840.10008.1.2.1.99"
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
PACKAGES = {
    "1.2.840.10008.1.2.4.5": "python-gdcm",
    "1.2.840.10008.1.2.4.7": "python-gdcm",
    "1.2.840.10008.1.2.4.8": "pyjpegls",
    "1.2.840.10008.1.2.4.9": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.2": "pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg-rle",
}
TWELVE_BIT_JPEG = "1.2.840.10008.1.2.4.51"


@dataclass(frozen=True)
class Pixels:
    """Stored values, (frames, rows, columns) or (frames, rows, columns, 3) for colour (RGB)."""

    values: np.ndarray
    colour: bool


@reading()
def read_header(source: BinaryIO) -> Dataset:
    """Return a DICOM file's elements; raises `DataError` for what is not DICOM or holds no image.

    Pixels are read with it, but not decoded.
    """
    import pydicom

    _check_unfolded(source)
    header = pydicom.dcmread(source, force=True)
    if any(name in header for name in PIXELS):
        return header
    if "SOPClassUID" in header or "Rows" in header:
        kind = _name_class(header)
        if "Image" in kind:
            raise DataError(f"ends before its pixels ({kind})")
        raise DataError(f"holds no image ({kind})")
    raise DataError("is not a DICOM image")


def _check_unfolded(source: BinaryIO) -> None:
    """Refuse a deflated file that would unfold too far, before all of it is in memory."""
    head = source.read(HEAD_BYTES)
    source.seek(0)
    start = 144 + int.from_bytes(head[140:144], "little")
    if head[128:132] != b"DICM" or DEFLATED not in head[:start]:
        return
    unpacker, left, size = zlib.decompressobj(-zlib.MAX_WBITS), source.read()[start:], 0
    source.seek(0)
    while left and not unpacker.eof and size <= MOST_UNFOLDED:
        size += len(unpacker.decompress(left, 2**20))
        left = unpacker.unconsumed_tail
    if size > MOST_UNFOLDED:
        raise DataError(f"would unfold to more than {MOST_UNFOLDED // 2**20:,} MB")


def _name_class(header: Dataset) -> str:
    from pydicom.uid import UID

    identity = UID(str(header.get("SOPClassUID", "") or ""))
    return identity.name.removesuffix(" Storage") if identity.is_valid else "no kind is given"


@reading()
def decode_pixels(header: Dataset) -> Pixels:
    """Return the values as stored, colour as RGB, bits that are not part of a value cleared.

    Raises `DataError` (what the file does wrong; the caller names the file).
    """
    _check_size(header)
    try:
        values, photometric = _decode(header)
    except (DataError, MemoryError):
        raise
    except Exception as error:
        if not is_refusal(error):
            raise
        raise DataError(_explain(header, error)) from None
    if header.SamplesPerPixel == 1 and photometric == "PALETTE COLOR":
        values, photometric = _apply_palette(values, header), "RGB"
    colour, frames = photometric == "RGB", int(header.get("NumberOfFrames", 1) or 1)
    if values.ndim == (3 if colour else 2):
        values = values[None]
    if len(values) != frames:
        raise DataError(f"says it has {frames} images but holds {len(values)}")
    return Pixels(_clear_unused(values, header, photometric), colour)


def _check_size(header: Dataset) -> None:
    """Refuse what its own header says is missing, impossible or too large."""
    if header.file_meta.get("TransferSyntaxUID") is None:
        raise DataError("does not say how its pixels are stored (no transfer syntax)")
    for name, words in (
        ("Rows", "its number of rows"),
        ("Columns", "its number of columns"),
        ("BitsAllocated", "its bits per value"),
        ("SamplesPerPixel", "its values per pixel"),
        ("PhotometricInterpretation", "what its values mean (photometric interpretation)"),
    ):
        if header.get(name) in (None, ""):
            raise DataError(f"does not say {words}")
    try:
        counts = [int(header.get(n, 1) or 1) for n in ("NumberOfFrames", "Rows", "Columns")]
        bits = int(header.BitsAllocated) * int(header.SamplesPerPixel)
    except BROKEN as error:
        raise DataError(f"has a size that is not a number ({reason_of(error)})") from None
    size = counts[0] * counts[1] * counts[2] * max(bits, 8) // 8
    if min(counts) < 1 or bits < 1:
        raise DataError("says that it has no pixels")
    if size > MOST_BYTES:
        raise DataError(
            f"says that it is {counts[2]:,} × {counts[1]:,} pixels in {counts[0]:,} images; at "
            f"most {MOST_BYTES // 2**20:,} MB are opened"
        )


def _decode(header: Dataset) -> tuple[np.ndarray, str]:
    from pydicom.pixels import get_decoder

    syntax = header.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise DataError(f"is stored in a way that is not known here ({syntax.name})") from None
    if not decoder.is_available:
        raise DataError(f"needs a package to be opened: {_name_package(syntax)} for {syntax.name}")
    if syntax == TWELVE_BIT_JPEG and header.BitsStored > 8:
        return _decode_twelve_bits(header), str(header.PhotometricInterpretation)
    with _with_all_bits(header):
        values, properties = decoder.as_array(header)
    return values, str(properties["photometric_interpretation"])


@contextlib.contextmanager
def _with_all_bits(header: Dataset) -> Iterator[None]:
    """Let uncompressed values be decoded with all their bits, wherever the highest one is."""
    stored = header.get("BitsStored")
    if header.file_meta.TransferSyntaxUID.is_encapsulated or int(header.BitsAllocated) == 1:
        yield
        return
    header.BitsStored = header.BitsAllocated
    try:
        yield
    finally:
        header.BitsStored = stored


def _name_package(syntax: str) -> str:
    known = (name for start, name in PACKAGES.items() if syntax.startswith(start))
    return next(known, "one that reads it")


def _decode_twelve_bits(header: Dataset) -> np.ndarray:
    """Decode 12-bit JPEG by GDCM itself: pydicom refuses to ask it, though it is exact here."""
    import gdcm
    from pydicom.encaps import generate_frames

    count = int(header.get("NumberOfFrames", 1) or 1)
    frames = []
    for code in generate_frames(header.PixelData, number_of_frames=count):
        fragment = gdcm.Fragment()
        fragment.SetByteStringValue(code)
        fragments = gdcm.SequenceOfFragments.New()
        fragments.AddFragment(fragment)
        element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
        element.SetValue(fragments.__ref__())
        image = gdcm.Image()
        image.SetNumberOfDimensions(2)
        image.SetDimensions((header.Columns, header.Rows, 1))
        image.SetDataElement(element)
        kind = gdcm.PhotometricInterpretation.GetPIType(str(header.PhotometricInterpretation))
        image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
        syntax = gdcm.TransferSyntax.GetTSType(TWELVE_BIT_JPEG)
        image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
        stored = int(header.BitsStored)
        image.SetPixelFormat(gdcm.PixelFormat(1, 16, stored, stored - 1, 0))
        values = image.GetBuffer().encode("utf-8", "surrogateescape")
        frames.append(np.frombuffer(values, "<u2").reshape(header.Rows, header.Columns))
    return np.stack(frames)


def _apply_palette(values: np.ndarray, header: Dataset) -> np.ndarray:
    """Return 8-bit RGB of palette indices."""
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(values, header)
    return (colours >> 8).astype(np.uint8) if colours.dtype.itemsize > 1 else colours


def _clear_unused(values: np.ndarray, header: Dataset, photometric: str) -> np.ndarray:
    """Clear bits above those stored, where old files keep overlays, names and all."""
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    if values.dtype.kind not in "iu" or photometric == "RGB":
        return values
    size, stored = values.dtype.itemsize * 8, int(header.get("BitsStored") or header.BitsAllocated)
    if int(header.BitsAllocated) == 1 or not 0 < stored < size:
        return values
    top = stored - 1
    if not header.file_meta.TransferSyntaxUID.is_encapsulated:
        top = min(max(int(header.get("HighBit") or 0), top), size - 1)
    # Shifting up and back again keeps a signed value's sign.
    return (values << (size - 1 - top)) >> (size - stored)


def _explain(header: Dataset, error: Exception) -> str:
    text = str(error)
    if "less than expected" in text:
        found = [word for word in text.replace("(", " ").split() if word.isdigit()]
        most = f" ({found[0]} of {found[1]} bytes are there)" if len(found) > 1 else ""
        return f"ends before its pixels do{most}"
    if "bits_stored" in text or "Bits" in text:
        return f"contradicts itself on the bits of its values ({reason_of(error)})"
    syntax = header.file_meta.get("TransferSyntaxUID")
    if getattr(syntax, "is_compressed", False) and syntax.is_encapsulated:
        return f"holds {syntax.name.split(' (')[0]} pixels that are damaged"
    return f"has pixels that cannot be decoded ({reason_of(error)})"
