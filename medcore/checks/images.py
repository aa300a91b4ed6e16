"""Findings about images: names that may be written in the picture."""

from __future__ import annotations

from collections.abc import Iterator

from medcore.data.dicom.blanking import suspected
from medcore.records import Dataset, Finding


def check_images(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is to be said of the images as pictures."""
    count = int(suspected(dataset).sum())
    if count:
        images = "1 image" if count == 1 else f"{count:,} images"
        yield Finding(
            "text_in_image",
            "warning",
            ("text_in_image",),
            f"{images} may have names written in the picture",
            "Nothing was blanked out by itself. Look at them on Images, blank names out, or leave "
            "these images out: a network may also learn from letters instead of the disease.",
            {"images": count, "share": count / len(dataset.frame)},
        )
