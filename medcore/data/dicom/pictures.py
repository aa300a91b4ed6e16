"""DICOM files as the arrays that networks and pages take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medcore.data.dicom.decode import read_header
from medcore.data.dicom.intensity import Window, read_values, show
from medcore.data.refusal import reading

if TYPE_CHECKING:
    from pydicom import Dataset


def is_dicom(head: bytes, name: str) -> bool:
    """Tell a DICOM file by the mark behind its preamble, or by its name."""
    return head[128:132] == b"DICM" or name.endswith((".dcm", ".dicom"))


def read_dicom(path: Path, window: str | Window = "auto") -> np.ndarray:
    """Return a file's picture; raises `DataError` (what is wrong; the caller names the file).

    CT without a window is int16 in Hounsfield units; other grey images are uint16 (uint8 where
    they have 8 bits) as they are looked at, white high; colour is uint8 (rows, columns, 3). Several
    grey frames are a volume (frames, rows, columns); of a colour film the middle frame is taken.
    """
    with path.open("rb") as file:
        header = read_header(file)
    pixels = read_values(header)
    if pixels.colour:
        frame = show(header, pixels=pixels)[len(pixels.values) // 2]
        return np.rint(frame * 255).astype(np.uint8)
    if _keeps_units(header, window):
        values = np.rint(pixels.values).clip(-(2**15), 2**15 - 1).astype(np.int16)
    else:
        depth = np.dtype(_depth(header))
        shown = show(header, window, pixels)
        shown *= np.float32(np.iinfo(depth).max)
        values = np.rint(shown, out=shown).astype(depth)
    return values[0] if len(values) == 1 else values


def _keeps_units(header: Dataset, window: str | Window) -> bool:
    return window == "auto" and header.get("Modality") == "CT"


def _depth(header: Dataset) -> str:
    stored = int(header.get("BitsStored") or 16)
    return "uint8" if stored <= 8 and "VOILUTSequence" not in header else "uint16"


@reading()
def dicom_shape(path: Path, window: str | Window = "auto") -> tuple[int, int, int, str]:
    """Return rows, columns, channels and the type of number of `read_dicom`, from the header."""
    import pydicom

    header = pydicom.dcmread(path, stop_before_pixels=True)
    rows, columns = int(header.Rows), int(header.Columns)
    if header.SamplesPerPixel == 3 or header.PhotometricInterpretation == "PALETTE COLOR":
        return rows, columns, 3, "uint8"
    is_ct = header.get("Modality") == "CT"
    depth = ("float32" if window == "auto" else "uint16") if is_ct else _depth(header)
    return rows, columns, 1, depth


@reading()
def dicom_frames(path: Path) -> int:
    """Return how many slices `read_dicom` gives, from the header."""
    import pydicom

    header = pydicom.dcmread(path, stop_before_pixels=True)
    grey = header.SamplesPerPixel != 3 and header.PhotometricInterpretation != "PALETTE COLOR"
    return max(1, int(header.get("NumberOfFrames") or 1)) if grey else 1
