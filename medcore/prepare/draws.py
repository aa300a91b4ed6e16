"""Multiple imputation: several plausible completions of the same rows, for Rubin's rules.

Each draw takes its own regression weights from their posterior (proper imputation, Rubin 1987;
van Buuren 2018, section 3.2) and adds noise of the residuals' size, so that what is uncertain
differs between the draws. A row's noise comes from the row's own known cells: a patient gets the
same draws alone and in a batch, and different patients get independent ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from medcore.config import generator
from medcore.prepare.chain import (
    Products,
    Ridge,
    Tell,
    answer,
    apply_chain,
    others_of,
    regress_block,
)

SWEEPS = 5
# Increment and multipliers of SplitMix64 (Steele, Lea and Flood 2014).
STEP, FIRST, SECOND = (
    np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def fit_draws(
    matrix: np.ndarray,
    blocks: Sequence[slice],
    chain: Mapping[str, np.ndarray],
    draws: int,
    seed: int,
    tell: Tell,
) -> dict[str, np.ndarray]:
    """Learn `draws` sets of regressions, from a fitted chain on.

    Each draw starts at the chain's estimates and alternates between drawing weights and drawing
    the missing cells for five sweeps. Returns `weights` (draws, places, places), `intercepts` and
    `spread` (draws, places), the residuals' standard deviation. `tell(draw, draws, 0)` is called
    after each draw and may say stop.
    """
    missing = np.isnan(matrix)
    gaps = [np.flatnonzero(missing[:, block.start]) for block in blocks]
    keys = row_keys(matrix, seed)
    settled = apply_chain(chain, blocks, matrix)
    found: dict[str, list[np.ndarray]] = {"weights": [], "intercepts": [], "spread": []}
    for draw in range(draws):
        rng = generator(seed, "draw", draw)
        x = settled.copy()
        work = Products(x, gaps, blocks, chain["start"], x.T @ x, x.sum(axis=0))
        for sweep in range(SWEEPS):
            drawn = {name: np.zeros(matrix.shape[1]) for name in ("intercepts", "spread")}
            drawn["weights"] = np.zeros((matrix.shape[1],) * 2)
            for place in chain["order"]:
                _draw_block(work, place, drawn, rng)
                _fill_block(work, place, drawn, keys, draw, sweep - SWEEPS)
        for name, values in drawn.items():
            found[name].append(values)
        if tell(draw + 1, draws, 0.0):
            break
    return {name: np.stack(values) for name, values in found.items()}


def apply_draw(
    fitted: Mapping[str, np.ndarray],
    chain: Mapping[str, np.ndarray],
    blocks: Sequence[slice],
    matrix: np.ndarray,
    draw: int,
    seed: int,
) -> np.ndarray:
    """Return the matrix with its gaps filled by one draw; a row's cells depend on it alone."""
    missing = np.isnan(matrix)
    gaps = [np.flatnonzero(missing[:, block.start]) for block in blocks]
    keys = row_keys(matrix, seed)
    x = apply_chain(chain, blocks, matrix)
    drawn = {name: fitted[name][draw] for name in ("weights", "intercepts", "spread")}
    for sweep in range(SWEEPS):
        for place in chain["order"]:
            _fill_rows(x, gaps[place], blocks[place], drawn, keys, draw, sweep)
    return x


def row_keys(matrix: np.ndarray, seed: int) -> np.ndarray:
    """Return one uint64 a row, mixed from the seed and all of the row's cells."""
    # Adding zero turns -0.0 into 0.0; all NaN become the same one.
    bits = np.where(np.isnan(matrix), np.nan, matrix + 0.0).astype(np.float64).view(np.uint64)
    keys = np.full(len(matrix), seed, dtype=np.uint64)
    for column in bits.T:
        keys = _mix(keys ^ column)
    return keys


def row_uniforms(keys: np.ndarray, *counter: int) -> np.ndarray:
    """Return one number a row, strictly between 0 and 1, for a counter of small integers."""
    for count in counter:
        keys = _mix(keys ^ np.uint64(count % 2**32))
    return ((keys >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mix(keys: np.ndarray) -> np.ndarray:
    keys = keys + STEP
    keys = (keys ^ (keys >> np.uint64(30))) * FIRST
    keys = (keys ^ (keys >> np.uint64(27))) * SECOND
    return keys ^ (keys >> np.uint64(31))


def _draw_block(
    work: Products, place: int, drawn: dict[str, np.ndarray], rng: np.random.Generator
) -> None:
    block = work.blocks[place]
    others = others_of(block, work.x.shape[1])
    ridges, means, own, count = regress_block(work, place)
    for target, ridge, middle in zip(range(block.start, block.stop), ridges, own, strict=True):
        weights, spread = _draw_weights(ridge, count, rng)
        middle = middle + spread / np.sqrt(count) * rng.standard_normal()
        drawn["weights"][target, others] = weights
        drawn["intercepts"][target] = middle - weights @ means
        drawn["spread"][target] = spread


def _draw_weights(ridge: Ridge, count: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return weights and residual spread drawn from their posterior at the chosen strength."""
    spread = float(np.sqrt(ridge.residual / rng.chisquare(max(count - ridge.freedom, 1.0))))
    precision = ridge.values / max(spread**2, 1e-300) + ridge.prior
    away = rng.standard_normal(len(precision)) / np.sqrt(precision)
    return ridge.weights + ridge.vectors @ away, spread


def _fill_block(
    work: Products, place: int, drawn: dict, keys: np.ndarray, draw: int, sweep: int
) -> None:
    if len(work.gaps[place]):
        _fill_rows(work.x, work.gaps[place], work.blocks[place], drawn, keys, draw, sweep)
        work.renew(work.blocks[place])


def _fill_rows(
    x: np.ndarray,
    rows: np.ndarray,
    block: slice,
    drawn: Mapping[str, np.ndarray],
    keys: np.ndarray,
    draw: int,
    sweep: int,
) -> None:
    from scipy.special import ndtri

    if not len(rows):
        return
    middle = answer(x[rows], drawn["weights"][block], drawn["intercepts"][block])
    chance = row_uniforms(keys[rows], draw, sweep, block.start)
    if middle.shape[1] == 1:
        x[rows, block] = middle + (drawn["spread"][block] * ndtri(chance))[:, None]
    else:
        x[rows, block] = _draw_words(middle, chance)


def _draw_words(shares: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return 0/1 places, one drawn per row in proportion to the estimated shares."""
    shares = shares.clip(1e-9)
    bounds = np.cumsum(shares, axis=1)
    picked = (chance[:, None] * bounds[:, -1:] > bounds).sum(axis=1)
    return (picked[:, None] == np.arange(shares.shape[1])).astype(np.float64)
