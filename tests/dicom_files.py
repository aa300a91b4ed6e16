"""DICOM files made for tests: small images whose every element a test may set."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pydicom
from pydicom import Dataset, FileDataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"


def make_header(values: np.ndarray, **elements: object) -> FileDataset:
    """Return a grey DICOM file of whole values (rows, columns) or (frames, rows, columns)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CT
    meta.MediaStorageSOPInstanceUID = generate_uid()
    header = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    header.SOPClassUID, header.SOPInstanceUID = CT, meta.MediaStorageSOPInstanceUID
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    header.PatientID, header.PatientName, header.Modality = "4711", "Doe^Jane", "CT"
    header.Rows, header.Columns = values.shape[-2:]
    if values.ndim == 3:
        header.NumberOfFrames = len(values)
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = values.dtype.itemsize * 8
    header.BitsAllocated, header.BitsStored, header.HighBit = bits, bits, bits - 1
    header.PixelRepresentation = int(values.dtype.kind == "i")
    header.PixelData = values.tobytes()
    header["PixelData"].VR = "OW" if bits > 8 else "OB"
    for name, value in elements.items():
        setattr(header, name, value)
    return header


def make_item(**elements: object) -> Dataset:
    """Return a sequence's item."""
    item = Dataset()
    for name, value in elements.items():
        setattr(item, name, value)
    return item


def to_bytes(header: Dataset) -> bytes:
    """Return a file's bytes."""
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def inflate(raw: bytes) -> bytes:
    """Return what a kept file holds behind its file meta information, nothing of it compressed."""
    start = 144 + int.from_bytes(raw[140:144], "little")
    if DeflatedExplicitVRLittleEndian.encode() in raw[:start]:
        return zlib.decompress(raw[start:], -zlib.MAX_WBITS)
    header = pydicom.dcmread(io.BytesIO(raw))
    return raw[start:] + header.pixel_array.tobytes()


def make_slices(count: int = 6, step: float = 2.5, normal_turn: float = 0.0) -> list[FileDataset]:
    """Return the slices of a volume in which slice i holds the value i, in oblique planes."""
    turn = np.deg2rad(normal_turn)
    row = [1.0, 0.0, 0.0]
    column = [0.0, float(np.cos(turn)), float(np.sin(turn))]
    normal = np.cross(row, column)
    slices = []
    for place in range(count):
        position = [float(part) for part in np.array([-10.0, 5.0, 40.0]) + place * step * normal]
        slices.append(
            make_header(
                np.full((4, 5), place, np.int16),
                SOPInstanceUID=f"1.2.3.4.{place + 1}",
                ImagePositionPatient=[round(part, 6) for part in position],
                ImageOrientationPatient=[round(part, 6) for part in row + column],
                PixelSpacing=[0.7, 0.7],
                # Numbers as scanners and archives leave them: of no use for the order.
                InstanceNumber=(place * 7) % count,
                SliceLocation=float(-place % 3),
            )
        )
    return slices
