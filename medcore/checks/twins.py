"""Rows that stand for the same patient without saying so: equal, or nearly, in their inputs.

Each input has a scale of its own: numbers differ by so many shares of the spread between their
5th and 95th percentile, categories and gaps either agree or do not. The distance of two rows is
the largest difference over the inputs. Rows are twins when

* they are equal in every input ("equal"),
* or they agree in every category and gap, and no number differs by more than a hundredth of its
  spread ("near"), or they are equal in all inputs but one ("one input differs");
* and so much agreement is no chance: the shares of rows that agree with a row in each input that
  it has, multiplied, would give less than one such pair in twenty tables. Where inputs take few
  values, different patients are alike, and no row is anybody's twin.

Images are told apart as in `medcore.data.likeness`, pixel by pixel and nearly; notes of some
length as in `medcore.checks.alike`; recordings and series by their files. The same picture makes
twins, whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from medcore.checks.alike import find_alike
from medcore.data.likeness import find_copies, read_prints
from medcore.records import Column, Dataset

CLOSE, CHANCE = 0.01, 0.05
KINDS = ("number", "category", "date")
APART = 1e6
EQUAL = "equal"


def find_twins(dataset: Dataset, rows: np.ndarray, others: np.ndarray) -> pd.DataFrame:
    """Return row_id, twin_id (among `others`) and kind for each of `rows` that has a twin.

    Patients who are known to be the same count too. The strongest kind is told, once a row.
    """
    parts = [pd.DataFrame({"row_id": rows[:0], "twin_id": rows[:0], "kind": np.array([], str)})]
    media = [column for column in dataset.with_role("input") if column.kind not in KINDS]
    cells = [column for column in dataset.with_role("input") if column.kind in KINDS]
    if len(rows) and len(others):
        parts += [_same_media(dataset, column, rows, others) for column in media]
        # Beside images a table's few columns are no patient's likeness.
        if cells and all(column.kind == "text" for column in media):
            parts += _alike_cells(dataset, cells, rows, others)
    whole = pd.concat(parts, ignore_index=True)
    return whole.drop_duplicates("row_id", ignore_index=True)


def _same_media(
    dataset: Dataset, column: Column, rows: np.ndarray, others: np.ndarray
) -> pd.DataFrame:
    """Return the rows whose image is that of another row, or nearly; or whose file is."""
    new, old = (dataset.frame.loc[ids, column.name].dropna() for ids in (rows, others))
    if column.kind == "image" and dataset.media is not None:
        prints = read_prints(dataset.media, [*new, *old])
        pairs = find_copies(prints.take(list(new)), prints.take(list(old)))
        first, second = pairs["first"].to_numpy(int), pairs["second"].to_numpy(int)
        kind = pairs["kind"].map({"equal": EQUAL, "near": "nearly the same image"}).to_numpy()
    elif column.kind == "text":
        pairs = find_alike(new.astype(str).tolist(), old.astype(str).tolist())
        first, second = pairs["first"].to_numpy(int), pairs["second"].to_numpy(int)
        kind = pairs["kind"].map({"equal": EQUAL, "near": "nearly the same note"}).to_numpy()
    else:
        match = pd.Index(old).drop_duplicates().get_indexer(pd.Index(new))
        first = np.flatnonzero(match >= 0)
        kept = np.flatnonzero(~pd.Index(old).duplicated())
        second, kind = kept[match[first]], EQUAL
    twins = {"row_id": new.index[first], "twin_id": old.index[second], "kind": kind}
    return pd.DataFrame(twins)


def _alike_cells(
    dataset: Dataset, columns: list[Column], rows: np.ndarray, others: np.ndarray
) -> list[pd.DataFrame]:
    """Return the rows of a table that have a twin, the strongest kind first."""
    frame = dataset.frame.loc[np.concatenate([rows, others])]
    places = np.stack([_place(frame[column.name], column) for column in columns], axis=1)
    new, old = places[: len(rows)], places[len(rows) :]
    surprise = np.stack([_surprise(a, b) for a, b in zip(new.T, old.T, strict=True)], axis=1)
    needed = np.log(len(rows) * len(others) / CHANCE)
    parts = []
    for kind, told, twin in _candidates(new, old, surprise):
        place = np.flatnonzero((told > needed) & (twin >= 0))
        pairs = {"row_id": rows[place], "twin_id": others[twin[place]], "kind": kind}
        parts.append(pd.DataFrame(pairs))
    return parts


def _candidates(
    new: np.ndarray, old: np.ndarray, surprise: np.ndarray
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield kind, how telling each row's agreement is, and the place of its match (-1: none)."""
    total = surprise.sum(axis=1)
    new_codes, old_codes = _hash(new), _hash(old)
    yield EQUAL, total, _match(new_codes.sum(axis=1), old_codes.sum(axis=1))
    yield "near", total, _nearest(new, old)
    if new.shape[1] < 3:
        return
    new_sum, old_sum = new_codes.sum(axis=1), old_codes.sum(axis=1)
    for column in range(new.shape[1]):
        match = _match(new_sum - new_codes[:, column], old_sum - old_codes[:, column])
        yield "one input differs", total - surprise[:, column], match


def _place(values: pd.Series, column: Column) -> np.ndarray:
    """Return a column in units of its spread; a category's code; far away where it is missing."""
    if column.kind == "category":
        codes = pd.factorize(values.astype("string"))[0].astype(np.float64)
        return np.where(codes < 0, APART, codes)
    if column.kind == "date":
        days = pd.to_datetime(values, errors="coerce").to_numpy("datetime64[s]")
        numbers = days.astype(np.int64) / 86_400
        numbers[np.isnat(days)] = np.nan
    else:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return np.full(len(numbers), APART)
    low, high = np.quantile(known, [0.05, 0.95])
    spread = (high - low) or (known.max() - known.min()) or 1.0
    return np.where(np.isfinite(numbers), (numbers - low) / spread, APART)


def _surprise(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Return −log of the share of old rows that agree with each new row in one input.

    A gap that two rows share says nothing: what is not measured comes in whole groups of columns.
    """
    ordered = np.sort(old)
    alike = np.searchsorted(ordered, new + CLOSE, side="right")
    alike = alike - np.searchsorted(ordered, new - CLOSE, side="left")
    return np.where(new == APART, 0.0, -np.log(np.maximum(alike, 1) / len(old)))


def _hash(places: np.ndarray) -> np.ndarray:
    """Return a uint64 for each cell, so mixed that sums over a row stand for the row."""
    salts = np.random.default_rng(0).integers(2**63, size=places.shape[1], dtype=np.uint64)
    # −0.0 and 0.0 are one number with two patterns of bits.
    bits = (places + 0.0).view(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (bits ^ salts) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(29))


def _match(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Return the place of an equal value in `old`, or -1."""
    order = np.argsort(old, kind="stable")
    place = np.minimum(np.searchsorted(old[order], new), len(old) - 1)
    return np.where(old[order][place] == new, order[place], -1)


def _nearest(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Return the place of the nearest old row within reach, or -1."""
    from scipy.spatial import cKDTree

    # Equal rows would fill whole branches of the tree.
    distinct, first = np.unique(old, axis=0, return_index=True)
    _, place = cKDTree(distinct).query(new, p=np.inf, distance_upper_bound=CLOSE)
    return np.where(place < len(distinct), first[np.minimum(place, len(first) - 1)], -1)
