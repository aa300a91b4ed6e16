"""From DICOM files as they come to a data set: decoded, cleaned, grouped, listed.

Files are known by their place in what was brought ("file 12"): their names may tell who somebody
is and go no further than this process. What cannot be read is listed with its reason.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from medcore.data.dicom.burned import suspect_text
from medcore.data.dicom.clean import Audit, clean_header, encode_cleaned, read_date
from medcore.data.dicom.decode import MOST_BYTES, PIXELS, Pixels, decode_pixels, read_header
from medcore.data.dicom.facts import read_facts
from medcore.data.dicom.intensity import rescale, show
from medcore.data.dicom.joining import Keys, path_keys
from medcore.data.dicom.members import Member
from medcore.data.dicom.pseudonyms import Pseudonyms
from medcore.data.dicom.series import Series, group_slices, locate
from medcore.data.media.looks import describe_look
from medcore.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass
class Arrived:
    """What came of the files so far: rows, how a table may name each, and what was set aside."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    audit: Audit = field(default_factory=Audit)
    lost: int = 0

    def refuse(self, sentence: str, files: int = 1) -> None:
        """List why so many files could not be read."""
        self.refused.append(sentence)
        self.lost += files


def read_members(
    members: Sequence[Member],
    keep: Callable[[bytes, str], str],
    pseudonyms: Pseudonyms,
    *,
    series: bool = False,
    characteristics: bool = False,
    tell: Callable[[int], None] = lambda _: None,
) -> Arrived:
    """Read DICOM files into rows, one an image, or one a series where `series`.

    `keep(bytes, ending)` keeps a cleaned file and returns its name; `tell` hears how many files
    are done.
    """
    arrived, done = Arrived(), 0
    units = _series(members, arrived) if series else (([member], None) for member in members)
    for unit, found in units:
        whole = list(_decode(unit, arrived))
        try:
            if whole:
                row, keys = _make_row(
                    whole, found, keep, pseudonyms, arrived.audit, characteristics
                )
                arrived.rows.append(row)
                arrived.keys.append(keys)
        except DataError as error:
            several = f" and {len(whole) - 1:,} more of its series" if len(whole) > 1 else ""
            arrived.refuse(f"{whole[0].member.label}{several} {error}.", len(whole))
        if 0 < len(whole) < len(unit):
            arrived.notes.append(
                f"The series of {unit[0].label} goes on without {len(unit) - len(whole):,} of its "
                f"{len(unit):,} slices, which could not be read."
            )
        done += len(unit)
        tell(done)
    return arrived


@dataclass(frozen=True)
class _Whole:
    """A file that could be decoded."""

    member: Member
    header: Dataset
    pixels: Pixels


def _decode(unit: Sequence[Member], arrived: Arrived) -> Iterator[_Whole]:
    """Yield the files that can be decoded; list the others."""
    size = 0
    for member in unit:
        try:
            header = read_header(io.BytesIO(member.read()))
            pixels = decode_pixels(header)
            size += pixels.values.nbytes
            if size > MOST_BYTES:
                raise DataError(f"and those before it make a volume of over {MOST_BYTES >> 30} GB")
            for name in PIXELS:
                header.pop(name, None)
            yield _Whole(member, header, pixels)
        except DataError as error:
            arrived.refuse(f"{member.label} {error}.")


def _series(
    members: Sequence[Member], arrived: Arrived
) -> Iterator[tuple[list[Member], Series | None]]:
    """Yield the files of each series in order; files of several frames are one each."""
    by_key, slices = {str(member.number): member for member in members}, []
    for member in members:
        try:
            header = read_header(io.BytesIO(member.read()))
            if int(header.get("NumberOfFrames") or 1) > 1:
                yield [member], None
                continue
            slices.append(locate(header, str(member.number)))
        except (DataError, TypeError, ValueError) as error:
            said = error if isinstance(error, DataError) else "has a size that is not a number"
            arrived.refuse(f"{member.label} {said}.")
    for place, found in enumerate(group_slices(slices), 1):
        arrived.notes += [f"Series {place}: {note}" for note in found.notes]
        if found.slices[0].position is None:
            # Without places they are views or repeats, not slices of one volume.
            yield from (([by_key[piece.key]], None) for piece in found.slices)
            continue
        yield [by_key[piece.key] for piece in found.slices], found


def _make_row(
    whole: Sequence[_Whole],
    series: Series | None,
    keep: Callable[[bytes, str], str],
    pseudonyms: Pseudonyms,
    audit: Audit,
    characteristics: bool,
) -> tuple[dict[str, Any], Keys]:
    first, middle = whole[0], whole[len(whole) // 2]
    reasons = suspect_text(middle.header, _look(middle.header, middle.pixels))
    cleaned = [
        clean_header(one.header, pseudonyms, audit, characteristics=characteristics)
        for one in whole
    ]
    head, joined = cleaned[0], first.pixels
    if len(whole) > 1:
        joined = _stack([one.pixels for one in whole])
        _describe_frames(head, cleaned, series)
    row = read_facts(head, pseudonyms.site_of(first.header), read_date(head, "StudyDate"), series)
    row["images"] = len(joined.values)
    row["text_in_image"] = "suspected: " + "; ".join(reasons) if reasons else "none seen"
    row |= describe_look(joined.values, joined.colour)
    row["image"] = keep(encode_cleaned(head, joined, first.header), "dcm")
    names = path_keys([one.member.name for one in whole])
    return row, Keys(names | _identifiers([one.header for one in whole]))


def _look(header: Dataset, pixels: Pixels) -> np.ndarray:
    """Return the middle frame as it is looked at."""
    frame = pixels.values[len(pixels.values) // 2][None]
    values = frame if pixels.colour else rescale(frame, header)
    return show(header, "file", Pixels(values, pixels.colour))[0]


def _stack(pixels: Sequence[Pixels]) -> Pixels:
    kinds = {(p.values.shape[1:], p.colour) for p in pixels}
    if len(kinds) > 1:
        raise DataError("are of different sizes or colours, though of one series")
    return Pixels(np.concatenate([p.values for p in pixels]), pixels[0].colour)


def _describe_frames(cleaned: Dataset, frames: Sequence[Dataset], series: Series | None) -> None:
    """Give each frame of a joined series its own place and rescaling."""
    from pydicom import Dataset as Item

    groups = []
    for frame in frames:
        group, place, values = Item(), Item(), Item()
        if "ImagePositionPatient" in frame:
            place.ImagePositionPatient = frame.ImagePositionPatient
            group.PlanePositionSequence = [place]
        values.RescaleSlope = frame.get("RescaleSlope", 1)
        values.RescaleIntercept = frame.get("RescaleIntercept", 0)
        values.RescaleType = frame.get("RescaleType", "US")
        group.PixelValueTransformationSequence = [values]
        groups.append(group)
    cleaned.PerFrameFunctionalGroupsSequence = groups
    if series is not None and np.isfinite(series.step):
        cleaned.SpacingBetweenSlices = round(series.step, 6)


def _identifiers(headers: Sequence[Dataset]) -> dict[str, frozenset[str]]:
    return {
        way: frozenset(
            str(header.get(name) or "").strip().lower() for header in headers if header.get(name)
        )
        for way, name in (
            ("image UID", "SOPInstanceUID"),
            ("series UID", "SeriesInstanceUID"),
            ("study UID", "StudyInstanceUID"),
            ("accession number", "AccessionNumber"),
            ("patient ID", "PatientID"),
        )
    }
