"""DICOM: decoding, units and windows, series, and de-identification.

pydicom is imported at first use: the server starts without it.
"""

from medcore.data.dicom.clean import Audit, clean_header, encode_cleaned, read_date
from medcore.data.dicom.decode import Pixels, decode_pixels, read_header
from medcore.data.dicom.intensity import CT_WINDOWS, Window, apply_window, read_values, show
from medcore.data.dicom.pseudonyms import Pseudonyms
from medcore.data.dicom.series import Series, Slice, group_slices, locate, read_spacing

__all__ = [
    "CT_WINDOWS",
    "Audit",
    "Pixels",
    "Pseudonyms",
    "Series",
    "Slice",
    "Window",
    "apply_window",
    "clean_header",
    "decode_pixels",
    "encode_cleaned",
    "group_slices",
    "locate",
    "read_date",
    "read_header",
    "read_spacing",
    "read_values",
    "show",
]
