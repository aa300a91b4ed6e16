"""Whether names may be written into the picture itself: what the header says, what it looks like.

Nobody can be sure by a rule: what is found is a suspicion for a person to look at, and what is not
found is "none seen", never "none".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medcore.data.dicom.intensity import stretch

if TYPE_CHECKING:
    from pydicom import Dataset

WRITTEN_ON = {"US": "ultrasound", "SC": "a secondary capture", "OT": "of another kind",
              "ES": "endoscopy", "XC": "a photograph", "GM": "microscopy"}  # fmt: skip
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
# Where annotations stand: this share of the picture on each side.
BORDER = 0.25
# A line of letters: so many rows of pixels high, so many edges of strokes within a share of the
# side's width, and this share of its pixels either ink or ground, not between.
LINE_ROWS, EDGES, WHITE_EDGES, WIDE, TWO_TONE = 5, 10, 14, 0.25, 0.75


def suspect_text(header: Dataset, shown: np.ndarray) -> tuple[str, ...]:
    """Return why a file may hold names in its pixels, from its original header and its picture.

    `shown`: one frame in 0–1, (rows, columns) or (rows, columns, 3).
    """
    reasons = []
    said = str(header.get("BurnedInAnnotation") or "").upper()
    if said == "YES":
        reasons.append("the file says so")
    modality = str(header.get("Modality") or "")
    if modality in WRITTEN_ON and said != "NO":
        reasons.append(f"it is {WRITTEN_ON[modality]}")
    kinds = {str(word).upper() for word in header.get("ImageType") or ()}
    if kinds & {"SAVE", "SCREEN SAVE", "SECONDARY"} and said != "NO":
        reasons.append("it is a saved screen or a secondary image")
    if said != "NO" and (
        str(header.get("SOPClassUID") or "").startswith(SECONDARY_CAPTURE)
        or header.get("DateOfSecondaryCapture")
        or header.get("SecondaryCaptureDeviceManufacturer")
    ):
        reasons.append("it was captured from a screen or film")
    if looks_written_on(shown):
        reasons.append("something like letters stands near its edge")
    return tuple(dict.fromkeys(reasons))


def looks_written_on(shown: np.ndarray) -> bool:
    """Tell whether lines of letters seem to stand near an edge of a picture in 0–1.

    Letters are many thin strokes of one brightness on an even ground: rows of pixels that change
    sharply many times within a short stretch, several such rows in a line.
    """
    grey = shown.mean(axis=2) if shown.ndim == 3 else shown
    if min(grey.shape) < 48:
        return False
    grey = stretch(grey)
    rows, columns = (max(24, round(size * BORDER)) for size in grey.shape)
    sides = (grey[:rows], grey[-rows:], grey[:, :columns], grey[:, -columns:])
    return any(_has_line(side) for side in sides)


def _has_line(side: np.ndarray) -> bool:
    edges = np.diff(side > 0.5, axis=1)
    two_tone = (side < 0.3) | (side > 0.7)
    width = min(max(32, round(side.shape[1] * WIDE)), edges.shape[1])
    strokes = _running(edges, width)
    clear = _running(two_tone[:, 1:], width) / width
    written = ((strokes >= EDGES) & (clear >= TWO_TONE)).any(axis=1)
    return bool(_longest(written) >= LINE_ROWS) or _has_white_line(side, width)


def _has_white_line(side: np.ndarray, width: int) -> bool:
    """Tell whether strokes of pure white stand on a ground that may be light itself."""
    white = side > 0.92
    strokes = _running(np.diff(white, axis=1), width)
    share = _running(white[:, 1:], width) / width
    written = ((strokes >= WHITE_EDGES) & (share > 0.05) & (share < 0.5)).any(axis=1)
    return bool(_longest(written) >= LINE_ROWS)


def _running(marks: np.ndarray, width: int) -> np.ndarray:
    """Return how many marks each window of `width` columns holds."""
    sums = np.pad(marks.cumsum(axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    return sums[:, width:] - sums[:, :-width] if sums.shape[1] > width else sums[:, -1:]


def _longest(written: np.ndarray) -> int:
    """Return the most rows in a row that are written on."""
    best = run = 0
    for row in written.tolist():
        run = run + 1 if row else 0
        best = max(best, run)
    return best
