"""Rectangles that a person blanks out in images, because names are written there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.data.dicom.clean import CODES, encode_cleaned, mark
from medcore.data.dicom.decode import Pixels, decode_pixels, read_header
from medcore.data.media.account import read_audit, write_audit
from medcore.data.media.files import MediaFolder
from medcore.data.media.pictures import read_image
from medcore.errors import DataError
from medcore.records import Dataset, LedgerEntry

DONE, BLANKED = "blanked out by hand", "blanked"


@dataclass(frozen=True)
class Rectangle:
    """A part of an image: rows `top` to `bottom`, columns `left` to `right`, ends included."""

    top: int
    left: int
    bottom: int
    right: int

    def inside(self, rows: int, columns: int) -> tuple[slice, slice]:
        """Return the rectangle's rows and columns as far as they are in an image."""
        top, bottom = sorted((self.top, self.bottom))
        left, right = sorted((self.left, self.right))
        return _between(top, bottom, rows), _between(left, right, columns)


def _between(first: int, last: int, size: int) -> slice:
    return slice(max(0, first), min(size, max(0, last + 1)))


def blank_images(
    dataset: Dataset,
    column: str,
    rectangles: Mapping[str, Sequence[Rectangle]],
    media: Path,
    go_on: Callable[[], bool] = lambda: True,
) -> Dataset | None:
    """Return the data set with rectangles of some images of a column blanked out, in every slice.

    `rectangles`: by the image's file name. All images are put into the new folder `media`; those
    that are changed get other names, and the data set another hash. `go_on` is asked after each
    image; None once it says no.
    """
    if dataset.media is None:
        raise DataError("The images are not with the table; bring them together.")
    folder, renamed = MediaFolder(media), {}
    for name, chosen in rectangles.items():
        if chosen:
            renamed[name] = _blank(dataset.media, name, chosen, folder)
            if not go_on():
                return None
    _copy_others(dataset, renamed, media)
    _add_to_audit(media, len(renamed))
    frame = dataset.frame.copy()
    changed = frame[column].isin(list(renamed))
    frame[column] = frame[column].replace(renamed).astype("string")
    if "text_in_image" in frame.columns:
        frame.loc[changed, "text_in_image"] = DONE
    told = json.dumps({n: [vars(r) for r in rs] for n, rs in sorted(rectangles.items())})
    digest = hashlib.sha256(f"{dataset.sha256}{column}{told}".encode()).hexdigest()
    count, width = len(frame), len(dataset.columns)
    images = "1 image" if len(renamed) == 1 else f"{len(renamed):,} images"
    entry = LedgerEntry("blank out", f"Parts of {images} were blanked out by hand.",
                        count, count, width, width)  # fmt: skip
    return replace(
        dataset, frame=frame, sha256=digest, media=media, ledger=(*dataset.ledger, entry),
        name=f"{dataset.name.removesuffix(', blanked')}, blanked",
    )  # fmt: skip


def _copy_others(dataset: Dataset, renamed: Mapping[str, str], media: Path) -> None:
    assert dataset.media is not None
    for path in dataset.media.iterdir():
        if path.is_file() and path.name not in renamed:
            shutil.copyfile(path, media / path.name)


def _add_to_audit(media: Path, images: int) -> None:
    """Count in the data set's audit how many images had parts blanked out."""
    audit = read_audit(media)
    write_audit(media, audit | {BLANKED: audit.get(BLANKED, 0) + images})


def _blank(source: Path, name: str, chosen: Sequence[Rectangle], folder: MediaFolder) -> str:
    if not name.endswith(".dcm"):
        pixels = read_image(source, name).copy()
        return folder.add(_fill(pixels, chosen, pixels.min(), _rows_first(pixels)))
    with (source / name).open("rb") as file:
        header = read_header(file)
    pixels = decode_pixels(header)
    dark = str(header.PhotometricInterpretation) != "MONOCHROME1"
    ground = pixels.values.min() if dark else pixels.values.max()
    filled = _fill(pixels.values.copy(), chosen, 0 if pixels.colour else ground, 1)
    codes = [item.CodeValue for item in header.DeidentificationMethodCodeSequence]
    mark(header, tuple(code for code in CODES if code in {*codes, "113101"}))
    header.BurnedInAnnotation = "NO"
    return folder.add_bytes(encode_cleaned(header, Pixels(filled, pixels.colour), header), "dcm")


def _rows_first(pixels: np.ndarray) -> int:
    """Return the axis of rows: 0 for an image, 1 for a volume."""
    return int(pixels.ndim == 3 and pixels.shape[2] != 3)


def _fill(pixels: np.ndarray, chosen: Sequence[Rectangle], value: float, axis: int) -> np.ndarray:
    for rectangle in chosen:
        place = rectangle.inside(*pixels.shape[axis : axis + 2])
        pixels[(slice(None),) * axis + place] = value
    return pixels


def suspected(dataset: Dataset) -> pd.Series:
    """Return which rows are suspected to have names written into their image."""
    if "text_in_image" not in dataset.frame.columns:
        return pd.Series(False, index=dataset.frame.index)
    words = dataset.frame["text_in_image"].astype("string")
    return words.str.startswith("suspected").fillna(False).astype(bool)
