"""Image files decoded to arrays, and media read back.

`DECODERS` is the table of formats, told by content: (does the head look like it, decode). Each
decoder returns a `Picture` or raises `DataError` with a sentence that names the file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from medcore.data.dicom.intensity import CT_WINDOWS, apply_window
from medcore.data.dicom.pictures import dicom_frames, dicom_shape, is_dicom, read_dicom
from medcore.data.media.rasters import Picture, decode_raster, is_raster
from medcore.data.media.volumes import decode_nifti, decode_tiff, is_nifti, is_tiff
from medcore.errors import DataError

HEAD_BYTES = 512
ENDINGS = (
    ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".dcm", ".dicom", ".nii",
    ".nii.gz", ".npy",
)  # fmt: skip


def decode_image(path: Path, name: str = "") -> Picture:
    """Decode an image file; raises `DataError` that says which file and why.

    `name` is what the file is called in that sentence.
    """
    name = name or path.name
    if not path.stat().st_size:
        raise DataError(f"'{name}' is empty.")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for looks, decode in DECODERS:
        if looks(head, path.name.lower()):
            return decode(path, name)
    raise DataError(f"'{name}' is not an image that can be read (DICOM, PNG, JPEG, TIFF, NIfTI).")


def is_image(name: str) -> bool:
    """Tell whether a file is named like an image."""
    return name.lower().endswith(ENDINGS)


def _decode_dicom(path: Path, name: str) -> Picture:
    try:
        pixels = read_dicom(path)
    except DataError as error:
        raise DataError(f"'{name}' {error}.") from None
    return Picture(pixels, volume=pixels.ndim == 3 and pixels.shape[2] != 3)


def _is_array(head: bytes, _: str) -> bool:
    return head.startswith(b"\x93NUMPY")


def _decode_array(path: Path, name: str) -> Picture:
    try:
        pixels = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise DataError(f"'{name}' cannot be read as an array of numbers.") from None
    colour = pixels.ndim == 3 and pixels.shape[2] in (3, 4)
    if pixels.dtype.kind not in "uif" or pixels.ndim not in (2, 3) or not pixels.size:
        raise DataError(f"'{name}' does not hold an image: (height, width) numbers are needed.")
    if pixels.dtype not in (np.uint8, np.uint16, np.int16):
        pixels = pixels.astype(np.float32)
    return Picture(pixels[..., :3] if colour else pixels, volume=pixels.ndim == 3 and not colour)


DECODERS: list[tuple[Callable[[bytes, str], bool], Callable[[Path, str], Picture]]] = [
    (is_dicom, _decode_dicom),
    (is_raster, decode_raster),
    (is_tiff, decode_tiff),
    (is_nifti, decode_nifti),
    (_is_array, _decode_array),
]


def read_image(folder: Path, name: str, window: str = "auto") -> np.ndarray:
    """Return a kept image's pixels (see `MediaFolder.add`); raises `DataError` if damaged.

    `window`: a name of `CT_WINDOWS`, in which Hounsfield units become uint16; others stay as they
    are.
    """
    path = folder / name
    try:
        if path.suffix == ".npy":
            return _in_window(np.load(path, allow_pickle=False), window)
        if path.suffix == ".dcm":
            return _in_window(read_dicom(path), window)
        return decode_raster(path, name).pixels
    except (OSError, ValueError, EOFError):
        raise DataError(f"The kept image '{name}' cannot be read; bring the data again.") from None


def _in_window(pixels: np.ndarray, window: str) -> np.ndarray:
    if window == "auto" or pixels.dtype != np.int16:
        return pixels
    return np.rint(65535 * apply_window(pixels, CT_WINDOWS[window])).astype(np.uint16)


def image_shape(folder: Path, name: str, window: str = "auto") -> tuple[int, int, int, str]:
    """Return height, width, channels and the type of number of a kept image, from its header.

    The type is that of the cache: "float32" for Hounsfield units, unless seen through a `window`.
    """
    path = folder / name
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            colour = array.ndim == 3 and array.shape[2] == 3
            height, width = array.shape[:2] if array.ndim == 2 or colour else array.shape[1:]
            windowed = window != "auto" and array.dtype == np.int16
            return height, width, 3 if colour else 1, "uint16" if windowed else "float32"
        if path.suffix == ".dcm":
            return dicom_shape(path, window)
        from PIL import Image

        with Image.open(path) as image:
            channels = 3 if image.mode == "RGB" else 1
            return (
                image.height,
                image.width,
                channels,
                "uint16" if image.mode[0] == "I" else "uint8",
            )
    except (OSError, ValueError, EOFError):
        raise DataError(f"The kept image '{name}' cannot be read; bring the data again.") from None


def count_slices(folder: Path, name: str) -> int:
    """Return how many slices a kept image has, from its header; 1 where it is no volume."""
    path = folder / name
    try:
        if path.suffix == ".npy":
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
            return shape[0] if len(shape) == 3 and shape[2] != 3 else 1
        return dicom_frames(path) if path.suffix == ".dcm" else 1
    except (OSError, ValueError, EOFError):
        raise DataError(f"The kept image '{name}' cannot be read; bring the data again.") from None
