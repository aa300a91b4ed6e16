"""Where in an image a network looked: Grad-CAM, HiRes-CAM, integrated gradients, occlusion.

Each answers a map (height, width), of a volume (slices, height, width), of what raised the score
of a class: its log-odds against the other classes, or the predicted value. A map tells of the
network, not of the disease; whether it tells of what was learned shows when the weights are
replaced by random ones (Adebayo et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn import functional

from medcore.errors import FitError
from medcore.models.audio import find_sound
from medcore.models.fusion import Piece
from medcore.models.memory import looked_at_once
from medcore.models.network import Network, build_from_spec
from medcore.models.places import watch_places

# The last layer of each encoder that still has places.
MAP_LAYERS = {
    "resnet_small": "stages", "resnet18": "layer4", "resnet50": "layer4",
    "densenet121": "features", "efficientnet_b0": "features",
}  # fmt: skip
PATH_STEPS, PATCH_SHARE, AT_ONCE = 32, 8, 64


@dataclass(frozen=True, eq=False)
class Look:
    """One row as a network sees it, and what is asked: the image `key` and the class `place`."""

    network: Network
    spec: dict
    inputs: Mapping[str, Piece]
    key: str
    place: int

    def score(self, values: Tensor) -> Tensor:
        """Return the score with other images in place of the row's, (images,)."""
        rows = len(values)
        inputs = {
            name: Piece(piece.values.expand(rows, *piece.values.shape[1:]),
                        piece.present.expand(rows))
            for name, piece in self.inputs.items()
        }  # fmt: skip
        present = torch.ones(rows, dtype=torch.bool, device=values.device)
        inputs[self.key] = Piece(values, present)
        return class_score(self.network(inputs), self.place)


def class_score(output: Tensor, place: int) -> Tensor:
    """Return the log-odds of a class, or the value, of (rows, members, outputs); (rows,).

    >>> class_score(torch.tensor([[[0.0, 2.0]]]), 1).tolist()
    [2.0]
    """
    mean = output.mean(dim=1)
    if mean.shape[1] == 1:
        return mean[:, 0]
    others = torch.cat([mean[:, :place], mean[:, place + 1 :]], dim=1)
    return mean[:, place] - torch.logsumexp(others, dim=1)


def grad_cam(look: Look, *, local: bool = False) -> np.ndarray:
    """Return Grad-CAM (Selvaraju et al. 2017), or HiRes-CAM (Draelos and Carin 2020) if `local`.

    HiRes-CAM weighs each place by its own gradient and shows only what truly entered the score.
    Raises `FitError` for an encoder without a layer of places.
    """
    values = _image(look).detach().clone().requires_grad_(True)
    with watch_places(_encoder(look), _map_layer(look)) as seen:
        score = look.score(values).sum()
    (gradient,) = torch.autograd.grad(score, seen.output)
    weights = gradient if local else gradient.mean(dim=(2, 3), keepdim=True)
    found = functional.relu((weights * seen.output).sum(dim=1)).detach().cpu().numpy()
    size = tuple(values.shape[-2:])
    return np.stack([seen.spread(one, size) for one in found]).reshape(*values.shape[1:-3], *size)


def integrated_gradients(look: Look) -> np.ndarray:
    """Return integrated gradients (Sundararajan et al. 2017) from the training images' mean.

    Shares may be negative; they add up to the difference of the scores, but for the steps.
    """
    return along_path(look, torch.zeros_like(_image(look))).sum(dim=-3)[0].cpu().numpy()


def along_path(look: Look, base: Tensor) -> Tensor:
    """Return the integrated gradients of each number of the row, from `base`, of its shape."""
    values = _image(look).detach()
    shares = (torch.arange(PATH_STEPS, device=values.device) + 0.5) / PATH_STEPS
    total = torch.zeros_like(values)
    for share in shares:
        point = (base + (values - base) * share).requires_grad_(True)
        (gradient,) = torch.autograd.grad(look.score(point).sum(), point)
        total += gradient
    return (values - base) * total / PATH_STEPS


def sound_gradients(look: Look) -> np.ndarray:
    """Return integrated gradients of a spectrogram (bands, frames).

    From a sound as long as the recording that has in each band its mean over it, all along: what
    the network is told then is no more than how long it lasts. Shares add up as of an image.
    """
    values = _image(look).detach()
    sound = find_sound(values)[:, None]
    mean = (values * sound).sum(dim=2, keepdim=True) / sound.sum(dim=2, keepdim=True).clamp_min(1)
    return along_path(look, torch.where(sound, mean, values))[0].cpu().numpy()


def occlusion(look: Look) -> np.ndarray:
    """Return by how much the score falls when a patch is covered with the training images' mean.

    Of a volume the patch is covered in all slices at once, and the map has no slices.

    Patches of an eighth of the longer side overlap by half; a place has the mean of its patches.
    """
    values = _image(look).detach()
    height, width = values.shape[-2:]
    patch = max(2, round(max(height, width) / PATCH_SHARE))
    step = max(1, patch // 2)
    corners = [(y, x) for y in range(0, height, step) for x in range(0, width, step)]
    total, count = (torch.zeros(height, width, device=values.device) for _ in range(2))
    size = looked_at_once(_encoder(look), values.shape[1:], AT_ONCE)
    with torch.no_grad():
        whole = look.score(values)[0]
        for start in range(0, len(corners), size):
            some = corners[start : start + size]
            covered = values.repeat(len(some), *[1] * (values.ndim - 1))
            for row, (y, x) in enumerate(some):
                covered[row, ..., y : y + patch, x : x + patch] = 0
            fallen = whole - look.score(covered)
            for drop, (y, x) in zip(fallen, some, strict=True):
                total[y : y + patch, x : x + patch] += drop
                count[y : y + patch, x : x + patch] += 1
    return (total / count).cpu().numpy()


METHODS: dict[str, Callable[[Look], np.ndarray]] = {
    "grad_cam": grad_cam,
    "hires_cam": lambda look: grad_cam(look, local=True),
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
}


def name_layer(look: Look, method: str) -> str:
    """Return which layer's places a class activation map shows; empty for the other methods."""
    name = look.spec["blocks"][look.key]["encoder"]
    return f"{MAP_LAYERS[name]} of {name}" if method in ("grad_cam", "hires_cam") else ""


def randomised(look: Look, seed: int) -> Look:
    """Return the same question to a network of the same shape that has learned nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_from_spec(look.spec).requires_grad_(False).eval()
    device = _image(look).device
    return Look(network.to(device), look.spec, look.inputs, look.key, look.place)


def map_likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps: 1 for the same order of places.

    Places that are alike share a rank, so that what is blank in both does not count as agreement.
    NaN where a map is flat.

    >>> map_likeness(np.array([0.0, 0.0, 0.0, 1.0, -1.0]), np.array([0.0, 0.0, 0.0, -1.0, 1.0]))
    -1.0
    """
    ranks = [rankdata(values.ravel()) for values in (one, other)]
    if any(np.ptp(values) == 0 for values in (one, other)):
        return float("nan")
    return round(float(np.corrcoef(*ranks)[0, 1]), 12)


def points_at(found: np.ndarray, mask: np.ndarray) -> bool:
    """Tell whether a map's highest place lies in a mask (the pointing game, Zhang et al. 2018)."""
    return bool(mask[np.unravel_index(int(np.argmax(found)), found.shape)])


def _image(look: Look) -> Tensor:
    return look.inputs[look.key].values


def _map_layer(look: Look) -> nn.Module:
    name = look.spec["blocks"][look.key]["encoder"]
    if name not in MAP_LAYERS:
        raise FitError(
            "This network keeps no map of an image's places: choose occlusion or integrated "
            "gradients."
        )
    encoder = _encoder(look)
    return dict(getattr(encoder, "each", encoder).named_modules())[MAP_LAYERS[name]]


def _encoder(look: Look) -> nn.Module:
    fusion = look.network.encoder
    return fusion.encoders[fusion.keys.index(look.key)]
