"""What folders tell of the files in them: the part of the data, the class, the patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from medcore.data.media.account import count_things

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val",
         "validation": "val", "dev": "val", "test": "test", "testing": "test"}  # fmt: skip
# More folders than this, with fewer files each, are patients rather than classes.
MOST_CLASSES, FEWEST_FILES = 20, 5
SHOWN = 12


@dataclass(frozen=True)
class Places:
    """Of each file the part (`split`), the class (`label`) and the patient; None where untold."""

    split: list[str | None]
    label: list[str | None]
    patient: list[str | None]

    @property
    def classes(self) -> Counter[str]:
        """Return how many files each class has."""
        return Counter(label for label in self.label if label)


def read_places(files: Sequence[str]) -> Places:
    """Return what the folders of files tell; a folder around all classes is passed over.

    >>> places = read_places(["set/ill/1.png", "set/well/2.png", "set/lost.png"])
    >>> places.label, places.patient
    (['ill', 'well', None], [None, None, None])
    """
    folders = [list(PurePosixPath(file).parts[:-1]) for file in files]
    while _is_wrapped(folders):
        folders = [folder[1:] for folder in folders]
    split: list[str | None] = [None] * len(folders)
    if all(folder and folder[0].lower() in PARTS for folder in folders):
        split = [PARTS[folder[0].lower()] for folder in folders]
        folders = [folder[1:] for folder in folders]
    label = [folder[0] if folder else None for folder in folders]
    # A file outside all folders does not undo what the others tell.
    by_patient = all(len(folder) in (0, 2) for folder in folders) and any(label)
    patient = [folder[1] if by_patient and folder else None for folder in folders]
    return Places(split, label, patient)


def _is_wrapped(folders: Sequence[Sequence[str]]) -> bool:
    """Tell whether one folder holds all files, and the folders in it tell them apart."""
    if not folders or not all(folders) or len({folder[0] for folder in folders}) > 1:
        return False
    inner = {folder[1] for folder in folders if len(folder) > 1}
    return len(inner) > 1 or (len(inner) == 1 and all(len(folder) > 1 for folder in folders))


def find_people(places: Places, folders: bool | None) -> tuple[Places, list[str]]:
    """Return the folders as patients where they are no classes, and what is to be said of it.

    `folders`: whether they are classes; None: unless they are many, with few files each.
    """
    found = places.classes
    many = len(found) > MOST_CLASSES and found.total() < FEWEST_FILES * len(found)
    if folders or not found or (folders is None and (any(places.patient) or not many)):
        return places, []
    count = count_things(len(found), "folder")
    why = f", as {count} with few files each look like them" if folders is None else ""
    said = [f"The folders are taken for patients, not for classes{why}; no file has a label."]
    people = [inner or outer for outer, inner in zip(places.label, places.patient, strict=True)]
    return Places(places.split, [None] * len(people), people), said


def say_classes(places: Places, thing: str) -> list[str]:
    """Return which folders were taken for classes, and how many files lie outside them."""
    found = places.classes.most_common()
    named = ", ".join(f"{name} ({count:,})" for name, count in found[:SHOWN])
    more = f" and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    said = [f"The folders are taken for classes, in the column label: {named}{more}."]
    if lost := sum(label is None for label in places.label):
        has, it = ("lies", "it has") if lost == 1 else ("lie", "they have")
        said.append(
            f"{count_things(lost, thing)} {has} in no class's folder: {it} no label and will be "
            "set aside in training."
        )
    return said
