"""How much each class counts in training, under every strategy for rare classes.

All strategies but focal loss come down to one vector: how many times more a class counts in
training than it occurs among the patients. The loss, the sampler and the resampling take it from
here, and the correction of the risks afterwards takes it back out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medcore.config import BalanceConfig
from medcore.errors import FitError
from medcore.records import Block, Prepared
from medcore.strategies import BALANCE_TITLES, ROW_STRATEGIES


def class_ratio(outcome: np.ndarray, classes: int, balance: BalanceConfig) -> np.ndarray:
    """Return how many times more each class counts in training than it occurs, float64 (classes,).

    `outcome`: int codes of the untouched training rows; their mean ratio is 1. A class without
    rows gets the largest ratio of the others.

    >>> class_ratio(np.array([0, 0, 0, 1]), 2, BalanceConfig(strategy="class_weight")).round(3)
    array([0.667, 2.   ])
    """
    counts = np.bincount(outcome, minlength=classes)
    seen = counts > 0
    if balance.strategy in ROW_STRATEGIES:
        grown = wanted_counts(counts, balance)[seen] / counts[seen]
    else:
        grown = (counts[seen] / counts.sum()) ** -_power(balance)
    ratio = np.full(classes, grown.max())
    ratio[seen] = grown
    return ratio * counts.sum() / (ratio @ counts)


def finding_ratio(outcome: np.ndarray, balance: BalanceConfig) -> np.ndarray:
    """Return `class_ratio` of each finding alone, (findings, 2): those without, those with it.

    `outcome` (rows, findings) holds NaN where nobody knows; a finding without a case stays as is.
    """
    ratios = []
    for values in outcome.T:
        has = values[np.isfinite(values)].astype(np.int64)
        alike = len(np.unique(has)) < 2
        ratios.append(np.ones(2) if alike else class_ratio(has, 2, balance))
    return np.stack(ratios)


def wanted_counts(counts: np.ndarray, balance: BalanceConfig) -> np.ndarray:
    """Return the rows of each class after over- or under-sampling, int64 (classes,).

    Over-sampling and SMOTE leave the largest class alone, under-sampling the smallest; with
    strength s, shares become proportional to share ** (1 - s).

    >>> wanted_counts(np.array([900, 100]), BalanceConfig(strategy="smote", strength=0.5)).tolist()
    [900, 300]
    """
    seen = counts > 0
    kept = counts[seen].min() if balance.strategy == "undersample" else counts.max()
    wanted = kept * (counts[seen] / kept) ** (1 - balance.strength)
    grown = np.zeros(len(counts), dtype=np.int64)
    grown[seen] = np.maximum(1, np.round(wanted).astype(np.int64))
    return grown


def balance_rows(prepared: Prepared, balance: BalanceConfig, rng: np.random.Generator) -> Prepared:
    """Return training rows over- or under-sampled, or with SMOTE's invented ones (row id -1).

    Other strategies return the rows as they are. Raises `FitError` when SMOTE cannot work.
    """
    if balance.strategy not in ROW_STRATEGIES:
        return prepared
    counts = np.bincount(prepared.outcome, minlength=len(prepared.classes))
    wanted = wanted_counts(counts, balance)
    if balance.strategy == "smote":
        return _invent_rows(prepared, counts, wanted, balance, rng)
    places = []
    for code in np.flatnonzero(counts):
        own = np.flatnonzero(prepared.outcome == code)
        kept = own if wanted[code] >= len(own) else rng.choice(own, wanted[code], replace=False)
        places += [kept, rng.choice(own, wanted[code] - len(kept))]
    return prepared.take(np.sort(np.concatenate(places)))


def balance_notes(
    outcome: np.ndarray, classes: Sequence[str], balance: BalanceConfig
) -> tuple[str, ...]:
    """Return sentences on what the strategy did to training rows.

    `outcome`: codes of the untouched training rows (of the first fold, where there are several).
    """
    if balance.strategy == "none":
        return ()
    title, notes = BALANCE_TITLES[balance.strategy], []
    counts = np.zeros(len(classes), dtype=np.int64)
    if outcome.ndim == 1:
        counts = np.bincount(outcome, minlength=len(classes))
    if balance.strategy in ROW_STRATEGIES:
        wanted = wanted_counts(counts, balance)
        changes = [
            f"'{name}' {before:,} → {after:,}"
            for name, before, after in zip(classes, counts, wanted, strict=True)
            if before != after
        ]
        if changes:
            notes.append(f"{title} changed the training rows of a fit: {', '.join(changes)}.")
    elif balance.strategy == "focal":
        notes.append(f"{title}: patients that the network got right counted for less in training.")
    else:
        what = "rare classes" if outcome.ndim == 1 else "of each finding, the rarer side"
        notes.append(f"{title}: {what} counted for more in training.")
    if balance.strategy == "smote":
        notes += _neighbour_notes(counts, classes, balance)
    return tuple(notes)


def _invent_rows(
    prepared: Prepared,
    counts: np.ndarray,
    wanted: np.ndarray,
    balance: BalanceConfig,
    rng: np.random.Generator,
) -> Prepared:
    """Add rows between neighbours of a class (Chawla et al. 2002), categories by majority."""
    from imblearn.over_sampling import SMOTE, SMOTENC

    apart = [key for key, other in prepared.blocks.items() if other.kind != "table"]
    if apart:
        raise FitError(
            f"SMOTE draws new patients between the numbers of two, and '{apart[0]}' is not one: "
            "choose oversample, class_weight or balanced_sampler."
        )
    block = prepared.blocks["table"]
    if not block.numeric:
        raise FitError(
            "SMOTE draws new patients between numbers, and no input is one: choose oversample."
        )
    table, books = _encode_block(block)
    outcome, rows = prepared.outcome, len(prepared.outcome)
    kinds = {"categorical_features": list(range(len(block.numeric), table.shape[1]))}
    # One class at a time, because each may have its own number of neighbours.
    for code in np.flatnonzero(wanted > counts):
        if counts[code] < 2:
            raise FitError(
                f"SMOTE needs two training patients of each class, and '{prepared.classes[code]}' "
                "has one: choose oversample or class_weight."
            )
        sampler = (SMOTENC if books else SMOTE)(
            sampling_strategy={int(code): int(wanted[code])},
            k_neighbors=min(balance.neighbours, int(counts[code]) - 1),
            random_state=int(rng.integers(2**31 - 1)),
            **(kinds if books else {}),
        )
        table, outcome = sampler.fit_resample(table, outcome)
    invented = _decode_block(block, np.asarray(table[rows:], dtype=np.float64), books)
    stranger = np.full(len(invented), -1, dtype=np.int64)
    grown = replace(
        block,
        values=np.concatenate([block.values, invented]),
        present=np.concatenate([block.present, np.ones(len(invented), dtype=bool)]),
        gaps=None if block.gaps is None else np.pad(block.gaps, ((0, len(invented)), (0, 0))),
    )
    return replace(
        prepared,
        blocks={**prepared.blocks, "table": grown},
        outcome=np.asarray(outcome, dtype=np.int64),
        row_id=np.concatenate([prepared.row_id, stranger]),
        group=np.concatenate([prepared.group, stranger]),
    )


def _encode_block(block: Block) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Return numbers and, behind them, one code per source for its 0/1 places.

    A code stands for one combination of places that occurs, so that no invented patient is of two
    categories at once; the books are (positions, combinations) pairs.
    """
    plain = [place for place in range(len(block.names)) if place not in set(block.numeric)]
    books, codes = [], []
    for source in dict.fromkeys(block.sources[place] for place in plain):
        places = np.array([place for place in plain if block.sources[place] == source])
        seen, code = np.unique(block.values[:, places], axis=0, return_inverse=True)
        books.append((places, seen))
        codes.append(code.ravel())
    numbers = block.values[:, list(block.numeric)].astype(np.float64)
    return np.column_stack([numbers, *codes]), books


def _decode_block(
    block: Block, table: np.ndarray, books: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    values = np.zeros((len(table), len(block.names)), dtype=np.float32)
    values[:, list(block.numeric)] = table[:, : len(block.numeric)]
    for code, (places, seen) in zip(table[:, len(block.numeric) :].T, books, strict=True):
        values[:, places] = seen[code.astype(np.int64)]
    return values


def _neighbour_notes(
    counts: np.ndarray, classes: Sequence[str], balance: BalanceConfig
) -> list[str]:
    fewer = np.minimum(balance.neighbours, counts - 1)
    grows = wanted_counts(counts, balance) > counts
    return [
        f"SMOTE looked at {fewer[place]} instead of {balance.neighbours} neighbours in the class "
        f"'{classes[place]}', which has {counts[place]} training rows in a fit."
        for place in np.flatnonzero(grows & (fewer > 0) & (fewer < balance.neighbours))
    ]


def _power(balance: BalanceConfig) -> float:
    """Return p where a class counts in proportion to share ** -p more than it occurs."""
    if balance.strategy in ("none", "focal"):
        return 0.0
    return balance.tau if balance.strategy == "logit_adjusted" else balance.strength
