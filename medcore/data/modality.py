"""What kind of images a data set holds, as far as it says so itself."""

from __future__ import annotations

import pandas as pd

from medcore.config.modalities import Modality
from medcore.data.medmnist import known_set
from medcore.records import Dataset

# Where the reader of DICOM notes what headers say; a table's own column is renamed beside it.
COLUMN = "modality"
# DICOM's own words for how images were made (PS3.3, C.7.3.1.1.1).
CODES: dict[str, Modality] = {
    **dict.fromkeys(("CR", "DX", "MG", "IO", "PX", "RG", "RF", "XA"), "radiograph"),
    "CT": "ct",
    "MR": "mri",
    **dict.fromkeys(("US", "IVUS"), "ultrasound"),
    "DMS": "skin",
    "OP": "retina",
    **dict.fromkeys(("GM", "SM"), "microscopy"),
}


def told_modality(dataset: Dataset, rows: pd.Index) -> Modality:
    """Return the kind of image that all headers of some rows agree on, or that a known set holds.

    "other" where headers differ, say something else, or nothing is known.
    """
    if COLUMN in dataset.frame.columns:
        said = dataset.frame.loc[rows, COLUMN].dropna().astype(str).str.upper().unique()
        if kinds := {CODES.get(code, "other") for code in said.tolist()}:
            return kinds.pop() if len(kinds) == 1 else "other"
    known = known_set(dataset.source, dataset.name)
    return "other" if known is None else known.modality
