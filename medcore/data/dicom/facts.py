"""What a row says of its image: facts from the header that do not tell who the patient is."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from medcore.data.dicom.series import Series, read_spacing
from medcore.records import Column

if TYPE_CHECKING:
    from pydicom import Dataset

MADE = "How the image was made; a model could learn the machine or the view instead of the disease."
WHO = "A pseudonym that only this workspace gives; the same patient always has the same."
TEXT = (
    "Whether names may be written into the picture: look at those that are suspected, and blank "
    "them out on Images."
)
COLUMNS = (
    Column("patient", "category", "patient", note=WHO),
    Column("site", "category", "site", note="A pseudonym of the hospital that the file names."),
    Column("study_date", "date", "date", note="Shifted, each patient's dates alike."),
    Column("sex", "category", "input", note="From the file's header."),
    Column("age", "number", "input", "years", note="From the file's header; 90 and older as 90."),
    Column("modality", "category", "ignored", note=MADE),
    Column("body_part", "category", "ignored", note=MADE),
    Column("view", "category", "ignored", note=MADE),
    Column("laterality", "category", "ignored", note=MADE),
    Column("maker", "category", "ignored", note=MADE),
    Column("images", "number", "ignored", note="Slices or frames."),
    Column("pixel_spacing", "number", "ignored", "mm", note=MADE),
    Column("slice_spacing", "number", "ignored", "mm", note=MADE),
    Column("text_in_image", "category", "ignored", note=TEXT),
)
AGES = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def read_facts(
    cleaned: Dataset, site: str | None, date: datetime.date | None, series: Series | None = None
) -> dict[str, Any]:
    """Return the row's cells from a cleaned header; None where it does not say."""
    age = str(cleaned.get("PatientAge") or "")
    step = series.step if series is not None else cleaned.get("SpacingBetweenSlices")
    spacing = read_spacing(cleaned)
    side = cleaned.get("ImageLaterality") or cleaned.get("Laterality")
    return {
        "patient": str(cleaned.PatientID),
        "site": site,
        "study_date": date,
        "sex": {"M": "male", "F": "female", "O": "other"}.get(str(cleaned.get("PatientSex"))),
        "age": int(age[:3]) / AGES[age[3]] if age else None,
        "modality": _text(cleaned, "Modality"),
        "body_part": _text(cleaned, "BodyPartExamined"),
        "view": _text(cleaned, "ViewPosition"),
        "laterality": str(side) if side else None,
        "maker": _text(cleaned, "Manufacturer"),
        "images": int(cleaned.get("NumberOfFrames") or 1),
        "pixel_spacing": spacing[0] if spacing else None,
        "slice_spacing": float(step) if step == step and step is not None else None,
    }


def _text(cleaned: Dataset, name: str) -> str | None:
    value = cleaned.get(name)
    return str(value) if value else None
