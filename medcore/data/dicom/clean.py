"""A cleaned copy of a DICOM file: what may stay, with pseudonyms, shifted dates and new pixels.

Pixels are decoded and written anew, so that comments in compressed streams, overlays in unused
bits and whatever stands behind the last pixel do not come along either.
"""

from __future__ import annotations

import datetime
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from medcore.data.dicom.decode import Pixels
from medcore.data.dicom.keep import (
    CHARACTERISTICS,
    DATES,
    EMPTIED,
    KEEP,
    PIXEL_MODULE,
    SEQUENCES,
    UIDS,
)
from medcore.data.dicom.pseudonyms import Pseudonyms
from medcore.data.refusal import BROKEN, reading
from medcore.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

METHOD = "medcore: only safe elements kept, pixels decoded and rewritten"
OLDEST, MANY_RUNS = 89, 0.4
CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
}


@dataclass
class Audit:
    """What became of elements, counted over files; it names elements and never shows a value."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, tag: int, action: str) -> None:
        """Count one element of one file."""
        from pydicom.datadict import dictionary_description, dictionary_has_tag
        from pydicom.tag import Tag

        place = Tag(tag)
        name = "Private element" if place.is_private else "Element that the standard does not name"
        if not place.is_private and dictionary_has_tag(place):
            name = dictionary_description(place)
        self.counts[f"({place.group:04X},{place.element:04X})", name, action] += 1

    def rows(self) -> list[dict[str, str | int]]:
        """Return one row an element and action, in the order of the elements."""
        return [
            {"element": tag, "name": name, "action": action, "count": count}
            for (tag, name, action), count in sorted(self.counts.items())
        ]


@reading()
def clean_header(
    source: Dataset, pseudonyms: Pseudonyms, audit: Audit, *, characteristics: bool = False
) -> Dataset:
    """Return the elements that may stay, with pseudonyms for the others that must be there.

    `characteristics` also keeps sex, age (90 and older as 90), height and weight.
    """
    rules = KEEP | (CHARACTERISTICS if characteristics else {})
    cleaned = _keep(source, rules, audit)
    _check_tables(cleaned)
    patient = pseudonyms.patient_of(source)
    _replace(source, cleaned, pseudonyms, patient, audit)
    if cleaned.get("PatientAge"):
        cleaned.PatientAge = _cap_age(cleaned.PatientAge)
    mark(cleaned, ("113100", "113107", *(("113108",) if characteristics else ())))
    return cleaned


def _keep(source: Dataset, rules: dict, audit: Audit) -> Dataset:
    from pydicom import Dataset as Empty
    from pydicom.datadict import keyword_for_tag

    cleaned = Empty()
    for tag in list(source.keys()):
        name = "" if tag.is_private else keyword_for_tag(tag)
        if name in PIXEL_MODULE or name in UIDS or name in DATES or name in EMPTIED:
            continue
        if name in ("PatientID", "PatientName", "SOPClassUID"):
            continue
        try:
            if name in SEQUENCES:
                setattr(cleaned, name, [_keep(item, rules, audit) for item in source[tag].value])
                continue
            value = rules[name](source[tag].value) if name in rules else None
            if value is not None:
                setattr(cleaned, name, value)
                continue
        except BROKEN:  # not of the form that it must have
            cleaned.pop(tag, None)
        audit.add(tag, "removed")
    return cleaned


def _check_tables(cleaned: Dataset) -> None:
    """Drop a VOI table that is not one; without its modality table a file means nothing."""
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        if all("LUTData" in i and "LUTDescriptor" in i for i in cleaned.get(name) or ()):
            continue
        if name == "ModalityLUTSequence":
            raise DataError("has a table of values (modality LUT) that is not one")
        del cleaned[name]


def _replace(
    source: Dataset, cleaned: Dataset, pseudonyms: Pseudonyms, patient: str, audit: Audit
) -> None:
    """Write what a file must have: pseudonyms, shifted dates, empty elements."""
    from pydicom.tag import Tag

    cleaned.PatientID = cleaned.PatientName = patient
    for name in ("PatientID", "PatientName"):
        audit.add(Tag(name), "replaced by a pseudonym")
    for name in UIDS:
        if source.get(name) or name != "FrameOfReferenceUID":
            setattr(cleaned, name, pseudonyms.uid(str(source.get(name) or "")))
            audit.add(Tag(name), "replaced by a pseudonym")
    for name in DATES:
        date = read_date(source, name)
        if date is not None:
            setattr(cleaned, name, f"{pseudonyms.shift(patient, date):%Y%m%d}".zfill(8))
            audit.add(Tag(name), "shifted")
        elif name in source:
            audit.add(Tag(name), "removed")
    for name in EMPTIED:
        setattr(cleaned, name, None)
        if source.get(name):
            audit.add(Tag(name), "emptied")
    if "PatientSex" not in cleaned:
        cleaned.PatientSex = None
    sop_class = str(source.get("SOPClassUID") or "")
    known = sop_class.startswith("1.2.840.10008.") and len(sop_class) < 40
    cleaned.SOPClassUID = sop_class if known else "1.2.840.10008.5.1.4.1.1.7"


def read_date(header: Dataset, name: str) -> datetime.date | None:
    """Return a date of a file; None where it is missing or not a date."""
    try:
        text = str(header.get(name) or "").strip().replace(".", "")
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    except BROKEN:
        return None


def _cap_age(age: str) -> str:
    return f"{min(int(age[:3]), OLDEST + 1):03d}Y" if age.endswith("Y") else age


def mark(cleaned: Dataset, codes: tuple[str, ...]) -> None:
    """Write that identities were removed, and by which of the standard's methods."""
    from pydicom import Dataset as Empty

    cleaned.PatientIdentityRemoved = "YES"
    cleaned.DeidentificationMethod = METHOD
    cleaned.LongitudinalTemporalInformationModified = "MODIFIED"
    items = []
    for code in codes:
        item = Empty()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", CODES[code]
        items.append(item)
    cleaned.DeidentificationMethodCodeSequence = items


@reading()
def encode_cleaned(cleaned: Dataset, pixels: Pixels, source: Dataset) -> bytes:
    """Return a cleaned header with decoded pixels as a file's bytes, without any loss.

    Pixels are kept as run lengths where that makes them much smaller, else plain: they are read
    much more often than written, and inflating takes longer than all the rest. Fractions and 32
    bits, which are rare, are deflated.
    """
    from pydicom import FileDataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless

    put_pixels(cleaned, pixels, source)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = cleaned.SOPClassUID
    meta.MediaStorageSOPInstanceUID = cleaned.SOPInstanceUID
    file = FileDataset(None, cleaned, file_meta=meta, preamble=bytes(128))
    if "PixelData" not in cleaned or pixels.values.dtype.itemsize > 2:
        meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    elif share_of_runs(pixels.values) > MANY_RUNS:
        file.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def share_of_runs(values: np.ndarray) -> float:
    """Return the share of bytes of the middle frame that equal their neighbour of the same rank.

    >>> share_of_runs(np.zeros((1, 4, 4), np.uint16))
    1.0
    """
    frame = np.ascontiguousarray(values[len(values) // 2]).reshape(-1)
    planes = frame.view(np.uint8).reshape(len(frame), -1)
    return float((planes[1:] == planes[:-1]).mean()) if len(frame) > 1 else 0.0


def put_pixels(cleaned: Dataset, pixels: Pixels, source: Dataset) -> None:
    """Write decoded pixels, (frames, rows, columns) or (…, 3), and what describes them."""
    values = pixels.values
    whole, size = values.dtype.kind in "iu", values.dtype.itemsize
    cleaned.Rows, cleaned.Columns = values.shape[1:3]
    if len(values) > 1:
        cleaned.NumberOfFrames = len(values)
    cleaned.SamplesPerPixel = 3 if pixels.colour else 1
    photometric = str(source.get("PhotometricInterpretation"))
    grey = "MONOCHROME1" if photometric == "MONOCHROME1" else "MONOCHROME2"
    cleaned.PhotometricInterpretation = "RGB" if pixels.colour else grey
    cleaned.BitsAllocated = size * 8
    data = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    if not whole:
        name = "FloatPixelData" if size == 4 else "DoubleFloatPixelData"
        setattr(cleaned, name, data)
        return
    if pixels.colour:
        cleaned.PlanarConfiguration = 0
    stored = int(source.get("BitsStored") or size * 8)
    cleaned.BitsStored = stored if 1 < stored <= size * 8 and not pixels.colour else size * 8
    cleaned.HighBit = cleaned.BitsStored - 1
    cleaned.PixelRepresentation = int(values.dtype.kind == "i")
    cleaned.PixelData = data + b"\0" * (len(data) % 2)
    cleaned["PixelData"].VR = "OB" if size == 1 else "OW"
