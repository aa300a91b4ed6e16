"""MedMNIST v2 sets, fetched where there is internet: streamed, counted, and checked by their hash.

Yang et al. (2023), "MedMNIST v2: A large-scale lightweight benchmark for 2D and 3D biomedical image
classification", Scientific Data 10:41. Images of 28 × 28 pixels with the official division.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medcore.config.modalities import Modality
from medcore.errors import DataError

ADDRESS = "https://zenodo.org/records/10519652/files"
SECONDS = 30
PIECE = 2**18
MOST_BYTES = 2**30


@dataclass(frozen=True)
class MedMnist:
    """One set: how many images, what there is to tell apart, the MD5 of its file, and how images
    were made."""

    name: str
    title: str
    images: int
    classes: int
    md5: str
    modality: Modality
    licence: str = "CC BY 4.0"


MEDMNIST = (
    MedMnist("breastmnist", "Breast ultrasound", 780, 2,
             "750601b1f35ba3300ea97c75c52ff8f6", "ultrasound"),
    MedMnist("pneumoniamnist", "Chest films of children, pneumonia", 5856, 2,
             "28209eda62fecd6e6a2d98b1501bb15f", "radiograph"),
    MedMnist("chestmnist", "Chest films, fourteen findings at once", 112120, 14,
             "02c8a6516a18b556561a56cbdd36c4a8", "radiograph"),
    MedMnist("retinamnist", "Retina, grade of retinopathy", 1600, 5,
             "bd4c0672f1bba3e3a89f0e4e876791e4", "retina"),
    MedMnist("dermamnist", "Pigmented skin lesions", 10015, 7,
             "0744692d530f8e62ec473284d019b0c7", "skin", "CC BY-NC 4.0"),
    MedMnist("bloodmnist", "Blood cells", 17092, 8,
             "7053d0359d879ad8a5505303e11de1dc", "microscopy"),
    MedMnist("organcmnist", "Organs in coronal CT", 23583, 11,
             "b9ceb9546e10131b32923c5bbeaea2b1", "ct"),
    MedMnist("organsmnist", "Organs in sagittal CT", 25211, 11,
             "9ab87b696fb54e2a387ebe992d6ed5f1", "ct"),
    MedMnist("organamnist", "Organs in axial CT", 58830, 11,
             "68e3f8846a6bd62f0c9bf841c0d9eacc", "ct"),
    MedMnist("pathmnist", "Colon tissue", 107180, 9,
             "a8b06965200029087d5bd730944a56c1", "microscopy"),
    MedMnist("octmnist", "Optical coherence tomography", 109309, 4,
             "c68d92d5b585d8d81f7112f81e2d0842", "other"),
    MedMnist("tissuemnist", "Kidney cells", 236386, 8,
             "ebe78ee8b05294063de985d821c1c34b", "microscopy"),
)  # fmt: skip


def known_set(*names: str) -> MedMnist | None:
    """Return the set that a file, or what is read from it, is named for; None for any other.

    >>> known_set("upload.npz", "PneumoniaMNIST_64").modality
    'radiograph'
    """
    lower = tuple(name.lower() for name in names)
    return next((s for s in MEDMNIST if any(name.startswith(s.name) for name in lower)), None)


def fetch_medmnist(
    chosen: MedMnist,
    target: Path,
    *,
    address: str = ADDRESS,
    tell: Callable[[float], None] = lambda _: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Path:
    """Fetch a set's file to `target`, which is whole and checked, or not there.

    `tell` hears the share that is done. Raises `DataError` without internet, when the file is not
    the published one, or when asked to stop.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    near = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        digest = _stream(f"{address}/{chosen.name}.npz?download=1", near, tell, stopping)
        if digest != chosen.md5:
            raise DataError(
                f"What came for {chosen.title} is not the published file (its hash differs); try "
                "again later."
            )
        os.replace(near, target)
    except (urllib.error.URLError, TimeoutError, ConnectionError, EOFError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"{chosen.title} could not be fetched ({reason}); is there internet? Else bring the "
            f"file {chosen.name}.npz yourself."
        ) from None
    finally:
        near.unlink(missing_ok=True)
    return target


def _stream(
    address: str, near: Path, tell: Callable[[float], None], stopping: Callable[[], bool]
) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with urllib.request.urlopen(address, timeout=SECONDS) as answer, near.open("xb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        while piece := answer.read(PIECE):
            if stopping():
                raise DataError("Fetching was stopped.")
            digest.update(piece)
            file.write(piece)
            if file.tell() > MOST_BYTES:
                raise DataError("What came is larger than any of the sets; nothing was kept.")
            tell(min(1.0, file.tell() / size) if size else 0.0)
        if size and file.tell() < size:
            raise EOFError(f"only {file.tell():,} of {size:,} bytes came")
    return digest.hexdigest()
