"""What a kept DICOM file says of itself, as a table for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medcore.data.refusal import reading

if TYPE_CHECKING:
    from pydicom import Dataset

HIDDEN = ("Pixel Data", "Float Pixel Data", "Double Float Pixel Data", "Per-Frame Functional Groups"
          " Sequence")  # fmt: skip


@reading()
def list_elements(path: Path) -> list[dict[str, str]]:
    """Return the elements of a kept file, one row each: element, name, value; inner ones indented.

    Files are kept without identities; patient, UIDs and dates are those that stand for them.
    """
    import pydicom

    return list(_rows(pydicom.dcmread(path, stop_before_pixels=True), 0))


def _rows(header: Dataset, depth: int) -> list[dict[str, str]]:
    rows = []
    for element in header:
        if element.name in HIDDEN:
            continue
        inner = element.VR == "SQ"
        rows.append(
            {
                "Element": f"({element.tag.group:04X},{element.tag.element:04X})",
                "Name": "  " * depth + element.name,
                "Value": "" if inner else _write(element.value),
            }
        )
        if inner:
            for item in element.value:
                rows += _rows(item, depth + 1)
    return rows


def _write(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if hasattr(value, "append"):
        return ", ".join(str(part) for part in value)  # type: ignore[attr-defined]
    return str(value)
