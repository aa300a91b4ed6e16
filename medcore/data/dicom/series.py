"""Slices to volumes: grouped by series and orientation, ordered by where they lie in the body.

Order and spacing come from the position along the normal of the image plane, never from instance
numbers, slice locations or file names, which scanners and archives fill as they please.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medcore.data.dicom.intensity import functional_group
from medcore.data.refusal import BROKEN, reading

if TYPE_CHECKING:
    from pydicom import Dataset

# Millimetres within which two slices count as lying in the same place.
SAME_PLACE = 0.01
# A step this much longer than the usual one means that slices are missing between.
GAP = 1.5


@dataclass(frozen=True)
class Slice:
    """Where one file of a series lies; `key` is the caller's name for it.

    `orientation`: row and column direction (6 cosines), `position`: of the first pixel, mm; None
    where the file does not say. `order` breaks ties: what the file says of its own number.
    """

    key: str
    series: str
    shape: tuple[int, int]
    spacing: tuple[float, float] | None = None
    orientation: tuple[float, ...] | None = None
    position: tuple[float, ...] | None = None
    order: tuple[int, str] = (0, "")


@dataclass(frozen=True)
class Series:
    """Slices in order; `step` is the distance between neighbours in mm (NaN where unknown).

    `doubles` are slices in a place that another one holds; `notes` say what is odd.
    """

    series: str
    slices: tuple[Slice, ...]
    step: float
    doubles: tuple[Slice, ...] = ()
    notes: tuple[str, ...] = ()


@reading()
def locate(header: Dataset, key: str) -> Slice:
    """Return where a single-frame file lies in its series."""
    orientation = _plane(header, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    position = _plane(header, "PlanePositionSequence", "ImagePositionPatient", 3)
    spacing = read_spacing(header)
    return Slice(
        key, str(header.get("SeriesInstanceUID") or key), (header.Rows, header.Columns),
        spacing, orientation, position,
        (_own_number(header), str(header.get("SOPInstanceUID"))),
    )  # fmt: skip


def _own_number(header: Dataset) -> int:
    try:
        return int(header.get("InstanceNumber") or 0)
    except BROKEN:  # it only breaks ties
        return 0


def _plane(header: Dataset, group: str, name: str, count: int) -> tuple[float, ...] | None:
    place = functional_group(header, 0, group) or header
    return _numbers(place.get(name), count)


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(part) for part in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None


def read_spacing(header: Dataset) -> tuple[float, float] | None:
    """Return the millimetres from row to row and from column to column, if the file says so."""
    place = functional_group(header, 0, "PixelMeasuresSequence") or header
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        found = _numbers(place.get(name), 2)
        if found is not None and min(found) > 0:
            return found[0], found[1]
    return None


def group_slices(slices: Sequence[Slice]) -> tuple[Series, ...]:
    """Return the series that slices form, whatever order they come in."""
    groups: dict[tuple, list[Slice]] = {}
    for piece in sorted(slices, key=lambda s: (s.series, s.order, s.key)):
        turn = None if piece.orientation is None else tuple(np.round(piece.orientation, 3) + 0.0)
        groups.setdefault((piece.series, piece.shape, turn, piece.position is None), []).append(
            piece
        )
    return tuple(_order(group) for group in groups.values())


def _order(group: list[Slice]) -> Series:
    first = group[0]
    if len(group) == 1:
        return Series(first.series, tuple(group), float("nan"))
    if first.orientation is None or first.position is None:
        note = f"{len(group)} files do not say where they lie; each is an image of its own."
        return Series(first.series, tuple(group), float("nan"), notes=(note,))
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    places = [float(np.dot(normal, piece.position)) for piece in group]
    # The sort is stable: of two in one place the one with the lower number comes first.
    ordered = sorted(zip(places, range(len(group)), group, strict=True))
    kept, doubles = [ordered[0]], []
    for entry in ordered[1:]:
        (doubles if entry[0] - kept[-1][0] < SAME_PLACE else kept).append(entry)
    steps = np.diff([place for place, _, _ in kept])
    step = float(np.median(steps)) if len(steps) else float("nan")
    return Series(
        first.series,
        tuple(piece for *_, piece in kept),
        step,
        tuple(piece for *_, piece in doubles),
        tuple(_describe(steps, step, len(doubles))),
    )


def _describe(steps: np.ndarray, step: float, doubles: int) -> list[str]:
    notes = []
    if doubles:
        files = "1 file lies" if doubles == 1 else f"{doubles} files lie"
        notes.append(f"{files} where another one does; the one with the lower number is kept.")
    gaps = steps > GAP * step
    if gaps.any():
        missing = int(np.sum(np.maximum(np.rint(steps[gaps] / step) - 1, 1)))
        slices = "1 slice is" if missing == 1 else f"{missing} slices are"
        notes.append(
            f"About {slices} missing: {int(gaps.sum())} of {len(steps)} steps between slices are "
            f"longer than the usual {step:.3g} mm (the longest {steps.max():.3g} mm)."
        )
    elif len(steps) and (np.abs(steps - step) > max(0.01 * step, SAME_PLACE)).any():
        notes.append(f"Steps between slices vary from {steps.min():.3g} to {steps.max():.3g} mm.")
    return notes
