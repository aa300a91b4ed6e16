"""The media folder of a data set: equal content has one name."""

from __future__ import annotations

import atexit
import hashlib
import io
import shutil
import tempfile
from pathlib import Path

import numpy as np


class MediaFolder:
    """Writes files under the hash of their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, pixels: np.ndarray) -> str:
        """Keep an image and return its name.

        `pixels`: (height, width) or (height, width, 3); uint8 and grey uint16 become PNG, all
        else, and volumes (slices, height, width), float32 or int16 `.npy`.
        """
        data, ending = _encode(pixels)
        digest = hashlib.sha256(f"{pixels.dtype}{pixels.shape}".encode())
        digest.update(np.ascontiguousarray(pixels).data)
        return self._keep(f"{digest.hexdigest()[:32]}.{ending}", data)

    def add_bytes(self, data: bytes, ending: str) -> str:
        """Keep a file of another kind as it is and return its name."""
        return self._keep(f"{hashlib.sha256(data).hexdigest()[:32]}.{ending}", data)

    def _keep(self, name: str, data: bytes) -> str:
        path = self.folder / name
        if not path.exists():
            path.write_bytes(data)
        return name


def _encode(pixels: np.ndarray) -> tuple[bytes, str]:
    from PIL import Image

    buffer = io.BytesIO()
    colour = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    if colour or (pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16)):
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue(), "png"
    kept = pixels if pixels.dtype == np.int16 else pixels.astype(np.float32)
    np.save(buffer, kept, allow_pickle=False)
    return buffer.getvalue(), "npy"


def new_media_folder() -> Path:
    """Return a folder for media that lasts as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="medcore-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "media"
