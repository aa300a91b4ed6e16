"""From stored values to what is looked at: modality LUT, then window or VOI LUT, then inversion.

The order is that of the standard (PS3.3 C.7.6.16, C.11.1, C.11.2); each step takes the result of
the one before. CT keeps Hounsfield units until a window is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from medcore.data.dicom.decode import Pixels, decode_pixels
from medcore.data.refusal import reading
from medcore.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset


class Window(NamedTuple):
    """Centre and width of the values that are told apart."""

    centre: float
    width: float


# Hounsfield units.
CT_WINDOWS: Mapping[str, Window] = {
    "lung": Window(-600, 1500),
    "bone": Window(400, 1800),
    "brain": Window(40, 80),
    "subdural": Window(75, 215),
}
# What a scanner of 12 bits can tell apart, in Hounsfield units.
WHOLE_CT = Window(1023.5, 4096)


@reading()
def read_values(header: Dataset) -> Pixels:
    """Decode and apply the modality LUT: Hounsfield units for CT; colour stays as it is.

    Shape as in `Pixels`; grey values are float32.
    """
    pixels = decode_pixels(header)
    return pixels if pixels.colour else Pixels(rescale(pixels.values, header), False)


def rescale(values: np.ndarray, header: Dataset) -> np.ndarray:
    """Apply the modality LUT of each frame (frames, rows, columns) and return float32."""
    if header.get("ModalityLUTSequence"):
        return _look_up(values, header.ModalityLUTSequence[0])[0]
    factors = [_rescaling(header, frame) for frame in range(len(values))]
    if all(factor == (1.0, 0.0) for factor in factors):
        return values.astype(np.float32)
    slope, intercept = (np.array(part, np.float64)[:, None, None] for part in zip(*factors))  # noqa: B905
    return (values * slope + intercept).astype(np.float32)


def _rescaling(header: Dataset, frame: int) -> tuple[float, float]:
    place = functional_group(header, frame, "PixelValueTransformationSequence") or header
    slope, intercept = (place.get(name) for name in ("RescaleSlope", "RescaleIntercept"))
    return _number(slope, 1.0), _number(intercept, 0.0)


def functional_group(header: Dataset, frame: int, name: str) -> Dataset | None:
    """Return a frame's functional group: its own, else the shared one, else None."""
    for sequence, place in (
        ("PerFrameFunctionalGroupsSequence", frame),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        groups = header.get(sequence)
        if groups is not None and place < len(groups):
            found = groups[place].get(name)
            if found is not None and len(found):
                return found[0]
    return None


def _number(value: object, otherwise: float) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return otherwise
    return number if np.isfinite(number) else otherwise


def file_window(header: Dataset, frame: int = 0) -> Window | None:
    """Return the first window that the file itself proposes for a frame, if any."""
    place = functional_group(header, frame, "FrameVOILUTSequence") or header
    pair = [place.get(name) for name in ("WindowCenter", "WindowWidth")]
    first = [v[0] if isinstance(v, list) or hasattr(v, "append") else v for v in pair if v]
    if len(first) < 2:
        return None
    window = Window(_number(first[0], np.nan), _number(first[1], np.nan))
    return window if np.isfinite(window).all() and window.width > 0 else None


def apply_window(values: np.ndarray, window: Window, function: str = "LINEAR") -> np.ndarray:
    """Return values as float32 in 0–1 by a VOI function of PS3.3 C.11.2.1.

    >>> apply_window(np.array([-1e3, 39.5, 1e3]), Window(40, 80)).tolist()
    [0.0, 0.5, 1.0]
    """
    centre, width = window
    values = np.asarray(values, np.float32)
    if function == "SIGMOID":
        return (1 / (1 + np.exp(-4 * (values - centre) / width))).astype(np.float32)
    if function == "LINEAR" and width > 1:
        centre, width = centre - 0.5, width - 1
    # In place: what an image costs is mostly the passes over it.
    shown = np.subtract(values, np.float32(centre))
    shown /= np.float32(width)
    shown += np.float32(0.5)
    return np.clip(shown, 0, 1, out=shown)


@reading()
def show(
    header: Dataset, window: str | Window = "auto", pixels: Pixels | None = None
) -> np.ndarray:
    """Return a file as it is looked at: float32 in 0–1, (frames, rows, columns) or (…, 3).

    `window`: "auto" (the whole range of CT, else "file"), "file" (the file's own VOI LUT or
    window, else its range of values), a name of `CT_WINDOWS`, or a window of one's own. White is
    high, whatever the file's photometric interpretation.
    """
    pixels = pixels or read_values(header)
    if pixels.colour:
        most = np.iinfo(pixels.values.dtype).max if pixels.values.dtype.kind == "u" else 1.0
        return (pixels.values / np.float32(most)).astype(np.float32)
    inverted = str(header.PhotometricInterpretation) == "MONOCHROME1"
    if isinstance(window, str):
        window = _named(window, header)
    if window is not None:
        return _in_window(pixels.values, window, "LINEAR", inverted)
    frames = enumerate(pixels.values)
    return np.stack([_as_proposed(values, header, place, inverted) for place, values in frames])


def _named(name: str, header: Dataset) -> Window | None:
    """Return the window that a name stands for; None for what the file itself proposes."""
    is_ct = header.get("Modality") == "CT"
    if name == "auto":
        return WHOLE_CT if is_ct else None
    if name == "file":
        return None
    if name not in CT_WINDOWS:
        raise DataError(f"cannot be shown with '{name}'; there are {', '.join(CT_WINDOWS)}")
    if not is_ct:
        raise DataError(f"is no CT, so the window '{name}' in Hounsfield units means nothing")
    return CT_WINDOWS[name]


def _in_window(values: np.ndarray, window: Window, function: str, inverted: bool) -> np.ndarray:
    """Apply a window, white at the low end if inverted: exactly as for the negated values."""
    if not inverted:
        return apply_window(values, window, function)
    centre = -window.centre + (function == "LINEAR" and window.width > 1)
    return apply_window(-values, Window(centre, window.width), function)


def _as_proposed(values: np.ndarray, header: Dataset, frame: int, inverted: bool) -> np.ndarray:
    """Apply what the file proposes for a frame: its VOI LUT, its window, else its range."""
    if header.get("VOILUTSequence"):
        shown, most = _look_up(values, header.VOILUTSequence[0])
        return 1 - shown / most if inverted else shown / most
    window = file_window(header, frame)
    if window is None:
        return stretch(-values if inverted else values)
    return _in_window(values, window, str(header.get("VOILUTFunction") or "LINEAR"), inverted)


def _look_up(values: np.ndarray, item: Dataset) -> tuple[np.ndarray, float]:
    """Return values through a look-up table as float32, and the most that it can hold."""
    count, first, bits = (int(part) for part in item.LUTDescriptor)
    table = item.LUTData
    if isinstance(table, bytes | bytearray):
        table = np.frombuffer(table, "<u2" if len(table) >= 2 * (count or 65536) else "u1")
    table = np.asarray(table, np.float32)[: count or 65536]
    places = np.clip(np.rint(values).astype(np.int64) - first, 0, len(table) - 1)
    return table[places], float(2**bits - 1)


def stretch(values: np.ndarray) -> np.ndarray:
    """Return values as float32 in 0–1 from the least to the largest; a constant image is 0.

    >>> stretch(np.array([2, 3, 4])).tolist(), stretch(np.array([7, 7])).tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.0])
    """
    values = np.asarray(values, np.float32)
    known = np.isfinite(values)
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 0.0)
    if high <= low:
        return np.zeros_like(values)
    return np.where(known, (values - low) / (high - low), 0).astype(np.float32)
