"""One image explained: where the model's networks looked, and whether that tells of learning."""

from __future__ import annotations

from typing import Any

import numpy as np

from medcore.errors import ConfigError
from medcore.explanation.subject import Subject
from medcore.prepare import prepare_rows
from medcore.records import Prepared
from medcore.train import TrainedNetwork

METHODS = {
    "grad_cam": "Grad-CAM",
    "hires_cam": "HiRes-CAM",
    "integrated_gradients": "Integrated gradients",
    "occlusion": "Occlusion",
}


def explain_image(
    subject: Subject,
    row_id: int,
    column: str,
    target: str,
    method: str,
    wanted: int | None = None,
) -> dict[str, Any]:
    """Return where the model looked in a row's image for a class, JSON-ready.

    `found` (height, width) is the weighted mean over the networks that look at the column, each
    scaled to a largest size of 1, and `pixels` the image as they see it, 0–255; of a volume of
    `slices` those of one `slice`, the `wanted` or that in which the map is highest. `weight` is
    their share in the model, `layer` the one whose places are shown, if any; `likeness` the rank
    correlation with the map of networks that learned nothing: near 0 where the map tells of what
    was learned. Raises `ConfigError` where nothing can be shown.
    """
    from medcore.models import saliency

    if method not in saliency.METHODS:
        raise ConfigError(f"There is no way of explaining images called '{method}'.")
    model = subject.deployed.model
    place = model.classes.index(target) if target in model.classes else 0
    rows: dict[int, Prepared] = {}
    found, blank, weight = 0.0, 0.0, 0.0
    for number, member in enumerate(model.members):
        if not isinstance(member.fitted, TrainedNetwork):
            continue
        if column not in member.fitted.spec["network"]["blocks"]:
            continue
        if member.preparation not in rows:
            preparation = model.preparations[member.preparation]
            rows[member.preparation] = prepare_rows(
                preparation, subject.dataset, np.array([row_id])
            )
        look = look_at(saliency, member.fitted, rows[member.preparation], column, place)
        found = found + member.weight * scale_map(saliency.METHODS[method](look))
        random = saliency.randomised(look, number)
        blank = blank + member.weight * scale_map(saliency.METHODS[method](random))
        weight += member.weight
    if not weight:
        raise ConfigError(f"No network of this model looks at '{column}'.")
    pixels = _pixels(next(iter(rows.values())), column)
    found, blank = np.asarray(found), np.asarray(blank)
    chosen, slices = choose_slice(found, pixels), 1
    if chosen is not None:
        slices = len(pixels)
        chosen = chosen if wanted is None else min(max(wanted, 0), slices - 1)
        pixels = pixels[chosen]
        found, blank = (one[chosen] if one.ndim == 3 else one for one in (found, blank))
    return {
        "found": np.round(found / weight, 3).tolist(),
        "pixels": pixels.tolist(),
        "slice": chosen,
        "slices": slices,
        "weight": weight,
        "likeness": saliency.map_likeness(found, blank),
        "layer": saliency.name_layer(look, method),
    }


def look_at(saliency: Any, fitted: TrainedNetwork, row: Prepared, column: str, place: int) -> Any:
    """Return the question what in a row's `column` raised a network's score of a class."""
    from medcore.models import read_piece
    from medcore.train.trained import seen_blocks

    network, spec = fitted.network, fitted.spec["network"]
    device = next(network.parameters()).device
    blocks = seen_blocks(spec, row)
    if not blocks[column].present[0]:
        raise ConfigError("This patient has nothing there to look at.")
    inputs = {key: read_piece(block, np.array([0]), device) for key, block in blocks.items()}
    return saliency.Look(network, spec, inputs, column, place)


def choose_slice(found: np.ndarray, pixels: np.ndarray) -> int | None:
    """Return the slice of a volume in which a map is highest, or the middle one; None of images."""
    if pixels.ndim != 3 or pixels.shape[2] == 3:
        return None
    if found.ndim != 3:
        return len(pixels) // 2
    return int(np.abs(found).max(axis=(1, 2)).argmax())


def scale_map(values: np.ndarray) -> np.ndarray:
    """Return a map with a largest size of 1; a flat one as it is."""
    largest = float(np.abs(values).max())
    return values / largest if largest else values


def _pixels(row: Prepared, column: str) -> np.ndarray:
    """Return the image in whole steps from 0 to 255: (height, width) or (height, width, 3).

    A volume is (slices, height, width).
    """
    pixels = row.blocks[column].gather(np.array([0]))[0].astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype != np.uint8 or high > low:
        pixels = (pixels - low) / max(high - low, 1e-6) * 255
    shown = np.round(pixels).astype(np.int64)
    if shown.ndim == 4:
        return shown[:, 0]
    return shown[0] if len(shown) == 1 else shown.transpose(1, 2, 0)
