"""MedMNIST files: `.npz` with {train,val,test}_images and …_labels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from medcore.data.media.files import MediaFolder
from medcore.data.media.tables import media_dataset
from medcore.data.medmnist import known_set
from medcore.errors import DataError
from medcore.records import Column, Dataset

PARTS = ("train", "val", "test")
# The findings of ChestMNIST (NIH ChestX-ray14), in the order of its labels.
CHEST = (
    "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia",
    "pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural thickening",
    "hernia",
)  # fmt: skip
MOST_BYTES = 2 * 2**30


def is_array_file(path: Path) -> bool:
    """Tell whether a file is a zip of arrays."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    # A zip of folders of arrays is none.
    return bool(names) and all(name.endswith(".npy") and "/" not in name for name in names)


def read_arrays(path: Path, media: Path, *, name: str, sha256: str) -> Dataset:
    """Read a MedMNIST file: columns image, label (the outcome) and split (kept as given).

    Several labels an image become label_1, label_2, …, in ChestMNIST the findings' names; where all
    are 0 or 1, all of them are asked for. Raises `DataError` when it is none.
    """
    _check_size(path)
    folder, parts = MediaFolder(media), []
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for part in [part for part in PARTS if f"{part}_images" in arrays]:
                images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
                parts.append(_read_part(part, images, labels, folder, path.name))
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).strip("'\"").rstrip(".")
        raise DataError(f"'{path.name}' cannot be read as a MedMNIST file ({reason}).") from None
    if not parts:
        raise DataError(
            f"'{path.name}' has no train_images and train_labels, as a MedMNIST file has; "
            "bring a zip of images instead."
        )
    frame = pd.concat(parts, ignore_index=True)
    labels = [name for name in frame.columns if name not in ("image", "split")]
    known = known_set(path.name, name)
    if len(labels) == len(CHEST) and known is not None and known.name == "chestmnist":
        frame = frame.rename(columns=dict(zip(labels, CHEST, strict=True)))
        labels = list(CHEST)
    yes_no = all(set(frame[label]) <= {"0", "1"} for label in labels)
    asked = "outcome" if len(labels) == 1 or yes_no else "ignored"
    columns = [Column("image", "image", "input", note="Pictures of the file.")]
    columns += [Column(label, "category", asked, note="From file.") for label in labels]
    columns.append(Column("split", "category", "ignored", note="Holds the division into parts."))
    return media_dataset(frame, columns, name, path.name, sha256, media)


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MOST_BYTES:
        raise DataError(
            f"'{path.name}' would unfold to {size / 2**30:.1f} GB; at most "
            f"{MOST_BYTES / 2**30:.0f} GB are read."
        )


def _read_part(
    part: str, images: np.ndarray, labels: np.ndarray, folder: MediaFolder, file: str
) -> pd.DataFrame:
    labels = labels.reshape(len(labels), -1)
    if len(images) != len(labels):
        raise DataError(f"'{file}' has {len(images):,} {part} images, but {len(labels):,} labels.")
    if images.ndim not in (3, 4) or images.dtype.kind not in "uif":
        raise DataError(f"'{file}' holds no images in '{part}_images'.")
    names = list(_keep_images(images, folder))
    table = pd.DataFrame({"image": pd.Series(names, dtype="string")})
    several = labels.shape[1] > 1
    for place, values in enumerate(labels.T):
        words = pd.Series([f"{value:g}" for value in values.tolist()], dtype="string")
        table[f"label_{place + 1}" if several else "label"] = words
    table["split"] = pd.Series([part] * len(table), dtype="string")
    return table


def _keep_images(images: np.ndarray, folder: MediaFolder) -> Iterator[str]:
    for image in images:
        kept = image if image.dtype in (np.uint8, np.uint16) else image.astype(np.float32)
        yield folder.add(kept)
