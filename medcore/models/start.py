"""Weights learned elsewhere: read from a safetensors file, the first layers held as they are.

Names are matched as they stand, without what stands before them (`encoder.`, `backbone.`, …).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from medcore.errors import FitError
from medcore.models.hub import MARK, fetch_weights

PREFIXES = ("module.", "model.", "backbone.", "encoder.", "net.")
# A file that fits less of an encoder than this is another network's.
LEAST = 0.5


def start_encoder(encoder: nn.Module, path: str, frozen: float) -> None:
    """Give an encoder the weights of a file, and hold the first share `frozen` of them.

    `path` may name a file on a hub (see `fetch_weights`). A file for colour images serves grey
    ones: the weights of the three channels are added up. What the file does not hold starts at
    random and is never held. Raises `FitError` when the file is absent, damaged or another
    network's.
    """
    encoder = getattr(encoder, "each", encoder)
    known = set(encoder.state_dict())
    if path:
        file = fetch_weights(path) if path.startswith(MARK) else Path(path).expanduser()
        found = {_bare(name): value for name, value in _read(file).items()}
        own = encoder.state_dict()
        fitting = {
            name: fitted
            for name, value in own.items()
            if name in found and (fitted := _fit(found[name], value)) is not None
        }
        if sum(v.numel() for v in fitting.values()) < LEAST * sum(v.numel() for v in own.values()):
            raise FitError(
                f"The weights in '{Path(path).name}' are of another network: {len(fitting)} of "
                f"{len(own)} parts fit. Choose the network that they were learned with."
            )
        encoder.load_state_dict({**own, **fitting})
        known = set(fitting)
    parameters = list(encoder.named_parameters())
    for name, parameter in parameters[: round(frozen * len(parameters))]:
        parameter.requires_grad_(name not in known)


def hold_frozen(encoder: nn.Module) -> None:
    """Keep layers whose weights are held from gathering statistics while the others learn."""
    for module in encoder.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise FitError(f"There is no file of weights '{path.name}'; check image.weights.") from None
    except (OSError, SafetensorError):
        raise FitError(f"'{path.name}' is not a safetensors file of weights.") from None


def _bare(name: str) -> str:
    while prefix := next((p for p in PREFIXES if name.startswith(p)), None):
        name = name.removeprefix(prefix)
    return name


def _fit(found: Tensor, own: Tensor) -> Tensor | None:
    if found.shape == own.shape:
        return found.to(own.dtype)
    grey = found.ndim == 4 and found.shape[1] == 3 and own.shape[1] == 1
    if grey and found.shape[0] == own.shape[0] and found.shape[2:] == own.shape[2:]:
        return torch.sum(found, dim=1, keepdim=True).to(own.dtype)
    return None
