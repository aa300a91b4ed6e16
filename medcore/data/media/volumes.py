"""TIFF and NIfTI: pages and slices as volumes, without what their headers say of anybody."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from medcore.data.media.rasters import MOST_PIXELS, Picture, plain_pixels
from medcore.data.refusal import reading
from medcore.errors import DataError

MOST_VOXELS = 2**28
# Enough for the header; extensions may follow.
HEAD_BYTES = 4096
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SHUFFLED = "its pages differ in size or colour; save them as files of their own"


def is_tiff(head: bytes, _: str) -> bool:
    """Tell a TIFF file by its first bytes."""
    return head.startswith(TIFF_MARKS)


def decode_tiff(path: Path, name: str) -> Picture:
    """Decode a TIFF file; several grey pages of one size are the slices of a volume."""
    try:
        with reading():
            return _decode_tiff(path)
    except DataError as error:
        raise DataError(f"'{name}' {error}.") from None


def _decode_tiff(path: Path) -> Picture:
    from PIL import Image, ImageOps, ImageSequence

    with Image.open(path, formats=("TIFF",)) as image:
        pages = getattr(image, "n_frames", 1)
        if image.width * image.height > MOST_PIXELS or (
            image.width * image.height * pages > MOST_VOXELS
        ):
            raise DataError(
                f"has {pages:,} pages of {image.width:,} × {image.height:,} pixels, more than is "
                "read; make it smaller"
            )
        found = [plain_pixels(ImageOps.exif_transpose(p)) for p in ImageSequence.Iterator(image)]
    if len(found) == 1:
        return Picture(found[0])
    if len({page.shape for page in found}) > 1 or found[0].ndim != 2:
        raise DataError(f"holds {len(found):,} pages that are no volume: {SHUFFLED}")
    return Picture(np.stack(found).astype(np.float32), volume=True)


def is_nifti(head: bytes, name: str) -> bool:
    """Tell a NIfTI file by its name or by the mark in its header."""
    return name.endswith((".nii", ".nii.gz")) or head[344:348] in (b"n+1\0", b"ni1\0")


def decode_nifti(path: Path, name: str) -> Picture:
    """Decode a NIfTI file into (slices, rows, columns) from feet to head, seen from the feet.

    The patient's right is on the left, as radiologists look at it; of a series in time the first
    volume is taken. `meta` holds the spacing in mm (slices, rows, columns).
    """
    try:
        with reading():
            return _decode_nifti(path.read_bytes())
    except DataError as error:
        raise DataError(f"'{name}' {error}.") from None


def _decode_nifti(raw: bytes) -> Picture:
    import nibabel

    packed = raw if raw[:2] == b"\x1f\x8b" else b""
    if packed:
        raw = _unpack(packed, HEAD_BYTES)
    kind = nibabel.Nifti2Image if raw[:4] in (b"\x1c\2\0\0", b"\0\0\2\x1c") else nibabel.Nifti1Image
    image: Any = kind.from_bytes(raw)
    voxels = int(np.prod(image.shape[:3], dtype=np.float64))
    if not 1 <= voxels <= MOST_VOXELS or len(image.shape) < 2:
        raise DataError(f"says that it is {' × '.join(f'{n:,}' for n in image.shape)} voxels")
    size = int(image.dataobj.offset) + voxels * image.get_data_dtype().itemsize
    if packed:
        # No more than the header speaks of, whatever the rest would unfold to.
        raw = _unpack(packed, size * max(1, int(np.prod(image.shape[3:], dtype=np.float64))))
        image = kind.from_bytes(raw)
    if len(raw) < size:
        raise DataError(f"ends early ({len(raw):,} of {size:,} bytes are there)")
    while len(image.shape) > 3:
        image = image.slicer[..., 0] if len(image.shape) == 4 else _first(image)
    if len(image.shape) == 2:
        return Picture(_plain(np.asanyarray(image.dataobj).T[::-1]))
    image = nibabel.as_closest_canonical(image)
    values = _plain(np.asanyarray(image.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1])
    steps = [round(float(step), 4) for step in image.header.get_zooms()[:3]]
    if len(values) == 1:
        return Picture(values[0], {"spacing": steps[1::-1]})
    return Picture(values, {"spacing": steps[::-1]}, volume=True)


def _first(image: Any) -> Any:
    return image.slicer[(slice(None),) * 4 + (0,) * (len(image.shape) - 4)]


def _unpack(raw: bytes, size: int) -> bytes:
    most = MOST_VOXELS * 8
    if size > most:
        raise DataError(f"would unfold to more than {most // 2**30} GB")
    # Not by the file-like reader: it would reserve all that it may read at most.
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(raw, size)


def _plain(values: np.ndarray) -> np.ndarray:
    """Return whole values that fit as int16 (Hounsfield units stay), all others as float32."""
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and values.dtype != np.uint16:
        return np.ascontiguousarray(values, dtype=np.int16)
    finite = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    return np.ascontiguousarray(finite)
