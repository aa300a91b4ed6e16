"""Where the arithmetic happens, and what happens when its memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from medcore.errors import FitError

# The processor's and MPS's allocators raise a plain RuntimeError.
ALLOCATOR_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


def pick_device(name: str) -> torch.device:
    """Return the device for "auto", "cpu", "cuda" or "mps".

    Auto takes CUDA, then MPS, then the processor. Raises `FitError` when the named device is
    absent.
    """
    found = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if name == "auto":
        return torch.device(next((kind for kind, here in found.items() if here()), "cpu"))
    if name in found and not found[name]():
        raise FitError(
            f"This machine has no {name.upper()} device: set the device to auto or to cpu."
        )
    return torch.device(name)


def name_device(setting: str) -> str:
    """Return what a setting comes to on this machine, for people: "cpu", "cuda (NVIDIA H100)"."""
    device = pick_device(setting)
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def mixed_precision(device: torch.device, setting: str) -> AbstractContextManager:
    """Return the context for forward passes: bfloat16 where CUDA computes it natively, or nothing.

    bfloat16 has float32's range, so gradients need no scaling.
    """
    wanted = setting == "auto" and device.type == "cuda"
    if wanted and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def memory_named(action: str) -> Iterator[None]:
    """Turn running out of memory into a `FitError` that says in what and what to do."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        short = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not short and not any(words in str(error) for words in ALLOCATOR_WORDS):
            raise
        raise FitError(
            f"The machine ran out of memory in {action}: take a smaller batch size, a smaller "
            "width, or fewer TabM members."
        ) from error
