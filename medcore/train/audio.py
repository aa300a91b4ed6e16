"""Random changes of a batch of training recordings: shifted, noisy, with parts hidden.

All is done to log-mel spectrograms (rows, bands, frames), each row in its own way, and drawn from
torch's generator. Frames of silence that fill a recording up stay silent.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from medcore.config import AudioConfig
from medcore.models.audio import find_sound
from medcore.sound import RATE, SILENCE, mel_bands

# SpecAugment hides two pieces each way.
PIECES = 2
# Under a Hann window of 400 samples, so many of 512 frequencies beside each other go together.
NEIGHBOURS = 1.5 * 512 / 400


def change_sounds(values: Tensor, config: AudioConfig) -> Tensor:
    """Return recordings changed as the settings say; what a recogniser heard stays as it is."""
    if values.ndim == 2:
        return values
    if config.pitch:
        values = shift_pitch(values, config.pitch)
    if config.shift:
        values = shift_time(values, config.shift)
    if config.noise:
        noisy = torch.rand(len(values), 1, 1, device=values.device) < config.noise
        values = torch.where(noisy, add_noise(values, config.snr, config.highest), values)
    return hide_parts(values, config.time_mask, config.pitch_mask)


def shift_time(values: Tensor, reach: float) -> Tensor:
    """Begin earlier or later by up to a share `reach` of the frames; silence comes into view."""
    frames = values.shape[2]
    most = round(reach * frames)
    moved = torch.randint(-most, most + 1, (len(values), 1), device=values.device)
    place = torch.arange(frames, device=values.device) - moved
    inside = (place >= 0) & (place < frames)
    index = place.clamp(0, frames - 1)[:, None].expand_as(values)
    return values.gather(2, index).masked_fill(~inside[:, None], SILENCE)


def shift_pitch(values: Tensor, reach: float) -> Tensor:
    """Sound higher or lower by up to a share `reach` of the bands; border bands are repeated.

    Between two bands their values are mixed. On the mel scale a shift is about what a longer or
    shorter vocal tract does (Jaitly and Hinton 2013).
    """
    bands = values.shape[1]
    drawn = torch.rand(len(values), 1, device=values.device) * 2 - 1
    place = torch.arange(bands, device=values.device) - drawn * reach * bands
    place = place.clamp(0, bands - 1)
    low = place.floor()
    share = (place - low)[..., None]
    low = low.long()[..., None].expand_as(values)
    high = (low + 1).clamp(max=bands - 1)
    return values.gather(1, low) * (1 - share) + values.gather(1, high) * share


def add_noise(values: Tensor, snr: float, highest: float = RATE / 2) -> Tensor:
    """Add white noise `snr` decibels below each recording's own sound.

    Powers of sound and of independent noise add up on average; the noise's own power varies from
    frame to frame as that of a Fourier transform under a Hann window does. Its level is that at
    which the powers over all bands and frames with sound have the ratio asked for.
    """
    sound = find_sound(values)[:, None].to(values.dtype)
    power = values.exp() * sound
    drawn = draw_noise(values, highest)
    ratio = power.sum(dim=(1, 2), keepdim=True) / (drawn * sound).sum(dim=(1, 2), keepdim=True)
    noisy = power + drawn * ratio.nan_to_num(0.0, 0.0, 0.0) * 10 ** (-snr / 10)
    return torch.where(sound > 0, noisy.clamp_min(math.exp(SILENCE)).log(), values)


def draw_noise(values: Tensor, highest: float) -> Tensor:
    """Return the power of white noise in each band and frame, shaped as `values`.

    A band has what its triangle lets through; the sum of so many independent squares is gamma
    distributed.
    """
    triangles = torch.from_numpy(mel_bands(values.shape[1], highest)).double()
    through = triangles.sum(dim=0)
    independent = (through**2 / (triangles**2).sum(dim=0) / NEIGHBOURS).clamp_min(1.0)
    shape = independent[None, :, None].to(values.device, values.dtype).expand_as(values)
    drawn = torch._standard_gamma(shape.contiguous())
    return drawn * (through / independent)[None, :, None].to(values.device, values.dtype)


def hide_parts(values: Tensor, time: float, pitch: float) -> Tensor:
    """Hide stretches of time and bands of pitch behind the recording's mean (SpecAugment).

    Park et al. 2019: each piece is up to the share `time` of the frames, or `pitch` of the bands.
    """
    sound = find_sound(values)[:, None]
    count = sound.sum(dim=2, keepdim=True).clamp_min(1)
    mean = (values * sound).sum(dim=(1, 2), keepdim=True) / (count * values.shape[1])
    hidden = torch.zeros_like(values, dtype=torch.bool)
    for axis, share in ((2, time), (1, pitch)):
        for _ in range(PIECES if share else 0):
            piece = draw_pieces(len(values), values.shape[axis], share, values.device)
            hidden = hidden | (piece[:, None, :] if axis == 2 else piece[:, :, None])
    return torch.where(hidden & sound, mean, values)


def draw_pieces(rows: int, size: int, share: float, device: torch.device) -> Tensor:
    """Return a piece of up to a share of `size` places for each row, bool (rows, size)."""
    length = torch.rand(rows, 1, device=device) * share * size
    start = torch.rand(rows, 1, device=device) * (size - length)
    place = torch.arange(size, device=device) + 0.5
    return (place >= start) & (place < start + length)
