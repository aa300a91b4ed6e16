"""From frames to text: the loss against all paths counted out, decoding against all texts."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.errors import FitError
from medcore.models.ctc import (
    Speller,
    collapse,
    count_steps,
    decode_beam,
    decode_greedily,
    least_steps,
    spelling_loss,
)
from medcore.sound import SILENCE

LETTERS = "_ab"


def draw(seed, steps=3, tokens=3):
    """Return log-probabilities (steps, tokens)."""
    values = np.random.default_rng(seed).normal(0, 1.5, (steps, tokens))
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def count_out(said):
    """Return every text's log-likelihood by adding up all paths that read like it."""
    found = {}
    for path in itertools.product(range(said.shape[1]), repeat=len(said)):
        text = tuple(collapse(path))
        value = sum(said[step, token] for step, token in enumerate(path))
        found[text] = np.logaddexp(found.get(text, -math.inf), value)
    return found


@pytest.mark.parametrize(
    ("path", "text"), [("aa_ab", "aab"), ("___", ""), ("a_a", "aa"), ("aaa", "a"), ("ab_b", "abb")]
)
def test_repeats_are_one_and_a_blank_between_keeps_both(path, text):
    found = collapse([LETTERS.index(letter) for letter in path])
    assert "".join(LETTERS[token] for token in found) == text


@pytest.mark.parametrize("target", [[1], [2], [1, 2], [2, 1], [1, 1], [1, 2, 1]])
def test_the_loss_of_three_frames_is_that_of_all_paths_counted_out(target):
    said = draw(0)
    loss = spelling_loss(
        torch.from_numpy(said)[None], torch.tensor([target]), torch.tensor([len(target)])
    )
    assert float(loss) == pytest.approx(-count_out(said)[tuple(target)] / len(target), rel=1e-9)


def test_a_text_longer_than_its_recording_is_a_sentence_not_infinity():
    said, long = torch.from_numpy(draw(0))[None], torch.tensor([[1, 1, 1]])
    with pytest.raises(FitError, match="3 tokens is longer than its recording"):
        spelling_loss(said, long, torch.tensor([3]))
    assert least_steps([1, 1, 1]) == 5 and least_steps([]) == 0 and least_steps([1, 2]) == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_a_wide_beam_finds_the_likeliest_text_of_all(seed, steps):
    said = draw(seed, steps)
    texts = count_out(said)
    best = max(texts, key=texts.get)
    assert tuple(decode_beam(said, width=400, least=-50)) == best
    assert texts[best] >= texts[tuple(decode_greedily(said))] - 1e-12


def test_paths_that_read_the_same_are_added_up():
    """The likeliest path is blank all through, and yet "a" is likelier than nothing."""
    said = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    assert decode_greedily(said) == [] and decode_beam(said) == [1]


def test_a_network_has_a_step_for_two_frames_and_probabilities_that_sum_to_one():
    torch.manual_seed(0)
    network = Speller({"bands": 40, "width": 16, "tokens": 7, "level": True}).eval()
    for frames in (20, 31):
        said = network(torch.full((2, 40, frames), SILENCE).normal_(-8, 2))
        assert said.shape == (2, count_steps(frames), 7)
        assert torch.allclose(said.exp().sum(dim=2), torch.ones(2, count_steps(frames)))
