"""Spectrograms against a naive transform and closed forms; random changes do what they say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dct

from medcore.config import AudioConfig
from medcore.models.audio import find_sound
from medcore.sound import (
    HOP,
    RATE,
    SILENCE,
    cepstra,
    count_frames,
    holds_sound,
    log_mel,
    mel_bands,
)
from medcore.sound.spectra import FLOOR, POINTS, WINDOW, to_hertz, to_mel
from medcore.train.audio import (
    add_noise,
    change_sounds,
    draw_pieces,
    hide_parts,
    shift_pitch,
    shift_time,
)
from tests.tone_rows import sing


def naive_log_mel(samples, bands):
    """Sum the Fourier transform term by term, in float64."""
    frames = count_frames(len(samples))
    filled = np.zeros((frames - 1) * HOP + WINDOW)
    filled[: len(samples)] = samples
    time = np.arange(WINDOW)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * time / WINDOW)
    turning = np.exp(-2j * np.pi * np.outer(np.arange(POINTS // 2 + 1), time) / POINTS)
    found = []
    for frame in range(frames):
        cut = filled[frame * HOP : frame * HOP + WINDOW] * window
        power = np.abs(turning @ cut) ** 2
        found.append(np.log(np.maximum(power @ mel_bands(bands).astype(np.float64), FLOOR)))
    return np.array(found).T


def test_a_spectrogram_is_that_of_a_transform_written_out():
    samples = sing(np.random.default_rng(0), rising=True, seconds=0.23)
    found, naive = log_mel(samples, 40), naive_log_mel(samples, 40)
    assert found.shape == naive.shape == (40, count_frames(len(samples)))
    assert np.abs(found - naive).max() < 2e-3


def test_a_tone_is_loudest_in_the_band_that_holds_its_pitch():
    centres = to_hertz(np.linspace(to_mel(50.0), to_mel(8000.0), 66))[1:-1]
    for pitch in (220.0, 1000.0, 3500.0):
        tone = 0.5 * np.sin(2 * np.pi * pitch * np.arange(RATE) / RATE)
        found = log_mel(tone.astype(np.float32)).mean(axis=1)
        assert abs(centres[found.argmax()] - pitch) < max(40.0, 0.05 * pitch)


def test_twice_as_loud_is_log_four_more_power_in_every_band():
    samples = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert np.allclose(log_mel(2 * samples) - log_mel(samples), np.log(4), atol=1e-4)


@given(st.floats(50.0, 8000.0))
def test_the_mel_scale_comes_back(hertz):
    assert float(to_hertz(to_mel(hertz))) == pytest.approx(hertz, rel=1e-9)


def test_triangles_of_neighbours_add_up_to_one_between_the_outer_centres():
    found = mel_bands(20).sum(axis=1)
    centres = to_hertz(np.linspace(to_mel(50.0), to_mel(8000.0), 22))[1:-1]
    pitch = np.fft.rfftfreq(POINTS, 1 / RATE)
    between = (pitch > centres[0]) & (pitch < centres[-1])
    assert np.allclose(found[between], 1, atol=1e-5)
    assert (mel_bands(128).max(axis=0) > 0).all()
    assert not mel_bands(40, 4000.0)[pitch > 4000].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5000))
def test_every_sample_is_in_a_frame_and_no_frame_is_beyond_them(samples):
    frames = count_frames(samples)
    covered = (frames - 1) * HOP + WINDOW
    assert covered >= samples and (frames == 1 or covered - HOP < samples)
    assert log_mel(np.zeros(samples, np.float32), 16).shape == (16, frames)


def test_silence_is_silent_and_frames_with_sound_are_told():
    quiet = log_mel(np.zeros(RATE, np.float32))
    assert (quiet == np.float32(SILENCE)).all() and holds_sound(quiet).all()
    half = np.concatenate([np.zeros(RATE // 2), sing(np.random.default_rng(0), True, 0.5)])
    heard = holds_sound(log_mel(half.astype(np.float32)))
    assert not heard[:45].any() and heard[52:].all()


def test_cepstra_are_the_cosine_transform_of_the_bands():
    found = log_mel(sing(np.random.default_rng(0), rising=False))
    assert np.allclose(cepstra(found, 13), dct(found, axis=0, norm="ortho")[:13], atol=1e-3)


@pytest.fixture
def heard():
    """Spectrograms of three sounds within silence, as a network gets them."""
    rng, rows = np.random.default_rng(0), np.full((3, 40, 60), SILENCE, np.float32)
    for row in rows:
        row[:, 10:48] = log_mel(sing(rng, True), 40)[:, :38]
    return torch.from_numpy(rows)


def test_a_shift_in_time_moves_all_bands_together_and_silence_comes_into_view(heard):
    torch.manual_seed(0)
    found = shift_time(heard, 0.3)
    for before, after in zip(heard, found, strict=True):
        moves = [m for m in range(-18, 19) if torch.equal(_moved(before, m), after)]
        assert len(moves) == 1
    assert torch.equal(shift_time(heard, 0.0), heard)


def _moved(values, frames):
    out = torch.full_like(values, SILENCE)
    if frames >= 0:
        out[:, frames:] = values[:, : values.shape[1] - frames]
    else:
        out[:, :frames] = values[:, -frames:]
    return out


def test_a_shift_in_pitch_moves_bands_and_repeats_the_border():
    ramp = torch.arange(40.0)[None, :, None].expand(500, 40, 3).contiguous()
    torch.manual_seed(0)
    found = shift_pitch(ramp, 0.1)
    moved = (ramp - found)[:, 20, 0]
    assert moved.abs().max() <= 4 and moved.min() < -3 and moved.max() > 3
    inside = (ramp - found)[:, 8:32]
    assert torch.allclose(inside, moved[:, None, None].expand_as(inside), atol=1e-4)
    assert found.min() >= 0 and found.max() <= 39


@pytest.mark.parametrize("snr", [0.0, 10.0, 30.0])
def test_noise_is_as_many_decibels_below_the_sound_as_asked_for(heard, snr):
    torch.manual_seed(0)
    sound = find_sound(heard)[:, None]
    added = (add_noise(heard, snr).double().exp() - heard.double().exp()) * sound
    ratio = (heard.double().exp() * sound).sum((1, 2)) / added.sum((1, 2))
    assert torch.allclose(10 * ratio.log10(), torch.full((3,), snr).double(), atol=0.05)
    assert torch.equal(add_noise(heard, snr)[:, :, :9], heard[:, :, :9])


def test_noise_on_a_spectrogram_is_like_noise_on_the_samples():
    """The mean and the spread of each band's power agree with those of noise added to samples."""
    rng = np.random.default_rng(0)
    noise = log_mel(rng.normal(0, 0.1, 60 * RATE).astype(np.float32), 40).astype(np.float64)
    power = np.exp(noise)
    torch.manual_seed(0)
    flat = torch.full((1, 40, 6000), SILENCE + 0.1)
    drawn = add_noise(flat, -60.0)[0].double().exp().numpy()
    shape = drawn.mean(axis=1) / drawn.mean()
    assert np.allclose(shape, power.mean(axis=1) / power.mean(), rtol=0.06)
    spread = [values.std(axis=1) / values.mean(axis=1) for values in (drawn, power)]
    assert np.abs(spread[0] / spread[1] - 1).max() < 0.25


def test_a_piece_is_whole_and_up_to_its_share():
    torch.manual_seed(0)
    pieces = draw_pieces(2000, 100, 0.2, torch.device("cpu"))
    lengths = pieces.sum(dim=1)
    assert lengths.max() <= 21 and lengths.max() >= 19 and 9 < lengths.float().mean() < 11
    edges = (pieces[:, 1:] != pieces[:, :-1]).sum(dim=1)
    assert (edges <= 2).all()


def test_hidden_parts_are_pieces_of_the_share_asked_for(heard):
    loud = heard.clone()
    loud[:, :, :] = torch.randn_like(loud)
    torch.manual_seed(0)
    found = hide_parts(loud, 0.2, 0.0)
    changed = (found != loud).all(dim=1)
    assert changed.any() and changed.sum(dim=1).max() <= 2 * (0.2 * 60 + 1)
    bands = (hide_parts(loud, 0.0, 0.2) != loud).all(dim=2)
    assert bands.any() and bands.sum(dim=1).max() <= 2 * (0.2 * 40 + 1)
    assert torch.equal(hide_parts(loud, 0.0, 0.0), loud)
    assert torch.allclose(found[changed[:, None].expand_as(found)].unique(),
                          loud.mean(dim=(1, 2)).sort().values, atol=1e-5)  # fmt: skip


def test_changes_are_drawn_from_torchs_generator_and_leave_what_a_recogniser_heard(heard):
    config = AudioConfig(noise=1.0)
    said = []
    for _ in range(2):
        torch.manual_seed(3)
        said.append(change_sounds(heard, config))
    assert torch.equal(*said) and not torch.equal(said[0], heard)
    states = torch.randn(4, 8)
    assert change_sounds(states, config) is states
    still = AudioConfig(time_mask=0, pitch_mask=0, shift=0, pitch=0, noise=0)
    assert torch.equal(change_sounds(heard, still), heard)
