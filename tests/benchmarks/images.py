"""Images per second into the cache, beside a plain loop with pydicom or Pillow; finding copies.

The plain loop decodes the original files, brings them to the same size and keeps them in one array,
as a script of ten lines would. Times are the least of three turns in one process, of the processor:
what other processes do meanwhile does not count, nor that ours shares the work between threads.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image

from medcore.data.dicom.brought import Wishes, read_brought
from medcore.data.likeness import Prints, find_copies, print_image
from medcore.data.media import MediaFolder
from medcore.data.phantoms import make_phantoms
from medcore.prepare.pixels import Shape, load_pixels
from tests.benchmarks import Row
from tests.dicom_files import make_header, to_bytes

COUNT, SIDE, SMALL, TURNS = 120, 512, 64, 3


def rows() -> Iterator[Row]:
    """Yield the ratios."""
    chests = [phantom.pixels for phantom in make_phantoms(COUNT, SIDE)]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        yield _pngs(root / "png", chests)
        yield _dicoms(root / "dicom", chests)
    yield _copies(chests)


def _pngs(root: Path, chests: list[np.ndarray]) -> Row:
    media = MediaFolder(root / "media")
    names = sorted(media.add(chest) for chest in chests)

    def plain() -> np.ndarray:
        out = np.empty((len(names), SMALL, SMALL), np.uint8)
        for place, name in enumerate(names):
            with Image.open(media.folder / name) as image:
                out[place] = image.resize((SMALL, SMALL), Image.Resampling.BILINEAR)
        return out

    shape = Shape(1, SMALL, SMALL, "uint8")
    ours = _least(lambda turn: load_pixels(media.folder, names, _turned(shape, turn)))
    return _row("PNG 512 × 512 into the cache", ours, _least(lambda _: plain()), "Pillow")


def _dicoms(root: Path, chests: list[np.ndarray]) -> Row:
    source = root / "in"
    source.mkdir(parents=True)
    for place, chest in enumerate(chests):
        header = make_header(chest.astype(np.uint16) * 16, Modality="DX", BitsStored=12, HighBit=11,
                             WindowCenter=2000, WindowWidth=4000)  # fmt: skip
        (source / f"{place}.dcm").write_bytes(to_bytes(header))
    dataset = read_brought(source, root / "media", name="x", wishes=Wishes())
    names = sorted(dataset.frame["image"].astype(str))

    def plain() -> np.ndarray:
        from pydicom.pixels import apply_modality_lut, apply_voi_lut

        out = np.empty((len(names), SMALL, SMALL), np.uint16)
        for place, path in enumerate(sorted(source.iterdir())):
            header = pydicom.dcmread(path)
            values = apply_voi_lut(apply_modality_lut(header.pixel_array, header), header)
            image = Image.fromarray(np.asarray(values, np.float32))
            out[place] = image.resize((SMALL, SMALL), Image.Resampling.BILINEAR)
        return out

    shape = Shape(1, SMALL, SMALL, "uint16")
    media = dataset.media
    ours = _least(lambda turn: load_pixels(media, names, _turned(shape, turn)))
    return _row("DICOM 512 × 512 into the cache", ours, _least(lambda _: plain()), "pydicom")


def _turned(shape: Shape, turn: int) -> Shape:
    """Return a shape that is not in the cache yet, and is as much work."""
    return Shape(shape.channels, shape.height, shape.width + turn, shape.depth)


def _least(work: Callable[[int], object]) -> float:
    times = []
    for turn in range(TURNS):
        started = time.process_time()
        work(turn)
        times.append(time.process_time() - started)
    return min(times)


def _row(name: str, ours: float, theirs: float, whom: str) -> Row:
    return Row(name, theirs / ours, ">= 0.8", f"a plain loop with {whom}",
               f"{COUNT / ours:.0f} and {COUNT / theirs:.0f} images a second and core")  # fmt: skip


def _copies(chests: list[np.ndarray]) -> Row:
    changed = [np.clip(chest * 1.1, 0, 255).astype(np.uint8)[::2, ::2] for chest in chests]
    first, second = (_prints(images) for images in (chests, changed))
    pairs = find_copies(first, second)
    found = (pairs["first"] == pairs["second"]).sum() / COUNT
    wrong = int((pairs["first"] != pairs["second"]).sum())
    return Row("Copies found after brightening and halving", float(found), ">= 0.99",
               "all of them", f"{wrong} wrong among {COUNT * (COUNT - 1):,}")  # fmt: skip


def _prints(images: list[np.ndarray]) -> Prints:
    parts = zip(*map(print_image, images), strict=True)
    exact, detail, bits = (np.array(part) for part in parts)
    return Prints(tuple(map(str, range(len(images)))), exact, detail, bits)
